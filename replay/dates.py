"""Logical dates: which day a replay is about, and `{date}` in its paths. Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from replay.errors import UsageError

_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<inside>[^{}]*)\}|[{}]")
# What a date has, as strftime spells it; `%-d` is 5 where `%d` is 05. Not %x and the like: they differ by locale.
_DIRECTIVE = re.compile(r"%(?:-?[mdjy]|[YGVUWuwaAbB%])|%(?P<wrong>-?.?)", re.DOTALL)


def parse_date(text: str, today: date, option: str = "--date") -> date:
    """A day as people write it: `2026-11-22`, `today`, `yesterday`, or `-2` for two days ago."""
    days_ago = {"today": 0, "yesterday": 1}.get(text)
    if days_ago is None and re.fullmatch(r"-[0-9]+", text):
        days_ago = int(text[1:]) if len(text) < 10 else None  # more digits than there are days
    with suppress(OverflowError):  # before the year 1
        if days_ago is not None:
            return today - timedelta(days=days_ago)
        if (day := day_of(text)) is not None:
            return day
    raise UsageError(
        f"{text!r} is not a date",
        where=option,
        todo="write it like 2026-11-22, or say today, yesterday, or -2 for two days ago",
    )


def day_of(text: str) -> date | None:
    """The day `2026-11-22`. None of a text in any other form, and of the 30th of February."""
    with suppress(ValueError):
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    return None


def today_in(zone: str, now_s: float) -> date:
    """The day it is in a time zone, given the seconds since 1970."""
    try:
        return datetime.fromtimestamp(now_s, ZoneInfo(zone)).date()
    except (KeyError, ValueError, OSError):  # unknown, not a name at all, a folder of names
        todo = "name one like UTC or Europe/Berlin"
        raise UsageError(f"there is no time zone {zone!r}", where="--timezone", todo=todo) from None


def bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """The first moment of a day in a time zone and that of the next one, in UTC: 23, 24 or 25 hours apart."""
    first, last = (
        datetime.combine(each, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
        for each in (day, day + timedelta(days=1))
    )
    return first, last


def has_date(text: str) -> bool:
    """Whether the text depends on the logical date."""
    return any(_is_date(token.group("inside")) for token in _TOKEN.finditer(text))


def expand(text: str, day: date, option: str = "INPUT") -> str:
    """`{date}` and `{date:%Y/%m/%d}` become the day; `{{` and `}}` stand for braces."""

    def expanded(token: re.Match[str]) -> str:
        if token.group() in {"{{", "}}"}:
            return token.group()[0]
        if _is_date(token.group("inside")):
            return _format(token.group("inside"), day, option)
        raise UsageError(
            f"{token.group()!r} in {text!r} stands for nothing",
            where=option,
            todo="only {date} and {date:%Y/%m/%d} do; write {{ and }} for braces",
        )

    return _TOKEN.sub(expanded, text)


def _is_date(inside: str | None) -> bool:
    return inside is not None and (inside == "date" or inside.startswith("date:"))


def _format(inside: str, day: date, option: str) -> str:
    if inside == "date":
        return day.isoformat()
    form = inside.removeprefix("date:")

    def filled(directive: re.Match[str]) -> str:
        if directive.group("wrong") is None:
            return day.strftime(directive.group())
        raise UsageError(
            f"{directive.group()!r} in {{{inside}}} is no part of a date",
            where=option,
            todo="use %Y, %m, %d, %j and the like, or %-m and %-d for no leading zero",
        )

    if not form:
        raise UsageError("{date:} has no format", where=option, todo="write {date}, or {date:%Y/%m/%d}")
    return _DIRECTIVE.sub(filled, form)
