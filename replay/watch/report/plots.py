"""Plots over time as SVG text, drawn by matplotlib. Colours are CSS variables, so that one drawing serves both themes.

Each plot is drawn twice, for a wide and for a narrow page: scaled down to a phone, its text could not be read.
"""

from __future__ import annotations

import io
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from replay.watch.report.data import Mark, MarkKind, Run
from replay.watch.report.series import Line, TimeAxis, line, outages_of

_DAY_S = 86_400.0  # matplotlib counts time in days since 1970

_NAMES = ["ink", *(f"plot-{each}" for each in ("grid", "outage", "pause", "resume", 1, 2, 3)), "good", "bad", "open"]
_COLOURS = {name: f"#{bytes([number] * 3).hex()}" for number, name in enumerate(_NAMES, 1)}
"""What matplotlib writes for a variable of the page."""

_INK, _GRID = _COLOURS["ink"], _COLOURS["plot-grid"]
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

    def __init__(self, across: int, down: int, text_px: int, ticks_max: int, points_max: int) -> None:
        self.across, self.down, self.text_px = across, down, text_px
        self.ticks_max, self.points_max = ticks_max, points_max


_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 62, 32, 20, 24
"""Margins of every drawing. They are equal, so that a moment is at the same place in all of them."""

_TIMELINE_PX = 34  # height of the bars


@dataclass(frozen=True, slots=True)
class Story:
    """What all drawings of a page have in common."""

    runs: Sequence[Run]
    axis: TimeAxis
    marks: Sequence[Mark]
    zone: tzinfo
    rows_max: float  # that are to be in the topic in the end
    in_steps: bool = False  # rows get there by transactions


@dataclass(frozen=True, slots=True)
class Plot:
    """`curves` picks those of a `Line`, one a row of the array. As many are drawn as there are `labels`. `lay_out` is
    for the axis of values, and gets all values drawn."""

    name: str
    labels: tuple[str, ...]
    curves: Callable[[Line], Floats]
    lay_out: Callable[[Any, Floats, tzinfo], None]
    is_filled: bool = False


class Canvas:
    """Draws a story at one width, each drawing as an `<svg>` element."""

    def __init__(self, width: Width, story: Story) -> None:
        self._width, self._story = width, story
        self._lines = [
            line(
                run, story.axis, width.points_max, outages_of(run, story.marks), story.rows_max, in_steps=story.in_steps
            )
            for run in story.runs
            if run.samples
        ]

    def plot(self, plot: Plot) -> str:
        def draw(axes: Any) -> None:
            drawn = _draw_lines(axes, plot, self._lines)
            self._draw_marks(axes)
            axes.grid(visible=True, axis="y", color=_GRID, linewidth=0.5, alpha=0.6)
            axes.set_axisbelow(True)
            plot.lay_out(axes, drawn, self._story.zone)

        return self._svg(plot.name, self._width.down, draw)

    def timeline(self) -> str:
        """The runs as bars in the colour of how they ended, and the marks with their numbers."""
        axis, across = self._story.axis, self._width.across

        def draw(axes: Any) -> None:
            for run in self._story.runs:
                begin, end = axis.place(np.array([run.begun_s, run.last_s])) / _DAY_S
                end = max(end, begin + 2 / across * axis.span_s / _DAY_S)  # to be seen at all
                colour = _COLOURS[run.state.tone]
                axes.axvspan(begin, end, facecolor=colour, alpha=0.3, linewidth=0)
                axes.axvline(begin, color=colour, linewidth=1.2)
                letters_max = (end - begin) * _DAY_S / axis.span_s * across / self._width.text_px
                word = next((each for each in (run.state.word, run.state.sign) if len(each) < letters_max), "")
                axes.text((begin + end) / 2, 0.5, word, color=_INK, ha="center", va="center", in_layout=False)
            self._draw_marks(axes)
            axes.set_ylim(0, 1)
            axes.yaxis.set_major_locator(NullLocator())
            axes.spines["left"].set_visible(False)

        return self._svg("timeline", _TIMELINE_PX + _TOP_PX + _BOTTOM_PX, draw)

    def _svg(self, name: str, down: int, draw: Callable[[Any], None]) -> str:
        across = self._width.across
        style: dict[Any, Any] = {
            **_STYLE,
            "svg.hashsalt": f"{name}-{self._width.name}",
            "font.size": self._width.text_px,
        }
        right, top = 1 - (_LEFT_PX + _RIGHT_PX) / across, 1 - (_TOP_PX + _BOTTOM_PX) / down
        with mpl.rc_context():
            mpl.rcdefaults()  # a matplotlibrc of this machine's user does not count
            mpl.rcParams.update(style)
            figure = Figure(figsize=(across / 72, down / 72))
            axes = figure.add_axes((_LEFT_PX / across, _BOTTOM_PX / down, right, top))
            draw(axes)
            self._lay_out_time(axes)
            written = io.StringIO()
            figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        return _for_page(written.getvalue())

    def _draw_marks(self, axes: Any) -> None:
        """Outages and pauses as hatched bands. A resume as a line where rows go on, after a band for the time before
        it. Numbers on top, where they do not collide."""
        axis = self._story.axis
        free_from = -math.inf
        for number, mark in enumerate(self._story.marks, 1):
            begin, end = axis.place(np.array([mark.from_s, mark.to_s])) / _DAY_S
            colour, hatch = _COLOURS[f"plot-{mark.kind}"], _HATCHES.get(mark.kind)
            if hatch:
                axes.axvspan(begin, end, facecolor="none", edgecolor=colour, hatch=hatch, linewidth=0.7)
            else:
                axes.axvspan(begin, end, facecolor=colour, alpha=0.25, linewidth=0)
                axes.axvline(end, color=colour, linestyle=(0, (4, 2)), linewidth=1.2)
            at = (begin + end) / 2 if hatch else end
            if at >= free_from:
                on_top = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
                axes.text(at, 1.01, str(number), color=colour, fontweight="bold", **on_top)
                digits_px = 8 * len(str(number)) + 6
                free_from = at + digits_px / self._width.across * axis.span_s / _DAY_S

    def _lay_out_time(self, axes: Any) -> None:
        axis, zone = self._story.axis, self._story.zone
        form = "%H:%M:%S" if axis.span_s < 600 else "%H:%M" if axis.span_s < 1.5 * _DAY_S else "%m-%d %H:%M"

        def clock(place_days: float, _: int) -> str:
            return datetime.fromtimestamp(axis.clock(place_days * _DAY_S), zone).strftime(form)

        begin, end = axis.place_s[0] / _DAY_S, axis.place_s[-1] / _DAY_S
        margin = 0.01 * (end - begin)
        axes.set_xlim(begin - margin, end + margin)
        axes.xaxis.set_major_locator(_dates(zone, self._width.ticks_max))
        axes.xaxis.set_major_formatter(FuncFormatter(clock))
        axes.grid(visible=True, axis="x", color=_GRID, linewidth=0.5, alpha=0.35)


def _dates(zone: tzinfo, ticks_max: int) -> Any:
    return AutoDateLocator(tz=zone, minticks=2, maxticks=ticks_max)  # type: ignore[no-untyped-call]


def _draw_lines(axes: Any, plot: Plot, lines: Sequence[Line]) -> Floats:
    """The runs one after the other, with gaps between them. Returns all values drawn: the axis is chosen by them."""
    places = np.hstack([np.append(each.place_s / _DAY_S, np.nan) for each in lines])
    curves = np.hstack([np.pad(plot.curves(each), ((0, 0), (0, 1)), constant_values=np.nan) for each in lines])
    drawn: list[Floats] = []
    for number, (label, curve, dashes) in enumerate(zip(plot.labels, curves, _DASHES, strict=False), 1):
        colour = _COLOURS[f"plot-{number}"]
        there = ~np.isnan(curve)
        if drawn and not there.any():  # older versions did not record the highest
            continue
        axes.plot(places, curve, color=colour, linestyle=dashes, lw=1.6, label=label)
        beside = np.pad(there, 1)
        alone = there & ~beside[:-2] & ~beside[2:]  # a line of one point is invisible without a dot
        axes.plot(places[alone], curve[alone], color=colour, linestyle="", marker="o", markersize=3)
        if plot.is_filled:
            axes.fill_between(places, curve, color=colour, alpha=0.15, linewidth=0)
        drawn.append(curve[there])
    return np.concatenate(drawn)


def _lay_out_counts(axes: Any, drawn: Floats, _: tzinfo) -> None:
    """Rows and rates from 0 on."""
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_ylim(0, 1.08 * max(1.0, float(drawn.max(initial=0.0))))


def _lay_out_events(axes: Any, drawn: Floats, zone: tzinfo) -> None:
    axes.yaxis.set_major_locator(_dates(zone, 6))
    days = np.ptp(drawn) if len(drawn) else 0.0
    axes.yaxis.set_major_formatter(FuncFormatter(partial(_event_time, zone=zone, days=days)))


def _lay_out_delays(axes: Any, drawn: Floats, _: tzinfo) -> None:
    """On a logarithmic axis, so that milliseconds and minutes fit."""
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


_PLANNED = ("so far", "planned by the pace")
_QUANTILES = ("median", "99 %", "highest")

ROWS_SO_FAR = Plot("rows", _PLANNED[:1], lambda each: each.rows, _lay_out_counts)
ROWS = replace(ROWS_SO_FAR, labels=_PLANNED)
EVENTS = Plot("events", _PLANNED, lambda each: each.event_s / _DAY_S, _lay_out_events)
RATE = Plot("rate", ("rows a second",), lambda each: each.rows_per_s[np.newaxis], _lay_out_counts, is_filled=True)
LATENESS = Plot("lateness", _QUANTILES, lambda each: each.lateness_s.clip(_LOWEST_S, _HIGHEST_S), _lay_out_delays)
ACK_LATENCY = replace(LATENESS, name="ack-latency", curves=lambda each: each.ack_latency_s.clip(_LOWEST_S, _HIGHEST_S))


_FOREIGN = re.compile(r"<(metadata|style)\b.*?</\1>\s*|\sxmlns(:\w+)?=\"[^\"]*\"|xlink:(?=href)", re.DOTALL)
"""What HTML does without: elements about the drawing, and namespaces."""


def _for_page(written: str) -> str:
    """Only the `<svg>` element, with colours as variables, in the page's font, without ids that nothing refers to.

    matplotlib numbers its ids from 1 in each drawing, so that they would collide. Ids that are referred to are hashes,
    different in each drawing.
    """
    used = set(re.findall(r"(?:url\(|href=\")#([\w.-]+)", written))
    root = ET.fromstring(_FOREIGN.sub("", written))
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        if style := element.get("style"):
            element.set("style", _styled(style))
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("aria-hidden", "true")  # the text around it says the same in words
    root.set("focusable", "false")
    return ET.tostring(root, encoding="unicode")


def _styled(style: str) -> str:
    plain = re.sub(r"font-family: [^;]*; ", "", style)
    for name, colour in _COLOURS.items():
        plain = plain.replace(colour, f"var(--{name})")
    return plain
