"""The drawings of a report, each with its words: what happened when, how far, how fast, how late."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
        from replay.watch.report import plots  # noqa: PLC0415 - matplotlib: an extra, and only for this

    counts, samples = data.counts, [sample for run in runs for sample in run.samples]
    rows_max = counts.of_rows - counts.not_selected - counts.bad
    story = plots.Story(runs, time_axis(runs), marks, zone, rows_max, data.delivery == Delivery.TRANSACTIONAL)
    canvases = [plots.Canvas(width, story) for width in plots.Width]

    def drawn(title: str, words: str, plot: Any = None) -> Drawn:
        """Without a plot: the timeline."""
        wide, narrow = (each.plot(plot) if plot is not None else each.timeline() for each in canvases)
        return Drawn(title, words, wide, narrow, plot.labels if plot is not None else ())

    ran = "One run, and how it ended." if len(runs) == 1 else f"{len(runs)} runs, and how each ended."
    drawings = [drawn("Timeline", ran)]
    if any(run.speed is not None for run in runs) and any(sample.event_s is not None for sample in samples):
        words = "How far in the trades' own time, and as planned."
        drawings.append(drawn("Progress, by event time", words, plots.EVENTS))
    elif any(run.rows_per_s is not None for run in runs):
        words = f"{counts.text()}; and as planned by the pace."
        drawings.append(drawn("Progress, rows in the topic", words, plots.ROWS))
    else:
        drawings.append(drawn("Progress, rows in the topic", f"{counts.text()}.", plots.ROWS_SO_FAR))
    drawings.append(drawn("Throughput, rows a second", _rate_words(runs), plots.RATE))
    for plot, title, what, values in (
        (plots.LATENESS, "Lateness behind the schedule", "lateness", [each.lateness for each in samples]),
        (plots.ACK_LATENCY, "ACK latency", "ACK latency", [each.ack_latency for each in samples]),
    ):
        if known := [each for each in values if each.p50_s is not None]:
            drawings.append(drawn(title, _delay_words(what, known), plot))
    return drawings


def _work(runs: Sequence[Run]) -> tuple[int, float]:
    """Rows delivered, and how long the runs took that delivered some: others have no throughput."""
    return sum(run.delivered_rows for run in runs), sum(run.lasted_s for run in runs if run.delivered_rows)


def rows_per_s(runs: Sequence[Run]) -> float:
    """Rows delivered per second of running, without runs that found nothing to do."""
    rows, took_s = _work(runs)
    return rows / took_s if took_s else 0.0


def _rate_words(runs: Sequence[Run]) -> str:
    rows, took_s = _work(runs)
    average = f"{rows_per_s(runs):,.0f} rows a second on average, " if took_s else ""
    return f"{average}{rows:,} rows in {duration(took_s)} of running."


def _delay_words(what: str, known: Sequence[Quantiles]) -> str:
    """Of the worst moment that was sampled: an average over a night would hide it."""
    highest = max((each.max_s for each in known if each.max_s is not None), default=None)
    p99_s = max(each.p99_s for each in known if each.p99_s is not None)
    worst = f"At the worst moment 99 % were below {duration(p99_s)}"
    return f"{worst}, and the highest {what} was {duration(highest)}." if highest is not None else f"{worst}."
