"""What protobuf's own classes read back, as values to compare with those of a column. No code of ours reads."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
from google.protobuf.message_factory import GetMessageClass
from pyarrow import types

from replay.model import SymbolTable
from replay.record.formats import protobuf
from replay.record.formats.base import Column, Naming, Schema
from replay.record.formats.protobuf_compile import compiled, found
from replay.record.kinds import is_uuid
from replay.record.options import DecimalAs

pa.array([0.0])  # the first array imports pandas where it is installed: longer than one example of a property may take

DAY_MS = 86_400_000
NS_PER_UNIT = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
NAMING = Naming("com.acme.Trade")


def as_integers(kind: pa.DataType, values: Sequence[int | None]) -> pa.Array:
    """An array of the type whose values are these integers inside."""
    return pa.array(values, pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)


def columns_of(fields: Mapping[str, pa.DataType], price: pa.DataType | None = None) -> list[Column]:
    """Symbol, price, event time and these."""
    kinds = {"symbol": pa.string(), "price": price or pa.float64(), "event_time": pa.timestamp("us"), **fields}
    return [Column(name, name, kind, name in fields, f"in_{name}") for name, kind in kinds.items()]


def batch_of(table: SymbolTable, fields: Mapping[str, pa.Array], price: pa.Array | None = None) -> pa.RecordBatch:
    rows = len(next(iter(fields.values()))) if fields else len(price) if price is not None else 1
    first = {
        "symbol": pa.array([table.id_of("BTCUSDT")] * rows, pa.int32()),
        "price": pa.array([1.5] * rows, pa.float64()) if price is None else price,
        "event_time": as_integers(pa.timestamp("us"), [1_700_000_000_000_001] * rows),
    }
    return pa.RecordBatch.from_pydict({**first, **fields})


class Case:
    """A schema, generated where no text is given, with columns bound to it."""

    def __init__(
        self,
        fields: Mapping[str, pa.DataType],
        *,
        text: str | None = None,
        price: pa.DataType | None = None,
        decimal_as: DecimalAs = DecimalAs.NUMBER,
        naming: Naming = NAMING,
    ) -> None:
        self.table = SymbolTable()
        self.columns = columns_of(fields, price)
        self.schema: Schema = (
            protobuf.generated(self.columns, naming, decimal_as) if text is None else protobuf.parsed(text)
        )
        self.form = protobuf.bound(self.schema, self.columns, self.table, decimal_as)
        self.reader = GetMessageClass(found(compiled(self.schema.text), self.schema.name))

    def write(self, fields: Mapping[str, pa.Array], price: pa.Array | None = None) -> list[bytes]:
        payloads = self.form.payloads(batch_of(self.table, fields, price))
        assert payloads.type == pa.binary()
        values: list[bytes] = payloads.to_pylist()
        return values

    def read(self, payloads: Sequence[bytes]) -> list[Any]:
        messages = [self.reader.FromString(payload) for payload in payloads]
        assert not any(len(unknown_fields(message)) for message in messages)
        return messages


def unknown_fields(message: Any) -> Any:
    from google.protobuf.unknown_fields import UnknownFieldSet

    return UnknownFieldSet(message)


def trade_with(*fields: str, imports: Sequence[str] = (), outside: str = "", syntax: str = 'syntax = "proto3";') -> str:
    """A schema with the first three fields (10 to 12), and these."""
    files = "".join(f'import "{path}";\n' for path in ("google/protobuf/timestamp.proto", *imports))
    optional = "optional " if "proto2" in syntax else ""
    first = (
        f"{optional}string symbol = 10;",
        f"{optional}double price = 11;",
        f"{optional}google.protobuf.Timestamp event_time = 12;",
    )
    return f"{syntax}\npackage com.acme;\n{files}message Trade {{\n{chr(10).join((*first, *fields))}\n}}\n{outside}\n"


# -- columns as values ------------------------------------------------------------------------------------


def values_of(column: pa.Array) -> list[Any]:
    """Exact values: times as integers, floats as bits, maps as lists of pairs."""
    kind = column.type
    if types.is_struct(kind):
        return _structs(column)
    if types.is_list(kind):
        return [values_of(one.values) if one.is_valid else None for one in column]
    if types.is_map(kind):
        return [_pairs(one.values) if one.is_valid else None for one in column]
    if types.is_temporal(kind):
        column = column.view(pa.int32() if kind.bit_width == 32 else pa.int64())
    values: list[Any] = column.to_pylist()
    return [value if value is None else _bits(value) for value in values] if types.is_floating(kind) else values


def _structs(column: pa.Array) -> list[Any]:
    names, children = [field.name for field in column.type], [values_of(child) for child in column.flatten()]
    rows = zip(*children, strict=True) if names else [()] * len(column)
    return [
        dict(zip(names, row, strict=True)) if valid else None
        for row, valid in zip(rows, column.is_valid().to_pylist(), strict=True)
    ]


def _pairs(structs: pa.Array) -> list[Any]:
    keys, items = structs.flatten()
    return list(zip(values_of(keys), values_of(items), strict=True))


def _bits(value: float) -> Any:
    return "nan" if math.isnan(value) else struct.pack("<d", value)


# -- messages as values -----------------------------------------------------------------------------------


def read_field(message: Any, name: str, kind: pa.DataType) -> Any:
    """The value of a field as `values_of` has that of the column it was made of."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.has_presence and not message.HasField(name):
        return None
    value = getattr(message, name)
    if types.is_null(kind):
        assert not field.is_repeated
        return None
    if types.is_list(kind) and field.is_repeated:
        return [read_value(item, kind.value_type) for item in value]
    if types.is_map(kind) and field.is_repeated:
        pairs = [(read_value(key, kind.key_type), read_value(value[key], kind.item_type)) for key in value]
        return sorted(pairs, key=repr)
    return read_value(value, kind)


def read_value(value: Any, kind: pa.DataType) -> Any:
    for matches, read in _READERS:
        if matches(kind):
            return read(value, kind)
    return value


def _moment(value: Any, kind: pa.DataType) -> int:
    assert 0 <= value.nanos < 10**9
    return _exactly(value.seconds * 10**9 + value.nanos, kind)


def _duration(value: Any, kind: pa.DataType) -> int:
    assert abs(value.nanos) < 10**9
    assert value.seconds * value.nanos >= 0, "seconds and nanos have two signs"
    return _exactly(value.seconds * 10**9 + value.nanos, kind)


def _days(value: Any, kind: pa.DataType) -> int:
    days = date(value.year, value.month, value.day).toordinal() - date(1970, 1, 1).toordinal()
    return days if types.is_date32(kind) else days * DAY_MS


def _clock(value: Any, kind: pa.DataType) -> int:
    assert 0 <= value.hours < 24
    assert 0 <= value.minutes < 60
    assert 0 <= value.seconds < 60
    assert 0 <= value.nanos < 10**9
    seconds = value.hours * 3600 + value.minutes * 60 + value.seconds
    return _exactly(seconds * 10**9 + value.nanos, kind)


def _exactly(ns: int, kind: pa.DataType) -> int:
    assert ns % NS_PER_UNIT[kind.unit] == 0
    return ns // NS_PER_UNIT[kind.unit]


_READERS: list[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], Any]]] = [
    (types.is_struct, lambda value, kind: {field.name: read_field(value, field.name, field.type) for field in kind}),
    (types.is_list, lambda value, kind: read_field(value, "items", kind)),
    (types.is_map, lambda value, kind: read_field(value, "items", kind)),
    (types.is_timestamp, _moment),
    (types.is_duration, _duration),
    (types.is_date, _days),
    (types.is_time, _clock),
    (types.is_decimal, lambda value, _: Decimal(value if isinstance(value, str) else value.value)),
    (types.is_floating, lambda value, _: _bits(value)),
    (is_uuid, lambda value, _: UUID(value)),
]


def comparable(value: Any) -> Any:
    """Maps without their order, which protobuf's classes do not keep."""
    if isinstance(value, dict):
        return {name: comparable(one) for name, one in value.items()}
    if isinstance(value, list):
        items = [comparable(one) for one in value]
        return sorted(items, key=repr) if items and isinstance(items[0], tuple) else items
    if isinstance(value, tuple):
        return tuple(comparable(one) for one in value)
    return value
