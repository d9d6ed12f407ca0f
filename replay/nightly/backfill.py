"""`replay backfill`: one replay a day, each with its own checkpoint; days that are done are skipped.

Days of one topic go one after another, and nothing comes after a day that failed: whatever is missing is at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from replay import dates, signals
from replay.checkpoint.content import Checkpoint, JobState
from replay.checkpoint.file import readable
from replay.counts import RowCounts
from replay.delivery.done import is_unchanged
from replay.errors import ExitCode, UsageError
from replay.nightly import attempts, missing
from replay.nightly.children import Children
from replay.nightly.due import Retries
from replay.reporter import Reporter
from replay.watch.logs.lines import logged_as


class DayState(StrEnum):
    DONE = "done"
    SKIPPED = "was done"
    EMPTY = "empty"
    MISSING = "no file, passed over"
    OFF = "a day off"
    FAILED = "failed"
    STOPPED = "stopped"
    WAITING = "not begun"


@dataclass(frozen=True, slots=True)
class Day:
    """How one day ended. `counts` of its checkpoint; `code` of its last attempt."""

    day: date
    state: DayState
    code: int = 0
    attempts: int = 0
    counts: RowCounts | None = None

    def __str__(self) -> str:
        """`failed, exit 5 (broker unavailable), 3 attempts: 408 in topic, ...`"""
        rows = f": {self.counts.text()}" if self.counts is not None else ""
        tries = f", {self.attempts} attempts" if self.attempts > 1 else ""
        code = f", {attempts.exit_text(self.code)}" if self.state in (DayState.FAILED, DayState.STOPPED) else ""
        return f"{self.state.value}{code}{tries}{rows}"


@dataclass(frozen=True, slots=True)
class Backfill:
    """What to do for each day. `args` gives the arguments of `replay` for a day, `has_input` looks for its files."""

    args: Callable[[date], Sequence[str]]
    checkpoint: Callable[[date], Path]
    has_input: Callable[[date], bool]
    retries: Retries
    missing: missing.Policy
    go_on: bool
    parallel: int = 1
    job: str | None = None  # its name in log lines
    looks_unchanged: Callable[[Path], bool] = is_unchanged  # the files of a day that is done, by its checkpoint


def check_parallel(parallel: int, topic: str | None) -> None:
    """Raises `UsageError` where days at the same time would share a topic."""
    if parallel > 1 and not (topic is not None and dates.has_date(topic)):
        raise UsageError(
            "days at the same time in one topic would mix the trades of a symbol",
            where="--parallel",
            todo="drop it, or give each day a topic of its own: --topic trades-{date}",
        )


def check_checkpoint(named: str, days: Sequence[date]) -> None:
    """Raises `UsageError` where days would share a checkpoint."""
    if named and len(days) > 1 and not dates.has_date(named):
        raise UsageError(
            "all days would share one checkpoint, and each but the first would be taken for done",
            where="--checkpoint",
            todo="put {date} into its name, or drop it",
        )


def selection_of(day: date, inputs: Sequence[str], timezone: str) -> list[str]:
    """Options that pick the rows of a day, where its files do not. `run --date` picks the same by itself; these keep
    what a variable or the job file says of --from and --to, which here are dates, out of it."""
    if any(map(dates.has_date, inputs)):
        return []
    first, last = (midnight.strftime("%Y-%m-%dT%H:%M:%SZ") for midnight in dates.bounds(day, timezone))
    return ["--from", first, "--to", last]


def run(plan: Backfill, days: Sequence[date], report: Reporter) -> tuple[list[Day], int]:
    """All days, until a signal comes: how each ended, and the exit code."""
    children = Children()
    signals.listen(children.stop)
    ended = run_days(plan, days, children, report)
    return ended, exit_code(ended, children)


def run_days(plan: Backfill, days: Sequence[date], children: Children, report: Reporter) -> list[Day]:
    """The days in the order given; after one that failed, no further one begins, unless the plan says so."""
    failed = False

    def one(number: int, day: date) -> Day:
        nonlocal failed
        if failed or children.is_stopped:
            return Day(day, DayState.WAITING)
        with logged_as(plan.job, str(day)):
            result = _run_day(plan, day, children, report, len(days) - number - 1)
        failed = failed or (result.state is DayState.FAILED and not plan.go_on)
        return result

    with ThreadPoolExecutor(plan.parallel) as pool:
        return list(pool.map(one, range(len(days)), days))


def exit_code(days: Sequence[Day], children: Children) -> int:
    """That of the first day that failed; else of the stop; else 0."""
    if children.stopped_by is not None:
        return 128 + children.stopped_by
    return next((day.code for day in days if day.state is DayState.FAILED), int(ExitCode.DONE))


def is_ended(path: Path) -> bool:
    """Whether it is done, or was empty when somebody looked last."""
    found = readable(path)
    return found is not None and found.state.has_ended


def _run_day(plan: Backfill, day: date, children: Children, report: Reporter, later: int) -> Day:
    path = plan.checkpoint(day)
    before = readable(path)  # a damaged one is none: the day's own run will tell
    if before is not None and before.state is not JobState.DONE:
        before = None
    elif before is not None and plan.looks_unchanged(path):
        return Day(day, DayState.SKIPPED, counts=before.counts)
    found = missing.look_for(day, plan.has_input, plan.missing, report, children, later)
    if (ended := _WITHOUT_FILES.get(found)) is not None:
        return Day(day, ended)
    # Without a file its run is begun as well: notification, metrics and summary come from a run.
    last = attempts.run(str(day), plan.args(day), plan.retries, children, report)
    now = readable(path)
    if last.code == ExitCode.DONE:
        state = _state(before, now)
    elif children.is_stopped:
        state = DayState.STOPPED
    else:
        state = DayState.FAILED
        waits = 0 if plan.go_on else later
        report.warning(attempts.why_failed(day, last.code, found, waits, comes_again=False))
    return Day(day, state, last.code, last.attempts, now.counts if now is not None else None)


_WITHOUT_FILES = {
    missing.Found.OFF: DayState.OFF,
    missing.Found.SKIPPED: DayState.MISSING,
    missing.Found.STOPPED: DayState.WAITING,
}


def _state(before: Checkpoint | None, now: Checkpoint | None) -> DayState:
    """How a day ended whose run went well: that may have found that there was nothing to do."""
    if now is not None and now.state is JobState.EMPTY:
        return DayState.EMPTY
    was_done = before is not None and now is not None and before.progress == now.progress
    return DayState.SKIPPED if was_done else DayState.DONE
