"""The schema of Avro that is made from columns. Pure.

| column | field |
|---|---|
| integers of up to 32 bits (unsigned: 16) | int |
| uint32, int64 | long |
| uint64 | bytes decimal(20, 0) |
| half, float | float |
| double | double |
| bool | boolean |
| string | string |
| binary | bytes |
| decimal | bytes decimal of its precision and scale; a string of its digits where that is asked for |
| timestamp | long timestamp-millis (of s and ms), -micros, -nanos |
| date | int date |
| time | int time-millis (of s and ms), long time-micros; of ns a plain long, since Avro has no such time |
| duration | string: ISO 8601 |
| UUID | string uuid |
| null | null |
| list | array |
| map | map, where keys are text; else array of records with key and value |
| struct | record, named after the one it is in and its field |

What may be null is a union of null and its type: further columns, and all that is inside of them but keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import types

from replay.errors import InputError, UsageError
from replay.record.formats.avro_types import KIND
from replay.record.formats.base import Column, Naming, Schema
from replay.record.kinds import Predicate, is_one_of, is_uuid
from replay.record.options import DecimalAs

DECIMAL_DIGITS_MAX = 76
"""Of Arrow's widest decimal."""

UINT64_DIGITS = 20

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""Specification, "Names"."""

_TIMES = {
    "s": {"type": "int", "logicalType": "time-millis"},
    "ms": {"type": "int", "logicalType": "time-millis"},
    "us": {"type": "long", "logicalType": "time-micros"},
    "ns": "long",
}
_TIMESTAMP_UNITS = {"s": "millis", "ms": "millis", "us": "micros", "ns": "nanos"}
_NS_TIME_DOC = "Time of day in nanoseconds since midnight."

_is_int = is_one_of(types.is_int8, types.is_int16, types.is_int32, types.is_uint8, types.is_uint16)


def generated(columns: Sequence[Column], naming: Naming, decimal_as: DecimalAs) -> Schema:
    """The same text for the same columns. Raises `InputError` for a column whose name or type has no form in Avro, and
    `UsageError` for a name of the record that is none."""
    refuse_messages(decimal_as)
    for part in naming.record.split("."):
        if not _NAME.fullmatch(part):
            raise UsageError(
                f"{naming.record!r} is no full name of a record in Avro",
                where="--schema-name",
                todo="give names of letters, digits and _ with dots between them: com.acme.Trade",
            )
    making = _Making(decimal_as, naming.short)
    record = {
        "type": "record",
        "name": naming.short,
        **({"namespace": naming.namespace} if naming.namespace else {}),
        **({"doc": naming.doc} if naming.doc else {}),
        "fields": [making.column(column) for column in columns],
    }
    return Schema(KIND, json.dumps(record, ensure_ascii=False), naming.record)


def refuse_messages(decimal_as: DecimalAs) -> None:
    """Raises `UsageError` where decimals are asked for as a message."""
    if decimal_as is DecimalAs.MESSAGE:
        raise UsageError("Avro has no messages", where="--decimal-as", todo="take number or string")


class _Making:
    """One schema while it is made: the names of its records are given once each."""

    def __init__(self, decimal_as: DecimalAs, record: str) -> None:
        self._decimal_as, self._record = decimal_as, record
        self._taken = {record}

    def column(self, column: Column) -> dict[str, Any]:
        if not _NAME.fullmatch(column.field):
            raise InputError(
                f"{column.field!r} is no name of a field in Avro (letters, digits and _, no digit first)",
                where=f"column {column.source}",
                todo=f"give it another name with --rename {column.source}=NAME",
            )
        try:
            return self._field(column.field, column.kind, self._record, column.nullable)
        except _NoForm as error:
            raise InputError(
                f"{error} has no form in Avro",
                where=f"column {column.source}",
                todo="leave it out (--fields), or write JSON (--format json)",
            ) from None

    def _field(self, name: str, kind: pa.DataType, within: str, nullable: bool = True) -> dict[str, Any]:
        field: dict[str, Any] = {"name": name}
        made = self._type(kind, f"{within}_{name}")
        if _holds_ns_times(kind):
            field["doc"] = _NS_TIME_DOC
        if not nullable:
            return {**field, "type": made}
        return {**field, "type": _or_null(made), "default": None}

    def _type(self, kind: pa.DataType, path: str) -> Any:
        """`path` names a record that may be needed."""
        for matches, make in _FLAT:
            if matches(kind):
                return make(kind)
        if types.is_decimal(kind):
            return "string" if self._decimal_as is DecimalAs.STRING else _decimal(kind)
        if types.is_list(kind):
            return {"type": "array", "items": _or_null(self._type(kind.value_type, path))}
        if types.is_map(kind) and types.is_string(kind.key_type):
            return {"type": "map", "values": _or_null(self._type(kind.item_type, path))}
        if types.is_map(kind):
            return {"type": "array", "items": self._entry(kind, path)}
        if types.is_struct(kind):
            return self._struct(kind, path)
        raise _NoForm(str(kind))

    def _entry(self, kind: pa.DataType, path: str) -> dict[str, Any]:
        name = self._name(path)
        key = self._field("key", kind.key_type, name, nullable=False)
        return {"type": "record", "name": name, "fields": [key, self._field("value", kind.item_type, name)]}

    def _struct(self, kind: pa.DataType, path: str) -> dict[str, Any]:
        names = [field.name for field in kind]
        for at, name in enumerate(names):
            if not _NAME.fullmatch(name) or name in names[:at]:
                raise _NoForm(f"a struct with {'two fields' if name in names[:at] else 'a field'} named {name!r}")
        record = self._name(path)
        return {"type": "record", "name": record, "fields": [self._field(f.name, f.type, record) for f in kind]}

    def _name(self, path: str) -> str:
        """One that no record has: `a_b` may be the field b of a, or the field a_b."""
        name = next(name for name in _numbered(path) if name not in self._taken)
        self._taken.add(name)
        return name


class _NoForm(Exception):
    pass


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1


def _or_null(made: Any) -> Any:
    return made if made == "null" else ["null", made]


def _decimal(kind: pa.DataType) -> dict[str, Any]:
    """Avro's scale is neither negative (thousands become units) nor over the precision (0.001 has a digit, and 3)."""
    scale = max(kind.scale, 0)
    precision = max(kind.precision - kind.scale + scale, scale)
    if precision > DECIMAL_DIGITS_MAX:
        raise _NoForm(str(kind))
    return _decimal_of(precision, scale)


def _decimal_of(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def _timestamp(kind: pa.DataType) -> dict[str, Any]:
    return {"type": "long", "logicalType": f"timestamp-{_TIMESTAMP_UNITS[kind.unit]}"}


def _holds_ns_times(kind: pa.DataType) -> bool:
    """Also in lists and maps: what they hold has no field of its own that could say it."""
    if types.is_list(kind):
        return _holds_ns_times(kind.value_type)
    if types.is_map(kind) and types.is_string(kind.key_type):
        return _holds_ns_times(kind.item_type)
    return bool(types.is_time(kind) and kind.unit == "ns")


_FLAT: Sequence[tuple[Predicate, Callable[[pa.DataType], Any]]] = (
    (_is_int, lambda _: "int"),
    (types.is_uint64, lambda _: _decimal_of(UINT64_DIGITS, 0)),
    (types.is_integer, lambda _: "long"),
    (types.is_float64, lambda _: "double"),
    (types.is_floating, lambda _: "float"),
    (types.is_boolean, lambda _: "boolean"),
    (types.is_string, lambda _: "string"),
    (types.is_binary, lambda _: "bytes"),
    (types.is_timestamp, _timestamp),
    (types.is_date, lambda _: {"type": "int", "logicalType": "date"}),
    (types.is_time, lambda kind: _TIMES[kind.unit]),
    (types.is_duration, lambda _: "string"),
    (is_uuid, lambda _: {"type": "string", "logicalType": "uuid"}),
    (types.is_null, lambda _: "null"),
)
