"""Arrow columns as JSON text, column-wise. Pure.

What a value looks like depends on nothing but the value and its type (a resume compares bytes):

| Arrow type | JSON |
|---|---|
| float, double | the fewest digits that read back as the same value; NaN and infinities are null |
| half float | its exact value as the double that it is |
| decimal of any width | all digits of its scale, never an exponent; as a string where that is asked for |
| string | string |
| binary | string: Base64 (RFC 4648 section 4) |
| UUID extension | string: 8-4-4-4-12 hexadecimal digits |
| timestamp | "2026-11-22T00:00:00.032185Z": UTC with and without a zone; six digits after the second, of ns nine |
| date | "2026-11-22" |
| time | "12:34:56.789": as many digits after the second as its unit has (0, 3, 6, 9) |
| duration | "PT1.500S": ISO 8601 in seconds, digits as for a time; negative "-PT1.500S" |
| struct | object |
| map | object where the keys are text, else a list of [key, value] |
| list | list |

Years are 1 to 9999 and times of day within a day, as RFC 3339 has them; what is beyond has no form and is null. Unions,
intervals and structs with two fields of one name are not supported. What else a file may have (large and view types,
dictionaries, other extensions) has become one of these before: see `source/columns/unify.py`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from replay.record.kinds import Predicate, entries, flattened, is_one_of, is_uuid, offsets
from replay.record.texts import decimal_texts, duration_texts, uuid_texts
from replay.units import NS_PER_S, NS_PER_UNIT, S_PER_DAY

Texts = tuple[str, pa.Array, str]
"""A column as JSON: what stands before each value, the texts (binary, no nulls), what stands after each."""

Write = Callable[[pa.Array], Texts]

_NEEDS_ESCAPE = r'["\\\x00-\x1f]'
"""What RFC 8259 section 7 does not allow bare in a string."""

_PER_SECOND = {unit: NS_PER_S // ns for unit, ns in NS_PER_UNIT.items()}
_YEAR_1_DAY, _YEAR_10000_DAY = -719_162, 2_932_897
"""Days since 1970: the first with a year of four digits (RFC 3339), and the first without one again."""


def json_text(column: pa.Array, quote_decimals: bool = False) -> Texts:
    """Each value of the column as JSON; decimals as strings where asked for. Raises `TypeError`: see `supports`."""
    kind = column.type
    if types.is_decimal(kind):
        return number_text(column, quote_decimals)
    for matches, write in _FLAT:
        if matches(kind):
            return write(column)
    for matches, write_nested in _NESTED:
        if matches(kind):
            return write_nested(column, partial(json_text, quote_decimals=quote_decimals))
    raise TypeError(f"{kind} has no JSON form")


def number_text(column: pa.Array, quote: bool = False) -> Texts:
    """A column of numbers: as `json_text` writes them, and text that is a number (`convert.to_price`) as it stands.

    `quote` makes strings of what has exact digits: decimals and text.
    """
    if types.is_decimal(column.type):
        texts = decimal_texts(column)
    elif types.is_string(column.type):
        texts = column
    else:
        return json_text(column)
    return _as_arrow_writes_it(texts, '"' if quote else "")


def supports(kind: pa.DataType) -> bool:
    """Whether `json_text` can write a column of this type: all but unions, intervals, and structs in which two fields
    have one name."""
    if types.is_struct(kind) and len({field.name for field in kind}) < kind.num_fields:
        return False
    if any(matches(kind) for matches, _ in _NESTED):
        return all(supports(kind.field(at).type) for at in range(kind.num_fields))
    return bool(types.is_decimal(kind) or any(matches(kind) for matches, _ in _FLAT))


def _bare(before: str, texts: pa.Array, after: str) -> Texts:
    """Where there are nulls, each value carries its own quotes, since null has none."""
    if not texts.null_count:
        return before, texts, after
    return "", _whole(before, texts, after).fill_null(b"null"), ""


def _whole(before: str, texts: pa.Array, after: str) -> pa.Array:
    """Each value with what stands around it."""
    if not before and not after:
        return texts
    return pc.binary_join_element_wise(before.encode(), texts, after.encode(), b"")


# -- flat types -------------------------------------------------------------------------------------------


def _as_arrow_writes_it(column: pa.Array, mark: str = "") -> Texts:
    return _bare(mark, column.cast(pa.string()).cast(pa.binary()), mark)


def _floats(column: pa.Array) -> Texts:
    if not pc.all(pc.is_finite(column)).as_py():
        # NaN and infinities are no JSON numbers (RFC 8259 section 6)
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    return _as_arrow_writes_it(column)


def _strings(column: pa.Array) -> Texts:
    if not pc.any(pc.match_substring_regex(column, _NEEDS_ESCAPE)).as_py():
        return _as_arrow_writes_it(column, '"')
    return _bare("", _per_distinct(column, partial(json.dumps, ensure_ascii=False)), "")


def _base64(column: pa.Array) -> Texts:
    return _bare('"', _per_distinct(column, lambda raw: b64encode(raw).decode()), '"')


def _uuids(column: pa.Array) -> Texts:
    return _bare('"', uuid_texts(column).cast(pa.binary()), '"')


def _per_distinct(column: pa.Array, text_of: Callable[[Any], str]) -> pa.Array:
    """For what Arrow has no kernel: Python once for each distinct value."""
    distinct = column.dictionary_encode()
    texts = [None if value is None else text_of(value).encode() for value in distinct.dictionary.to_pylist()]
    return pa.array(texts, pa.binary()).take(distinct.indices)


def _timestamps(column: pa.Array) -> Texts:
    unit = column.type.unit
    if unit != "ns":  # 64 bits of nanoseconds cannot leave the years of four digits
        per_day = S_PER_DAY * _PER_SECOND[unit]
        column = _within(column, _YEAR_1_DAY * per_day, _YEAR_10000_DAY * per_day)
    text = column.cast(pa.timestamp("ns" if unit == "ns" else "us")).cast(pa.string()).cast(pa.binary())
    # "2026-11-22 00:00:00.032185": the blank at 10 becomes T
    return _bare('"', pc.binary_replace_slice(text, 10, 11, b"T"), 'Z"')


def _dates(column: pa.Array) -> Texts:
    per_day = 1 if types.is_date32(column.type) else S_PER_DAY * _PER_SECOND["ms"]
    return _as_arrow_writes_it(_within(column, _YEAR_1_DAY * per_day, _YEAR_10000_DAY * per_day), '"')


def _times(column: pa.Array) -> Texts:
    return _as_arrow_writes_it(_within(column, 0, S_PER_DAY * _PER_SECOND[column.type.unit]), '"')


def _within(column: pa.Array, low: int, high: int) -> pa.Array:
    """Null where the value, as an integer, is not in [low, high)."""
    values = column.view(pa.int32() if column.type.bit_width == 32 else pa.int64())
    span = pc.min_max(values).as_py()
    if span["min"] is None or (span["min"] >= low and span["max"] < high):
        return column
    inside = pc.and_(pc.greater_equal(values, low), pc.less(values, high))
    return pc.if_else(inside, column, pa.scalar(None, column.type))


def _durations(column: pa.Array) -> Texts:
    return _bare('"', duration_texts(column).cast(pa.binary()), '"')


# -- nested types -----------------------------------------------------------------------------------------


def _structs(column: pa.Array, write: Write) -> Texts:
    pieces: list[Any] = []
    between = "{"
    for field, child in zip(column.type, column.flatten(), strict=True):  # not what a null struct holds
        before, texts, after = write(child)
        pieces += [(between + json.dumps(field.name, ensure_ascii=False) + ": " + before).encode(), texts]
        between = after + ", "
    if not pieces:
        return _nulls_of(column, "", pa.repeat(pa.scalar(b"{}"), len(column)), "")
    return _nulls_of(column, "", pc.binary_join_element_wise(*pieces, after.encode(), b""), "}")


def _lists(column: pa.Array, write: Write) -> Texts:
    texts = _whole(*write(flattened(column)))
    return _nulls_of(column, "[", _gathered(texts, column), "]")


def _maps(column: pa.Array, write: Write) -> Texts:
    lists = entries(column)
    keys, values = (_whole(*write(child)) for child in flattened(lists).flatten())
    if types.is_string(column.type.key_type):
        texts = pc.binary_join_element_wise(keys, values, b": ")
        return _nulls_of(column, "{", _gathered(texts, lists), "}")
    texts = pc.binary_join_element_wise(b"[", pc.binary_join_element_wise(keys, values, b", "), b"]", b"")
    return _nulls_of(column, "[", _gathered(texts, lists), "]")


def _gathered(texts: pa.Array, lists: pa.Array) -> pa.Array:
    """The texts of each list's items in one; `texts` are those of all lists, one after the other."""
    return pc.binary_join(pa.ListArray.from_arrays(offsets(lists), texts), b", ")


def _nulls_of(column: pa.Array, before: str, texts: pa.Array, after: str) -> Texts:
    if column.null_count:
        texts = pc.if_else(column.is_valid(), texts, pa.scalar(None, pa.binary()))
    return _bare(before, texts, after)


# -- which is which ---------------------------------------------------------------------------------------


_FLAT: Sequence[tuple[Predicate, Write]] = (
    (types.is_floating, _floats),
    (types.is_timestamp, _timestamps),
    (is_one_of(types.is_integer, types.is_boolean, types.is_null), _as_arrow_writes_it),
    (types.is_string, _strings),
    (types.is_date, _dates),
    (types.is_time, _times),
    (types.is_duration, _durations),
    (types.is_binary, _base64),
    (is_uuid, _uuids),
)

_NESTED: Sequence[tuple[Predicate, Callable[[pa.Array, Write], Texts]]] = (
    (types.is_struct, _structs),
    (types.is_list, _lists),
    (types.is_map, _maps),
)
