"""Columns that hold a part of a record beside the event: which are asked for, which types each may have, and how its
values become those of a batch. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import types

from replay.fate import Fate
from replay.model import HEADERS, KEY, PARTITION, TIMESTAMP, VALUE, Bytes
from replay.record import schema_ids
from replay.record.kinds import is_text
from replay.record.options import Records
from replay.source.columns import convert, fates
from replay.source.columns.as_they_are import bytes_type, headers_type, to_bytes, to_headers
from replay.source.columns.further import to_partition

if TYPE_CHECKING:
    from replay.source.columns.schema import FileLayout

Target = Callable[[pa.DataType, "FileLayout"], "pa.DataType | None"]
"""The type that a column of this type becomes in such a file; None if it cannot."""

Convert = Callable[[pa.Array, pa.DataType, "FileLayout"], tuple[pa.Array, Bytes]]
"""A column of such a file as this type, the one of the column over all files, and what is wrong with each row."""

TIMES = "a timestamp, an integer or ISO 8601 text"


class Asked(NamedTuple):
    """A part of records, and the column that holds it in the files. `needs` says which types that may have."""

    name: str
    column: str
    target: Target
    needs: str


def asked_for(records: Records, columns: Sequence[str]) -> dict[str, Asked]:
    """By their names in a batch. `columns` are those of all files."""
    headers = records.headers_column
    if records.headers_optional and headers not in columns:
        headers = None
    asked: dict[str, tuple[str | None, Target, str]] = {
        KEY: (records.key_column, _text_type, "text"),
        PARTITION: (records.partition_column, _partition_type, "an integer, or text that is one"),
        VALUE: (records.value_column, _bytes_type, "binary or text"),
        HEADERS: (headers, _headers_type, "a list of structs of name (or key) and value, or a map"),
        TIMESTAMP: (records.timestamp_column, _timestamp_type, TIMES),
    }
    if records.own_key_column is not None:
        asked[KEY] = (records.own_key_column, _bytes_type, "binary or text")
    return {
        part: Asked(part.lstrip("\0"), column, target, needs)
        for part, (column, target, needs) in asked.items()
        if column is not None
    }


def converters(records: Records, *, has_symbol: bool) -> dict[str, Convert]:
    """How columns become parts of records, by the names of those in a batch; a key as text is a field like others.

    A row whose key is null is bad where nothing else says which partition its record is for: neither a column nor a
    symbol.
    """
    value_ids, key_ids = dict(records.value_ids), dict(records.key_ids)
    needs_key = records.partition_column is None and not has_symbol

    def own_key(array: pa.Array, *_: object) -> tuple[pa.Array, Bytes]:
        keys, found = _with_known_ids(to_bytes(array), key_ids, Fate.KEY_SCHEMA_ID)
        if needs_key and keys.null_count:
            found = np.where(fates.mask(keys.is_null()), np.int8(Fate.KEY_NEEDED), found)
        return keys, found

    found: dict[str, Convert] = {
        PARTITION: lambda array, *_: to_partition(array),
        VALUE: lambda array, *_: _with_known_ids(to_bytes(array), value_ids, Fate.VALUE_SCHEMA_ID),
        HEADERS: lambda array, *_: to_headers(array),
        TIMESTAMP: lambda array, kind, own: convert.to_time(array, kind, own.timestamp_unit),
    }
    return found | ({KEY: own_key} if records.own_key_column is not None else {})


def _with_known_ids(array: pa.Array, ids: Mapping[int, int], otherwise: Fate) -> tuple[pa.Array, Bytes]:
    """The values; bad is one that begins with a schema id that none is told for, where ids are replaced."""
    unknown = schema_ids.unknown(array, ids) if ids else None
    return array, fates.all_sent(len(array)) if unknown is None else fates.where(unknown, otherwise)


def _bytes_type(kind: pa.DataType, _: FileLayout) -> pa.DataType | None:
    return bytes_type(kind)


def _text_type(kind: pa.DataType, _: FileLayout) -> pa.DataType | None:
    return pa.string() if is_text(kind) else None


def _headers_type(kind: pa.DataType, _: FileLayout) -> pa.DataType | None:
    return headers_type(kind)


def _partition_type(kind: pa.DataType, _: FileLayout) -> pa.DataType | None:
    return pa.int64() if types.is_integer(kind) or is_text(kind) else None


def _timestamp_type(kind: pa.DataType, own: FileLayout) -> pa.DataType | None:
    return convert.time_type(kind, own.timestamp_unit)
