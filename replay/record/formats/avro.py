"""Values and keys in Avro's binary form, as the Confluent serializers write it behind their prefix.

`avro_schema.py` makes a schema of columns, `avro_types.py` reads one that is given, `avro_fit.py` says how each column
goes into its field, `avro_write.py` writes the bytes.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from typing import Any
from uuid import UUID

import pyarrow as pa

from replay.errors import InputError
from replay.model import Bools, SymbolTable
from replay.record.formats.avro_fit import Place, constant_fit, fitted
from replay.record.formats.avro_flat import Fit
from replay.record.formats.avro_schema import generated as generated  # noqa: PLC0414
from replay.record.formats.avro_schema import refuse_messages
from replay.record.formats.avro_types import KIND, AvroField, fastavro, record_of, type_of
from replay.record.formats.avro_types import parsed as parsed  # noqa: PLC0414
from replay.record.formats.avro_write import writer
from replay.record.formats.base import Column, Schema, SymbolTexts, by_field
from replay.record.options import DecimalAs
from replay.record.varint import zigzag_varint

VERSION = "avro-1"
"""Raise it with any change to the bytes of a value: a resume compares bytes."""

SYMBOL = "symbol"


def bound(schema: Schema, columns: Sequence[Column], symbols: SymbolTable, decimal_as: DecimalAs) -> AvroFormat:
    """Raises `UsageError` for a text that is no schema, and `InputError` for a column that does not fit its field."""
    refuse_messages(decimal_as)
    record = record_of(schema)
    own = by_field(columns)
    fields = {field.name for field in record.fields}
    for column in columns:
        if column.field not in fields:
            todo = f"give it the name of its field with --rename {column.source}=NAME"
            raise InputError(
                f"{record} has no field {column.field!r}",
                where=f"column {column.source}",
                todo=f"{todo}, or leave it out (--fields)" if column.nullable else todo,
            )
    return AvroFormat(schema, [_bound(field, own.get(field.name), decimal_as) for field in record.fields], symbols)


def _bound(field: AvroField, column: Column | None, decimal_as: DecimalAs) -> _Field:
    if column is not None:
        place = Place(column.source, field.name, decimal_as, can_go=column.nullable)
        return _Field(column.name, fitted(column.kind, field.type, place))
    try:
        return _Field(None, constant_fit(field))
    except ValueError:
        raise InputError(
            f"no column goes into it, and it has no default that is {field.type}",
            where=f"field {field.name} of the schema",
            todo=f"send a column of this name (--fields, --rename COLUMN={field.name}), or give it a default",
        ) from None


@dataclass(frozen=True, slots=True)
class _Field:
    """A field, and the column of a batch that goes into it (None: it is a constant)."""

    column: str | None
    fit: Fit


class AvroFormat:
    """Writes the values of records."""

    def __init__(self, schema: Schema, fields: Sequence[_Field], symbols: SymbolTable) -> None:
        self.schema = schema
        self._fields = fields
        self._misfits = {field.column: field.fit.misfits for field in fields}
        self._texts = SymbolTexts(symbols)
        self._writer = writer([field.fit.avro for field in fields])
        self.encoder = f"{VERSION} {self._writer.library}"

    def misfits(self, name: str, values: pa.Array) -> Bools | None:
        """Which values of this column have no place in their field; None: none."""
        found = self._misfits.get(name)
        return None if found is None else found(values)

    def payloads(self, rows: pa.RecordBatch) -> pa.Array:
        """The bytes of each row."""
        return self._writer.write([field.fit.convert(self._column(rows, field.column)) for field in self._fields])

    def _column(self, rows: pa.RecordBatch, name: str | None) -> pa.Array:
        if name == SYMBOL:
            return self._texts.of(rows.column(SYMBOL))
        return rows.column(SYMBOL if name is None else name)  # of a constant only the length counts


# -- keys -------------------------------------------------------------------------------------------------


def key_schema() -> Schema:
    """That of keys: text."""
    return Schema(KIND, '"string"', "string")


def key_payload(text: str) -> bytes:
    """A key as Avro's string: how many bytes, as a zigzag varint, and the bytes."""
    raw = text.encode()
    return zigzag_varint(len(raw)) + raw


# -- for people -------------------------------------------------------------------------------------------


def decoded(schema: Schema, payload: bytes) -> Any:
    """A value or key as JSON has it; bytes as Base64, times as ISO 8601. Raises `ValueError` for bytes that are none of
    the schema."""
    data = BytesIO(payload)
    try:
        value = fastavro().schemaless_reader(data, _for_reading(schema), None)
    except Exception as error:
        # any bytes may come: what fastavro stumbles over first decides how
        raise ValueError(f"the bytes are none of {schema.name}: {type(error).__name__} {error}") from None
    if left := len(payload) - data.tell():
        raise ValueError(f"the bytes are none of {schema.name}: {left} are left")
    return _plain(value)


@lru_cache(maxsize=16)
def _for_reading(schema: Schema) -> Any:
    return type_of(schema).node


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    write = next((write for kind, write in _AS_TEXT if isinstance(value, kind)), None)
    return value if write is None else write(value)


_AS_TEXT: Sequence[tuple[type, Callable[[Any], str]]] = (
    (bytes, lambda raw: b64encode(raw).decode()),
    (Decimal, lambda number: f"{number:f}"),
    (date, lambda moment: moment.isoformat()),  # a datetime is a date, too
    (time, lambda moment: moment.isoformat()),
    (UUID, str),
)
