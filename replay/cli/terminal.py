"""What people see: a progress bar on a terminal, log lines elsewhere, a summary at the end. Logs: see `watch/logs/`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from loguru import logger
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from replay.cli.progress_line import Field, bar_width, fit, phase_fields, progress_fields, text_width
from replay.delivery.options import PROGRESS_S
from replay.delivery.snapshot import Snapshot
from replay.fate import fates_of, reasons
from replay.units import duration
from replay.watch.logs.repeats import Repeats

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
            self._bar_column = BarColumn(bar_width=bar_width(console.width))
            self._bar = Progress(
                self._bar_column,
                TextColumn("{task.percentage:>5.1f}%"),
                TextColumn("{task.fields[text]}", markup=False, table_column=Column(no_wrap=True, overflow="crop")),
                console=console,
                transient=True,
                refresh_per_second=4,
            )
            self._task = self._bar.add_task("", total=None, text="starting")

    @contextmanager
    def live(self) -> Iterator[Terminal]:
        with self._bar or nullcontext():
            yield self

    def info(self, message: str) -> None:
        self._logger().info("{}", message)

    def warning(self, message: str) -> None:
        held = self._repeats.held_back(message, time.monotonic())
        if held is not None:
            self._logger().warning("{}", f"{message} (and {held:,} more like it)" if held else message)

    def _logger(self) -> Any:
        """Its lines say which row comes next, once that is known."""
        return logger.bind(row=self.last.done_rows) if self.last is not None else logger

    def phase(self, name: str, done_rows: int, rows: int) -> None:
        self._show(name, phase_fields(name, done_rows, rows), done_rows, rows, {"phase": name})

    def progress(self, snapshot: Snapshot) -> None:
        self.last = snapshot
        rate = self._rate(snapshot.done_rows)
        if not self._is_due:  # ten times a second: most of these texts nobody would read
            return
        if self._bar is None and snapshot.outage_since_s is not None:  # an outage has lines of its own
            return
        fields = {
            "row": snapshot.done_rows,
            "rows": snapshot.rows,
            "done_rows": snapshot.done_rows,
            "in_flight_rows": snapshot.in_flight_rows,
            **snapshot.counts.named(),
        }
        self._show("replaying", progress_fields(snapshot, rate), snapshot.done_rows, snapshot.rows, fields)

    @property
    def _is_due(self) -> bool:
        return self._bar is not None or time.monotonic() - self._line_s >= self._interval_s

    def _show(self, name: str, shown: list[Field], done: int, total: int, logged: dict[str, Any]) -> None:
        if self._bar is not None:
            columns = self._bar.console.width  # it may have become another meanwhile
            self._bar_column.bar_width = bar_width(columns)
            self._bar.update(self._task, completed=done, total=total, text=fit(shown, text_width(columns)))
        elif self._is_due:
            self._line_s = time.monotonic()
            line = ", ".join(field.texts[0] for field in shown if field.texts[0] not in ("", name))
            logger.bind(**logged).info("{}: {}", name, line)

    def _rate(self, rows: int) -> float:
        now_s = time.monotonic()
        self._window.append((now_s, rows))
        while now_s - self._window[0][0] > _RATE_WINDOW_S:
            self._window.pop(0)
        (then_s, before), seconds = self._window[0], now_s - self._window[0][0]
        return (rows - before) / seconds if now_s > then_s else 0.0


def terminal_on(console: Console, progress_interval_s: float = PROGRESS_S, *, quiet: bool = False) -> Terminal:
    """With a bar, if one can be drawn there and is wanted."""
    return Terminal(console, progress_interval_s, bar=draws(console) and not quiet)


def log_lines() -> Terminal:
    """For commands that run others, and for what is said before a replay: no bar."""
    return Terminal(Console(stderr=True), PROGRESS_S, bar=False)


def draws(console: Console) -> bool:
    """Whether a bar can be drawn there. rich takes FORCE_COLOR for a terminal, also in a pipe: colours are asked for
    then, and not that the cursor moves about in a file."""
    is_terminal = getattr(console.file, "isatty", lambda: False)()
    return bool(is_terminal) and console.is_terminal and not console.is_dumb_terminal


def summary_lines(shown: Snapshot, topic: str, checkpoint: str, outcome: str, took_s: float) -> list[tuple[str, str]]:
    """The end of a run, as pairs of label and text; `took_s` is the time since its command began."""
    lines = [("outcome", outcome), ("topic", topic), ("rows", shown.counts.text())]
    if shown.counts.bad:
        lines.append(("bad rows", reasons(fates_of(shown.counts.bad_by_reason))))
    lines.append(("delivered", _delivered_told(shown)))
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
    if shown.throttled_s:
        lines.append(("quota", f"{duration(shown.throttled_s)} of throttle"))
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
