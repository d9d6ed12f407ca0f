"""A date without any file: it fails, it is passed over, or it is waited for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from replay.nightly.calendars import Calendar

if TYPE_CHECKING:
    from replay.reporter import Reporter


class Missing(StrEnum):
    FAIL = "fail"
    SKIP = "skip"
    WAIT = "wait"


class Found(StrEnum):
    """What came of looking for a date's files."""

    THERE = "there"
    CAME = "came while it was waited for"
    OFF = "a day off"
    SKIPPED = "skipped"
    MISSING = "missing"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Policy:
    """`every_s` and `for_s` (None: for ever) are for waiting."""

    how: Missing = Missing.FAIL
    every_s: float = 60.0
    for_s: float | None = None
    calendar: Calendar | None = None

    @property
    def is_default(self) -> bool:
        return self.how is Missing.FAIL and self.calendar is None

    def passes_over(self, day: date) -> bool:
        """Without files this date is no failure, and nothing waits for it."""
        return self.how is Missing.SKIP or self.is_off(day)

    def is_off(self, day: date) -> bool:
        return self.calendar is not None and self.calendar.is_off(day)


def look_for(
    day: date,
    has_files: Callable[[date], bool],
    policy: Policy,
    report: Reporter,
    sleep: Callable[[float], None],
    is_stopped: Callable[[], bool],
    later: int = 0,
) -> Found:
    """What to do about a date, after waiting if that was asked for: `sleep` ends early once `is_stopped`. `later` dates
    stand behind it."""
    if has_files(day):
        return Found.THERE
    if policy.is_off(day):
        report.info(f"{day} is a day off and has no file: nothing to replay (--calendar)")
        return Found.OFF
    if policy.how is Missing.SKIP:
        report.warning(f"{day} has no file, and is passed over (--missing skip)")
        return Found.SKIPPED
    if policy.how is Missing.FAIL:
        return Found.MISSING
    report.warning(f"{_waiting(day, later)}. Looking again every {policy.every_s:g} s (--missing wait)")
    return _wait(day, has_files, policy, report, sleep, is_stopped)


def _wait(
    day: date,
    has_files: Callable[[date], bool],
    policy: Policy,
    report: Reporter,
    sleep: Callable[[float], None],
    is_stopped: Callable[[], bool],
) -> Found:
    waited_s = 0.0
    while policy.for_s is None or waited_s < policy.for_s:
        step_s = policy.every_s if policy.for_s is None else min(policy.every_s, policy.for_s - waited_s)
        sleep(step_s)
        waited_s += step_s
        if is_stopped():
            return Found.STOPPED
        if has_files(day):
            report.info(f"{day} has its files now")
            return Found.CAME
    return Found.MISSING


def told(day: date, later: int, *, go_on: bool = False) -> str:
    """What is said of a date that failed for want of files."""
    return (
        f"{_waiting(day, later, go_on=go_on)}. Add the file, or let it be passed over (--missing skip),"
        " waited for (--missing wait), or name it a day off (--calendar)"
    )


def _waiting(day: date, later: int, *, go_on: bool = False) -> str:
    if not later or go_on:
        return f"{day} has no file"
    return f"{day} has no file; {later} later date{'s wait' if later > 1 else ' waits'} for it"
