"""`replay schedule`: a resident process that replays each date when its time comes, and makes up for missed ones.

APScheduler says when; `due.py` says which dates; each replay is a process of its own. The state is the checkpoints:
a kill -9 at any moment loses nothing that the next start does not find.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import inf
from pathlib import Path
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from replay import signals
from replay.atomic_file import replace_file
from replay.dates import day_of
from replay.delivery.done import is_unchanged
from replay.errors import ExitCode
from replay.nightly import attempts, due, missing
from replay.nightly.backfill import is_ended
from replay.nightly.children import Children
from replay.nightly.cron import Cron, parse_cron
from replay.own_files import read_own
from replay.reporter import Reporter
from replay.watch.logs.lines import logged_as

BEGAN = "began"
"""The file beside a schedule's checkpoints with the date that it began with. A first night that fails leaves no
checkpoint. Without this file a scheduler that is started again would take the next date for the first one, and nobody
would send the rows of that night."""


class CronTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """APScheduler's own numbers weekdays from Monday = 0, and joins day and weekday with "and": see `cron.py`."""

    def __init__(self, cron: Cron, jitter_s: float = 0.0) -> None:
        self.cron, self.jitter_s = cron, jitter_s

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        firing = self.cron.after(previous_fire_time or now - timedelta(microseconds=1))
        later: datetime | None = self._apply_jitter(firing, self.jitter_s, now)
        return later


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """One job. `date_text` is its logical date, seen from the day of a firing (`yesterday`). `args` gives the arguments
    of `replay` for a date. `state_dir` holds a checkpoint for each date."""

    name: str
    trigger: CronTrigger
    date_text: str
    args: Callable[[date], Sequence[str]]
    state_dir: Path
    catch_up: int
    retries: due.Retries
    go_on: bool
    has_input: Callable[[date], bool]
    missing: missing.Policy

    def next_firing(self, after: datetime) -> datetime | None:
        """As the schedule says, without the jitter: dates are reckoned from it."""
        return self.trigger.cron.after(after)

    def now(self) -> datetime:
        return datetime.now(self.trigger.cron.zone)


def run(jobs: Sequence[ScheduledJob], report: Reporter) -> int:
    """Stay, until a signal comes; its exit code."""
    children = Children()
    signals.listen(children.stop)
    return Scheduler(jobs, children, report).run()


def cron_trigger(text: str, timezone: str, jitter_s: float = 0.0) -> CronTrigger:
    """Five fields, as in a crontab; `UsageError` says what is wrong."""
    return CronTrigger(parse_cron(text, ZoneInfo(timezone)), jitter_s)


def remember_first(state_dir: Path, day: date) -> None:
    """Write the date down, unless one stands there already. Raises `OSError`."""
    if first_date(state_dir) is None:
        state_dir.mkdir(parents=True, exist_ok=True)
        replace_file(state_dir / BEGAN, f"{day}\n".encode())


def first_date(state_dir: Path) -> date | None:
    """None where nothing is known of it, or the file cannot be read: then the oldest checkpoint tells."""
    try:
        return date.fromisoformat(read_own(state_dir / BEGAN).decode().strip())
    except (OSError, ValueError):
        return None


def dates_known(state_dir: Path) -> dict[date, bool]:
    """The dates with a checkpoint, and that with which the schedule began; whether each is done, or was empty when
    somebody looked last."""
    first = first_date(state_dir)
    found = {first: False} if first is not None else {}
    for path in state_dir.glob("????-??-??.json") if state_dir.is_dir() else ():
        if (day := day_of(path.stem)) is not None:
            found[day] = is_ended(path)
    return found


def _moved(job: ScheduledJob, ended: Collection[date]) -> list[date]:
    """Of the newest dates that have come to their end, as many as are caught up: those whose files are others now."""
    newest, _ = due.newest(sorted(ended), job.catch_up)
    return [day for day in newest if not is_unchanged(job.state_dir / f"{day}.json")]


class Scheduler:
    """All jobs: each one at a time, the others beside it."""

    def __init__(self, jobs: Sequence[ScheduledJob], children: Children, report: Reporter) -> None:
        self._jobs, self._children, self._report = jobs, children, report
        self._one_at_a_time = {job.name: threading.Lock() for job in jobs}
        self._scheduler = BackgroundScheduler(
            executors={"default": {"type": "threadpool", "max_workers": 2 * len(jobs)}},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def run(self) -> int:
        """Until a stop; then the running replays drain, and the exit code is the signal's."""
        for job in self._jobs:
            self._scheduler.add_job(self._fire, job.trigger, args=[job], id=job.name, name=job.name)
            # What was missed, at once; a firing that comes meanwhile finds its date done, or does it then.
            self._scheduler.add_job(self._fire, args=[job], kwargs={"is_start": True}, id=f"{job.name}, missed dates")
            self._report.info(f"{job.name}: next at {job.next_firing(job.now())} ({job.trigger.cron.zone})")
        self._scheduler.start()
        self._children.sleep(inf)  # until a stop
        self._scheduler.shutdown(wait=True)
        return 128 + (self._children.stopped_by or 0)

    def _fire(self, job: ScheduledJob, *, is_start: bool = False) -> None:
        """An error of one job is logged, and stops no other."""
        try:
            with logged_as(job.name, None), self._one_at_a_time[job.name]:
                while self._work(job, self._due(job, is_start=is_start)):
                    pass
        except Exception as error:
            self._report.warning(f"{job.name}: {type(error).__name__}: {error}")

    def _work(self, job: ScheduledJob, days: Sequence[date]) -> bool:
        """Each date in its turn. True if one was waited for: others may be due by now."""
        came, was_ended = False, dates_known(job.state_dir)
        for number, day in enumerate(days):
            with logged_as(job.name, str(day)):
                later = len(days) - number - 1
                found = missing.look_for(day, job.has_input, job.missing, self._report, self._children, later)
                came = came or found is missing.Found.CAME
                if found is missing.Found.SKIPPED:
                    continue
                done = found is not missing.Found.STOPPED and self._replay(job, day, found, later)
            # A date that was done, and grew, holds no other back: what it lacks cannot come before theirs any more.
            if self._children.is_stopped or not (done or job.go_on or was_ended.get(day)):
                return False
        return came

    def _due(self, job: ScheduledJob, *, is_start: bool) -> list[date]:
        now = job.now()
        # A firing may begin late: by its jitter, behind the one before it, on a machine that slept. Its date stays.
        firing = job.trigger.cron.newest(now) if not is_start else None
        tonight = due.logical_date(firing, job.date_text) if firing is not None else None
        if tonight is not None:
            remember_first(job.state_dir, tonight)
        known = dates_known(job.state_dir)
        done = {day for day, ended in known.items() if ended}
        missed = due.missed(job.next_firing, job.date_text, known, done, now)
        # A date that was passed over is looked for again, as its file may have come since. It is not warned of again.
        days, given_up = due.newest(missed, job.catch_up)
        kept = [day for day in days if day == tonight or not job.missing.passes_over(day) or job.has_input(day)]
        if given_up := [day for day in given_up if not job.missing.passes_over(day)]:
            self._report.warning(
                f"{job.name}: {len(given_up)} missed dates are given up, {given_up[0]} to {given_up[-1]} (--catch-up)"
            )
        return sorted({*kept, *_moved(job, done)})

    def _replay(self, job: ScheduledJob, day: date, found: missing.Found, later: int) -> bool:
        """True if the day is done. A later one comes before it only where that was asked for. Without a file its run is
        begun as well: notification, metrics and history come from a run, and a day off counts as a success."""
        last = attempts.run(f"{job.name} {day}", job.args(day), job.retries, self._children, self._report)
        if last.code == ExitCode.DONE:
            self._report.info(f"{job.name} {day}: done")
            return True
        waits = 0 if job.go_on else later
        self._report.warning(f"{job.name} {attempts.why_failed(day, last.code, found, waits, comes_again=True)}")
        return False
