"""Pacing: deadlines of rows from one anchor, and what to do now. Nothing here sleeps or asks a clock.

All deadlines are seconds since the anchor; row n of a rate is due at n / rate, a row of a speed at
(event time - first event time) / speed, never earlier than the row before it. Nothing is derived from when
the previous row really went out, so nothing drifts.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from replay.delivery.options import Pace
from replay.model import Floats, Ints

F = TypeVar("F", float, Floats)

BURST_S = 0.003
"""Rows due within this long go out together: waking up costs more than 0.1 ms, and so little lateness hurts nobody (the
99th percentile stays below 5 ms on a machine that does nothing else)."""

SHIFT_S = 1.0
"""Rows later than this (an outage, a suspended machine) shift the schedule instead of being rushed out."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send the rows up to (not including) this one, now."""

    stop: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due for this many seconds."""

    seconds: float


def decide(due_s: Floats, row: int, elapsed_s: float) -> Send | Wait:
    """What to do at `elapsed_s` after the anchor, when `row` of the batch is the next one.

    Rows are never early. While rows come faster than one in `BURST_S`, what goes out waits until the last row of such a
    stretch is due, so that they go out together. Also when its first is due already: handing over takes longer than the
    next row does at a high rate, and a burst a row would cost a whole core.
    """
    # bisect, since after a sleep a call into numpy costs ten times that
    last = bisect_right(due_s, due_s[row] + BURST_S, lo=row) - 1
    wait_s = float(due_s[last]) - elapsed_s
    if wait_s > 0:
        return Wait(wait_s)
    return Send(bisect_right(due_s, elapsed_s, lo=last))


@dataclass(slots=True)
class Schedule:
    """When rows are due, from one anchor on. Nothing here sleeps: the session asks, and waits.

    The first row goes alone, and its acknowledgement sets the anchor: a fresh producer is held up for about a second
    (coordinator load, metadata), which the schedule would then make up for with a burst.

    `rows` are scheduled so far, and `covered_ns` of event time, up to `last_event_ns`.
    """

    pace: Pace
    rows: int = 0
    last_event_ns: int | None = None
    covered_ns: int = 0
    anchor_s: float | None = None
    is_warmed_up: bool = False  # the first row went out

    @property
    def has_begun(self) -> bool:
        return self.anchor_s is not None

    def deadlines(self, event_times_ns: Ints) -> Floats | None:
        """Of the rows that come next, in seconds since the anchor, ascending; None where nothing is ever waited for."""
        pace, rows = self.pace, len(event_times_ns)
        if pace.rows_per_s is not None:
            due_s: Floats = (self.rows + np.arange(rows, dtype=np.float64)) / pace.rows_per_s
            self.rows += rows
            return due_s
        if pace.speed is None or rows == 0:
            return None
        first = int(event_times_ns[0]) if self.last_event_ns is None else self.last_event_ns
        # Gaps rather than differences to the first row: a row that goes back in time is due with its
        # predecessor, and a gap can be capped.
        high_water = np.maximum.accumulate(np.maximum(event_times_ns, first))
        gaps = np.diff(high_water, prepend=np.int64(first))
        if pace.gap_max_s is not None:
            gaps = np.minimum(gaps, np.int64(pace.gap_max_s * 1e9))
        covered = self.covered_ns + np.cumsum(gaps)
        self.last_event_ns, self.covered_ns = int(high_water[-1]), int(covered[-1])
        return covered / (1e9 * pace.speed)

    def begin(self, now_s: float, due_s: float) -> None:
        """What is due then is due now."""
        self.anchor_s = now_s - due_s

    def late_s(self, now_s: float, due_s: F) -> F:
        """How late what is due then is now: of one row or of many."""
        assert self.anchor_s is not None
        return now_s - self.anchor_s - due_s

    def shift(self, late_s: float) -> float:
        """Move the anchor, where the next row is that late; by how much: not at all, or by the whole of it."""
        assert self.anchor_s is not None
        by_s = late_s if late_s > SHIFT_S else 0.0
        self.anchor_s += by_s
        return by_s

    def decide(self, due_s: Floats, row: int, now_s: float) -> Send | Wait:
        assert self.anchor_s is not None
        return decide(due_s, row, now_s - self.anchor_s)
