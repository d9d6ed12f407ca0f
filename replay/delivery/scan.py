"""What only a full read tells of a replay: records by symbol, hour and partition, and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from replay.fate import Fate
from replay.kafka.partitioner import partitioner
from replay.model import Ints, count_fates, event_times_ns
from replay.record.encoder import Encoder
from replay.record.options import Records
from replay.reporter import Reporter
from replay.source.source import Source

HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class Scan:
    """What only a full read gives. `hours` maps hours since 1970 to records, `partitions` those that are told by a
    column, or by keys from one. There is no symbol where records are sent as they are and have none."""

    records: int
    left_out: dict[str, int]
    symbols: dict[str, int]
    hours: dict[int, int]
    partitions: dict[int, int]


def records_by_partition(records: Records, partitions: int | None, scanned: Scan | None) -> tuple[int, ...]:
    """Empty where it is not known."""
    if scanned is None or not scanned.records or partitions is None:
        return ()
    found = Counter[int](scanned.partitions)
    if not by_column(records):
        of = partitioner(records.partitioner, partitions)
        for symbol, rows in scanned.symbols.items():
            found[of(symbol.encode())] += rows
    return tuple(found[p] for p in range(partitions))


def by_column(records: Records) -> bool:
    """Whether a column of its own says which partition a record is for."""
    return records.partition_column is not None or records.key_column is not None


def scan(source: Source, report: Reporter, check_stop: Callable[[], None], encoder: Encoder | None = None) -> Scan:
    """`encoder`: what says which partition each record is for; without it they are not counted."""
    fates, symbols, hours, partitions = Counter[Fate](), Counter[int](), Counter[int](), Counter[int]()
    for batch in source.checked():
        check_stop()
        report.phase("reading", batch.start.row + len(batch), source.rows)
        if batch.fates is not None:
            fates += count_fates(batch.fates)
        symbols.update(_counts(np.asarray(batch.table.column("symbol").to_numpy(), dtype=np.int64)[batch.sent]))
        hours.update(_counts(event_times_ns(batch.table)[batch.sent] // HOUR_NS))
        if encoder is not None:
            partitions.update(_counts(encoder.partitions(batch)))
    names = source.symbols.names if source.options.columns.has_symbol else []
    return Scan(
        records=source.rows - fates.total(),
        left_out={fate.key: rows for fate, rows in sorted(fates.items())},
        symbols={names[symbol]: rows for symbol, rows in symbols.most_common() if names},
        hours=dict(sorted(hours.items())),
        partitions=dict(sorted(partitions.items())),
    )


def _counts(values: Ints) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
