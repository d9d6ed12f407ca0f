"""The schema ids of a topic's dump as those of another registry (`--source-registry`): asked once, at the start.

Each id that values begin with is looked up in the registry that it comes from. Its schema is looked up in the one that
readers of the new topic ask. A resume takes the table from its checkpoint, as it does schemas (`schema_ids.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import pyarrow as pa

from replay.delivery.schemas import asking
from replay.delivery.snapshot import Display
from replay.kafka.options import KafkaOptions
from replay.model import VALUE
from replay.record.formats.chosen import named
from replay.record.schema_ids import ids_in
from replay.registry import lookup
from replay.registry.client import Registry
from replay.registry.options import RegistryOptions, subject
from replay.source.source import Source


@dataclass(frozen=True, slots=True)
class Translating:
    """Where the ids come from, and where they go to: both registries, and the topic that names subjects."""

    options: RegistryOptions
    topic: str
    timeout_s: float
    report: Display
    check_stop: Callable[[], None]

    @classmethod
    def of(
        cls, kafka: KafkaOptions, registry: RegistryOptions, report: Display, check_stop: Callable[[], None]
    ) -> Self:
        return cls(registry, kafka.topic, kafka.broker_timeout_s, report, check_stop)

    def open(self, options: RegistryOptions) -> Registry:
        return asking(options, self.timeout_s, self.report, self.check_stop)()


def translated(source: Source, to: Translating) -> Source:
    """With the table of ids, where it is asked for and not known yet. Every row is read for it. Raises `StateConflict`
    for a schema that one of the registries does not have."""
    records, registry = source.options.records, to.options.source
    if registry is None or records.value_ids:
        return source
    ids = sorted(_ids(source, to))
    if not ids:
        return source
    theirs, ours = to.open(registry), to.open(to.options)
    table = tuple((old, _becomes(old, theirs, ours, to)) for old in ids)
    to.report.info("schema ids: " + ", ".join(f"{old} becomes {new}" for old, new in table))
    return Source(replace(source.options, records=replace(records, value_ids=table)))


def _ids(source: Source, to: Translating) -> set[int]:
    """Those of the rows that are sent."""
    found: set[int] = set()
    for batch in source.checked():
        to.check_stop()
        values = batch.table.column(VALUE)
        found |= ids_in(values if batch.fates is None else values.filter(pa.array(batch.sent)))
        to.report.phase("looking for schema ids", batch.start.row + len(batch), source.rows)
    return found


def _becomes(old: int, theirs: Registry, ours: Registry, to: Translating) -> int:
    schema = named(theirs.text_of(old).schema)
    under = subject(to.options.subject_name, to.topic, schema.name, is_key=False)
    return lookup.settle(ours, to.options, under, schema).id
