"""Times as text → integers, column-wise, by the grammar of `replay/iso8601.py`. Nothing is rounded. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from replay.fate import Fate
from replay.iso8601 import CLOCK, DATES, DIGITS_MAX, LARGEST, NAMED, Problem
from replay.model import Bools, Bytes, Ints
from replay.source.columns.fates import all_sent, mask
from replay.units import LAST_NS, NS_PER_S

_BARE_DATE_BYTES = 10
_LAST_S, _LAST_REST_NS = divmod(LAST_NS, NS_PER_S)  # 2262-04-11: the last moment that 64 bits of nanoseconds hold
_PATTERNS = {date: rf"^{pattern}{CLOCK}$" for date, pattern in DATES.items()}
_FINER_THAN_US = r"[.,]\d{6}\d*[1-9]"
_FATES = {
    Problem.NO_TIME: Fate.TIME_NOT_A_TIME,
    Problem.LEAP_SECOND: Fate.TIME_LEAP_SECOND,
    Problem.TOO_FINE: Fate.TIME_TOO_FINE,
    Problem.NO_CLOCK: Fate.TIME_NO_CLOCK,
    Problem.NO_DATE: Fate.TIME_NO_DATE,
    Problem.ZONE_NAME: Fate.TIME_ZONE_NAME,
    Problem.LONG_YEAR: Fate.TIME_LONG_YEAR,
    Problem.NUMBER: Fate.TIME_NUMBER,
}


def needs_ns(texts: pa.Array) -> bool:
    """Whether one of these has more digits than microseconds hold."""
    return pc.any(pc.match_substring_regex(texts, _FINER_THAN_US)).as_py() is True


def parsed(texts: pa.Array, unit: str) -> tuple[Ints, str, Bytes]:
    """Integers, their unit (us or ns), and what is wrong with each; `unit` is what they will be brought to.

    At once where all look alike in the usual way, else by their parts, one kind of date after the other. A null has
    any fate.
    """
    if len(texts) and (pc.min(pc.binary_length(texts)).as_py() or 0) > _BARE_DATE_BYTES:
        for finest in ("ns", "us") if unit == "ns" else ("us",):
            for zone in ("UTC", None):
                try:
                    times = texts.cast(pa.timestamp(finest, zone))
                except pa.ArrowInvalid:  # one has no zone, or has one; has more digits; or is no time
                    continue
                return times.view(pa.int64()).fill_null(0).to_numpy(), finest, all_sent(len(texts))
    return _by_parts(texts)


def _by_parts(texts: pa.Array) -> tuple[Ints, str, Bytes]:
    ns = np.zeros(len(texts), dtype=np.int64)
    fates = np.full(len(texts), Fate.TIME_NOT_A_TIME, dtype=np.int8)
    left = np.flatnonzero(mask(texts.is_valid()))
    for pattern in _PATTERNS.values():
        if not len(left):
            break
        parts = pc.extract_regex(texts.take(pa.array(left)), pattern)
        fits = mask(parts.is_valid())
        rows, left = left[fits], left[~fits]
        ns[rows], fates[rows] = _moments(parts.filter(pa.array(fits)))
    odd = np.concatenate([left, np.flatnonzero(fates == Fate.TIME_NOT_A_TIME)])
    return ns, "ns", _named(texts, np.unique(odd), fates)


def _named(texts: pa.Array, rows: Ints, fates: Bytes) -> Bytes:
    """The fates, with what is refused called by its name."""
    for problem, pattern in NAMED.items():
        if not len(rows):
            break
        fits = mask(pc.match_substring_regex(texts.take(pa.array(rows)), f"^(?:{pattern})$").fill_null(False))
        fates[rows[fits]] = _FATES[problem]
        rows = rows[~fits]
    return fates


def _moments(parts: pa.StructArray) -> tuple[Ints, Bytes]:
    """Nanoseconds since 1970 and fates of texts that have the form; no part is null that the form asks for."""
    text = dict(zip((field.name for field in parts.type), parts.flatten(), strict=True))
    text["fraction"] = pc.ascii_rtrim(text["fraction"], "0")
    too_fine = mask(pc.greater(pc.binary_length(text["fraction"]), DIGITS_MAX).fill_null(False))
    fraction = _integers(pc.utf8_slice_codeunits(pc.ascii_rpad(text["fraction"], DIGITS_MAX, "0"), 0, DIGITS_MAX))
    number = {name: _integers(text[name]) for name in text if name not in ("utc", "sign", "fraction")}
    days, possible = _days(number)
    midnight = (number["hour"] == 24) & (number["minute"] == 0) & (number["second"] == 0) & (fraction == 0) & ~too_fine
    for name, last in LARGEST.items():
        possible &= (number[name] <= last) | (midnight if name == "hour" else False)
    unit = np.where(_is_there(text["second"]), 1, np.where(_is_there(text["minute"]), 60, 3_600))
    west = mask(pc.is_in(text["sign"], pa.array(["-", "\u2212"])))
    zone_s = np.where(west, -1, 1) * (number["zone_hour"] * 3_600 + number["zone_minute"] * 60)
    more_s, rest_ns = np.divmod(np.where(too_fine, 0, fraction) * unit, NS_PER_S)
    seconds = days * 86_400 + number["hour"] * 3_600 + number["minute"] * 60 + number["second"] - zone_s + more_s
    fates = all_sent(len(parts))
    fates[(seconds > _LAST_S) | ((seconds == _LAST_S) & (rest_ns > _LAST_REST_NS))] = Fate.TIME_TOO_LATE
    fates[too_fine] = Fate.TIME_TOO_FINE
    fates[~possible] = Fate.TIME_NOT_A_TIME
    seconds = np.where(fates == Fate.SENT, np.maximum(seconds, -1), 0)  # whatever is before 1970 is too early
    return seconds * NS_PER_S + rest_ns, fates


def _days(number: dict[str, Ints]) -> tuple[Ints, Bools]:
    """Days since 1970 of a date by its parts, and whether there is such a day."""
    year, day = number["year"], number["day"]
    if "month" in number:
        months = ((year - 1970) * 12 + number["month"] - 1).astype("datetime64[M]")
        first, after = _day_of(months), _day_of(months + 1)
        return first + day - 1, (number["month"] >= 1) & (number["month"] <= 12) & (day >= 1) & (day <= after - first)
    if "week" in number:
        first, after = _first_monday(year), _first_monday(year + 1)
        at = first + (number["week"] - 1) * 7 + day - 1
        return at, (number["week"] >= 1) & (at < after) & (day >= 1) & (day <= 7)
    years = (year - 1970).astype("datetime64[Y]")
    first, after = _day_of(years), _day_of(years + 1)
    return first + day - 1, (day >= 1) & (day <= after - first)


def _first_monday(year: Ints) -> Ints:
    """The Monday of week 1 (the week with January 4th), in days since 1970, which began on a Thursday."""
    fourth = _day_of((year - 1970).astype("datetime64[Y]")) + 3
    monday: Ints = fourth - (fourth + 3) % 7
    return monday


def _day_of(moments: np.ndarray) -> Ints:
    days: Ints = moments.astype("datetime64[D]").astype(np.int64)
    return days


def _is_there(digits: pa.Array) -> Bools:
    return mask(pc.greater(pc.binary_length(digits), 0).fill_null(False))  # Arrow says "" of a part that is not


def _integers(digits: pa.Array) -> Ints:
    """Digits as integers; 0 where there are none."""
    numbers: Ints = (
        pc.if_else(pc.equal(pc.binary_length(digits), 0), "0", digits).cast(pa.int64()).fill_null(0).to_numpy()
    )
    return numbers
