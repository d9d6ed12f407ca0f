"""Dates and times as people write them, to nanoseconds since 1970. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from replay import iso8601
from replay.errors import UsageError
from replay.units import NS_PER_S

FORMS = "2026-11-22, 2026-11-22T10:00 or 2026-11-22T10:00:00.123Z"


def parse_moment(text: str, option: str) -> iso8601.Parsed:
    """`2026-11-22`, `2026-11-22T10:00[:00[.123456789]][Z|+02:00]`, and whatever else ISO 8601 and RFC 3339 allow;
    without a zone it is UTC, without a time midnight.

    A bare number is refused: seconds and milliseconds since 1970 look alike.
    """
    text = text.strip()
    found = iso8601.parse(text)
    if isinstance(found, iso8601.Parsed):
        return found
    problems = {iso8601.Problem.NO_TIME: "is no date or time", iso8601.Problem.NUMBER: "is a number without a unit"}
    raise UsageError(f"{text[:40]!r} {problems.get(found, found)}", where=option, todo=f"write it like {FORMS}")


def text_of(ns: int) -> str:
    """`2026-11-22T10:00:00Z`, with as many decimals as it takes; parsing it gives the same moment."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ns // NS_PER_S)
    fraction = f".{ns % NS_PER_S:09d}".rstrip("0").rstrip(".")
    return at.replace(tzinfo=None).isoformat() + fraction + "Z"
