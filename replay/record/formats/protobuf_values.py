"""How values of each Arrow type are written as each scalar type of field, without loss. Column-wise. Pure.

A conversion that would need a guess, or that loses something for a whole column, is none: no `Form`. Where it depends
on the value, those that do not fit are misfits: integers out of range, integers that a float does not hold exactly,
names that an enum lacks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from replay.model import Bools
from replay.record.formats.protobuf_forms import (
    FieldType,
    Form,
    Misfits,
    Write,
    all_fit,
    as_it_is,
    booleans,
    integers,
)
from replay.record.kinds import is_uuid
from replay.record.texts import decimal_texts, uuid_texts

_EXACT_BITS = {FieldType.FLOAT: 24, FieldType.DOUBLE: 53}
"""Of the integers that a float holds all."""

INTEGERS = {
    FieldType.INT32: pa.int32(),
    FieldType.SINT32: pa.int32(),
    FieldType.SFIXED32: pa.int32(),
    FieldType.INT64: pa.int64(),
    FieldType.SINT64: pa.int64(),
    FieldType.SFIXED64: pa.int64(),
    FieldType.UINT32: pa.uint32(),
    FieldType.FIXED32: pa.uint32(),
    FieldType.UINT64: pa.uint64(),
    FieldType.FIXED64: pa.uint64(),
}


def scalar(field_type: FieldType, kind: pa.DataType) -> Form | None:
    """How a column of this type is written as a scalar; None: not at all. Not for enums."""
    if field_type in INTEGERS:
        return _integer(field_type, kind) if types.is_integer(kind) else None
    if field_type in _EXACT_BITS:
        return _float(field_type, kind)
    if field_type is FieldType.STRING:
        return _text(kind)
    if field_type is FieldType.BOOL and types.is_boolean(kind):
        return Form(field_type, kind)
    if field_type is FieldType.BYTES and types.is_binary(kind):
        return Form(field_type, kind)
    return None


# -- numbers ----------------------------------------------------------------------------------------------


def _integer(field_type: FieldType, kind: pa.DataType) -> Form:
    target = INTEGERS[field_type]
    low, high = bounds(target)
    own_low, own_high = bounds(kind)
    write = as_it_is if kind == target else _cast(target)
    if low <= own_low and own_high <= high:
        return Form(field_type, target, write)
    return Form(field_type, target, write, outside(max(low, own_low), min(high, own_high)))


def _float(field_type: FieldType, kind: pa.DataType) -> Form | None:
    target = pa.float32() if field_type is FieldType.FLOAT else pa.float64()
    if types.is_integer(kind):
        return Form(field_type, target, _cast(target), _inexact(kind, _EXACT_BITS[field_type]))
    if not types.is_floating(kind) or kind.bit_width > target.bit_width:
        return None
    if types.is_float32(target):
        return Form(field_type, target, _quiet if types.is_float32(kind) else lambda array: _quiet(array.cast(target)))
    return Form(field_type, target, as_it_is if kind == target else _cast(target))


def _cast(target: pa.DataType) -> Write:
    return lambda array: array.cast(target, safe=False)  # what has no place is no row any more


def _quiet(floats: pa.Array) -> pa.Array:
    """The same with every NaN a quiet one: through a Python float, which is a double, a signalling one becomes that."""
    values = floats.to_numpy(zero_copy_only=False)
    if not np.isnan(values).any():
        return floats
    nan = pa.scalar(np.float32(np.nan), pa.float32())
    return pc.if_else(pc.is_nan(floats), nan, floats)


def bounds(kind: pa.DataType) -> tuple[int, int]:
    """The smallest and largest integer of a type."""
    limits = np.iinfo(kind.to_pandas_dtype())
    return int(limits.min), int(limits.max)


def outside(low: int, high: int) -> Misfits:
    """Which integers are not in these bounds, both of which their own type holds."""

    def misfits(array: pa.Array) -> Bools | None:
        values = integers(array)
        if not len(values) or (values.min() >= low and values.max() <= high):
            return None
        return np.asarray((values < low) | (values > high))

    return misfits


def _inexact(kind: pa.DataType, exact_bits: int) -> Misfits:
    """Which integers a float with so many bits does not hold exactly."""
    if kind.bit_width <= exact_bits:
        return all_fit

    def misfits(array: pa.Array) -> Bools | None:
        values = integers(array)
        sizes = values.astype(np.uint64)
        sizes = np.where(values < 0, np.uint64(0) - sizes, sizes)
        lowest_bits = np.maximum(sizes & (np.uint64(0) - sizes), np.uint64(1))
        return np.asarray(sizes // lowest_bits >= np.uint64(2**exact_bits))

    return misfits


# -- texts ------------------------------------------------------------------------------------------------


def _text(kind: pa.DataType) -> Form | None:
    if types.is_string(kind):
        return Form(FieldType.STRING, kind)
    if types.is_decimal(kind):
        return Form(FieldType.STRING, pa.string(), decimal_texts)
    if is_uuid(kind):
        return Form(FieldType.STRING, pa.string(), uuid_texts)
    return None


def enum(kind: pa.DataType, numbers: Mapping[str, int]) -> Form | None:
    """Enum values: text by name, integers by number; only those that the enum has."""
    if types.is_string(kind):
        names, values = pa.array(list(numbers), pa.string()), pa.array(list(numbers.values()), pa.int32())
        return Form(
            FieldType.INT32,
            pa.int32(),
            lambda array: values.take(pc.index_in(array, value_set=names)),
            lambda array: _lacking(array, names),
        )
    if types.is_integer(kind):
        low, high = bounds(kind)
        known = pa.array(sorted({number for number in numbers.values() if low <= number <= high}), kind)
        return Form(FieldType.INT32, pa.int32(), _cast(pa.int32()), lambda array: _lacking(array, known))
    return None


def _lacking(array: pa.Array, known: pa.Array) -> Bools | None:
    found = pc.is_in(array, value_set=known)
    return None if pc.all(found).as_py() else booleans(pc.and_(pc.invert(found), array.is_valid()))
