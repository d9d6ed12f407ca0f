"""A date without a file: fail, skip it, or wait for the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from replay import dates
from replay.errors import NoInput, ReplayError
from replay.nightly import waiting
from replay.nightly.calendars import Calendar
from replay.nightly.due import Missing
from replay.reporter import Reporter
from replay.source.files.find import find


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


def has_files(inputs: Sequence[str], day: date) -> bool:
    """Whether INPUT has any file of a date. What cannot be looked at counts as there: the date's own run says why."""
    try:
        return bool(find([dates.expand(text, day) if dates.has_date(text) else text for text in inputs]))
    except NoInput:
        return False
    except ReplayError:
        return True


def look_for(
    day: date,
    is_there: Callable[[date], bool],
    policy: Policy,
    report: Reporter,
    sleeper: waiting.Sleeper,
    later: int = 0,
) -> Found:
    """What to do about a date, after waiting if that was asked for. `later` dates stand behind it."""
    if is_there(day):
        return Found.THERE
    if policy.is_off(day):
        report.info(f"{day} is a day off and has no file: nothing to replay (--calendar)")
        return Found.OFF
    if policy.how is Missing.SKIP:
        report.warning(f"{day} has no file, and is passed over (--missing skip)")
        return Found.SKIPPED
    if policy.how is Missing.FAIL:
        return Found.MISSING
    report.warning(f"{day} has no file{who_waits(later)}. Looking again every {policy.every_s:g} s (--missing wait)")
    if waiting.until(lambda: is_there(day), policy.every_s, policy.for_s, sleeper):
        report.info(f"{day} has its files now")
        return Found.CAME
    return Found.STOPPED if sleeper.is_stopped else Found.MISSING


def who_waits(later: int) -> str:
    """`; 2 later dates wait for it`; nothing where none does."""
    return f"; {later} later date{'s wait' if later > 1 else ' waits'} for it" if later else ""
