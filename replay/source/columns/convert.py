"""Times and prices of a file converted to those of the event, and what is wrong with each row. Column-wise. Pure.

Accepted as times: timestamps of any unit and zone, integers of a known unit, ISO 8601 date-times as text; a bare date
is no time of a trade. Accepted as prices: floats, decimals, integers (also with a number of decimal places), and text
that is a number. It stays the text that it is, so that no digit is lost: `json_text.number_text` writes it bare.

Both come with a `Fate` for each row; a bad row holds 0. No value of an accepted type raises.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from replay.fate import Fate
from replay.model import Bytes, Ints
from replay.record.kinds import is_number, with_scale
from replay.source.columns import text_times
from replay.source.columns.fates import all_sent, mask, where
from replay.source.columns.unify import plain, widen
from replay.units import FIRST_NS, LAST_NS, NS_PER_UNIT

_DECIMAL128_DIGITS = 38

_MAGNITUDE_S = (30_000_000, 9_223_372_036)
"""1970-12-14 to 2262-04-11, in seconds: so the four units do not overlap, and no exchange is older."""

_JSON_NUMBER = r"^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$"  # RFC 8259 section 6
NUMBER = r"^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_TO_JSON_NUMBER = ((r"^(-?)0+(\d)", r"\1\2"), (r"^(-?)\.", r"\10."), (r"^(-?\d+)\.($|[eE])", r"\1\2"))
"""What JSON does not allow of such numbers: zeros in front, nothing before the point, nothing behind it."""
_NOT_FINITE = r"^(?i:[+-]?(?:s?nan\d*|inf(?:inity)?))$"


# -- times ------------------------------------------------------------------------------------------------


def infer_time_unit(smallest: int, largest: int) -> str | None:
    """The unit of integer times, by their magnitude; None where they are not of one unit, or of no likely time."""
    for unit, ns in NS_PER_UNIT.items():
        low, high = (bound * NS_PER_UNIT["s"] // ns for bound in _MAGNITUDE_S)
        if low <= smallest and largest <= high:
            return unit
    return None


def time_type(kind: pa.DataType, unit: str | None) -> pa.DataType | None:
    """The timestamp type that a column of times becomes; None if it cannot. `unit` is that of integers.

    Text has microseconds, or nanoseconds where `unit` says so: nine digits are then written for all rows.
    """
    kind = plain(kind)
    if types.is_timestamp(kind):
        return kind
    if types.is_integer(kind):
        return None if unit is None else pa.timestamp(unit)
    if types.is_string(kind):
        return pa.timestamp("ns" if unit == "ns" else "us")
    return pa.timestamp("s") if types.is_null(kind) else None  # a file without a value goes with all others


def to_time(array: pa.Array, kind: pa.DataType, unit: str | None) -> tuple[pa.Array, Bytes]:
    """Times as `kind`, a timestamp type without zone. `unit` is that of integers (None: that of `kind`).

    A time that `kind` has not enough digits for is not rounded but refused.
    """
    if not types.is_timestamp(array.type):
        array = widen(array, plain(array.type))
    missing = pc.is_null(array) if array.null_count else None
    if types.is_string(array.type):
        missing = pc.equal(pc.binary_length(array), 0).fill_null(True)
        units, unit, fates = text_times.parsed(array, kind.unit)
    else:
        fates = all_sent(len(array))
        if types.is_timestamp(array.type):
            unit, array = array.type.unit, array.view(pa.int64())
        elif types.is_null(array.type):
            array = array.cast(pa.int64())
        units = (array.fill_null(0) if array.null_count else array).to_numpy()
    converted = _rescaled(units, unit or kind.unit, kind.unit, fates)
    if missing is not None:
        fates[mask(missing)] = Fate.TIME_MISSING
    if fates.any():
        converted = np.where(fates == Fate.SENT, converted, 0)
    return pa.array(converted).view(kind), fates


def _rescaled(units: Ints, unit: str, target: str, fates: Bytes) -> Ints:
    """From one unit to another; what is out of range or would be rounded is marked, where it is not already."""
    ns, target_ns = NS_PER_UNIT[unit], NS_PER_UNIT[target]
    first, last = -(-FIRST_NS // ns), LAST_NS // ns
    safe = units
    if fates.any() or (len(units) and not first <= units.min() <= units.max() <= last):
        judged = fates == Fate.SENT
        fates[judged & (units < first)] = Fate.TIME_TOO_EARLY
        fates[judged & (units > last)] = Fate.TIME_TOO_LATE
        safe = np.where(fates == Fate.SENT, units, 0)  # nothing wraps: its nanoseconds fit
    safe = safe.astype(np.int64, copy=False)
    if ns >= target_ns:
        return safe if ns == target_ns else safe * (ns // target_ns)
    converted, rest = np.divmod(safe, target_ns // ns)
    fates[(rest != 0) & (fates == Fate.SENT)] = Fate.TIME_NEEDS_NS
    return converted


# -- prices -----------------------------------------------------------------------------------------------


def price_type(kind: pa.DataType, *, scale: int | None) -> pa.DataType | None:
    """The type that a column of prices becomes; None if it cannot. Integers have `scale` decimal places."""
    kind = plain(kind)
    if types.is_integer(kind) and scale is not None:
        return pa.decimal128(_DECIMAL128_DIGITS, scale)
    if types.is_float16(kind):
        return pa.float32()  # the same value, and Arrow can do more with it
    is_price = is_number(kind) or types.is_string(kind) or types.is_null(kind)
    return kind if is_price else None  # null: a file without a value goes with all others


def to_price(array: pa.Array, kind: pa.DataType, *, scale: int | None) -> tuple[pa.Array, Bytes]:
    """Prices as `kind`: what `price_type` said of this column, unified with what it said of others."""
    if array.type == kind and types.is_floating(kind) and not array.null_count and np.isfinite(array.to_numpy()).all():
        return array, all_sent(len(array))  # as nearly all are: nothing to ask of each row
    array = widen(array, plain(array.type))
    if types.is_string(array.type):
        array, fates = _number_texts(array)
    else:
        fates = where(mask(pc.is_null(array)), Fate.PRICE_MISSING)
        if types.is_floating(array.type):
            fates[mask(pc.invert(pc.is_finite(array)).fill_null(False))] = Fate.PRICE_NOT_FINITE
        elif types.is_integer(array.type) and scale is not None:
            array = with_scale(array.cast(pa.decimal128(_DECIMAL128_DIGITS, 0)), scale)
    array = widen(array, kind)
    bad = fates != Fate.SENT
    if bad.any() and not types.is_null(kind):
        array = pc.if_else(pa.array(bad), pa.scalar("0").cast(kind), array)
    return array, fates


def _number_texts(texts: pa.Array) -> tuple[pa.Array, Bytes]:
    """Text as JSON numbers: as it is where it is one, else with the same digits in JSON's form."""
    fates = where(mask(pc.is_null(texts)), Fate.PRICE_MISSING)
    fits = pc.match_substring_regex(texts, _JSON_NUMBER).fill_null(True)
    if pc.all(fits).as_py():
        return texts, fates
    odd = pc.invert(fits)
    rest = pc.replace_substring_regex(texts.filter(odd), r"^\s+|\s+$", "")
    rest_fates = np.full(len(rest), Fate.PRICE_NOT_A_NUMBER, dtype=np.int8)
    rest_fates[mask(pc.match_substring_regex(rest, NUMBER))] = Fate.SENT
    rest_fates[mask(pc.match_substring_regex(rest, _NOT_FINITE))] = Fate.PRICE_NOT_FINITE
    rest_fates[mask(pc.equal(pc.binary_length(rest), 0))] = Fate.PRICE_MISSING
    rest = pc.if_else(pa.array(rest_fates == Fate.SENT), rest, "0")
    for pattern, replacement in _TO_JSON_NUMBER:
        rest = pc.replace_substring_regex(rest, pattern, replacement)
    fates[mask(odd)] = rest_fates
    return pc.replace_with_mask(texts, odd, rest), fates
