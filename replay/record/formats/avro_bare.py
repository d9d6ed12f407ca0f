"""The types that Avro's bytes are written by, without names and logical types: these do not change a byte. Pure.

A bare type is as in a schema, but for names: {"type": "fixed", "size": 8}, {"type": "record", "fields": [...]} with
fields f0, f1, …, unions of null and one type. There are no enums: the number of a symbol is an int.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import pyarrow as pa

NULL = pa.bool_()
"""Of columns that are written by null, which look at no value. (Arrow makes invalid arrays of nested columns with its
own null type in them, when these are cast or viewed, pyarrow 26.)"""

_ARROW = {
    "null": NULL,
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
}


def fixed_type(size: int) -> dict[str, Any]:
    return {"type": "fixed", "size": size}


def record_type(fields: Sequence[Any]) -> dict[str, Any]:
    """A record of these types. A record without fields is written as one whose only field is null: as nothing."""
    named = [{"name": f"f{at}", "type": field} for at, field in enumerate(fields or ["null"])]
    return {"type": "record", "fields": named}


def record_array(children: Sequence[pa.Array], rows: int, nulls: pa.Array | None = None) -> pa.Array:
    """Its values."""
    children = children or [pa.nulls(rows, NULL)]
    return pa.StructArray.from_arrays(children, names=[f"f{at}" for at in range(len(children))], mask=nulls)


def arrow_type(bare: Any) -> pa.DataType:
    """The type of a column that is written by it."""
    if isinstance(bare, str):
        return _ARROW[bare]
    if isinstance(bare, list):
        return arrow_type(not_null(bare))
    if bare["type"] == "fixed":
        return pa.binary(bare["size"])
    if bare["type"] == "array":
        return pa.list_(arrow_type(bare["items"]))
    if bare["type"] == "map":
        return pa.map_(pa.string(), arrow_type(bare["values"]))
    return pa.struct([(field["name"], arrow_type(field["type"])) for field in bare["fields"]])


def not_null(bare: Any) -> Any:
    """The type that a union of null and one other has beside null; a type that is no union."""
    return next(branch for branch in bare if branch != "null") if isinstance(bare, list) else bare


def named(bare: Any) -> Any:
    """The same as a schema: with a name for each record and fixed."""
    return _named(bare, count())


def _named(bare: Any, numbers: Iterator[int]) -> Any:
    if isinstance(bare, str):
        return bare
    if isinstance(bare, list):
        return [_named(branch, numbers) for branch in bare]
    inner = {key: _named(bare[key], numbers) for key in ("items", "values") if key in bare}
    if "fields" in bare:
        inner["fields"] = [{"name": f["name"], "type": _named(f["type"], numbers)} for f in bare["fields"]]
    name = {"name": f"T{next(numbers)}"} if bare["type"] in ("record", "fixed") else {}
    return {**bare, **name, **inner}
