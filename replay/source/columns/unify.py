"""One type for a column over all files, and bringing each file's column to it without changing a value. Pure.

| in the files | becomes |
|---|---|
| text (string, large, view), also as a dictionary | string |
| binary (also large, view, fixed size) | binary |
| integers of several widths | the narrowest integer that holds all; with uint64 and a signed one, decimal128(20, 0) |
| floats of several widths | the widest; 0.1 as a float stays 0.1 as a double |
| floats and integers of at most 32 bits (unsigned: 16) | double |
| decimals, also with integers (as 19 digits, uint64 as 20) | the digits of both before the point and behind it |
| timestamps, times, durations | the finest unit; no zone, for zones are but a way to show a time |
| date32, date64 | date32 |
| structs | all fields, by name; null where a file does not have one |
| lists, maps | by element |
| null (a column in which a file has no value) | the other type |

Larger integers do not go with floats: a double has 53 bits. Dictionaries are what they stand for, and so are extension
types, but for UUIDs. (No Parquet file is read as run-end encoded.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import reduce

import pyarrow as pa
from pyarrow import types

from replay.record.kinds import (
    Predicate,
    entries,
    flattened,
    is_binary,
    is_extension,
    is_list,
    is_number,
    is_string,
    is_uuid,
    offsets,
)

_FINEST = ("s", "ms", "us", "ns")

_INTEGER_DIGITS, _UINT64_DIGITS = 19, 20
"""Of the largest int64 and uint64. Narrow integers count as int64 among decimals: else the type would depend on the
order of files."""

_DECIMAL128_DIGITS, _DECIMAL256_DIGITS = 38, 76

_SIGNED_BITS_IN_DOUBLE, _UNSIGNED_BITS_IN_DOUBLE = 32, 16
"""Integers that go with floats. Unsigned ones of 32 bits become int64 among signed ones, and the order of files
must not decide what goes with what."""


def unify(kinds: Sequence[pa.DataType]) -> pa.DataType:
    """The one type that holds every value of these, in any order. Raises `TypeError` if there is none."""
    return reduce(_join, map(plain, kinds))


def widen(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """The same values as `kind`, a type that `unify` made of the array's type and others.

    Raises `TypeError` where it is not, and `ValueError` where a value has no place in it: a date of the year 3000 in
    nanoseconds.
    """
    if array.type == kind:
        return array
    array = decoded(array)
    if array.type == kind:
        return array
    source = plain(array.type)
    if _join(kind, source) != kind:
        raise TypeError(f"{array.type} cannot become {kind} without a change of values")
    if types.is_null(source):
        return pa.nulls(len(array), kind)
    for matches, widen_nested in _NESTED:
        if matches(kind):
            return widen_nested(array, kind)
    if types.is_timestamp(kind):
        array = array.cast(source)  # without its zone, and still of its own unit
    if types.is_float32(source) and types.is_float64(kind):
        array = array.cast(pa.string())  # its shortest digits: 0.1 and not 0.10000000149011612
    return array.cast(kind)


def plain(kind: pa.DataType) -> pa.DataType:
    """What the type is for us: how a value is stored does not matter, nor in which zone a time would be shown."""
    if types.is_dictionary(kind):
        return plain(kind.value_type)
    if is_extension(kind) and not is_uuid(kind):
        return plain(kind.storage_type)
    for matches, become in _PLAIN:
        if matches(kind):
            return become(kind)
    return kind


def decoded(array: pa.Array) -> pa.Array:
    """The values that a dictionary or extension column stands for."""
    kind = array.type
    if types.is_dictionary(kind):
        return widen(array.dictionary, plain(kind)).take(array.indices)
    if is_extension(kind) and not is_uuid(kind):
        return decoded(array.storage)
    return array


_PLAIN: Sequence[tuple[Predicate, Callable[[pa.DataType], pa.DataType]]] = (
    (is_string, lambda _: pa.string()),
    (is_binary, lambda _: pa.binary()),
    (types.is_timestamp, lambda kind: pa.timestamp(kind.unit)),
    (types.is_struct, lambda kind: pa.struct([(field.name, plain(field.type)) for field in kind])),
    (is_list, lambda kind: pa.list_(plain(kind.value_type))),
    (types.is_map, lambda kind: pa.map_(plain(kind.key_type), plain(kind.item_type))),
)


# -- two types --------------------------------------------------------------------------------------------


def _join(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """The type that holds the values of both (plain) types. Raises `TypeError` if there is none."""
    if a == b or types.is_null(b):
        return a
    if types.is_null(a):
        return b
    with suppress(TypeError):  # of what is nested in them: the whole is named
        for matches, join in _JOINS:
            if matches(a) and matches(b) and (joined := join(a, b)) is not None:
                return joined
    raise TypeError(f"{b} cannot become one type with {a}")


def _numbers(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if types.is_integer(a) and types.is_integer(b):
        return _integers(a, b)
    if not types.is_floating(a) and not types.is_floating(b):
        return _decimals(a, b)
    if types.is_floating(a) and types.is_floating(b):
        return a if a.bit_width > b.bit_width else b
    integer = b if types.is_floating(a) else a
    bits = _SIGNED_BITS_IN_DOUBLE if types.is_signed_integer(integer) else _UNSIGNED_BITS_IN_DOUBLE
    return pa.float64() if types.is_integer(integer) and integer.bit_width <= bits else None


def _integers(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    if types.is_signed_integer(a) == types.is_signed_integer(b):
        return a if a.bit_width > b.bit_width else b
    signed, unsigned = (a, b) if types.is_signed_integer(a) else (b, a)
    bits = max(signed.bit_width, 2 * unsigned.bit_width)
    return {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}.get(bits, pa.decimal128(_UINT64_DIGITS, 0))


def _decimals(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    sizes = [_digits(a), _digits(b)]
    scale = max(scale for _, scale in sizes)
    precision = max(before for before, _ in sizes) + scale
    if precision > _DECIMAL256_DIGITS:
        return None
    return pa.decimal128(precision, scale) if precision <= _DECIMAL128_DIGITS else pa.decimal256(precision, scale)


def _digits(kind: pa.DataType) -> tuple[int, int]:
    """How many digits before the point, and behind it."""
    if types.is_decimal(kind):
        return kind.precision - kind.scale, kind.scale
    return (_UINT64_DIGITS if types.is_uint64(kind) else _INTEGER_DIGITS), 0


def _finer(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    return max(a, b, key=lambda kind: _FINEST.index(kind.unit))


def _structs(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    fields = {field.name: field.type for field in a}
    for field in b:
        fields[field.name] = _join(fields.get(field.name, pa.null()), field.type)
    return pa.struct(list(fields.items()))


_JOINS: Sequence[tuple[Predicate, Callable[[pa.DataType, pa.DataType], pa.DataType | None]]] = (
    (is_number, _numbers),
    (types.is_timestamp, _finer),
    (types.is_time, _finer),
    (types.is_duration, _finer),
    (types.is_date, lambda _a, _b: pa.date32()),
    (types.is_struct, _structs),
    (types.is_list, lambda a, b: pa.list_(_join(a.value_type, b.value_type))),
    (types.is_map, lambda a, b: pa.map_(_join(a.key_type, b.key_type), _join(a.item_type, b.item_type))),
)


# -- nested values ----------------------------------------------------------------------------------------


def _widen_struct(array: pa.Array, kind: pa.DataType) -> pa.Array:
    own = {field.name: child for field, child in zip(array.type, array.flatten(), strict=True)}
    children = [
        widen(own[field.name], field.type) if field.name in own else pa.nulls(len(array), field.type) for field in kind
    ]
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=array.is_null())


def _widen_list(array: pa.Array, kind: pa.DataType) -> pa.Array:
    items = widen(flattened(array), kind.value_type)
    return pa.ListArray.from_arrays(offsets(array), items, type=kind, mask=array.is_null())


def _widen_map(array: pa.Array, kind: pa.DataType) -> pa.Array:
    lists = entries(array)
    keys, items = flattened(lists).flatten()
    return pa.MapArray.from_arrays(
        offsets(lists), widen(keys, kind.key_type), widen(items, kind.item_type), type=kind, mask=array.is_null()
    )


_NESTED: Sequence[tuple[Predicate, Callable[[pa.Array, pa.DataType], pa.Array]]] = (
    (types.is_struct, _widen_struct),
    (types.is_list, _widen_list),
    (types.is_map, _widen_map),
)
