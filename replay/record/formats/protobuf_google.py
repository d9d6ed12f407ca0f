"""How times, dates, decimals and single values are written as the messages that Google has for them. Column-wise. Pure.

Misfits: years beyond 1 to 9999 (timestamp.proto, date.proto), times of day beyond a day (timeofday.proto), durations of
more than 10,000 years (duration.proto).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
from pyarrow import types

from replay.model import Ints
from replay.record.formats.protobuf_forms import (
    FieldType,
    Form,
    Misfits,
    Presence,
    Slot,
    all_fit,
    as_it_is,
    boxed,
    either,
    implicit,
    integers,
    struct_of,
    union,
)
from replay.record.formats.protobuf_values import INTEGERS, bounds, outside, scalar
from replay.record.texts import decimal_texts
from replay.units import NS_PER_S, NS_PER_UNIT, S_PER_DAY

_NS_PER_DAY = S_PER_DAY * NS_PER_S
_MS_PER_DAY = S_PER_DAY * NS_PER_S // NS_PER_UNIT["ms"]
_YEAR_1_DAY, _YEAR_10000_DAY = -719_162, 2_932_897
"""Days since 1970: the first of year 1, and the first beyond year 9999."""
_LONGEST_S = 315_576_000_000
"""Of a google.protobuf.Duration, either way: 10,000 years (duration.proto)."""


def _plain_slots(*field_types: FieldType) -> tuple[Slot, ...]:
    forms = [Form(one, INTEGERS[one]) for one in field_types]
    return tuple(Slot(number, form, Presence.IMPLICIT, as_it_is) for number, form in enumerate(forms, 1))


def _numbers_form(slots: tuple[Slot, ...], split: Callable[[Ints], tuple[Ints, ...]], misfits: Misfits) -> Form:
    """A message of integers, made of the one integer that a time or date is."""
    kind = pa.struct([(slot.name, slot.kind) for slot in slots])

    def write(array: pa.Array) -> pa.Array:
        parts = split(_raw(array))
        return struct_of([pa.array(part, slot.kind) for part, slot in zip(parts, slots, strict=True)], kind, array)

    return Form(FieldType.MESSAGE, kind, write, misfits, slots)


def _raw(array: pa.Array) -> Ints:
    """The integers behind times and dates, 0 for null."""
    values = integers(array.view(pa.int32() if array.type.bit_width == 32 else pa.int64()))
    return np.asarray(values, np.int64)


def _raw_outside(low: int, high: int) -> Misfits:
    inner = outside(low, high)
    return lambda array: inner(array.view(pa.int32() if array.type.bit_width == 32 else pa.int64()))


_SECONDS_NANOS = _plain_slots(FieldType.INT64, FieldType.INT32)


def _timestamp(kind: pa.DataType) -> Form:
    ns = NS_PER_UNIT[kind.unit]
    per_second = NS_PER_S // ns

    def split(values: Ints) -> tuple[Ints, ...]:
        seconds = values // per_second
        return seconds, ((values - seconds * per_second) * ns).astype(np.int32)

    if kind.unit == "ns":  # 64 bits of nanoseconds cannot leave these years
        return _numbers_form(_SECONDS_NANOS, split, all_fit)
    per_day = S_PER_DAY * per_second
    return _numbers_form(_SECONDS_NANOS, split, _raw_outside(_YEAR_1_DAY * per_day, _YEAR_10000_DAY * per_day - 1))


def _duration(kind: pa.DataType) -> Form:
    ns = NS_PER_UNIT[kind.unit]
    per_second = NS_PER_S // ns

    def split(values: Ints) -> tuple[Ints, ...]:
        seconds = values // per_second
        rest = values - seconds * per_second
        is_before = (values < 0) & (rest != 0)  # seconds and nanos have one sign (duration.proto)
        return seconds + is_before, ((rest - is_before * per_second) * ns).astype(np.int32)

    longest = _LONGEST_S * per_second
    misfits = all_fit if longest > bounds(pa.int64())[1] else _raw_outside(-longest, longest)
    return _numbers_form(_SECONDS_NANOS, split, misfits)


_YEAR_MONTH_DAY = _plain_slots(FieldType.INT32, FieldType.INT32, FieldType.INT32)


def _date(kind: pa.DataType) -> Form:
    per_day = 1 if types.is_date32(kind) else _MS_PER_DAY

    def split(values: Ints) -> tuple[Ints, ...]:
        days = (values // per_day).view("datetime64[D]")
        months = days.astype("datetime64[M]")
        since_1970 = months.astype(np.int64)
        day = (days - months.astype("datetime64[D]")).astype(np.int32) + 1
        return (since_1970 // 12 + 1970).astype(np.int32), (since_1970 % 12 + 1).astype(np.int32), day

    misfits = _raw_outside(_YEAR_1_DAY * per_day, _YEAR_10000_DAY * per_day - 1)
    if per_day > 1:
        misfits = either(misfits, lambda array: union(_raw(array) % per_day != 0))
    return _numbers_form(_YEAR_MONTH_DAY, split, misfits)


_TIME_OF_DAY = _plain_slots(FieldType.INT32, FieldType.INT32, FieldType.INT32, FieldType.INT32)


def _time_of_day(kind: pa.DataType) -> Form:
    ns = NS_PER_UNIT[kind.unit]

    def split(values: Ints) -> tuple[Ints, ...]:
        seconds = values * ns // NS_PER_S
        parts = seconds // 3600, seconds // 60 % 60, seconds % 60, values * ns - seconds * NS_PER_S
        return tuple(part.astype(np.int32) for part in parts)

    return _numbers_form(_TIME_OF_DAY, split, _raw_outside(0, _NS_PER_DAY // ns - 1))


def _decimal(kind: pa.DataType) -> Form:
    return boxed(
        implicit(1, Form(FieldType.STRING, pa.string(), decimal_texts if types.is_decimal(kind) else as_it_is))
    )


_WELL_KNOWN: Mapping[str, tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], Form]]] = {
    "google.protobuf.Timestamp": (types.is_timestamp, _timestamp),
    "google.protobuf.Duration": (types.is_duration, _duration),
    "google.type.Date": (types.is_date, _date),
    "google.type.TimeOfDay": (types.is_time, _time_of_day),
}

_WRAPPERS = {
    "google.protobuf.DoubleValue": FieldType.DOUBLE,
    "google.protobuf.FloatValue": FieldType.FLOAT,
    "google.protobuf.Int64Value": FieldType.INT64,
    "google.protobuf.UInt64Value": FieldType.UINT64,
    "google.protobuf.Int32Value": FieldType.INT32,
    "google.protobuf.UInt32Value": FieldType.UINT32,
    "google.protobuf.BoolValue": FieldType.BOOL,
    "google.protobuf.StringValue": FieldType.STRING,
    "google.protobuf.BytesValue": FieldType.BYTES,
}


def well_known(name: str, kind: pa.DataType, *, is_number: bool = False) -> Form | None:
    """How a column is written as one of Google's messages that stand for one value; None: not at all.

    `is_number`: text that is a number, which goes where a decimal goes.
    """
    if name == "google.type.Decimal":
        return _decimal(kind) if types.is_decimal(kind) or is_number else None
    if name in _WRAPPERS:
        form = scalar(_WRAPPERS[name], kind)
        return None if form is None else boxed(implicit(1, form))
    if name not in _WELL_KNOWN:
        return None
    matches, make = _WELL_KNOWN[name]
    return make(kind) if matches(kind) else None
