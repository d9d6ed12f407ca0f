"""Values as Protobuf messages (protobuf.dev, "Encoding"), without what frames them for a registry.

Fields stand in the order of their numbers, entries of a map in that of the column. `protobuf_schema.py` says which type
becomes which field, `protobuf_fit.py` what goes into the fields of a given schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from replay.model import Bools, SymbolTable
from replay.record.formats.base import Column, Naming, Reference, Schema, SymbolTexts
from replay.record.formats.protobuf_compile import compiled, found, message_indexes
from replay.record.formats.protobuf_fit import fitted
from replay.record.formats.protobuf_forms import Slot
from replay.record.formats.protobuf_schema import key_text, schema_text
from replay.record.formats.protobuf_wire import serializer
from replay.record.options import DecimalAs

KIND = "PROTOBUF"


def generated(columns: Sequence[Column], naming: Naming, decimal_as: DecimalAs) -> Schema:
    """The schema made of these columns. Raises `InputError` for a name or type that has no form."""
    return Schema(KIND, schema_text(columns, naming, decimal_as), naming.record, (0,))


def parsed(text: str, references: Sequence[Reference] = (), message: str | None = None) -> Schema:
    """A schema of its text, and which message of it: by name, else the first. Raises `UsageError`."""
    descriptor = found(compiled(text, tuple(references)), message)
    return Schema(KIND, text, descriptor.full_name, message_indexes(descriptor), tuple(references))


def bound(
    schema: Schema,
    columns: Sequence[Column],
    symbols: SymbolTable,
    decimal_as: DecimalAs,  # noqa: ARG001 - the schema says how
) -> ProtobufFormat:
    """The columns as messages of this schema. Raises `UsageError` for a text that is none, and `InputError` for a
    column or field that has no counterpart."""
    slots, others = fitted(_descriptor(schema), columns)
    return ProtobufFormat(schema, slots, others, symbols)


def decoded(schema: Schema, payload: bytes) -> Any:
    """A message as JSON has it, for people. Raises `ValueError` where the bytes are none."""
    descriptor = _descriptor(schema)
    from google.protobuf import json_format, message, message_factory  # noqa: PLC0415 - an extra

    one = message_factory.GetMessageClass(descriptor)()
    try:
        one.ParseFromString(payload)
        return json_format.MessageToDict(
            one,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
            descriptor_pool=descriptor.file.pool,
        )
    except (message.DecodeError, json_format.Error, TypeError, ValueError) as error:
        raise ValueError(f"these bytes are no {schema.name}: {error}") from error


def key_schema(field: str = "symbol", namespace: str = "") -> Schema:
    """The schema of a key: a message `Key` with this one field."""
    return Schema(KIND, key_text(field, namespace), f"{namespace}.Key" if namespace else "Key", (0,))


def key_payload(text: str) -> bytes:
    """A key as a message of `key_schema`."""
    raw = text.encode()
    length, size = len(raw), b""
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return b"\x0a" + size + bytes([length]) + raw if raw else b""


def _descriptor(schema: Schema) -> Any:
    return found(compiled(schema.text, schema.references), schema.name)


class ProtobufFormat:
    """Writes the values of records; `slots` are those of the columns, `others` of fields that no column is for."""

    def __init__(self, schema: Schema, slots: Mapping[str, Slot], others: Sequence[Slot], symbols: SymbolTable) -> None:
        self.schema = schema
        self._slots, self._texts = slots, SymbolTexts(symbols)
        pairs = [*slots.items(), *(("symbol", slot) for slot in others)]  # any column: they go by the number of rows
        self._in_order = sorted(pairs, key=lambda pair: pair[1].number)
        self._names = [slot.name for _, slot in self._in_order]
        self._serialize, self.encoder = serializer([slot for _, slot in self._in_order])

    def misfits(self, name: str, values: pa.Array) -> Bools | None:
        """Which values have no place in their field."""
        return self._slots[name].misfits(values)

    def payloads(self, rows: pa.RecordBatch) -> pa.Array:
        """A message for each row."""
        columns = [
            slot.write(self._texts.of(rows.column(name)) if name == "symbol" else rows.column(name))
            for name, slot in self._in_order
        ]
        return self._serialize(pa.RecordBatch.from_arrays(columns, names=self._names))
