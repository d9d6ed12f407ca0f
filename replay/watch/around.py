"""All that watches a run, put around it: history, metrics, log fields; at its end a summary, a page, a notification.

None of them can end a run, or change how it ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Protocol

from replay import own_files
from replay.atomic_file import replace_file
from replay.delivery.snapshot import Display, Snapshot
from replay.errors import ReplayError, UsageError
from replay.model import Clock, SystemClock
from replay.watch import notify, summary
from replay.watch.history.database import History
from replay.watch.history.recorder import Recorder, recording
from replay.watch.logs.lines import logged_as, mark
from replay.watch.metrics import export as metrics
from replay.watch.metrics.export import MetricsOptions
from replay.watch.report import page
from replay.watch.report.collect import collect
from replay.watch.run import RunInfo, RunOutcome, ending


class Shown(Display, Protocol):
    """A display that keeps what it showed last, for the summary."""

    last: Snapshot | None


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What is wanted beside the history, which is always written."""

    metrics: MetricsOptions
    summary_json: str | None = None
    report: Path | None = None
    zone: tzinfo = UTC  # of the times in the report
    notify: notify.Notify | None = None


def checked(options: WatchOptions, *, places: bool = True) -> WatchOptions:
    """The same options. Raises `UsageError` for what cannot work: at the end of the run it would be too late."""
    metrics.check(options.metrics)
    if options.report is not None:
        page.check_installed()
    if places:
        if options.summary_json not in (None, summary.STANDARD_OUTPUT):
            check_place("--summary-json", str(options.summary_json), ", or - for standard output")
        if options.report is not None:
            check_place("--report", str(options.report))
        if options.metrics.textfile is not None:
            check_place("--metrics-textfile", str(options.metrics.textfile))
    return options


def check_place(option: str, target: str, or_else: str = "") -> None:
    """Raises `UsageError` where `replace_file` could not put a file, as far as that is known without trying."""
    path = Path(target)
    if path.exists() and not path.is_file() and not path.is_dir():
        return  # a device, a pipe
    folder = Path(os.path.realpath(path)).parent
    if not path.name or path.is_dir():
        why = "no file can be written there: it is a folder"
    elif not folder.is_dir():
        why = f"there is no folder {folder}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = f"the folder {folder} cannot be written to"
    else:
        return
    raise UsageError(
        why, where=f"{option} {target}", todo=f"name a file in a folder that exists and can be written to{or_else}"
    )


@dataclass(frozen=True, slots=True)
class Watched:
    """A run that is watched. It is shown to `reporter`; `recorder` is told what reading the topic back found."""

    reporter: Display
    recorder: Recorder


@contextmanager
def watching(
    options: WatchOptions, history: History, info: RunInfo, to: Shown, clock: Clock | None = None
) -> Iterator[Watched]:
    """Watches what happens inside. Once this is left, the summary, the page and the notification are made."""
    history.check()
    for text in own_files.warnings([history.path.parent, Path(info.checkpoint).parent]):
        to.warning(text)
    clock = clock or SystemClock()
    started_s = clock.now()
    watched: Watched | None = None

    def report(outcome: RunOutcome) -> None:
        verdict = watched.recorder.verdict if watched is not None else None
        _report(options, history, summary.summary(info, outcome, to.last, verdict, started_s, clock.now()), to)

    with (
        logged_as(info.job, info.date, info.run_id),  # also the warnings about the end
        ending(report),
        _marking(info, to),
        recording(history, info, to, clock) as recorder,
        metrics.exporting(options.metrics, info, recorder, history, clock) as exported,
    ):
        watched = Watched(exported, recorder)
        yield watched


@contextmanager
def _marking(info: RunInfo, to: Shown) -> Iterator[None]:
    """An error that passes through gets the fields of this run's log lines."""
    try:
        yield
    except BaseException as error:
        row = to.last.done_rows if to.last is not None else None
        mark(error, job=info.job, date=info.date, run_id=info.run_id, row=row)
        raise


def write_page(history: History, job: str, date: str | None, path: Path, now_s: float, zone: tzinfo) -> None:
    """The report of a job and its date, from the history. Raises `OSError`, `ReplayError`, or what a library raises."""
    replace_file(path, page.render(collect(history, job, date, now_s), zone).encode())


def _report(options: WatchOptions, history: History, document: Mapping[str, Any], to: Display) -> None:
    """Each of them, whatever becomes of the others. `document` is the summary."""
    if options.summary_json is not None:
        with _warning_only(to, "the summary is not written"):
            summary.write(options.summary_json, document, to)
    if options.report is not None:
        with _warning_only(to, "the report is not written"):
            write_page(history, document["job"], document["date"], options.report, document["ended_s"], options.zone)
    if options.notify is not None:
        with _warning_only(to, "nobody was notified"):
            notify.send(options.notify, document, to)


@contextmanager
def _warning_only(to: Display, what: str) -> Iterator[None]:
    """An error inside is a warning: it does not change how the run ended."""
    try:
        yield
    except Exception as error:
        kind = "" if isinstance(error, OSError | ReplayError) else f"{type(error).__name__}: "
        to.warning(f"{what}: {kind}{error}")
