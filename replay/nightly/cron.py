"""Five fields of a crontab, as crontab(5) means them: which moments they name. Pure.

cronsim finds the moments: of the two well-kept parsers it is the one written after Debian's cron. croniter joins `*/2`
and a weekday with "or", takes `fri-mon`, which cron refuses, and runs a night twice when the clock goes back. What
cronsim takes beyond cron (`L`, `#`, seconds) is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from cronsim import CronSim, CronSimError

from replay.errors import UsageError

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

LIKE = 'write it like "0 2 * * *" (minute hour day month weekday)'
_FIELDS = ("minute", "hour", "day", "month", "weekday")
_HIGH = {"minute": 59, "hour": 23, "day": 31, "month": 12, "weekday": 7}
_LOW = {"minute": 0, "hour": 0, "day": 1, "month": 1, "weekday": 0}
_NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "weekday": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_VALUE, _STEP = "([0-9]{1,9}|[a-z]+)", "(?:/([0-9]{1,9}))?"
_TERM = re.compile(rf"{_VALUE}|(?:\*|{_VALUE}-{_VALUE}){_STEP}", re.IGNORECASE | re.ASCII)

LOOK_BACK = tuple(timedelta(days=days) for days in (1, 8, 40, 400, 3_000))
"""How far back the newest firing is looked for: a schedule is rarely rarer than once a year; 29 February is."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule in a time zone. Where the clock goes forward, a firing at a time that does not exist comes at the
    change; where it goes back, one at a time that comes twice comes the first time only. A schedule for every hour
    (`*` or `*/n`) follows the hours as they pass. So does Debian's cron, which also loses a night of `*/5 2 * * *`."""

    text: str
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


def parse_cron(text: str, zone: tzinfo, option: str = "--cron") -> Cron:
    """Raises `UsageError`, which names the field that is wrong."""
    stripped = text.strip()
    if stripped.startswith("@"):
        if stripped not in NICKNAMES:
            raise _wrong(text, option, "there is no such name", f"write one of {', '.join(NICKNAMES)}, or five fields")
        return Cron(text, NICKNAMES[stripped], zone)
    parts = stripped.split()
    if len(parts) != len(_FIELDS):
        raise _wrong(text, option, f"five fields are needed, not {len(parts)}", LIKE)
    fields = " ".join(_checked(name, part, text, option) for name, part in zip(_FIELDS, parts, strict=True))
    try:
        cron = Cron(text, fields, zone)
        if cron.after(datetime.now(zone)) is not None:
            return cron
    except CronSimError:  # the day is one that no month has
        pass
    raise _wrong(text, option, "no day is like that", "name a day that the month has")


def _checked(name: str, part: str, text: str, option: str) -> str:
    """The field as cronsim takes it."""
    terms = []
    for term in part.split(","):
        match = _TERM.fullmatch(term)
        if match is None:
            raise _wrong(text, option, f"{name} {part!r}: {term!r} cannot be read", _helps(name, term))
        single, first, last, step = match.groups()
        low, high = (_number(name, value, part, text, option) if value else None for value in (first or single, last))
        if low is not None and high is not None and low > high:
            wrong = f"{name} {part!r}: {term} goes backwards, and cron would never run it"
            raise _wrong(text, option, wrong, f"write {_in_two(name, low, high)}")
        if step is not None and int(step) == 0:
            raise _wrong(
                text, option, f"{name} {part!r}: a step of 0 leads nowhere", f"write */2 for every second {name}"
            )
        # cronsim takes 5-5/2 for 5/2, which goes on to the end
        terms.append(term if low is None or low != high else str(low))
    if name == "minute":  # a star here would have cronsim leave out a night whose hour does not exist
        terms = [term.replace("*", f"{_LOW[name]}-{_HIGH[name]}") for term in terms]
    return ",".join(terms)


def _number(name: str, value: str, part: str, text: str, option: str) -> int:
    names = _NAMES.get(name, ())
    if value.lower() in names:
        return names.index(value.lower()) + _LOW[name]
    if not value.isdigit():
        raise _wrong(text, option, f"{name} {part!r}: {value!r} is no {name}", _helps(name))
    if not _LOW[name] <= int(value) <= _HIGH[name]:
        raise _wrong(text, option, f"{name} {part!r}: {value} is not within {_LOW[name]}-{_HIGH[name]}", _helps(name))
    return int(value)


def _in_two(name: str, low: int, high: int) -> str:
    """What was meant by a range over the week's end, or midnight."""
    if name == "weekday":
        return f"{low}-7" + (("", ",1")[high] if high <= 1 else f",1-{high}")
    return f"{low}-{_HIGH[name]},{_LOW[name]}-{high}"


def _helps(name: str, term: str = "") -> str:
    if re.fullmatch("[0-9a-z]+/[0-9]+", term, re.IGNORECASE):
        return f"cron takes a step after * or a range only: {term.replace('/', f'-{_HIGH[name]}/')}"
    names = _NAMES.get(name)
    named = f", or {names[0]} to {names[-1]}" if names else ""
    return f"a {name} is {_LOW[name]} to {_HIGH[name]}{named}" + (" (0 and 7 are Sunday)" if name == "weekday" else "")


def _names(simulated: CronSim, at: datetime) -> bool:
    return (
        at.month in simulated.months
        and simulated.match_day(at.date())
        and at.hour in simulated.hours
        and at.minute in simulated.minutes
    )


def _wrong(text: str, option: str, what: str, todo: str) -> UsageError:
    return UsageError(f"{text!r} is no schedule: {what}", where=option, todo=todo)
