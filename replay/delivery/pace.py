"""Pacing as pure functions: deadlines of a batch from one anchor, and what to do now. Nothing here sleeps.

All deadlines are seconds since the anchor; row n of a rate is due at n / rate, a row of a speed at
(event time - first event time) / speed, never earlier than the row before it. Nothing is derived from when
the previous row really went out, so nothing drifts.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from replay.delivery.options import Pace
from replay.model import Floats, Ints

BURST_S = 0.003
"""Rows due within this long go out together: waking up costs more than 0.1 ms, and so little lateness hurts nobody (the
99th percentile stays below 5 ms on a machine that does nothing else)."""

SHIFT_S = 1.0
"""Rows later than this (an outage, a suspended machine) shift the schedule instead of being rushed out."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where the schedule stands between two batches: rows scheduled so far, and event time covered."""

    rows: int = 0
    last_event_ns: int | None = None
    covered_ns: int = 0

    def deadlines(self, pace: Pace, event_times_ns: Ints) -> tuple[Floats | None, Timeline]:
        """Deadlines in seconds since the anchor, ascending, one a row; None where nothing is ever waited for."""
        rows = len(event_times_ns)
        if pace.rows_per_s is not None:
            due = (self.rows + np.arange(rows, dtype=np.float64)) / pace.rows_per_s
            return due, Timeline(self.rows + rows, self.last_event_ns, self.covered_ns)
        if pace.speed is None or rows == 0:
            return None, self
        first = int(event_times_ns[0]) if self.last_event_ns is None else self.last_event_ns
        # Gaps rather than differences to the first row: a row that goes back in time is due with its
        # predecessor, and a gap can be capped.
        high_water = np.maximum.accumulate(np.maximum(event_times_ns, first))
        gaps = np.diff(high_water, prepend=np.int64(first))
        if pace.gap_max_s is not None:
            gaps = np.minimum(gaps, np.int64(pace.gap_max_s * 1e9))
        covered = self.covered_ns + np.cumsum(gaps)
        due = covered / (1e9 * pace.speed)
        return due, Timeline(self.rows + rows, int(high_water[-1]), int(covered[-1]))


@dataclass(frozen=True, slots=True)
class Send:
    """Send the rows up to (not including) this one, now."""

    stop: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due for this many seconds."""

    seconds: float


def decide(due_s: Floats | None, row: int, elapsed_s: float) -> Send | Wait:
    """What to do at `elapsed_s` after the anchor, when `row` of the batch is the next one.

    Rows are never early. While rows come faster than one in `BURST_S`, what goes out waits until the last row of such a
    stretch is due, so that they go out together. Also when its first is due already: handing over takes longer than the
    next row does at a high rate, and a burst a row would cost a whole core.
    """
    if due_s is None:
        raise ValueError("an unpaced replay has nothing to decide")
    # bisect, since after a sleep a call into numpy costs ten times that
    last = bisect_right(due_s, due_s[row] + BURST_S, lo=row) - 1
    wait_s = float(due_s[last]) - elapsed_s
    if wait_s > 0:
        return Wait(wait_s)
    return Send(bisect_right(due_s, elapsed_s, lo=last))


def shift_s(late_s: float) -> float:
    """How far to move the anchor when the next row is this late: not at all, or by the whole of it."""
    return late_s if late_s > SHIFT_S else 0.0


# Lateness is kept as counts in logarithmic buckets, so that hours of it need no memory: each bucket is 10 %
# wider than the one before, from 10 microseconds up to about two hours.
_BUCKET_FIRST_S = 1e-5
_BUCKET_GROWTH = 1.1
_BUCKETS = 215
_COUNTED_ROWS = 10_000  # at once: 80 KB, and array operations cost little more for so many than for one


def bucket_edges_s() -> Floats:
    """The upper edge of each bucket; the last one takes whatever is above as well."""
    return _BUCKET_FIRST_S * np.power(_BUCKET_GROWTH, np.arange(_BUCKETS, dtype=np.float64))


class Lateness:
    """How late rows were handed over, in seconds after their deadline (of the schedule as shifted)."""

    __slots__ = ("_counts", "_max_s", "_new", "_new_rows")

    def __init__(self, counts: Ints | None = None, max_s: float = 0.0) -> None:
        self._counts: Ints = np.zeros(_BUCKETS, dtype=np.int64) if counts is None else counts
        self._max_s = max_s
        self._new: list[Floats] = []
        self._new_rows = 0

    @property
    def counts(self) -> Ints:
        """Rows by bucket."""
        self._count_new()
        return self._counts

    @property
    def max_s(self) -> float:
        self._count_new()
        return self._max_s

    def copy(self) -> Lateness:
        return Lateness(self.counts.copy(), self._max_s)

    def add(self, late_s: Floats) -> None:
        """Kept as they are until somebody asks, or there are many: ten rows cost as much to count as a thousand."""
        self._new.append(late_s)
        self._new_rows += len(late_s)
        if self._new_rows >= _COUNTED_ROWS:
            self._count_new()

    def add_one(self, seconds: float) -> None:
        """The same for one value, without the cost of arrays."""
        self._max_s = max(self._max_s, seconds)
        bucket = math.ceil(math.log(max(seconds, _BUCKET_FIRST_S) / _BUCKET_FIRST_S) / math.log(_BUCKET_GROWTH))
        self._counts[min(bucket, _BUCKETS - 1)] += 1

    def quantile_s(self, q: float) -> float:
        """The upper edge of the bucket that holds the quantile: at most 10 % above the true value."""
        counts = self.counts
        total = int(counts.sum())
        if total == 0:
            return 0.0
        bucket = int(np.searchsorted(np.cumsum(counts), math.ceil(q * total), side="left"))
        return min(self.max_s, _BUCKET_FIRST_S * _BUCKET_GROWTH**bucket)

    def _count_new(self) -> None:
        if not self._new_rows:
            return
        late_s = np.concatenate(self._new)
        self._new.clear()
        self._new_rows = 0
        self._max_s = max(self._max_s, float(late_s.max()))
        scaled = np.maximum(late_s, _BUCKET_FIRST_S) / _BUCKET_FIRST_S
        buckets = np.ceil(np.log(scaled) / math.log(_BUCKET_GROWTH)).astype(np.int64)
        self._counts += np.bincount(np.clip(buckets, 0, _BUCKETS - 1), minlength=_BUCKETS)
