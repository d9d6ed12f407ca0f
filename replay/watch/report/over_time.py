"""The drawings of a report, each with its words: what happened when, how far, how fast, how late."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from replay.delivery.options import Delivery
from replay.units import duration
from replay.watch.figures import Quantiles
from replay.watch.report.data import Mark, ReportData, Run
from replay.watch.report.series import time_axis


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot: as SVG in both widths, in words, and the labels of its lines."""

    title: str
    words: str
    wide: str
    narrow: str
    legend: Sequence[str] = ()


@contextmanager
def _no_folders_at_home() -> Iterator[None]:
    """While matplotlib is imported. It would make folders in the user's home, or warn in its own format that it cannot.
    Without its cache of fonts there it looks for them each time, which takes half a second."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    if "matplotlib" in sys.modules or "MPLCONFIGDIR" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="replay-matplotlib-") as folder:
        os.environ["MPLCONFIGDIR"] = folder
        try:
            yield
        finally:
            del os.environ["MPLCONFIGDIR"]


def over_time(data: ReportData, runs: Sequence[Run], marks: Sequence[Mark], zone: tzinfo) -> list[Drawn]:
    """The drawings of these runs: what happened when, how far it was, how fast, how late."""
    if not any(run.samples for run in runs):
        return []
    with _no_folders_at_home():
        from replay.watch.report import plots as drawing  # noqa: PLC0415 - matplotlib: an extra, and only for this

    counts = data.counts
    rows_max = counts.of_rows - counts.not_selected - counts.bad
    story = drawing.Story(runs, time_axis(runs), marks, zone, rows_max, data.delivery == Delivery.TRANSACTIONAL)

    def drawn(plot: Any, title: str, words: str) -> Drawn:
        wide, narrow = (drawing.svg(plot, width, story) for width in drawing.Width)
        return Drawn(title, words, wide, narrow, plot.labels)

    wide, narrow = (drawing.timeline(width, story) for width in drawing.Width)
    words = "One run, and how it ended." if len(runs) == 1 else f"{len(runs)} runs, and how each ended."
    strip = Drawn("Timeline", words, wide, narrow)
    samples = [sample for run in runs for sample in run.samples]
    if any(run.speed is not None for run in runs) and any(sample.event_s is not None for sample in samples):
        progress = drawn(drawing.EVENTS, "Progress, by event time", "How far in the trades' own time, and as planned.")
    else:
        has_plan = any(run.rows_per_s is not None for run in runs)
        words = f"{counts.text()}" + ("; and as planned by the pace." if has_plan else ".")
        progress = drawn(drawing.ROWS, "Progress, rows in the topic", words)
        if not has_plan:
            progress = replace(progress, legend=())
    plots = [strip, progress, drawn(drawing.RATE, "Throughput, rows a second", _rate_words(runs))]
    for plot, title, what, values in (
        (drawing.LATENESS, "Lateness behind the schedule", "lateness", [each.lateness for each in samples]),
        (drawing.ACK_LATENCY, "ACK latency", "ACK latency", [each.ack_latency for each in samples]),
    ):
        if known := [each for each in values if each.p50_s is not None]:
            plots.append(drawn(plot, title, _delay_words(what, known)))
    return plots


def _at_work(runs: Sequence[Run]) -> list[Run]:
    """Those that delivered rows: others have no throughput."""
    return [run for run in runs if run.delivered_rows]


def rows_per_s(runs: Sequence[Run]) -> float:
    """Rows delivered per second of running, without runs that found nothing to do."""
    took_s = sum(run.lasted_s for run in _at_work(runs))
    return sum(run.delivered_rows for run in runs) / took_s if took_s else 0.0


def _rate_words(runs: Sequence[Run]) -> str:
    took_s, rows = sum(run.lasted_s for run in _at_work(runs)), sum(run.delivered_rows for run in runs)
    average = f"{rows_per_s(runs):,.0f} rows a second on average, " if took_s else ""
    return f"{average}{rows:,} rows in {duration(took_s)} of running."


def _delay_words(what: str, known: Sequence[Quantiles]) -> str:
    """Of the worst moment that was sampled: an average over a night would hide it."""
    highest = max((each.max_s for each in known if each.max_s is not None), default=None)
    p99_s = max(each.p99_s for each in known if each.p99_s is not None)
    worst = f"At the worst moment 99 % were below {duration(p99_s)}"
    return f"{worst}, and the highest {what} was {duration(highest)}." if highest is not None else f"{worst}."
