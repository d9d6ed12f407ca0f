"""Flat values as Avro writes them, and which of them fit. Pure.

| column | goes into, as it is | by value |
|---|---|---|
| integer | int, long | what is in range; decimal: what has digits for it; float, double: what is exact |
| float | float, double | |
| double | double | |
| decimal | bytes or fixed decimal | what has digits for it; a string of its digits where that is asked for |
| string | string | enum: its symbols; string uuid: UUIDs |
| binary | bytes | fixed: of its length |
| timestamp | long timestamp-*, local-timestamp-* | in another unit: what is exact and in range |
| date | int date | a date64: whole days |
| time | int time-millis, long time-micros; of ns long | in another unit: what is exact. All: times of a day |
| duration | string | |
| UUID | string, string uuid, fixed uuid | |
| bool | boolean | |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from replay.model import Bools
from replay.record.formats import avro_decimals
from replay.record.formats.avro_bare import NULL, fixed_type
from replay.record.formats.avro_types import AvroType
from replay.record.kinds import Predicate, is_uuid
from replay.record.options import DecimalAs
from replay.record.texts import decimal_texts, duration_texts, uuid_texts
from replay.units import NS_PER_S, NS_PER_UNIT, S_PER_DAY

Convert = Callable[[pa.Array], pa.Array]
Misfits = Callable[[pa.Array], Bools | None]


def same(column: pa.Array) -> pa.Array:
    """The column is written as it is."""
    return column


@dataclass(frozen=True, slots=True)
class Fit:
    """How a column becomes that of a field.

    `avro` is the field's type without logical types, `convert` gives a column that is written by it. `misfits` says
    which values have no place in the field (None: none of them); it is None where the types say that all have one.
    Nulls in `convert` stay null.
    """

    avro: Any
    convert: Convert
    misfits: Misfits | None = None


Make = Callable[[pa.DataType, AvroType], Fit]

_BITS_IN_FLOAT, _BITS_IN_DOUBLE = 24, 53
_UUID = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"  # RFC 9562 section 4
_NS_PER_AVRO_UNIT = {"millis": NS_PER_UNIT["ms"], "micros": NS_PER_UNIT["us"], "nanos": 1}
_NS_PER_DAY = S_PER_DAY * NS_PER_S


def forms(kind: pa.DataType, decimal_as: DecimalAs) -> Mapping[str, Make]:
    """The flat types of Avro that the column may go into, each with how."""
    found: Mapping[str, Make] = next((found for matches, found in _FORMS if matches(kind)), {})
    if types.is_decimal(kind) and decimal_as is DecimalAs.STRING:
        return {**found, "string": _decimal_text}
    if types.is_time(kind) and kind.unit == "ns":
        return {**found, "long": _time}
    return found


def _as_it_is(_kind: pa.DataType, field: AvroType) -> Fit:
    return Fit(field.base, same)


def _null(_kind: pa.DataType, field: AvroType) -> Fit:
    return Fit(field.base, lambda column: pa.nulls(len(column), NULL))


def _cast(target: pa.DataType) -> Make:
    return lambda _kind, field: Fit(field.base, lambda column: column.cast(target))


def _text(texts: Convert) -> Make:
    return lambda _kind, field: Fit(field.base, texts)


_decimal_text = _text(decimal_texts)


# -- integers, and what is counted in them ----------------------------------------------------------------


def _integer(kind: pa.DataType, field: AvroType) -> Fit:
    return _counted(kind, same, Fraction(1), field)


def _timestamp(kind: pa.DataType, field: AvroType) -> Fit:
    unit = field.form.rpartition("-")[2]
    return _counted(pa.int64(), _as_int64, Fraction(NS_PER_UNIT[kind.unit], _NS_PER_AVRO_UNIT[unit]), field)


def _date(kind: pa.DataType, field: AvroType) -> Fit:
    if types.is_date32(kind):
        return _counted(pa.int32(), _as_int32, Fraction(1), field)
    return _counted(pa.int64(), _as_int64, Fraction(NS_PER_UNIT["ms"], _NS_PER_DAY), field)


def _time(kind: pa.DataType, field: AvroType) -> Fit:
    """A time that is not within a day is none that a reader could give."""
    ns = _NS_PER_AVRO_UNIT[field.form.rpartition("-")[2] if field.form != "long" else "nanos"]
    counts, view = (pa.int32(), _as_int32) if types.is_time32(kind) else (pa.int64(), _as_int64)
    return _counted(counts, view, Fraction(NS_PER_UNIT[kind.unit], ns), field, (0, _NS_PER_DAY // ns - 1))


def _as_int32(column: pa.Array) -> pa.Array:
    return column.view(pa.int32())


def _as_int64(column: pa.Array) -> pa.Array:
    return column.view(pa.int64())


def _counted(
    counts: pa.DataType, view: Convert, ratio: Fraction, field: AvroType, within: tuple[int, int] | None = None
) -> Fit:
    """Integers of the type `counts`, times the ratio: those for which that is a whole number `within` bounds (None:
    those of the field's type)."""
    target = pa.int32() if field.base == "int" else pa.int64()
    low, high = _range(target) if within is None else within
    times, parts = ratio.numerator, ratio.denominator
    first, last = _range(counts)
    all_fit = parts == 1 and low <= first * times and last * times <= high
    first, last = max(first, ceil(low / ratio)), min(last, floor(high / ratio))

    def convert(column: pa.Array) -> pa.Array:
        values = view(column)
        if parts > 1:
            values = pc.divide(values, pa.scalar(parts, values.type))
        values = values.cast(target, safe=False)
        return values if times == 1 else pc.multiply(values, pa.scalar(times, target))

    def misfits(column: pa.Array) -> Bools | None:
        values = view(column)
        span = pc.min_max(values).as_py()
        if span["min"] is None or (parts == 1 and first <= span["min"] and span["max"] <= last):
            return None
        numbers = values.fill_null(0).to_numpy()
        bad: Bools = (numbers < numbers.dtype.type(first)) | (numbers > numbers.dtype.type(last))
        if parts > 1:
            bad |= numbers % parts != 0
        return bad if bad.any() else None

    return Fit(field.base, same if view is same and counts == target else convert, None if all_fit else misfits)


def _range(kind: pa.DataType) -> tuple[int, int]:
    if types.is_unsigned_integer(kind):
        return 0, 2**kind.bit_width - 1
    return -(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1


def _exact(kind: pa.DataType, field: AvroType) -> Fit:
    """Integers as floating-point numbers: those whose digits (binary, without the zeros at the end) it has room for."""
    target, bits = (pa.float32(), _BITS_IN_FLOAT) if field.base == "float" else (pa.float64(), _BITS_IN_DOUBLE)

    def misfits(column: pa.Array) -> Bools | None:
        numbers = column.fill_null(0).to_numpy()
        sizes = np.where(numbers < 0, 0 - numbers.astype(np.uint64), numbers.astype(np.uint64))
        lowest = sizes & (0 - sizes)  # the last digit that is 1
        bad: Bools = sizes // np.maximum(lowest, np.uint64(1)) >= np.uint64(2**bits)
        return bad if bad.any() else None

    digits = kind.bit_width - types.is_signed_integer(kind)
    return Fit(field.base, lambda column: column.cast(target, safe=False), None if digits <= bits else misfits)


# -- texts and bytes --------------------------------------------------------------------------------------


def _enum(_kind: pa.DataType, field: AvroType) -> Fit:
    """Written as the number of its symbol."""
    symbols = pa.array(field.symbols, pa.string())
    return Fit(
        "int",
        lambda column: pc.index_in(column, value_set=symbols),
        lambda column: _unless(pc.is_in(column, value_set=symbols), column),
    )


def _uuid_text(_kind: pa.DataType, field: AvroType) -> Fit:
    return Fit(field.base, same, lambda column: _unless(pc.match_substring_regex(column, _UUID), column))


def _uuid_bytes(_kind: pa.DataType, field: AvroType) -> Fit:
    return Fit(fixed_type(field.size), lambda column: column.storage)


def _fixed(_kind: pa.DataType, field: AvroType) -> Fit:
    return Fit(
        fixed_type(field.size),
        lambda column: column.cast(pa.binary(field.size)),
        lambda column: _unless(pc.equal(pc.binary_length(column), field.size), column),
    )


def _unless(fits: pa.Array, column: pa.Array) -> Bools | None:
    """The values that do not fit; nulls do."""
    if column.null_count:
        fits = pc.or_(fits.fill_null(True), column.is_null())
    return None if pc.all(fits).as_py() in (True, None) else pc.invert(fits).to_numpy(zero_copy_only=False)


# -- decimals ---------------------------------------------------------------------------------------------


def _decimal(kind: pa.DataType, field: AvroType) -> Fit:
    """Written as the bytes of the number without its point."""
    source = avro_decimals.decimal_type(kind)
    precision, scale = min(field.precision, avro_decimals.DIGITS_MAX), field.scale
    target = avro_decimals.with_room(source, precision, scale)
    size = field.size if field.base == "fixed" else None

    def convert(column: pa.Array) -> pa.Array:
        numbers = column.cast(source).cast(target)
        return avro_decimals.minimal(numbers) if size is None else avro_decimals.of_size(numbers, size)

    def misfits(column: pa.Array) -> Bools | None:
        return avro_decimals.misfits(column.cast(source), precision, scale)

    all_fit = scale >= source.scale and precision - scale >= source.precision - source.scale
    return Fit("bytes" if size is None else fixed_type(size), convert, None if all_fit else misfits)


_DECIMALS = {"bytes decimal": _decimal, "fixed decimal": _decimal}
_LONGS = ("timestamp-millis", "timestamp-micros", "timestamp-nanos")

_FORMS: Sequence[tuple[Predicate, Mapping[str, Make]]] = (
    (types.is_boolean, {"boolean": _as_it_is}),
    (types.is_integer, {"int": _integer, "long": _integer, "float": _exact, "double": _exact, **_DECIMALS}),
    (types.is_float16, {"float": _cast(pa.float32()), "double": _cast(pa.float64())}),
    (types.is_float32, {"float": _as_it_is, "double": _cast(pa.float64())}),
    (types.is_float64, {"double": _as_it_is}),
    (types.is_decimal, _DECIMALS),
    (types.is_string, {"string": _as_it_is, "string uuid": _uuid_text, "enum": _enum}),
    (types.is_binary, {"bytes": _as_it_is, "fixed": _fixed}),
    (
        types.is_timestamp,
        {f"long {local}{name}": _timestamp for local in ("", "local-") for name in _LONGS},
    ),
    (types.is_date, {"int date": _date}),
    (types.is_time, {"int time-millis": _time, "long time-micros": _time}),
    (types.is_duration, {"string": _text(duration_texts)}),
    (is_uuid, {"string": _text(uuid_texts), "string uuid": _text(uuid_texts), "fixed uuid": _uuid_bytes}),
    (types.is_null, {"null": _null}),
)
