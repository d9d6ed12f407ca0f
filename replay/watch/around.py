"""All that watches a run, put around it: history, metrics, log fields; at its end a summary, a page, a notification.

None of them ever ends a run, or changes how it ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Protocol

from replay.atomic_file import check_place, replace_file
from replay.delivery.snapshot import Display, Snapshot
from replay.errors import ReplayError
from replay.model import Clock, SystemClock
from replay.watch import notify, summary
from replay.watch.history.database import History, HistoryUnreadable
from replay.watch.history.recorder import Recorder, recording
from replay.watch.logs.lines import logged_as, mark
from replay.watch.metrics import export as metrics
from replay.watch.metrics.export import MetricsOptions
from replay.watch.report import collect as report_history
from replay.watch.report import page as html_report
from replay.watch.run import Outcome, RunInfo, outcome_of


class Shown(Display, Protocol):
    """A display that keeps what it showed last, for the summary."""

    last: Snapshot | None


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What is wanted beside the history."""

    metrics: MetricsOptions
    summary_json: str | None = None
    report: Path | None = None
    zone: tzinfo = UTC  # of the times in the report
    notify: notify.Notify | None = None


def checked(options: WatchOptions, *, places: bool = True) -> WatchOptions:
    """The same. Raises `UsageError` for what would fail in the end: then it would be too late to say so."""
    metrics.check(options.metrics)
    if options.report is not None:
        html_report.check_installed()
    if places:
        if options.summary_json not in (None, summary.STANDARD_OUTPUT):
            check_place("--summary-json", str(options.summary_json), ", or - for standard output")
        if options.report is not None:
            check_place("--report", str(options.report))
        if options.metrics.textfile is not None:
            check_place("--metrics-textfile", str(options.metrics.textfile))
    return options


@dataclass(slots=True)
class Watched:
    """A run that is watched: hand it the reporter, and say what came of reading the topic back."""

    reporter: Display
    _recorder: Recorder
    verdict: Mapping[str, Any] | None = None

    def verified(self, verdict: Mapping[str, Any]) -> None:
        """`Verdict.as_json()`."""
        self.verdict = verdict
        self._recorder.verified(verdict)


@contextmanager
def watching(
    options: WatchOptions, history: History, info: RunInfo, to: Shown, clock: Clock | None = None
) -> Iterator[Watched]:
    """What is to be told of the run's end is told once this is left: that it failed, if an error passes through."""
    clock = clock or SystemClock()
    started_s = clock.now()
    error: BaseException | None = None
    watched: Watched | None = None
    with logged_as(info.job, info.date, info.run_id):  # also what is told of the end
        try:
            with (
                recording(history, info, to, clock, at_once=False) as recorder,
                metrics.exporting(
                    options.metrics, info, recorder, last_success_s=_last_success_s(history, info.job), clock=clock
                ) as exported,
            ):
                watched = Watched(exported, recorder)
                yield watched
        except BaseException as raised:
            error = raised
            row = to.last.done_rows if to.last is not None else None
            mark(error, job=info.job, date=info.date, run_id=info.run_id, row=row)
            raise
        finally:
            verdict = watched.verdict if watched is not None else None
            _tell_end(options, history, info, outcome_of(error), to, to.last, verdict, started_s, clock.now())


def write_page(history: History, job: str, date: str | None, path: Path, now_s: float, zone: tzinfo) -> None:
    """The report of a job and its date, from the history. Raises `OSError`, `ReplayError`, or what a library raises."""
    replace_file(path, html_report.render(report_history.collect(history, job, date, now_s), zone).encode())


def _tell_end(
    options: WatchOptions,
    history: History,
    info: RunInfo,
    outcome: Outcome,
    to: Display,
    last: Snapshot | None,
    verdict: Mapping[str, Any] | None,
    started_s: float,
    ended_s: float,
) -> None:
    """Each in its turn, whatever becomes of the others."""
    document = summary.summary(info, outcome, last, verdict, started_s, ended_s)
    if options.summary_json is not None:
        with _told(to, "the summary is not written"):
            summary.write(options.summary_json, document, to)
    if options.report is not None:
        with _told(to, "the report is not written"):
            write_page(history, info.job, info.date, options.report, ended_s, options.zone)
    if options.notify is not None:
        with _told(to, "nobody was notified"):
            notify.send(options.notify, document, to)


@contextmanager
def _told(to: Display, what: str) -> Iterator[None]:
    """Whatever goes wrong is a warning: how the run ended stands."""
    try:
        yield
    except (OSError, ReplayError) as error:
        to.warning(f"{what}: {error}")
    except Exception as error:
        to.warning(f"{what}: {type(error).__name__}: {error}")


def _last_success_s(history: History, job: str) -> float | None:
    try:
        return history.last_successes().get(job)
    except HistoryUnreadable:
        return None
