"""What a file's event times alone say of its rows. All times are int64 in units of the event time.

A bad row has no time: it counts as one of the largest time before it, and contradicts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from replay.fate import Fate
from replay.model import ORDER_NS, Bools, Bytes, Ints, SpanNs, event_times_ns
from replay.source.rows.judge import Judge
from replay.source.rows.raw import RawRows

SCAN_ROWS = 262_144  # of one column at a time


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """The times of one file: `raw` are its rows, `judge` says which times are good."""

    raw: RawRows
    judge: Judge

    def good(self, start: int, stop: int) -> Iterator[tuple[Ints, Ints]]:
        """Rows from `start` to before `stop` and their times; batches without a good row are left out."""
        if start >= stop:
            return
        for first_row, raw in self.raw.batches(start, SCAN_ROWS, [self.judge.rules.layout.event_time.column]):
            times, fates = self.judge.times(raw)
            rows = np.arange(first_row, first_row + len(times))
            good = (fates == Fate.SENT) & (rows < stop)
            if good.any():
                yield rows[good], times[good]
            if first_row + len(times) >= stop:
                return

    def goes_back(self) -> bool:
        """Whether a good row is earlier than a good row before it."""
        last: int | None = None
        for _, times in self.good(0, self.raw.file.rows):
            if (last is not None and int(times[0]) < last) or (np.diff(times) < 0).any():
                return True
            last = int(times[-1])
        return False

    def spans_ns(self) -> tuple[list[SpanNs], int]:
        """Smallest and largest good time of each row group (None: there is none), and how many rows have one."""
        spans: list[SpanNs] = [None] * len(self.raw.file.groups)
        ends, count = self.raw.file.group_bounds[1:], 0
        for row, times in self.good(0, self.raw.file.rows):
            count += len(times)
            groups = np.searchsorted(ends, row, side="right")
            for group in np.unique(groups):
                mine = times[groups == group]
                before = spans[group] or (int(mine[0]), int(mine[0]))
                spans[group] = (min(before[0], int(mine.min())), max(before[1], int(mine.max())))
        unit_ns = self.judge.rules.unit_ns
        return [None if span is None else (span[0] * unit_ns, span[1] * unit_ns) for span in spans], count

    def highest_before(self, row: int, *, is_sorted: bool) -> int | None:
        """The largest good time before this row; None where there is none. `is_sorted`: it is the last one."""
        if not is_sorted:
            return max((int(times.max()) for _, times in self.good(0, row)), default=None)
        for start in reversed([start for start in self.raw.file.group_bounds if start < row]):
            found = [times for _, times in self.good(start, row)]
            if found:
                return int(found[-1][-1])
        return None


def order_times_ns(table: pa.RecordBatch) -> Ints:
    """What rows are ordered by, in ns since 1970: `ORDER_NS` where it is there, else the event time."""
    if ORDER_NS in table.schema.names:
        return np.asarray(table.column(ORDER_NS).to_numpy())
    return event_times_ns(table)


def in_order(times: Ints, bad: Bools, highest: int) -> tuple[Ints, Bools | None]:
    """The times of a batch with those of bad rows filled in, and which rows are smaller than the row before them (None:
    none). It has at least one row, and lies behind rows of which the largest time is `highest`."""
    if bad.any():
        times = np.where(bad, running_highest(np.where(bad, highest, times), highest), times)
    backwards = None
    if times[0] < highest or (times[1:] < times[:-1]).any():
        backwards = np.diff(times, prepend=highest) < 0
    return times, backwards


def running_highest(times: Ints, highest: int) -> Ints:
    """For each row the largest time so far: what it is ordered by where rows keep their order."""
    return np.asarray(np.maximum.accumulate(np.maximum(times, highest)))


def first_contradiction(
    bounds: Sequence[int], promised: Sequence[SpanNs], unit_ns: int, times: Ints, bad: Bytes, first_row: int
) -> int | None:
    """The first row of a batch whose time lies beyond what statistics promise of its row group; None: no row.

    The batch begins with row `first_row` of the row groups, which lie between the `bounds`.
    """
    for start, end, span in zip(bounds, bounds[1:], promised, strict=False):
        rows = slice(max(start - first_row, 0), max(end - first_row, 0))
        these = times[rows]
        if span is None or not len(these):
            continue
        low, high = span[0] // unit_ns, span[1] // unit_ns
        if low <= these.min() and these.max() <= high:
            continue
        wrong = (bad[rows] == Fate.SENT) & ((these < low) | (these > high))
        if wrong.any():
            return rows.start + int(np.argmax(wrong))
    return None
