"""The schemas of a replay: which they are, and under which ids a registry has them. Asked once, before the first row.

What a checkpoint knows of them is not asked again: see `schema_ids.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, partial
from typing import NamedTuple

from replay.delivery.context import Context
from replay.delivery.schema_ids import anew
from replay.errors import UsageError
from replay.kafka.topic import Topic
from replay.model import SystemClock
from replay.record.formats.base import Schema
from replay.record.formats.chosen import KINDS, key_schema
from replay.record.options import UNKNOWN_IDS, GivenSchema, SchemaId, SchemaIds
from replay.registry import lookup
from replay.registry.client import Registered, Registry, connect
from replay.registry.options import RegistryOptions, subject, subject_version
from replay.reporter import Reporter
from replay.source.options import SourceOptions
from replay.source.source import Source

Ask = Callable[[], Registry]
"""Opens the registry: who needs it calls it, and nobody else."""

Look = Callable[[Registry, RegistryOptions, str, Schema], Registered | None]


def with_schema(options: SourceOptions, ask: Ask) -> SourceOptions:
    """With the schema of its subject, where it is not known yet. Raises `StateConflict` where there is none."""
    records = options.records
    if records.subject is None or records.schema is not None:
        return options
    schema, registered = ask().fetch(*subject_version(records.subject))
    if schema.kind != KINDS.get(records.value_format):
        raise UsageError(
            f"{records.subject} is a schema of {schema.kind}, and the format is {records.value_format}",
            where="--schema-subject",
            todo="give the --format that the schema is of, or another subject",
        )
    given = GivenSchema(schema.text, records.subject, schema.references)
    return replace(options, records=replace(records, schema=given, schema_ids=SchemaIds(_id(registered))))


def asked_anew(options: SourceOptions, ask: Ask) -> SourceOptions:
    """The same where nothing counts that a checkpoint said of schemas."""
    return with_schema(replace(options, records=anew(options.records)), ask)


class Wanted(NamedTuple):
    """A schema that the records name by its id."""

    subject: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Schemas:
    """Those of the values and keys of a replay; None: there is none, or its id is known already."""

    value: Wanted | None
    key: Wanted | None

    @property
    def all(self) -> Iterator[Wanted]:
        yield from filter(None, (self.value, self.key))


def wanted(source: Source, topic: str, options: RegistryOptions) -> Schemas:
    """The schemas that a registry is asked for."""
    records = source.options.records

    def of(schema: Schema | None, *, is_key: bool) -> Wanted | None:
        if schema is None:
            return None
        return Wanted(subject(options.subject_name, topic, schema.name, is_key=is_key), schema)

    value = None if records.schema_ids.value is not None else of(source.format.schema, is_key=False)
    key = None if records.schema_ids.key is not None else of(key_schema(records), is_key=True)
    return Schemas(value, key)


def looked_up(context: Context, topic: Topic) -> Context:
    """A new replay's schemas by their ids, as far as they are registered. Raises what stands in the way of the others;
    nothing is registered yet."""
    return replace(context, source=_under(context, topic, lookup.check))


def registered(context: Context, topic: Topic) -> Context:
    """The same with those that were not."""
    return replace(context, source=_under(context, topic, lookup.settle))


def with_placeholders(context: Context) -> Context:
    """Records as large as they are going to be, whatever their ids."""
    ids = context.source.options.records.schema_ids
    some = SchemaIds(ids.value or UNKNOWN_IDS.value, ids.key or UNKNOWN_IDS.key)
    return replace(context, source=context.source.under(some))


def asking(options: RegistryOptions, timeout_s: float, report: Reporter, check_stop: Callable[[], None]) -> Ask:
    """Raises `UsageError` when it is called where no registry is named. It is waited for so long, and opened once."""
    return cache(partial(connect, options, timeout_s, report, SystemClock(), check_stop))


def settled(source: Source, topic: str, options: RegistryOptions, ask: Ask) -> Source:
    """The source whose records name their schemas by id. Nothing is registered: somebody else has written them."""
    return _with(
        source,
        wanted(source, topic, options),
        lambda each: lookup.settle(ask(), replace(options, register=False), *each),
    )


class SchemaState(StrEnum):
    """Whether the registry has a schema, or would take it. `KNOWN`: its id is known already."""

    NOT_ASKED = "not asked"
    KNOWN = "known"
    REGISTERED = "registered"
    COMPATIBLE = "compatible"
    INCOMPATIBLE = "incompatible"


@dataclass(frozen=True, slots=True)
class SchemaPlan:
    """`part` is value or key, `text` is what is registered, `standing` what the registry says of it, if it is asked."""

    part: str
    name: str
    subject: str
    text: str
    standing: str = ""
    state: SchemaState = SchemaState.NOT_ASKED


def plans(source: Source, topic: str | None, options: RegistryOptions, ask: Ask) -> tuple[SchemaPlan, ...]:
    """What `replay plan` says of them. A topic that is not named is called TOPIC; then no registry is asked."""
    records = source.options.records
    found = wanted(source.under(SchemaIds()), topic or "TOPIC", options)
    made = []
    for part, each, known in (
        ("value", found.value, records.schema_ids.value),
        ("key", found.key, records.schema_ids.key),
    ):
        if each is None:
            continue
        standing, state = "", SchemaState.NOT_ASKED
        if known is not None:
            standing, state = f"id {known.number}", SchemaState.KNOWN
        elif options.urls and topic is not None:
            standing, state = _standing(ask(), each)
        subject = records.subject if part == "value" else None
        made.append(SchemaPlan(part, each.schema.name, subject or each.subject, each.schema.text, standing, state))
    return tuple(made)


def _standing(registry: Registry, each: Wanted) -> tuple[str, SchemaState]:
    said = lookup.standing(registry, *each)
    if said.registered is not None:
        version = f", version {said.registered.version}" if said.registered.version is not None else ""
        return f"registered: id {said.registered.id}{version}", SchemaState.REGISTERED
    if said.reasons:
        return f"not registered, and not compatible: {'; '.join(said.reasons)}", SchemaState.INCOMPATIBLE
    return "not registered; it is compatible: --schema-register", SchemaState.COMPATIBLE


def _under(context: Context, topic: Topic, look: Look) -> Source:
    source, options = context.source, context.options.registry
    ask = asking(options, context.options.kafka.broker_timeout_s, context.report, context.stop.check)
    return _with(source, wanted(source, topic.name, options), lambda each: look(ask(), options, *each))


def _with(source: Source, schemas: Schemas, look: Callable[[Wanted], Registered | None]) -> Source:
    known = source.options.records.schema_ids
    value, key = (None if each is None else _id(look(each)) for each in (schemas.value, schemas.key))
    return source.under(SchemaIds(value or known.value, key or known.key))


def _id(registered: Registered | None) -> SchemaId | None:
    return None if registered is None else SchemaId(registered.id, registered.guid or "")
