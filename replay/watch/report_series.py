"""Runs as lines to draw: one time axis without the long pauses, and no more points than can be seen. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replay.model import Floats
from replay.watch.report_data import Delays, Run

PAUSE_SHARE = 0.06
"""A pause between runs is at most about this wide, as a share of the running time: a night must not hide minutes."""

PAUSES_SHARE_MAX = 0.4
"""And all of them together about this: a job that fails at once, over and over, is not all pauses."""

SPAN_MIN_S = 5.0
"""The axis covers at least this: below it, marks at whole seconds say nothing."""


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Clock time to places on the axis, and back: equal, but that long pauses between runs are cut short."""

    clock_s: Floats
    place_s: Floats

    def place(self, clock_s: Floats) -> Floats:
        return np.interp(clock_s, self.clock_s, self.place_s)

    def clock(self, place_s: float) -> float:
        """Places outside the axis belong to no moment; they get the nearest."""
        return float(np.interp(place_s, self.place_s, self.clock_s))

    @property
    def span_s(self) -> float:
        return float(self.place_s[-1] - self.place_s[0])


def time_axis(runs: Sequence[Run]) -> TimeAxis:
    """From the first run's begin to the last one's end."""
    running_s = sum(run.lasted_s for run in runs)
    pauses = max(1, len(runs) - 1)
    shown_s = max(1.0, running_s * min(PAUSE_SHARE, PAUSES_SHARE_MAX / pauses))
    unit_s = next(unit for unit in (3600, 60, 1) if shown_s >= unit)  # so that round times stay at round places
    clock, place = [runs[0].begun_s], [runs[0].begun_s]
    for run in runs:
        pause_s = max(0.0, run.begun_s - clock[-1])
        cut_s = max(0.0, (pause_s - shown_s) // unit_s * unit_s)
        for at_s, left_out_s in ((run.begun_s, cut_s), (run.last_s, 0.0)):
            if at_s > clock[-1]:
                place.append(place[-1] + at_s - clock[-1] - left_out_s)
                clock.append(at_s)
    if (missing_s := SPAN_MIN_S - (place[-1] - place[0])) > 0:
        place.append(place[-1] + missing_s)
        clock.append(clock[-1] + missing_s)
    return TimeAxis(np.array(clock), np.array(place))


@dataclass(frozen=True, slots=True)
class Line:
    """A run's points: place on the axis, and what is drawn there. NaN: nothing to draw."""

    place_s: Floats
    rows_per_s: Floats
    lateness_s: Floats  # p50, p99, max as rows
    ack_latency_s: Floats


def line(run: Run, axis: TimeAxis, points_max: int) -> Line:
    """Rows a second between samples; several samples make one point where there would be too many points.

    A point stands at the end of its stretch, and has the stretch's highest delays.
    """
    at_s = np.array([run.begun_s, *(each.at_s for each in run.samples)])
    rows = np.array([run.first_row, *(each.done_rows for each in run.samples)], dtype=np.float64)
    seconds, more = np.diff(at_s), np.maximum(np.diff(rows), 0.0)  # a new producer may begin a little further back
    place = axis.place(at_s[1:])
    stretch = np.floor((place - axis.place_s[0]) / (axis.span_s / points_max))
    firsts = np.flatnonzero(np.diff(stretch, prepend=-1.0))
    if len(firsts) == 0:
        nothing = np.empty((3, 0))
        return Line(place, place, nothing, nothing)
    lasts = np.append(firsts[1:], len(place)) - 1
    took_s = np.add.reduceat(seconds, firsts)
    rate = np.divide(np.add.reduceat(more, firsts), took_s, out=np.zeros_like(took_s), where=took_s > 0)
    highest = [
        np.fmax.reduceat(
            _rows([delays for sample in run.samples for delays in [getattr(sample, name)]]), firsts, axis=1
        )
        for name in ("lateness", "ack_latency")
    ]
    return Line(place[lasts], rate, *highest)


def _rows(delays: Sequence[Delays | None]) -> Floats:
    none = (np.nan, np.nan, np.nan)
    known = [none if each is None else (each.p50_s, each.p99_s, each.max_s) for each in delays]
    return np.array(known, dtype=np.float64).T
