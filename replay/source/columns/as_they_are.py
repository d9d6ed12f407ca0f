"""Columns whose bytes go into records as they are: values, keys and headers of a dump, and what is wrong with each row.

| column | taken as it is | null |
|---|---|---|
| value, key | binary (large, view, fixed size) and text, also as a dictionary; text as its bytes | itself |
| headers | a list of structs of `name` or `key`, and `value`; or a map. Names are UTF-8; values as above | no headers |

Column-wise. Pure.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from replay.fate import Fate
from replay.model import Bools, Bytes
from replay.record.headers import HEADERS_TYPE
from replay.record.kinds import entries, is_binary, is_string, offsets
from replay.source.columns import fates
from replay.source.columns.unify import decoded, plain, widen

_NAMES = ("name", "key")
"""What the field of a header's name may be called."""


# -- values and keys ----------------------------------------------------------------------------------------


def bytes_type(kind: pa.DataType) -> pa.DataType | None:
    """Binary, for a column whose bytes can be taken as they are; else None."""
    return pa.binary() if _has_bytes(plain(kind)) else None


def to_bytes(array: pa.Array) -> pa.Array:
    """The same bytes as binary."""
    array = decoded(array)
    if types.is_null(array.type):
        return pa.nulls(len(array), pa.binary())
    return array.cast(pa.binary())  # Arrow looks into no text for that


def _has_bytes(kind: pa.DataType) -> bool:
    return is_string(kind) or is_binary(kind) or types.is_null(kind)


# -- headers ------------------------------------------------------------------------------------------------


def headers_type(kind: pa.DataType) -> pa.DataType | None:
    """`HEADERS_TYPE`, for a column that holds headers; else None."""
    kind = plain(kind)
    if types.is_null(kind):
        return HEADERS_TYPE
    parts = (kind.key_type, kind.item_type) if types.is_map(kind) else _struct_parts(kind)
    return HEADERS_TYPE if parts is not None and all(map(_has_bytes, parts)) else None


def to_headers(array: pa.Array) -> tuple[pa.Array, Bytes]:
    """Headers as `HEADERS_TYPE`. A row is bad in which one has no name that can be sent; it has none then."""
    found = fates.all_sent(len(array))
    if types.is_null(array.type):
        return pa.nulls(len(array), HEADERS_TYPE), found
    lists = widen(array, plain(array.type))  # without large lists, views and dictionaries
    lists = entries(lists) if types.is_map(lists.type) else lists
    names, values = _names_and_values(pc.list_flatten(lists))
    wrong = _unsendable(names)
    ends = offsets(lists)
    missing = fates.mask(lists.is_null())
    if wrong.any():
        rows = np.searchsorted(ends.to_numpy(), np.flatnonzero(wrong), side="right") - 1
        found[rows] = Fate.RECORD_HEADER_NAME
        names = pc.if_else(pa.array(wrong), b"", names)
        missing = missing | (found != Fate.SENT)
    pairs = pa.StructArray.from_arrays([names.cast(pa.string()), values], fields=list(HEADERS_TYPE.value_type))
    return pa.ListArray.from_arrays(ends, pairs, type=HEADERS_TYPE, mask=pa.array(missing)), found


def _struct_parts(kind: pa.DataType) -> tuple[pa.DataType, pa.DataType] | None:
    """The types of names and values, of a list of structs that have nothing else."""
    if not types.is_list(kind) or not types.is_struct(kind.value_type) or kind.value_type.num_fields != 2:
        return None
    struct = kind.value_type
    named = [field.name for field in struct]
    name = next((name for name in _NAMES if name in named), None)
    if name is None or "value" not in named:
        return None
    return struct.field(name).type, struct.field("value").type


def _names_and_values(pairs: pa.StructArray) -> tuple[pa.Array, pa.Array]:
    """Of each header, as binary; a null one has neither."""
    fields = {field.name: child for field, child in zip(pairs.type, pairs.flatten(), strict=True)}
    values = fields.pop("value")
    (names,) = fields.values()
    return to_bytes(names), to_bytes(values)


def _unsendable(names: pa.Array) -> Bools:
    """Null, no UTF-8, or with a NUL, at which librdkafka would end the name."""
    wrong = fates.mask(names.is_null())
    wrong |= fates.mask(pc.match_substring(names, b"\0").fill_null(False))
    try:
        names.cast(pa.string())
    except pa.ArrowInvalid:
        texts = map(partial(_is_utf8), names.to_pylist())
        wrong |= ~np.fromiter(texts, dtype=bool, count=len(names))
    return wrong


def _is_utf8(name: bytes | None) -> bool:
    try:
        (name or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
