"""Plots over time as SVG text, drawn by matplotlib. Colours are CSS variables, so that one drawing serves both themes.

Each plot is drawn twice, for a wide and for a narrow page: scaled down to a phone, its text could not be read.
"""

from __future__ import annotations

import io
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import Enum
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.dates import AutoDateLocator
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, NullLocator

from replay.model import Floats
from replay.watch.report.data import Mark, MarkKind, Run, RunState
from replay.watch.report.series import Line, TimeAxis, line, outages_of

_DAY_S = 86_400.0  # matplotlib counts time in days since 1970

# Colours that matplotlib writes. They stand for variables of the page.
_INK, _GRID, _OUTAGE, _PAUSE, _RESUME = "#010101", "#020202", "#030303", "#040404", "#050505"
_LINES = ("#060606", "#070707", "#080808")
_GOOD, _BAD, _OPEN = "#090909", "#0a0a0a", "#0b0b0b"
_VARIABLES = {
    _INK: "var(--ink)",
    _GRID: "var(--plot-grid)",
    _OUTAGE: "var(--plot-outage)",
    _PAUSE: "var(--plot-pause)",
    _RESUME: "var(--plot-resume)",
    _GOOD: "var(--good)",
    _BAD: "var(--bad)",
    _OPEN: "var(--open)",
    **{colour: f"var(--plot-{number})" for number, colour in enumerate(_LINES, 1)},
}
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)))  # lines differ also without colour
_HATCHES = {MarkKind.OUTAGE: "////", MarkKind.PAUSE: "--"}

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, and in the page's font
    "text.parse_math": False,
    "hatch.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "xtick.color": _GRID,
    "ytick.color": _GRID,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "text.color": _INK,
}

_LOWEST_S, _HIGHEST_S = 1e-5, 1e4  # the range of `Lateness`


class Width(Enum):
    """Width and height in CSS pixels, size of text, ticks of time at most, points at most."""

    WIDE = (880, 210, 12, 9, 320)
    NARROW = (340, 200, 11, 4, 130)


_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 62, 32, 20, 24
"""Margins of every drawing. They are equal, so that a moment is at the same place in all of them."""

_TIMELINE_PX = 34  # height of the bars

Kind = Enum("Kind", ["RATE", "ROWS", "EVENTS", "DELAY"])


@dataclass(frozen=True, slots=True)
class Plot:
    """`lines` picks the curves of a `Line`, one a row of the array. As many are drawn as there are `labels`."""

    name: str
    labels: tuple[str, ...]
    lines: Callable[[Line], Floats]
    kind: Kind


_PLANNED = ("so far", "planned by the pace")
ROWS = Plot("rows", _PLANNED, lambda each: each.rows, Kind.ROWS)
EVENTS = Plot("events", _PLANNED, lambda each: each.event_s, Kind.EVENTS)
RATE = Plot("rate", ("rows a second",), lambda each: each.rows_per_s[np.newaxis], Kind.RATE)
LATENESS = Plot("lateness", ("median", "99 %", "highest"), lambda each: each.lateness_s, Kind.DELAY)
ACK_LATENCY = Plot("ack-latency", ("median", "99 %", "highest"), lambda each: each.ack_latency_s, Kind.DELAY)


@dataclass(frozen=True, slots=True)
class Story:
    """What all drawings of a page have in common."""

    runs: Sequence[Run]
    axis: TimeAxis
    marks: Sequence[Mark]
    zone: tzinfo
    rows_max: float  # that are to be in the topic in the end
    in_steps: bool = False  # rows get there by transactions


def svg(plot: Plot, width: Width, story: Story) -> str:
    """One plot as an `<svg>` element."""
    down, points_max = width.value[1], width.value[4]

    def draw(axes: Any) -> None:
        gaps = [outages_of(run, story.marks) for run in story.runs]
        lines = [
            line(run, story.axis, points_max, gap, story.rows_max, in_steps=story.in_steps)
            for run, gap in zip(story.runs, gaps, strict=True)
        ]
        highest = _draw_lines(axes, plot, lines)
        _draw_marks(axes, story.axis, story.marks, width.value[0])
        _lay_out_values(axes, plot, highest, story.zone)

    return _svg(plot.name, width, down, story, draw)


def timeline(width: Width, story: Story) -> str:
    """The runs as bars in the colour of how they ended, and the marks with their numbers."""
    across, _, text_px, *_ = width.value
    colours = {RunState.DONE: _GOOD, RunState.STOPPED: _OPEN, RunState.RUNNING: _OPEN}

    def draw(axes: Any) -> None:
        for run in story.runs:
            begin, end = story.axis.place(np.array([run.begun_s, run.last_s])) / _DAY_S
            end = max(end, begin + 2 / across * story.axis.span_s / _DAY_S)  # to be seen at all
            colour = colours.get(run.state, _BAD)
            axes.axvspan(begin, end, facecolor=colour, alpha=0.3, linewidth=0)
            axes.axvline(begin, color=colour, linewidth=1.2)
            wide_px = (end - begin) * _DAY_S / story.axis.span_s * across
            word = next((each for each in (run.state.word, run.state.sign) if wide_px > text_px * len(each)), "")
            axes.text((begin + end) / 2, 0.5, word, color=_INK, ha="center", va="center", in_layout=False)
        _draw_marks(axes, story.axis, story.marks, across)
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_locator(NullLocator())
        axes.spines["left"].set_visible(False)

    return _svg("timeline", width, _TIMELINE_PX + _TOP_PX + _BOTTOM_PX, story, draw)


def _svg(name: str, width: Width, down: int, story: Story, draw: Callable[[Any], None]) -> str:
    across, _, text_px, ticks_max, _ = width.value
    style: dict[Any, Any] = {**_STYLE, "svg.hashsalt": f"{name}-{width.name}", "font.size": text_px}
    with mpl.rc_context():
        mpl.rcdefaults()  # a matplotlibrc of this machine's user does not count
        mpl.rcParams.update(style)
        figure = Figure(figsize=(across / 72, down / 72))
        axes = figure.add_axes(
            (
                _LEFT_PX / across,
                _BOTTOM_PX / down,
                1 - (_LEFT_PX + _RIGHT_PX) / across,
                1 - (_TOP_PX + _BOTTOM_PX) / down,
            )
        )
        draw(axes)
        _lay_out_time(axes, story.axis, ticks_max, story.zone)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_page(written.getvalue())


def _draw_lines(axes: Any, plot: Plot, lines: Sequence[Line]) -> Floats:
    """The runs one after the other, with gaps between them. Returns all values drawn: the axis is chosen by them."""
    gap = np.full((3, 1), np.nan)
    places = np.concatenate([part for each in lines for part in (each.place_s / _DAY_S, [np.nan])])
    parts = [part for each in lines for part in (plot.lines(each), gap)]
    drawn = []
    for number, (label, colour, dashes) in enumerate(zip(plot.labels, _LINES, _DASHES, strict=False)):
        values = np.concatenate([part[number] for part in parts])
        if number and np.isnan(values).all():  # older versions did not record the highest
            continue
        shown = np.clip(values, _LOWEST_S, _HIGHEST_S) if plot.kind is Kind.DELAY else values
        if plot.kind is Kind.EVENTS:
            shown = shown / _DAY_S
        axes.plot(places, shown, color=colour, linestyle=dashes, lw=1.6, label=label)
        there = np.concatenate([[False], ~np.isnan(shown), [False]])
        alone = there[1:-1] & ~there[:-2] & ~there[2:]  # a line of one point is invisible without a dot
        axes.plot(places[alone], shown[alone], color=colour, linestyle="", marker="o", markersize=3)
        if plot.kind is Kind.RATE:
            axes.fill_between(places, shown, color=colour, alpha=0.15, linewidth=0)
        drawn.append(shown[~np.isnan(shown)])
    return np.concatenate(drawn)


def _draw_marks(axes: Any, axis: TimeAxis, marks: Sequence[Mark], across: int) -> None:
    """Outages and pauses as hatched bands. A resume as a line where rows go on, after a band for the time before it.
    Numbers on top, where they do not collide."""
    colours = {MarkKind.OUTAGE: _OUTAGE, MarkKind.PAUSE: _PAUSE, MarkKind.RESUME: _RESUME}
    free_from = -math.inf
    for number, mark in enumerate(marks, 1):
        begin, end = axis.place(np.array([mark.from_s, mark.to_s])) / _DAY_S
        colour = colours[mark.kind]
        if mark.kind in _HATCHES:
            axes.axvspan(begin, end, facecolor="none", edgecolor=colour, hatch=_HATCHES[mark.kind], linewidth=0.7)
        else:
            axes.axvspan(begin, end, facecolor=colour, alpha=0.25, linewidth=0)
            axes.axvline(end, color=colour, linestyle=(0, (4, 2)), linewidth=1.2)
        at = end if mark.kind is MarkKind.RESUME else (begin + end) / 2
        if at >= free_from:
            on_top = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
            axes.text(at, 1.01, str(number), color=colour, fontweight="bold", **on_top)
            digits_px = 8 * len(str(number)) + 6
            free_from = at + digits_px / across * axis.span_s / _DAY_S


def _lay_out_time(axes: Any, axis: TimeAxis, ticks_max: int, zone: tzinfo) -> None:
    form = "%H:%M:%S" if axis.span_s < 600 else "%H:%M" if axis.span_s < 1.5 * _DAY_S else "%m-%d %H:%M"

    def clock(place_days: float, _: int) -> str:
        return datetime.fromtimestamp(axis.clock(place_days * _DAY_S), zone).strftime(form)

    begin, end = axis.place_s[0] / _DAY_S, axis.place_s[-1] / _DAY_S
    margin = 0.01 * (end - begin)
    axes.set_xlim(begin - margin, end + margin)
    axes.xaxis.set_major_locator(AutoDateLocator(tz=zone, minticks=2, maxticks=ticks_max))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(FuncFormatter(clock))
    axes.grid(visible=True, axis="x", color=_GRID, linewidth=0.5, alpha=0.35)


def _lay_out_values(axes: Any, plot: Plot, drawn: Floats, zone: tzinfo) -> None:
    """Rows and rates from 0 on. Delays on a logarithmic axis, so that milliseconds and minutes fit."""
    axes.grid(visible=True, axis="y", color=_GRID, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    if plot.kind is Kind.EVENTS:
        locator = AutoDateLocator(tz=zone, minticks=2, maxticks=6)  # type: ignore[no-untyped-call]
        axes.yaxis.set_major_locator(locator)
        days = np.ptp(drawn) if len(drawn) else 0.0
        axes.yaxis.set_major_formatter(FuncFormatter(partial(_event_time, zone=zone, days=days)))
        return
    if plot.kind is not Kind.DELAY:
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_ylim(0, 1.08 * max(1.0, float(drawn.max(initial=0.0))))
        return
    axes.set_yscale("log")  # which sets a formatter of its own
    axes.yaxis.set_major_formatter(FuncFormatter(_delay))
    axes.yaxis.set_minor_locator(NullLocator())
    low, high = (drawn.min(), drawn.max()) if len(drawn) else (1e-3, 1e-3)
    first = math.floor(math.log10(low))
    axes.set_ylim(10.0**first, 10.0 ** max(first + 1, math.ceil(math.log10(high))))


def _event_time(at_days: float, _: int, *, zone: tzinfo, days: float) -> str:
    at = datetime.fromtimestamp(at_days * _DAY_S, zone)
    if days < 1.5:
        return at.strftime("%H:%M:%S" if days < 600 / _DAY_S else "%H:%M")
    return at.strftime("%m-%d" if (at.hour, at.minute) == (0, 0) else "%m-%d\n%H:%M")


def _delay(seconds: float, _: int) -> str:
    return f"{seconds * 1e3:g} ms" if seconds < 0.9 else f"{seconds:g} s"


def _for_page(written: str) -> str:
    """Only the `<svg>` element, with colours as variables, in the page's font, without ids that nothing refers to.

    matplotlib numbers its ids from 1 in each drawing, so that they would collide. Ids that are referred to are hashes,
    different in each drawing.
    """
    root = ET.fromstring(written)
    used = set(re.findall(r"(?:url\(|href=\")#([\w.-]+)", written))
    for parent in root.iter():
        for child in [each for each in parent if each.tag.endswith(("}metadata", "}style"))]:
            parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in list(element.attrib):
            value = element.attrib.pop(name)
            if name != "id" or value in used:
                element.set(name.rpartition("}")[2], _styled(value) if name == "style" else value)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("aria-hidden", "true")  # the text around it says the same in words
    root.set("focusable", "false")
    return ET.tostring(root, encoding="unicode")


def _styled(style: str) -> str:
    plain = re.sub(r"font-family: [^;]*; ", "", style)
    return re.sub("|".join(_VARIABLES), lambda found: _VARIABLES[found[0]], plain)
