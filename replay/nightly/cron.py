"""Five fields of a crontab, as crontab(5) means them: which moments they name. Pure.

cronsim finds the moments: of the two well-kept parsers it is the one written after Debian's cron. croniter joins `*/2`
and a weekday with "or", takes `fri-mon`, which cron refuses, and runs a night twice when the clock goes back. What
cronsim takes beyond cron (`L`, `#`, seconds) is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from cronsim import CronSim, CronSimError

from replay.errors import UsageError

NICKNAMES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip

_VALUE, _STEP = "([0-9]{1,9}|[a-z]+)", "(?:/([0-9]{1,9}))?"
_TERM = re.compile(rf"{_VALUE}|(?:\*|{_VALUE}-{_VALUE}){_STEP}", re.IGNORECASE | re.ASCII)

LOOK_BACK = tuple(timedelta(days=days) for days in (1, 8, 40, 400, 3_000))
"""How far back the newest firing is looked for: a schedule is rarely rarer than once a year; 29 February is."""


class _Field(NamedTuple):
    """One of the five. `names` are those of its values, from `low` on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    _Field("weekday", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


class _Unreadable(Exception):
    """What is wrong with a text, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule in a time zone. Where the clock goes forward, a firing at a time that does not exist comes at the
    change; where it goes back, one at a time that comes twice comes the first time only. A schedule for every hour
    (`*` or `*/n`) follows the hours as they pass. So does Debian's cron, which also loses a night of `*/5 2 * * *`."""

    fields: str  # five of them, as cronsim takes them
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """The first firing later than this; None if there is none in 50 years."""
        return next(self._firings(moment), None)

    def newest(self, moment: datetime) -> datetime | None:
        """The last firing that was not later than this."""
        now = moment.astimezone(UTC)  # of two times in one zone Python compares the clocks: 02:30 would be 02:30
        for days in LOOK_BACK:
            last = None
            for firing in self._firings(now - days):
                if firing.astimezone(UTC) > now:
                    break
                last = firing
            if last is not None:
                return last
        return None

    def _firings(self, moment: datetime) -> Iterator[datetime]:
        """Each later than the one before. cronsim reckons a fixed hour by the wall clock alone: at an hour that comes
        twice it could name what is over."""
        at = moment.astimezone(self.zone)
        while True:
            simulated = CronSim(self.fields, at)
            try:
                found = next(simulated)
                while found.astimezone(UTC) <= at.astimezone(UTC):
                    found = next(simulated)
            except StopIteration:
                return
            firing = found.astimezone(UTC).astimezone(self.zone)
            # A midnight that does not exist is the end of the search for a day, not always a time that was asked for.
            at = firing
            if firing.replace(tzinfo=None) == found.replace(tzinfo=None) or _names(simulated, firing):
                yield firing


def parse_cron(text: str, zone: tzinfo) -> Cron:
    """Raises `UsageError`, which names the field that is wrong."""
    try:
        cron = Cron(_fields(text.strip()), zone)
        with suppress(CronSimError):  # the day is one that no month has
            if cron.after(datetime.now(zone)) is not None:
                return cron
        raise _Unreadable("no day is like that", "name a day that the month has")
    except _Unreadable as wrong:
        what, todo = wrong.args
        raise UsageError(f"{text!r} is no schedule: {what}", where="--cron", todo=todo) from None


def _fields(text: str) -> str:
    """Five of them, as cronsim takes them."""
    if text.startswith("@"):
        if text not in NICKNAMES:
            raise _Unreadable("there is no such name", f"write one of {', '.join(NICKNAMES)}, or five fields")
        return NICKNAMES[text]
    parts = text.split()
    if len(parts) != len(_FIELDS):
        todo = 'write it like "0 2 * * *" (minute hour day month weekday)'
        raise _Unreadable(f"five fields are needed, not {len(parts)}", todo)
    return " ".join(map(_checked, _FIELDS, parts))


def _checked(field: _Field, part: str) -> str:
    """The field as cronsim takes it."""
    said, terms = f"{field.name} {part!r}", []
    for term in part.split(","):
        match = _TERM.fullmatch(term)
        if match is None:
            raise _Unreadable(f"{said}: {term!r} cannot be read", _helps(field, term))
        single, first, last, step = match.groups()
        low, high = (_number(field, value, said) if value else None for value in (first or single, last))
        if low is not None and high is not None and low > high:
            what = f"{said}: {term} goes backwards, and cron would never run it"
            raise _Unreadable(what, f"write {_in_two(field, low, high)}")
        if step is not None and int(step) == 0:
            raise _Unreadable(f"{said}: a step of 0 leads nowhere", f"write */2 for every second {field.name}")
        # cronsim takes 5-5/2 for 5/2, which goes on to the end
        terms.append(term if low is None or low != high else str(low))
    if field.name == "minute":  # a star here would have cronsim leave out a night whose hour does not exist
        terms = [term.replace("*", f"{field.low}-{field.high}") for term in terms]
    return ",".join(terms)


def _number(field: _Field, value: str, said: str) -> int:
    if value.lower() in field.names:
        return field.names.index(value.lower()) + field.low
    if not value.isdigit():
        raise _Unreadable(f"{said}: {value!r} is no {field.name}", _helps(field))
    if not field.low <= int(value) <= field.high:
        raise _Unreadable(f"{said}: {value} is not within {field.low}-{field.high}", _helps(field))
    return int(value)


def _in_two(field: _Field, low: int, high: int) -> str:
    """What was meant by a range over the week's end, or midnight."""
    if field.name == "weekday":
        return f"{low}-7" + (("", ",1")[high] if high <= 1 else f",1-{high}")
    return f"{low}-{field.high},{field.low}-{high}"


def _helps(field: _Field, term: str = "") -> str:
    if re.fullmatch("[0-9a-z]+/[0-9]+", term, re.IGNORECASE):
        return f"cron takes a step after * or a range only: {term.replace('/', f'-{field.high}/')}"
    named = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
    sundays = " (0 and 7 are Sunday)" if field.name == "weekday" else ""
    return f"a {field.name} is {field.low} to {field.high}{named}{sundays}"


def _names(simulated: CronSim, at: datetime) -> bool:
    return (
        at.month in simulated.months
        and simulated.match_day(at.date())
        and at.hour in simulated.hours
        and at.minute in simulated.minutes
    )
