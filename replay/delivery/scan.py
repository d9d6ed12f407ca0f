"""Facts about a source that only a full read gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from replay.model import Fate, Ints, count_fates, event_times_ns
from replay.reporter import Reporter
from replay.source.source import Source

HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class Scan:
    """`hours` maps hours since 1970 to records, `partitions` is by number."""

    records: int
    left_out: dict[str, int]
    symbols: dict[str, int]
    hours: dict[int, int]


def scan(source: Source, report: Reporter, check_stop: Callable[[], None]) -> Scan:
    fates, symbols, hours = Counter[Fate](), Counter[int](), Counter[int]()
    for batch in source.checked():
        check_stop()
        report.phase("reading", batch.start.row + len(batch), source.rows)
        if batch.fates is not None:
            fates += count_fates(batch.fates)
        symbols.update(_counts(np.asarray(batch.table.column("symbol").to_numpy(), dtype=np.int64)[batch.sent]))
        hours.update(_counts(event_times_ns(batch.table)[batch.sent] // HOUR_NS))
    names = source.symbols.names
    return Scan(
        records=source.rows - fates.total(),
        left_out={fate.name.lower(): rows for fate, rows in sorted(fates.items())},
        symbols={names[symbol]: rows for symbol, rows in symbols.most_common()},
        hours=dict(sorted(hours.items())),
    )


def _counts(values: Ints) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
