"""Days on which there is nothing to replay: weekends and holidays are no missing days.

A calendar only excuses a day without files. A day off that has files is replayed like any other.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from replay.dates import day_of
from replay.errors import UsageError, install_extra

OPTION = "--calendar"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAME = re.compile(r"[A-Za-z0-9_/]{2,20}")


class Calendar(Protocol):
    def is_off(self, day: date) -> bool:
        """Whether nobody expects files of this day."""


@dataclass(frozen=True, slots=True)
class DaysOff:
    """From a file. It names the days without data, not those with: where it ends, days are missed, not passed over."""

    days: Collection[date]
    weekdays: Collection[int]  # Monday is 0

    def is_off(self, day: date) -> bool:
        return day in self.days or day.weekday() in self.weekdays


@dataclass(frozen=True, slots=True)
class Exchange:
    """The sessions of an exchange, by the package exchange_calendars."""

    name: str

    def is_off(self, day: date) -> bool:
        return day not in _sessions(self.name, day.year)


@cache
def _sessions(name: str, year: int) -> Collection[date]:
    """Of the year: a calendar is made for so long, and costs a tenth of a second."""
    calendar = _exchange_calendars().get_calendar(name, start=date(year, 1, 1), end=date(year, 12, 31))
    return frozenset(calendar.sessions.date)


def parse_calendar(text: str) -> Calendar:
    """A file of days off, or an exchange. Raises `UsageError` now, not at night."""
    path = Path(text)
    if path.is_file():
        return _read(path)
    if not _NAME.fullmatch(text) or path.exists():
        todo = "name a file of days off, or an exchange"
        raise UsageError("there is no such file", where=f"{OPTION} {text}", todo=todo)
    known = _exchange_calendars().get_calendar_names(include_aliases=True)
    if text not in known:
        raise UsageError(
            "there is no such file, and no exchange of this name",
            where=f"{OPTION} {text}",
            todo="name a file of days off, one a line, or an exchange like XNYS",
        )
    return Exchange(text)


def _read(path: Path) -> DaysOff:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(reason, where=f"{OPTION} {path}", todo="name a text file, one day off a line") from None
    days, weekdays = set(), set()
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if text.lower() in WEEKDAYS:
            weekdays.add(WEEKDAYS.index(text.lower()))
            continue
        if (day := day_of(text)) is None:
            raise UsageError(
                f"line {number}: {text!r} is no day off",
                where=f"{OPTION} {path}",
                todo="write a date like 2026-12-25, or a weekday like sat; a remark goes behind #",
            )
        days.add(day)
    return DaysOff(frozenset(days), frozenset(weekdays))


def _exchange_calendars() -> Any:
    try:
        import exchange_calendars  # noqa: PLC0415 - an extra, which brings pandas
    except ModuleNotFoundError as error:
        if error.name != "exchange_calendars":
            raise
        raise UsageError(
            "there is no such file, and the calendars of exchanges need a package that is not installed",
            where=OPTION,
            todo=f"name a file of days off, or {install_extra('calendar')}",
        ) from None
    return exchange_calendars
