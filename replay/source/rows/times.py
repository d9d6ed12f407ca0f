"""Facts about a file that its column of times alone gives. All times are int64 in units of the event time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from replay.model import Fate, Ints, SpanNs
from replay.source.rows.judge import Judge
from replay.source.rows.raw import RawRows

SCAN_ROWS = 262_144  # of one column at a time


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """The times of one file: `raw` are its rows, `judge` says which times are good."""

    raw: RawRows
    judge: Judge
    column: str
    unit_ns: int

    def good(self, start: int, stop: int) -> Iterator[tuple[Ints, Ints]]:
        """Rows from `start` to before `stop` and their times; batches without a good row are left out."""
        if start >= stop:
            return
        for first_row, raw in self.raw.batches(start, SCAN_ROWS, [self.column]):
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
        bounds = np.cumsum([group.rows for group in self.raw.file.groups])
        count = 0
        for row, times in self.good(0, self.raw.file.rows):
            count += len(times)
            groups = np.searchsorted(bounds, row, side="right")
            for group in np.unique(groups):
                mine = times[groups == group]
                before = spans[group] or (int(mine[0]), int(mine[0]))
                spans[group] = (min(before[0], int(mine.min())), max(before[1], int(mine.max())))
        return [None if span is None else (span[0] * self.unit_ns, span[1] * self.unit_ns) for span in spans], count

    def highest_before(self, row: int, *, is_sorted: bool) -> int | None:
        """The largest good time before this row; None where there is none. `is_sorted`: it is the last one."""
        if not is_sorted:
            return max((int(times.max()) for _, times in self.good(0, row)), default=None)
        starts = [0, *np.cumsum([group.rows for group in self.raw.file.groups]).tolist()]
        for start in reversed([start for start in starts if start < row]):
            found = [times for _, times in self.good(start, row)]
            if found:
                return int(found[-1][-1])
        return None
