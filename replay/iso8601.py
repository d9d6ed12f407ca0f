"""Dates and times that ISO 8601 and RFC 3339 allow, and the reasons why others are refused. Pure, without arrays.

One grammar for the texts in columns (`text_times.py`, column-wise) and those in options (`moment.py`). The
expressions mean the same to Arrow (RE2) and to Python (with `re.ASCII`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from replay.units import NS_PER_S, S_PER_DAY

DATES = {
    "calendar": r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)",
    "calendar, basic": r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)",
    "week": r"(?P<year>\d{4})-?[Ww](?P<week>\d\d)-?(?P<day>\d)",
    "ordinal": r"(?P<year>\d{4})-?(?P<day>\d{3})",
}
"""The first one is what nearly every text is."""

CLOCK = (
    r"[Tt ](?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d))?)?(?:[.,](?P<fraction>\d+))?"
    "(?: ?(?:(?P<utc>[Zz])|(?P<sign>[+\\-\u2212])(?P<zone_hour>\\d\\d)(?::?(?P<zone_minute>\\d\\d))?))?"
)
"""The fraction is of the last part that is there: 10:00,5 is 10:00:30. ISO 8601 itself writes U+2212 for minus."""

LARGEST = {"hour": 23, "minute": 59, "second": 59, "zone_hour": 23, "zone_minute": 59}
DIGITS_MAX = 9


class Problem(StrEnum):
    """Why a text is not taken; completes "column X …" or "'TEXT' …"."""

    NO_TIME = "is not an ISO 8601 date and time"
    LEAP_SECOND = "is a leap second (:60), which no count of seconds since 1970 holds"
    TOO_FINE = "has more than nine digits of a second, and is not rounded"
    NO_CLOCK = "is not an ISO 8601 date and time, but a date without a time of day"
    NO_DATE = "is not an ISO 8601 date and time, but a time of day without a date"
    ZONE_NAME = "names its time zone; only offsets such as Z or +01:00 are taken"
    LONG_YEAR = "has a year of more than four digits"
    NUMBER = "is a number without a unit, as text: write it as an integer column (see --time-unit)"


_ANY_DATE = f"(?:{'|'.join(re.sub('[?]P<[a-z]+>', '?:', each) for each in DATES.values())})"

NAMED = {
    Problem.LEAP_SECOND: _ANY_DATE + r"[Tt ]\d\d:?\d\d:?60(?:[^\d].*)?",
    Problem.NO_CLOCK: _ANY_DATE,
    Problem.NO_DATE: r"[Tt]?\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:[Zz]|[+-]\d\d(?::?\d\d)?)?",
    Problem.ZONE_NAME: r"\d{4}-?\d\d-?\d\d[Tt ]\d\d.*\d(?:\[[^\]]*\]|[Zz]\[[^\]]*\]| ?[A-Za-z][A-Za-z_/]+)",
    Problem.LONG_YEAR: r"[+-]\d{5,6}-?\d\d-?\d\d.*",
    Problem.NUMBER: r"[+-]?\d{9,}(?:[.,]\d*)?",
}
"""What the rest may look like, in the order in which it is asked."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """`ns` since 1970. `zone`: it named one. `clock`: it named a time of day."""

    ns: int
    zone: bool
    clock: bool


_DATES = [re.compile(each, re.ASCII) for each in DATES.values()]
_CLOCK = re.compile(CLOCK, re.ASCII)
_NAMED = {problem: re.compile(each, re.ASCII) for problem, each in NAMED.items()}


def parse(text: str) -> Parsed | Problem:
    """One text; a date alone is its midnight. Without a zone it is UTC."""
    for pattern in _DATES:
        found = pattern.match(text)
        clock = _CLOCK.fullmatch(text, found.end()) if found else None
        if found and (clock or found.end() == len(text)):
            days = _days(found)
            if clock is None:
                return Problem.NO_TIME if days is None else Parsed(days * S_PER_DAY * NS_PER_S, zone=False, clock=False)
            clock_ns = _clock(clock)
            if days is None or clock_ns is None:
                break
            return Problem.TOO_FINE if clock_ns < 0 else _moment(days, clock_ns, clock)
    return next((problem for problem, each in _NAMED.items() if each.fullmatch(text)), Problem.NO_TIME)


def _moment(days: int, clock_ns: int, clock: re.Match[str]) -> Parsed:
    zone_s = int(clock["zone_hour"] or 0) * 3_600 + int(clock["zone_minute"] or 0) * 60
    east = -1 if clock["sign"] in ("-", "\u2212") else 1
    ns = (days * S_PER_DAY - east * zone_s) * NS_PER_S + clock_ns
    return Parsed(ns, clock["utc"] is not None or clock["sign"] is not None, clock=True)


def _days(found: re.Match[str]) -> int | None:
    """Days since 1970; None if there is no such day."""
    parts = found.groupdict()
    year, day = int(parts["year"]), int(parts["day"])
    try:
        if "month" in parts:
            at = date(year, int(parts["month"]), day).toordinal()
        elif "week" in parts:
            at = date.fromisocalendar(year, int(parts["week"]), day).toordinal()
        else:
            at = date(year, 1, 1).toordinal() + day - 1
            if not day >= 1 or at > date(year, 12, 31).toordinal():
                return None
    except ValueError:
        return None
    return at - date(1970, 1, 1).toordinal()


def _clock(found: re.Match[str]) -> int | None:
    """Nanoseconds of the day; None if there is no such time, -1 if it has too many digits."""
    parts = {name: int(found[name] or 0) for name in LARGEST}
    fraction = (found["fraction"] or "").rstrip("0")
    midnight = parts["hour"] == 24 and not parts["minute"] and not parts["second"] and not fraction
    if any(parts[name] > last for name, last in LARGEST.items()) and not (
        midnight and all(parts[name] <= last for name, last in LARGEST.items() if name != "hour")
    ):
        return None
    if len(fraction) > DIGITS_MAX:
        return -1
    unit = 1 if found["second"] else 60 if found["minute"] else 3_600
    seconds = parts["hour"] * 3_600 + parts["minute"] * 60 + parts["second"]
    return seconds * NS_PER_S + int(fraction.ljust(DIGITS_MAX, "0")) * unit
