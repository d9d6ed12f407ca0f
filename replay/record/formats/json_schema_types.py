"""Arrow types as JSON Schema, and whether a schema takes every value of such a type. Pure.

The types are exactly what `json_text.py` writes. A time of day has no `format`, since that of JSON Schema wants a zone
(RFC 3339 `full-time`); nor has a duration, whose seconds RFC 3339 (appendix A) gives no digits after the point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import types

from replay.record.formats.base import Column
from replay.record.kinds import Predicate, is_number, is_uuid
from replay.record.options import DecimalAs

Node = dict[str, Any] | bool
"""A schema, or a part of one. True takes every value, False none."""

_NOTES = {
    "$comment", "$defs", "$id", "$schema", "default", "definitions", "deprecated", "description",
    "examples", "readOnly", "title", "writeOnly",
}  # fmt: skip
"""Keywords that no value fails."""
_SAME = ("format", "contentEncoding", "minItems", "maxItems", "additionalItems")
"""Keywords that every value satisfies if we would have written the very same ones."""
_RULES = {"type", "items", "properties", "required", "additionalProperties", *_SAME}


# -- from a type to its schema ----------------------------------------------------------------------------


def column_schema(column: Column, decimal_as: DecimalAs) -> dict[str, Any]:
    """What the values of this column are in JSON."""
    quoted = decimal_as is DecimalAs.STRING
    if column.name != "price":
        return _schema(column.kind, quoted, nullable=column.nullable)
    exact = types.is_string(column.kind) or types.is_decimal(column.kind)
    return _typed("string" if exact and quoted else "number" if not types.is_integer(column.kind) else "integer")


def _schema(kind: pa.DataType, quoted: bool, *, nullable: bool = True) -> dict[str, Any]:
    """Whatever is nested may be null, too: there is no NaN in JSON, and no time beyond the year 9999."""
    if types.is_null(kind):
        return {"type": "null"}
    if types.is_decimal(kind) and quoted:
        return _typed("string", nullable)
    for matches, name, more in _FLAT:
        if matches(kind):
            return _typed(name, nullable, more)
    for matches, nested in _NESTED:
        if matches(kind):
            name, more = nested(kind, lambda inner: _schema(inner, quoted))
            return _typed(name, nullable, more)
    raise TypeError(f"{kind} has no JSON form")


def _typed(name: str, nullable: bool = False, more: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": [name, "null"] if nullable else name, **(more or {})}


_FLAT: Sequence[tuple[Predicate, str, dict[str, Any]]] = (
    (types.is_integer, "integer", {}),
    (is_number, "number", {}),  # a decimal without places, too: its schema does not change with its scale
    (types.is_boolean, "boolean", {}),
    (types.is_string, "string", {}),
    (types.is_binary, "string", {"contentEncoding": "base64"}),
    (is_uuid, "string", {"format": "uuid"}),
    (types.is_timestamp, "string", {"format": "date-time"}),
    (types.is_date, "string", {"format": "date"}),
    (types.is_time, "string", {}),
    (types.is_duration, "string", {}),
)

Nested = tuple[str, dict[str, Any]]
Inner = Callable[[pa.DataType], dict[str, Any]]


def _struct(kind: pa.DataType, inner: Inner) -> Nested:
    return "object", {"properties": {field.name: inner(field.type) for field in kind}, "additionalProperties": False}


def _list(kind: pa.DataType, inner: Inner) -> Nested:
    return "array", {"items": inner(kind.value_type)}


def _map(kind: pa.DataType, inner: Inner) -> Nested:
    if types.is_string(kind.key_type):
        return "object", {"additionalProperties": inner(kind.item_type)}
    pair = {"type": "array", "items": [inner(kind.key_type), inner(kind.item_type)], "minItems": 2, "maxItems": 2}
    return "array", {"items": pair}


_NESTED: Sequence[tuple[Predicate, Callable[[pa.DataType, Inner], Nested]]] = (
    (types.is_struct, _struct),
    (types.is_list, _list),
    (types.is_map, _map),
)


# -- from a schema to what it takes -----------------------------------------------------------------------


def json_types(node: Node) -> set[str] | None:
    """The JSON types that the keyword `type` allows; None: it says nothing. A number may be an integer."""
    named = node.get("type") if isinstance(node, dict) else None
    if named is None:
        return None
    found = {named} if isinstance(named, str) else set(named)
    return found | {"integer"} if "number" in found else found


def can_meet(given: Node, made: dict[str, Any]) -> bool:
    """Whether any value but null that `made` describes is of a type that `given` allows."""
    allowed, own = json_types(given), json_types(made) or set()
    if given is False:
        return False
    return allowed is None or bool(allowed & own - {"null"}) or own == {"null"} <= allowed


def takes_all(given: Node, made: dict[str, Any]) -> bool:
    """Whether `given` takes every value that `made`, one of ours, describes. False where that cannot be told."""
    if isinstance(given, bool):
        return given
    if not given.keys() - _NOTES <= _RULES or any(key in given and given[key] != made.get(key) for key in _SAME):
        return False
    allowed = json_types(given)
    if allowed is not None and not (json_types(made) or set()) <= allowed:
        return False
    return _takes_items(given, made) and _takes_properties(given, made)


def _takes_items(given: dict[str, Any], made: dict[str, Any]) -> bool:
    theirs, ours = given.get("items", True), made.get("items")
    if isinstance(theirs, list) or isinstance(ours, list):
        return bool(theirs == ours) or theirs is True
    return ours is None or takes_all(theirs, ours)


def _takes_properties(given: dict[str, Any], made: dict[str, Any]) -> bool:
    named, others = given.get("properties", {}), given.get("additionalProperties", True)
    own = made.get("properties")
    if own is not None:
        return set(given.get("required", ())) <= own.keys() and all(
            takes_all(named.get(name, others), inner) for name, inner in own.items()
        )
    ours = made.get("additionalProperties")  # of a map
    return ours is None or (not named and not given.get("required") and takes_all(others, ours))
