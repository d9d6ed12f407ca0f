"""The spilled rows and records, joined bucket by bucket: what each of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from replay.model import Ints
from replay.verify.kinds import NONE, KindCounts
from replay.verify.spill import ANYWHERE, FULL, KEY_TIME, KEY_VALUE, PLACE, Buckets, Spill

FILTER_BITS = 24  # 16 MB of flags, so that few source rows reach the disk when duplicates are looked for


def settle(spill: Spill, source: Callable[[], Iterator[tuple[Ints, Ints]]], counts: KindCounts) -> None:
    """Say what every spilled row and record is.

    `source` gives the full fingerprints of all rows, in portions, each with its row numbers; it is
    read once, and only where a record could be a duplicate.
    """
    spill.flush()
    after, maybe = Buckets(FULL, 5), np.zeros(1 << FILTER_BITS, dtype=bool)
    for rows, records, found_rows, found_records in _paired(spill.buckets, FULL):
        counts.add("found", len(found_rows))
        counts.add_places("far", found_rows, found_records)
        counts.add_places("out_of_order", found_rows, found_records)
        after.add(np.concatenate([rows, records]))
        maybe[_flag(records[:, FULL])] = True
    anywhere = _without_duplicates(after, source() if maybe.any() else iter(()), maybe, counts)
    by_time = _matched(anywhere, ANYWHERE, "misplaced", KEY_TIME, counts)
    by_value = _matched(by_time, KEY_TIME, "changed", KEY_VALUE, counts)
    for _, table in _matched(by_value, KEY_VALUE, "changed", FULL, counts).each():
        rows, records = _sides(table)
        counts.add_places("lost", rows[:, PLACE], np.full(len(rows), NONE))
        counts.add_places("foreign", np.full(len(records), NONE), ~records[:, PLACE])


def _flag(full: Ints) -> Ints:
    return full >> 6 & ((1 << FILTER_BITS) - 1)


def _without_duplicates(
    spilled: Buckets, source: Iterator[tuple[Ints, Ints]], maybe: npt.NDArray[np.bool_], counts: KindCounts
) -> Buckets:
    candidates, left = Buckets(0, 2), Buckets(ANYWHERE, 5)
    for full, rows_of in source:
        hits = np.flatnonzero(maybe[_flag(full)])
        candidates.add(np.stack([full[hits], rows_of[hits]], axis=1))
    for bucket, table in spilled.each():
        rows, records = _sides(table)
        known = candidates.take(bucket)
        known = known[np.lexsort((known[:, 1], known[:, 0]))]
        at = np.searchsorted(known[:, 0], records[:, FULL])
        is_copy = np.zeros(len(records), dtype=bool)
        inside = at < len(known)
        is_copy[inside] = known[at[inside], 0] == records[inside, FULL]
        counts.add_places("duplicated", known[at[is_copy], 1], ~records[is_copy, PLACE])
        left.add(np.concatenate([rows, records[~is_copy]]))
    return left


def _matched(buckets: Buckets, column: int, kind: str, next_column: int, counts: KindCounts) -> Buckets:
    """Pair rows and records that agree in `column`; what is left, ready for the next column."""
    left = Buckets(next_column, 5)
    for rows, records, paired_rows, paired_records in _paired(buckets, column):
        counts.add_places(kind, paired_rows, paired_records)
        left.add(np.concatenate([rows, records]))
    return left


def _sides(table: Ints) -> tuple[Ints, Ints]:
    """Rows in order, and records in order of partition and offset."""
    rows, records = table[table[:, PLACE] >= 0], table[table[:, PLACE] < 0]
    return rows[np.argsort(rows[:, PLACE])], records[np.argsort(~records[:, PLACE])]


def _paired(buckets: Buckets, column: int) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
    """Per bucket: rows and records left over, and the places of those that agree: the n-th with the n-th."""
    for _, table in buckets.each():
        rows, records = _sides(table)
        rows = rows[np.argsort(rows[:, column], kind="stable")]
        records = records[np.argsort(records[:, column], kind="stable")]
        wanted, there = rows[:, column], records[:, column]
        nth = np.arange(len(there)) - np.searchsorted(there, there, "left")
        first = np.searchsorted(wanted, there, "left")
        hit = nth < np.searchsorted(wanted, there, "right") - first
        of_row = (first + nth)[hit]
        free = np.ones(len(rows), dtype=bool)
        free[of_row] = False
        yield rows[free], records[~hit], rows[of_row, PLACE], ~records[hit, PLACE]
