"""What people see: a progress bar on a terminal, log lines elsewhere, a summary at the end. Logs: see `logs.py`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from loguru import logger
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from replay.report import Snapshot, clock_time, duration, fates_of, reasons
from replay.watch.logs import Repeats
from replay.watch.logs import set_up_logging as set_up_logging  # noqa: PLC0414 - the command line finds it here

_QUIET_S = 4.0  # the same warning (but for its numbers) is not shown again within this
_RATE_WINDOW_S = 5.0  # the rate shown is over about this long: steady enough to read, quick enough to see a stall


class Terminal:
    """The `Reporter` of the command line."""

    def __init__(self, console: Console, progress_interval_s: float, *, bar: bool) -> None:
        self._interval_s = progress_interval_s
        self._line_s = time.monotonic()
        self._window: list[tuple[float, int]] = []
        self._repeats = Repeats(_QUIET_S)
        self.last: Snapshot | None = None  # for the summary
        self._bar: Progress | None = None
        if bar:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>5.1f}%"),
                TextColumn("{task.fields[text]}"),
                console=console,
                transient=True,
                refresh_per_second=4,
            )
            self._task = self._bar.add_task("starting", total=None, text="")

    @contextmanager
    def live(self) -> Iterator[Terminal]:
        if self._bar is None:
            yield self
            return
        with self._bar:
            yield self

    def info(self, message: str) -> None:
        self._logger().info("{}", message)

    def warning(self, message: str) -> None:
        held = self._repeats.told(message, time.monotonic())
        if held is not None:
            self._logger().warning("{}", f"{message} (and {held:,} more like it)" if held else message)

    def _logger(self) -> Any:
        """Its lines say which row comes next, once that is known."""
        return logger.bind(row=self.last.done_rows) if self.last is not None else logger

    def phase(self, name: str, done_rows: int, rows: int) -> None:
        self._show(name, done_rows, rows, f"{done_rows:,} of {rows:,} rows", {"phase": name})

    def progress(self, snapshot: Snapshot) -> None:
        self.last = snapshot
        rate = self._rate(snapshot.done_rows)
        if not self._is_due:  # ten times a second: most of these texts nobody would read
            return
        if self._bar is None and snapshot.outage_since_s is not None:  # a line of its own tells of it, until when
            return
        text = progress_text(snapshot, rate)
        fields = {
            "row": snapshot.done_rows,
            "rows": snapshot.rows,
            "done_rows": snapshot.done_rows,
            "in_flight_rows": snapshot.in_flight_rows,
            **snapshot.counts.named(),
        }
        self._show("replaying", snapshot.done_rows, snapshot.rows, text, fields)

    @property
    def _is_due(self) -> bool:
        return self._bar is not None or time.monotonic() - self._line_s >= self._interval_s

    def _show(self, name: str, done: int, total: int, text: str, fields: dict[str, Any]) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=name, completed=done, total=total, text=text)
        elif self._is_due:
            self._line_s = time.monotonic()
            logger.bind(**fields).info("{}: {}", name, text)

    def _rate(self, rows: int) -> float:
        now_s = time.monotonic()
        self._window.append((now_s, rows))
        while now_s - self._window[0][0] > _RATE_WINDOW_S:
            self._window.pop(0)
        (then_s, before), seconds = self._window[0], now_s - self._window[0][0]
        return (rows - before) / seconds if now_s > then_s else 0.0


def progress_text(snapshot: Snapshot, rows_per_s: float) -> str:
    """`12,345 of 20,000 rows, 5,000/s, 2 s left, 250 in flight, late p99 2.1 ms`; an outage comes first."""
    parts = [snapshot.counts.told_shortly(), f"{rows_per_s:,.0f}/s"]
    if rows_per_s > 0:
        parts.append(f"{duration((snapshot.rows - snapshot.done_rows) / rows_per_s)} left")
    parts.append(f"{snapshot.in_flight_rows:,} in flight")
    if snapshot.lateness.max_s:
        parts.append(f"late p99 {snapshot.lateness.quantile_s(0.99) * 1e3:.1f} ms")
    if snapshot.outage_since_s is not None:
        parts.insert(
            0,
            f"BROKER DOWN since {clock_time(snapshot.outage_since_s)} ({snapshot.outage_reason}),"
            f" trying for another {duration(snapshot.outage_left_s)}",
        )
    return ", ".join(parts)


def summary_lines(shown: Snapshot, topic: str, checkpoint: str, outcome: str, took_s: float) -> list[tuple[str, str]]:
    """The end of a run, as pairs of label and text; `took_s` is the time since its command began."""
    lines = [
        ("outcome", outcome),
        ("topic", topic),
        ("rows", shown.counts.told()),
        ("delivered", _delivered_told(shown)),
    ]
    if shown.counts.bad:
        lines.insert(3, ("bad rows", reasons(fates_of(shown.counts.bad_by_reason))))
    if shown.resent_rows:
        lines.append(("sent again", f"{shown.resent_rows:,} that were lost on their way; none is in the topic twice"))
    if shown.unconfirmed_rows:
        lines.append(
            ("unconfirmed", f"{shown.unconfirmed_rows:,} sent and not acknowledged; the next run looks for them")
        )
    if shown.already_there_rows:
        lines.append(("already there", f"{shown.already_there_rows:,} found behind the checkpoint, not sent again"))
    lines.append(("time", _time_told(shown, took_s)))
    if shown.lateness.max_s:
        p50, p99 = (shown.lateness.quantile_s(q) * 1e3 for q in (0.5, 0.99))
        lines.append(("lateness", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {shown.lateness.max_s * 1e3:.1f} ms"))
    if shown.shifted_s:
        lines.append(("schedule", f"shifted by {duration(shown.shifted_s)} after stalls"))
    if shown.outages:
        lines.append(("outages", f"{shown.outages}, {duration(shown.outages_s)} in all"))
    return [*lines, ("checkpoint", checkpoint)]


def _delivered_told(shown: Snapshot) -> str:
    if shown.begun_in_topic is None:  # no producer was needed, or none came to work
        nothing_left = shown.counts.settled == shown.counts.of_rows
        return "0 by this run" + ("; there was nothing left to do" if nothing_left else "")
    return f"{shown.delivered_rows:,} by this run, which began at row {shown.first_row:,}"


def _time_told(shown: Snapshot, took_s: float) -> str:
    """`15.6 s in all; 12.4 s from the first row on, 372 rows/s`."""
    if not shown.sending_s or not shown.delivered_rows:
        return f"{duration(took_s)} in all"
    rate = shown.delivered_rows / shown.sending_s
    return f"{duration(took_s)} in all; {duration(shown.sending_s)} of it sending, {rate:,.0f} rows/s"
