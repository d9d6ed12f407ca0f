"""Pacing as pure functions: deadlines of a batch from one anchor, and what to do now. Nothing here sleeps.

All deadlines are seconds since the anchor; row n of a rate is due at n / rate, a row of a speed at
(event time - first event time) / speed, never earlier than the row before it. Nothing is derived from when
the previous row really went out, so nothing drifts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from replay.config import Pace
from replay.model import Floats, Ints

BURST_S = 0.002
"""Rows due within this long go out together: a sleep costs about 0.1 ms, and 2 ms of lateness hurt nobody."""

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

    Rows are never early. While rows come faster than one in `BURST_S`, the wait lasts until the last row of
    such a stretch is due, so that they go out together.
    """
    if due_s is None:
        raise ValueError("an unpaced replay has nothing to decide")
    stop = int(np.searchsorted(due_s, elapsed_s, side="right"))
    if stop > row:
        return Send(stop)
    last = int(np.searchsorted(due_s, due_s[row] + BURST_S, side="right")) - 1
    return Wait(float(due_s[last]) - elapsed_s)


def shift_s(late_s: float) -> float:
    """How far to move the anchor when the next row is this late: not at all, or by the whole of it."""
    return late_s if late_s > SHIFT_S else 0.0


# Lateness is kept as counts in logarithmic buckets, so that hours of it need no memory: each bucket is 10 %
# wider than the one before, from 10 microseconds up to about two hours.
_BUCKET_FIRST_S = 1e-5
_BUCKET_GROWTH = 1.1
_BUCKETS = 215


def bucket_edges_s() -> Floats:
    """The upper edge of each bucket; the last one takes whatever is above as well."""
    return _BUCKET_FIRST_S * np.power(_BUCKET_GROWTH, np.arange(_BUCKETS, dtype=np.float64))


@dataclass(slots=True)
class Lateness:
    """How late rows were handed over, in seconds after their deadline (of the schedule as shifted)."""

    counts: Ints = field(default_factory=lambda: np.zeros(_BUCKETS, dtype=np.int64))
    max_s: float = 0.0

    def add(self, late_s: Floats) -> None:
        if len(late_s) == 0:
            return
        self.max_s = max(self.max_s, float(late_s.max()))
        scaled = np.maximum(late_s, _BUCKET_FIRST_S) / _BUCKET_FIRST_S
        buckets = np.ceil(np.log(scaled) / math.log(_BUCKET_GROWTH)).astype(np.int64)
        self.counts += np.bincount(np.clip(buckets, 0, _BUCKETS - 1), minlength=_BUCKETS)

    def add_one(self, seconds: float) -> None:
        """The same for one value, without the cost of arrays."""
        self.max_s = max(self.max_s, seconds)
        bucket = math.ceil(math.log(max(seconds, _BUCKET_FIRST_S) / _BUCKET_FIRST_S) / math.log(_BUCKET_GROWTH))
        self.counts[min(bucket, _BUCKETS - 1)] += 1

    def quantile_s(self, q: float) -> float:
        """The upper edge of the bucket that holds the quantile: at most 10 % above the true value."""
        total = int(self.counts.sum())
        if total == 0:
            return 0.0
        bucket = int(np.searchsorted(np.cumsum(self.counts), math.ceil(q * total), side="left"))
        return min(self.max_s, _BUCKET_FIRST_S * _BUCKET_GROWTH**bucket)
