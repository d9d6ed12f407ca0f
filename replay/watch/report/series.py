"""Runs as lines to draw: on one time axis without long pauses, with no more points than can be seen. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replay.model import Floats, Ints
from replay.watch.figures import Quantiles
from replay.watch.report.data import Mark, MarkKind, Run

PAUSE_SHARE = 0.06
"""The width of a pause between runs is at most about this share of the running time: a night must not hide minutes."""

PAUSES_SHARE_MAX = 0.4
"""The same for all pauses together: of a job that fails at once, over and over, more than pauses is to be seen."""

SPAN_MIN_S = 5.0
"""The axis covers at least this: on a shorter one, marks at whole seconds say nothing."""


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """From clock time to places on the axis, and back. Long pauses between runs are cut short, all else is to scale."""

    clock_s: Floats
    place_s: Floats

    def place(self, clock_s: Floats) -> Floats:
        return np.interp(clock_s, self.clock_s, self.place_s)

    def clock(self, place_s: float) -> float:
        """The clock time of a place. Places outside the axis get the nearest."""
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
    """A run's points: their places on the axis, and the values there. NaN: nothing to draw.

    `rows` are in the topic, `event_s` is the newest event time handed over, each beside what the pace had planned.
    """

    place_s: Floats
    rows_per_s: Floats
    lateness_s: Floats  # p50, p99, max as rows
    ack_latency_s: Floats
    rows: Floats  # reached, planned
    event_s: Floats  # reached, planned


Gaps = Sequence[tuple[float, float]]
"""Begin and end, in clock time, of stretches in which nothing can be drawn. Ascending, without overlap."""


def outages_of(run: Run, marks: Sequence[Mark]) -> list[tuple[float, float]]:
    """Begin and end of outages of the broker while this run lasted."""
    found = [
        (max(run.begun_s, each.from_s), min(run.last_s, each.to_s)) for each in marks if each.kind is MarkKind.OUTAGE
    ]
    return sorted((begin, end) for begin, end in found if begin < end)


def line(
    run: Run,
    axis: TimeAxis,
    points_max: int,
    gaps: Gaps = (),
    rows_max: float = np.inf,
    *,
    in_steps: bool = False,
) -> Line:
    """Rows per second between samples, of which there is one at least. Several make one point where there would be more
    than `points_max`.

    A point stands at the end of its stretch, and has the stretch's highest delays. In `gaps` nothing was acknowledged:
    only the plan's curve goes through them; it ends at `rows_max`. `in_steps`: the rows of a transaction arrive at
    once, and are spread over the time since the transaction before.
    """
    at_s = np.array([run.begun_s, *(each.at_s for each in run.samples)])
    rows = np.array([run.first_rows, *(each.done_rows for each in run.samples)], dtype=np.float64)
    edges_s = np.array(gaps, dtype=np.float64).ravel()
    part = np.searchsorted(edges_s, at_s[1:], side="right")  # odd: inside a gap
    even = _between_steps(at_s, rows) if in_steps else rows
    seconds, more = np.diff(at_s), np.maximum(np.diff(even), 0.0)  # a new producer may begin a little further back
    held_back = np.diff(part, prepend=0) > 0  # what was acknowledged at once at a gap's end is no throughput
    seconds[held_back], more[held_back] = 0.0, 0.0
    place = axis.place(at_s[1:])
    stretch = np.floor((place - axis.place_s[0]) / (axis.span_s / points_max))
    firsts = np.flatnonzero((np.diff(stretch, prepend=-1.0) != 0) | (np.diff(part, prepend=-1) != 0))
    lasts = np.append(firsts[1:], len(place)) - 1
    took_s = np.add.reduceat(seconds, firsts)
    rate = np.divide(np.add.reduceat(more, firsts), took_s, out=np.full_like(took_s, np.nan), where=took_s > 0)
    highest = [
        np.fmax.reduceat(_rows([getattr(sample, name) for sample in run.samples]), firsts, axis=1)
        for name in ("lateness", "ack_latency")
    ]
    event_s = np.array([np.nan if each.event_s is None else each.event_s for each in run.samples])
    points = np.vstack([rate, *highest, rows[1:][lasts], event_s[lasts]])
    points[:, part[lasts] % 2 == 1] = np.nan
    where_s, points = _broken(at_s[1:][lasts], points, part[lasts])
    moved, known = rows > run.first_rows, ~np.isnan(event_s)
    planned_rows = _planned(run.rows_per_s, np.flatnonzero(moved) - 1, rows, at_s, where_s)
    planned_events = _planned(run.speed, np.flatnonzero(known), event_s, at_s[1:], where_s)
    return Line(
        axis.place(where_s),
        points[0],
        points[1:4],
        points[4:7],
        np.vstack([points[7], np.minimum(planned_rows, rows_max)]),
        np.vstack([points[8], planned_events]),
    )


def _between_steps(at_s: Floats, rows: Floats) -> Floats:
    """As if the rows of each step had arrived evenly since the step before."""
    steps = np.flatnonzero(np.diff(rows, prepend=-1.0) > 0)
    between: Floats = np.interp(at_s, at_s[steps], rows[steps])
    return between


def _broken(at_s: Floats, points: Floats, part: Ints) -> tuple[Floats, Floats]:
    """With a point of NaN where two points have a gap between them, and no point in it."""
    breaks = np.flatnonzero(np.diff(part // 2) > 0) + 1
    middle_s = (at_s[breaks - 1] + at_s[breaks]) / 2
    return np.insert(at_s, breaks, middle_s), np.insert(points, breaks, np.nan, axis=1)


def _planned(per_s: float | None, began: Ints, reached: Floats, at_s: Floats, where_s: Floats) -> Floats:
    """What is due by then at this pace, from the first of the places `began` on."""
    if per_s is None or not len(began):
        return np.full(len(where_s), np.nan)
    since_s = where_s - at_s[began[0]]
    return np.where(since_s >= 0, reached[began[0]] + per_s * since_s, np.nan)


def _rows(delays: Sequence[Quantiles]) -> Floats:
    """p50, p99 and the greatest as rows; NaN where nothing was measured."""
    return np.array([(each.p50_s, each.p99_s, each.max_s) for each in delays], dtype=np.float64).T
