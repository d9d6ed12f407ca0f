"""A selection from the texts of the options, and what of it lies in a day. Pure, but for a list read from a file."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from replay import dates
from replay.errors import UsageError
from replay.iso8601 import Parsed
from replay.source.selection import moment
from replay.source.selection.moment import parse_moment
from replay.source.selection.select import Selection
from replay.units import LAST_NS, NS_PER_S

if TYPE_CHECKING:
    from replay.source.selection.condition import Condition


def parse_selection(
    symbols: str | None = None,
    exclude: str | None = None,
    from_: str | None = None,
    to: str | None = None,
    sample: str | None = None,
    where: str | None = None,
    limit: int | None = None,
) -> Selection:
    """From the texts of the options; None is not given."""
    texts = (("--from", from_), ("--to", to))
    ends = {option: parse_range_end(text, option) for option, text in texts if text is not None}
    first, last = ends.get("--from"), ends.get("--to")
    if first and last and first.ns >= last.ns:
        raise UsageError(
            f"the range from {moment.text_of(first.ns)} to {moment.text_of(last.ns)} is empty",
            where="--to",
            todo="--to is the first moment that is left out: for one day give the next",
        )
    return Selection(
        symbols=() if symbols is None else parse_symbols(symbols, "--symbols"),
        exclude=() if exclude is None else parse_symbols(exclude, "--exclude-symbols"),
        from_ns=None if first is None else first.ns,
        to_ns=None if last is None else last.ns,
        sample=None if sample is None else parse_sample(sample),
        where=None if where is None else _condition(where),
        limit=limit,
        utc_assumed=tuple(option for option, end in ends.items() if not end.zone),
    )


def _condition(text: str) -> Condition:
    from replay.source.selection.condition import parse  # noqa: PLC0415  # the parser's parser takes a tenth of a second

    return parse(text)


def on_day(selection: Selection, day: date, zone: str) -> Selection:
    """What of the selection lies in a day of that time zone. Raises `UsageError` where nothing does."""
    first_ns, last_ns = (int(midnight.timestamp()) * NS_PER_S for midnight in dates.bounds(day, zone))
    from_ns = max(first_ns, selection.from_ns or 0)
    to_ns = min(last_ns, LAST_NS if selection.to_ns is None else selection.to_ns)
    if from_ns >= to_ns:
        raise UsageError(
            f"no moment of {day} ({zone}) lies in --from and --to, or in the years 1970 to 2262",
            where="--date",
            todo="drop --from and --to: without {date} in INPUT, the day is picked by event time",
        )
    return replace(selection, from_ns=from_ns, to_ns=to_ns, by_date=f"{day} ({zone})")


def parse_range_end(text: str, option: str) -> Parsed:
    """A moment that event times can be compared with."""
    end = parse_moment(text, option)
    if not 0 <= end.ns <= LAST_NS:
        raise UsageError(f"{text!r} is out of range", where=option, todo="give a time from 1970 to 2262")
    return end


def _text_of(path: str) -> str:
    """The text of a file that an option names."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is not a UTF-8 text file"
        raise UsageError(reason, where=f"@{path}", todo="name a file with one symbol a line") from None


def parse_symbols(text: str, option: str) -> tuple[str, ...]:
    """`BTCUSDT,ETH*`, or `@file` with one a line; sorted, each once."""
    parts = _text_of(text[1:]).splitlines() if text.startswith("@") else text.split(",")
    names = {part.strip() for part in parts} - {""}
    if not names:
        raise UsageError("no symbol is named", where=option, todo=f"write {option} BTCUSDT,ETH* or {option} @file")
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        raise UsageError("a symbol is not UTF-8", where=option, todo="give names such as BTCUSDT") from None
    return tuple(sorted(names))


def parse_sample(text: str) -> tuple[int, int]:
    """`1/100`: one symbol in a hundred."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text, re.ASCII)
    if match is None or not 0 < int(match[1]) <= int(match[2]):
        raise UsageError(f"{text[:40]!r} is no part of the symbols", where="--sample", todo="write it like 1/100")
    return int(match[1]), int(match[2])
