"""Schemas of Avro, from text to types that can be walked. Pure.

Source: Apache Avro 1.12.0, specification, "Schema Declaration" and "Logical Types".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from replay.errors import UsageError, install_extra
from replay.record.formats.base import Reference, Schema

KIND = "AVRO"
"""What registries call schemas of this format."""

NO_DEFAULT = object()

_NAMED = ("record", "enum", "fixed")
_TIMESTAMPS = tuple(f"{local}timestamp-{unit}" for local in ("", "local-") for unit in ("millis", "micros", "nanos"))
_LOGICAL = {
    "int": ("date", "time-millis"),
    "long": ("time-micros", *_TIMESTAMPS),
    "bytes": ("decimal", "big-decimal"),
    "fixed": ("decimal", "uuid", "duration"),
    "string": ("uuid",),
}
"""The logical types that a type may have. Others are as if they were not there: so the specification has it."""

_FIXED_SIZES = {"uuid": 16, "duration": 12}


class AvroField(NamedTuple):
    """A field of a record. `default` is as in JSON, or `NO_DEFAULT`."""

    name: str
    type: AvroType
    default: Any


@dataclass(frozen=True)
class AvroType:
    """A type in a schema. `node` is as fastavro parsed it: all names are full names. `named` are the types that have
    one; a type may contain itself."""

    node: Any
    named: Mapping[str, Any]

    @property
    def form(self) -> str:
        """The type, with the logical type that it has: "long", "long timestamp-micros", "union"."""
        logical = self._logical
        return f"{self.base} {logical}" if logical else self.base

    @property
    def base(self) -> str:
        """The type without a logical one."""
        if isinstance(self.node, list):
            return "union"
        base: str = self.node if isinstance(self.node, str) else self.node["type"]
        return base

    @property
    def _logical(self) -> str:
        logical = self.node.get("logicalType") if isinstance(self.node, dict) else None
        if logical not in _LOGICAL.get(self.base, ()):
            return ""
        if logical == "decimal" and not self._is_decimal:
            return ""
        if self.base == "fixed" and self.size != _FIXED_SIZES.get(logical, self.size):
            return ""
        return str(logical)

    @property
    def _is_decimal(self) -> bool:
        precision, scale = self.node.get("precision"), self.node.get("scale", 0)
        if not isinstance(precision, int) or not isinstance(scale, int) or not 0 <= scale <= precision > 0:
            return False
        return self.base != "fixed" or precision <= math.log10(2) * (8 * self.size - 1)

    @property
    def precision(self) -> int:
        return int(self.node["precision"])

    @property
    def scale(self) -> int:
        return int(self.node.get("scale", 0))

    @property
    def size(self) -> int:
        """Bytes of a fixed."""
        return int(self.node["size"])

    @property
    def symbols(self) -> Sequence[str]:
        symbols: Sequence[str] = self.node["symbols"]
        return symbols

    @property
    def branches(self) -> tuple[AvroType, ...]:
        """Of a union."""
        return tuple(map(self._of, self.node))

    @property
    def items(self) -> AvroType:
        """Of an array, or the values of a map."""
        return self._of(self.node["values" if self.base == "map" else "items"])

    @property
    def fields(self) -> tuple[AvroField, ...]:
        """Of a record."""
        return tuple(
            AvroField(field["name"], self._of(field["type"]), field.get("default", NO_DEFAULT))
            for field in self.node["fields"]
        )

    def _of(self, node: Any) -> AvroType:
        return AvroType(self.named.get(node, node) if isinstance(node, str) else node, self.named)

    def __str__(self) -> str:
        """For messages: "bytes decimal(10, 2)", "enum com.acme.Side", "null or long"."""
        if self.base == "union":
            return " or ".join(map(str, self.branches))
        if self.form.endswith(" decimal"):
            return f"{self.form}({self.precision}, {self.scale})"
        if self.base == "fixed":
            return f"{self.form}({self.size})"
        if self.base in _NAMED:
            return f"{self.base} {self.node['name']}"
        if self.base in ("array", "map"):
            return f"{self.base} of {self.items}"
        return self.form


def type_of(schema: Schema) -> AvroType:
    """The type that it is. Raises `UsageError` for a text that is no schema."""
    named: dict[str, Any] = {}
    for reference in schema.references:
        _parsed(reference.text, named)
    node = _parsed(schema.text, named)
    return AvroType(named.get(node, node) if isinstance(node, str) else node, named)


def record_of(schema: Schema) -> AvroType:
    """The type of values. Raises `UsageError` for a text that is no schema of a record."""
    found = type_of(schema)
    if found.base != "record":
        raise UsageError(
            f"it is a schema of {found}, and each row becomes a record",
            where="--schema",
            todo="name a schema whose type is record",
        )
    return found


def parsed(text: str, references: Sequence[Reference] = (), message: str | None = None) -> Schema:  # noqa: ARG001
    """The text of a schema, with the full name of its record. (Only Protobuf has several messages.) Raises
    `UsageError`."""
    schema = Schema(KIND, text, "", (), tuple(references))
    return Schema(KIND, text, record_of(schema).node["name"], (), schema.references)


def _parsed(text: str, named: dict[str, Any]) -> Any:
    """As fastavro parses it; types with a name are added to `named`."""
    parse_schema = fastavro().schema.parse_schema
    try:
        return parse_schema(json.loads(text), named_schemas=named)
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            raise _no_schema(f"it is not JSON: {error}") from None
        raise _no_schema(f"it names the type {error}, which neither it nor its references define") from None
    except KeyError as error:
        raise _no_schema(f"a type in it lacks {error}") from None
    except Exception as error:
        # fastavro looks at parts of any shape: a list where it expects an object is an AttributeError of its own
        raise _no_schema(str(error)) from None


def _no_schema(why: str) -> UsageError:
    return UsageError(f"it is no schema of Avro: {why}", where="--schema", todo="correct the schema")


def fastavro() -> Any:
    """The package. Raises `UsageError` where it is missing."""
    try:
        import fastavro  # noqa: PLC0415
        import fastavro.schema  # noqa: PLC0415
    except ImportError:
        raise UsageError("Avro needs the package fastavro", where="--format", todo=install_extra("avro")) from None
    return fastavro
