"""What a field of Avro holds that no column goes into. Pure.

A value is written as the values in it, one after the other; what frames them are longs: the number of a union's branch,
how many items follow, 0 at their end. So a constant of any type, also of one that contains itself, is a record of a few
flat values. Source: Apache Avro 1.12.0, specification, "Binary encoding" and "Complex types".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from replay.record.formats.avro_bare import arrow_type, fixed_type, record_array, record_type
from replay.record.formats.avro_types import NO_DEFAULT, AvroType

_Piece = tuple[Any, Any]
"""A flat bare type, and a value of it."""

_BITS = {"int": 32, "long": 64}


def constant(field: AvroType, value: Any) -> tuple[Any, pa.Array]:
    """The bare type that writes a value, and an array of the one value; `value` is as in the JSON of a default. Raises
    `ValueError` where it is none of the field's type."""
    pieces = list(_pieces(field, value))
    arrays = [pa.array([value], arrow_type(bare)) for bare, value in pieces]
    if len(pieces) == 1:
        return pieces[0][0], arrays[0]
    return record_type([bare for bare, _ in pieces]), record_array(arrays, 1)


def _pieces(field: AvroType, value: Any) -> Iterator[_Piece]:
    if field.base == "union":
        yield from _of_union(field, value)
    elif field.base == "record":
        for child in field.fields:
            yield from _pieces(child.type, _checked(value, dict).get(child.name, child.default))
    elif field.base == "array":
        yield from _counted([list(_pieces(field.items, item)) for item in _checked(value, list)])
    elif field.base == "map":
        entries = _checked(value, dict).items()
        yield from _counted([[("string", key), *_pieces(field.items, item)] for key, item in entries])
    elif field.base != "null":
        yield _flat(field, value)
    elif value is not None:
        raise ValueError(value)


def _of_union(field: AvroType, value: Any) -> Iterator[_Piece]:
    for at, branch in enumerate(field.branches):
        try:
            pieces = list(_pieces(branch, value))
        except ValueError:
            continue
        yield "long", at
        yield from pieces
        return
    raise ValueError(value)


def _counted(items: list[list[_Piece]]) -> Iterator[_Piece]:
    if items:
        yield "long", len(items)
    for pieces in items:
        yield from pieces
    yield "long", 0


def _flat(field: AvroType, value: Any) -> _Piece:
    base = field.base
    if base == "enum":
        return "int", field.symbols.index(_checked(value, str))
    if base == "fixed":
        return fixed_type(field.size), _raw(value, field.size)
    return base, _PRIMITIVES[base](base, value)


def _integer(base: str, value: Any) -> int:
    number: int = _checked(value, int)
    if not -(2 ** (_BITS[base] - 1)) <= number < 2 ** (_BITS[base] - 1):
        raise ValueError(value)
    return number


def _raw(value: Any, size: int | None = None) -> bytes:
    """ "Complex types, Records": code points 0 to 255 are bytes."""
    raw: bytes = _checked(value, str).encode("latin-1")
    if size is not None and len(raw) != size:
        raise ValueError(value)
    return raw


def _floating(base: str, value: Any) -> float:
    number = float(_checked(value, (int, float)))
    if base == "float" and math.isfinite(number) and abs(number) > float(np.finfo(np.float32).max):
        raise ValueError(value)
    return number


def _checked(value: Any, kind: type | tuple[type, ...]) -> Any:
    """JSON's true and false are no numbers."""
    if value is NO_DEFAULT or not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(value)
    return value


_PRIMITIVES: dict[str, Callable[[str, Any], Any]] = {
    "boolean": lambda _, value: _checked(value, bool),
    "int": _integer,
    "long": _integer,
    "float": _floating,
    "double": _floating,
    "string": lambda _, value: _checked(value, str),
    "bytes": lambda _, value: _raw(value),
}
