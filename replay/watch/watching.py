"""All that watches a run, put around it: history, metrics, log fields; at its end a summary, a page, a notification.

None of them ever ends a run, or changes how it ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from replay.errors import ReplayError
from replay.model import Clock, SystemClock
from replay.report import Reporter, Snapshot
from replay.terminal import Terminal
from replay.watch import html_report, metrics, notify, report_history, summary
from replay.watch.beside import replace_file
from replay.watch.history import History, HistoryUnreadable
from replay.watch.logs import logged_as
from replay.watch.metrics import MetricsOptions
from replay.watch.recorder import recording
from replay.watch.report_data import Replayed
from replay.watch.runs import Outcome, RunInfo, figures, outcome_of

HISTORY = "history.sqlite"
"""In the state folder."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What is wanted beside the history."""

    metrics: MetricsOptions
    summary_json: str | None = None
    report: Path | None = None
    notify: notify.Notify | None = None


def checked(options: WatchOptions) -> WatchOptions:
    """The same. Raises `UsageError` for what would fail in the end: then it would be too late to say so."""
    metrics.check(options.metrics)
    if options.summary_json is not None:
        summary.check(options.summary_json)
    if options.report is not None:
        html_report.check_installed()
    return options


@contextmanager
def watching(
    options: WatchOptions, history: History, info: RunInfo, to: Terminal, clock: Clock | None = None
) -> Iterator[Reporter]:
    """Hand the reporter to the run; what is to be told of its end is told once this is left."""
    clock = clock or SystemClock()
    started_s = clock.now()
    error: BaseException | None = None
    try:
        with (
            logged_as(info.job, info.date, info.run_id),
            recording(history, info, to, clock) as recorder,
            metrics.exporting(
                options.metrics, info, recorder, last_success_s=_last_success_s(history, info.job), clock=clock
            ) as exported,
        ):
            yield exported
    except BaseException as raised:
        error = raised
        raise
    finally:
        with suppress(Exception) if error is not None else _told(to):
            _tell_end(options, history, info, outcome_of(error), to, to.last, started_s, clock.now())


def write_page(history: History, job: str, date: str | None, path: Path, now_s: float, shown: Snapshot | None) -> None:
    """The report of a job and its date, from the history; `shown` adds what only a run of this process knows."""
    data = report_history.collect(history, job, date, now_s)
    if shown is not None:
        data = replace(data, replayed=Replayed(shown.symbols_sent(), shown.partitions_sent()))
    replace_file(path, html_report.render(data).encode())


def _tell_end(
    options: WatchOptions,
    history: History,
    info: RunInfo,
    outcome: Outcome,
    to: Reporter,
    last: Snapshot | None,
    started_s: float,
    ended_s: float,
) -> None:
    document = summary.summary(info, outcome, figures(last) if last is not None else None, started_s, ended_s)
    if options.summary_json is not None:
        summary.write(options.summary_json, document, to)
    if options.report is not None:
        try:
            write_page(history, info.job, info.date, options.report, ended_s, last)
        except (OSError, ReplayError) as error:
            to.warning(f"the report is not written: {error}")
    if options.notify is not None:
        notify.send(options.notify, document, to)


@contextmanager
def _told(to: Reporter) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        to.warning(f"the end of the run could not be told everywhere: {type(error).__name__}: {error}")


def _last_success_s(history: History, job: str) -> float | None:
    try:
        return history.last_successes().get(job)
    except HistoryUnreadable:
        return None
