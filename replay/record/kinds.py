"""Groups of Arrow types that are one to us, and two arrays that are others seen in another way. Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

Predicate = Callable[[pa.DataType], bool]

_UUID = "arrow.uuid"
"""The canonical extension type for UUIDs; as Base64 of 16 bytes nobody would find them again."""


def is_one_of(*predicates: Predicate) -> Predicate:
    return lambda kind: any(predicate(kind) for predicate in predicates)


is_number = is_one_of(types.is_integer, types.is_floating, types.is_decimal)
is_string = is_one_of(types.is_string, types.is_large_string, types.is_string_view)
is_binary = is_one_of(types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
is_list = is_one_of(
    types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view, types.is_large_list_view
)


def is_text(kind: pa.DataType) -> bool:
    return is_string(kind) or (types.is_dictionary(kind) and is_text(kind.value_type))


def is_extension(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType)


def is_uuid(kind: pa.DataType) -> bool:
    return is_extension(kind) and kind.extension_name == _UUID


def with_scale(column: pa.Array, scale: int) -> pa.Array:
    """The same digits with the point at another place: 123 with a scale of 2 is 1.23. Nothing is copied."""
    width = getattr(pa, f"decimal{column.type.bit_width}")
    kind = width(column.type.precision, scale)
    return pa.Array.from_buffers(kind, len(column), column.buffers(), offset=column.offset)


def entries(maps: pa.Array) -> pa.Array:
    """The same as lists of {key, value}. (Arrow's cast to such a list makes an invalid array where a map of nulls is a
    value, pyarrow 26.)"""
    pairs = pa.StructArray.from_arrays([maps.keys, maps.items], names=["key", "value"])
    offsets = pa.array(maps.offsets.to_numpy(), pa.int32())  # a copy: a mask goes with no slice
    return pa.ListArray.from_arrays(offsets, pairs, mask=maps.is_null())


def flattened(lists: pa.Array) -> pa.Array:
    """The items of all lists, one after the other. (Arrow's kernel fails where there is none and a list is null, if
    they are UUIDs or hold some, pyarrow 26.)"""
    is_empty = not pc.sum(pc.list_value_length(lists)).as_py()
    return lists.values.slice(0, 0) if is_empty else pc.list_flatten(lists)


def offsets(lists: pa.Array) -> pa.Array:
    """Where each list begins, once what is in null lists is gone."""
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy()
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), pa.int32())
