"""Dates and times as people write them, to nanoseconds since 1970. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from replay.errors import UsageError

FORMS = "2026-11-22, 2026-11-22T10:00 or 2026-11-22T10:00:00.123Z"

_MOMENT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<time>\d\d:\d\d(?::\d\d)?)(?<=\d\d)(?:(?<=:\d\d:\d\d)\.(?P<fraction>\d{1,9}))?"
    r"[ ]?(?P<zone>[Zz]|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time. `utc_assumed`: the text named no zone, so it was taken for UTC. `is_date`: it named no time."""

    ns: int
    utc_assumed: bool
    is_date: bool


def parse_moment(text: str, option: str) -> Moment:
    """`2026-11-22`, `2026-11-22T10:00[:00[.123456789]][Z|+02:00]`; without a zone it is UTC, without a time midnight.

    A bare number is refused: seconds and milliseconds since 1970 look alike.
    """
    text = text.strip()
    match = _MOMENT.fullmatch(text)
    if match is None:
        numeric = re.fullmatch(r"\d{9,}(\.\d*)?", text)
        what = f"{text[:40]!r} is a number without a unit" if numeric else f"{text[:40]!r} is no date or time"
        raise UsageError(what, where=option, todo=f"write it like {FORMS}")
    try:
        at = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}").replace(tzinfo=_zone(match["zone"]))
    except ValueError as error:
        raise UsageError(f"{text!r}: {error}", where=option, todo=f"write it like {FORMS}") from None
    seconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    fraction_ns = int((match["fraction"] or "0").ljust(9, "0"))
    return Moment(seconds * 1_000_000_000 + fraction_ns, match["zone"] is None, match["time"] is None)


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError("this zone is more than a day away from UTC")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def text_of(ns: int) -> str:
    """`2026-11-22T10:00:00Z`, with as many decimals as it takes; parsing it gives the same moment."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ns // 1_000_000_000)
    fraction = f".{ns % 1_000_000_000:09d}".rstrip("0").rstrip(".")
    return at.replace(tzinfo=None).isoformat() + fraction + "Z"
