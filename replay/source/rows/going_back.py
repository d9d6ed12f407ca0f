"""Whether rows of a file go back in time, batch by batch. Pure.

All times are int64 in units of the event time. A bad row has none: it counts as one of the largest time before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replay.model import Bools, Ints


@dataclass(frozen=True, slots=True)
class Ordered:
    """`times` are those of a batch with those of bad rows filled in, `highest` is the largest of them and of all before
    them. `backwards` says which rows are smaller than the row before them; None: none."""

    times: Ints
    highest: int
    backwards: Bools | None


def in_order(times: Ints, bad: Bools, highest: int) -> Ordered:
    """A batch of at least one row behind rows of which the largest time is `highest`."""
    if bad.any():
        times = np.where(bad, running_highest(np.where(bad, highest, times), highest), times)
    backwards = None
    if times[0] < highest or (times[1:] < times[:-1]).any():
        backwards = np.diff(times, prepend=highest) < 0
    return Ordered(times, max(highest, int(times.max())), backwards)


def running_highest(times: Ints, highest: int) -> Ints:
    """For each row the largest time so far: what it is ordered by where rows keep their order."""
    return np.asarray(np.maximum.accumulate(np.maximum(times, highest)))
