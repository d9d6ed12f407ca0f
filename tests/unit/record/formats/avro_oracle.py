"""What Avro holds of a value, by rules that go value by value; and columns of any type to try them with.

A value of the oracle is what lies in the column: an integer for whatever is an integer of a unit, the number without
its point for a decimal, 16 bytes for a UUID. fastavro alone writes what it says, under the schema itself.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

t = pa.types

NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1, "millis": 10**6, "micros": 10**3, "nanos": 1}
DAY = 86_400 * 10**9
DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
LIMITS = {"int": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}


class Misfit(Exception):
    """The value has no place in the type."""


def held(kind: pa.DataType, value: Any, node: Any, names: dict[str, Any] | None = None) -> Any:  # noqa: PLR0911
    """The value as fastavro takes it for this type of a schema, where nothing of it is lost. Raises `Misfit`."""
    if isinstance(node, list):
        return None if value is None else held(kind, value, next(branch for branch in node if branch != "null"), names)
    if value is None:
        if node != "null":
            raise Misfit
        return None
    if t.is_list(kind):
        return [held(kind.value_type, item, node["items"]) for item in value]
    if t.is_map(kind) and node["type"] == "map":
        if len({key for key, _ in value}) < len(value):
            raise Misfit
        return {key: held(kind.item_type, item, node["values"]) for key, item in value}
    if t.is_map(kind):
        pair = pa.struct([("key", kind.key_type), ("value", kind.item_type)])
        return [held(pair, {"key": key, "value": item}, node["items"]) for key, item in value]
    if t.is_struct(kind):
        own = {field.name: field.type for field in kind}
        return {
            field["name"]: held(own[field["name"]], value[field["name"]], field["type"])
            for field in node["fields"]
            if field["name"] in own
        }
    return held_flat(kind, value, node)


def held_flat(kind: pa.DataType, value: Any, node: Any) -> Any:  # noqa: PLR0911
    base = node if isinstance(node, str) else node["type"]
    logical = "" if isinstance(node, str) else node.get("logicalType", "")
    if logical == "decimal":
        return decimal_bytes(kind, value, node)
    if t.is_decimal(kind):
        return decimal_text(value, kind.scale)
    if t.is_temporal(kind) and not t.is_duration(kind):
        return temporal(kind, value, base, logical)
    if t.is_duration(kind):
        return f"{'-' * (value < 0)}PT{decimal_text(abs(value), DIGITS[kind.unit])}S"
    if t.is_integer(kind):
        return number(value, base)
    if base == "enum":
        return value if value in node["symbols"] else _misfit()
    if base == "fixed":
        return value if len(value) == node["size"] else _misfit()
    if isinstance(kind, pa.UuidType):
        return str(UUID(bytes=value))
    if logical == "uuid":
        is_uuid = re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", value, re.IGNORECASE)
        return value if is_uuid and UUID(value) else _misfit()
    return value


def number(value: int, base: str) -> Any:
    if base in LIMITS:
        return value if LIMITS[base][0] <= value <= LIMITS[base][1] else _misfit()
    (read,) = struct.unpack(f"<{base[0]}", struct.pack(f"<{base[0]}", value))
    return value if int(read) == value else _misfit()


def temporal(kind: pa.DataType, value: int, base: str, logical: str) -> Any:
    source = DAY if t.is_date32(kind) else NS["ms"] if t.is_date64(kind) else NS[kind.unit]
    if t.is_time(kind) and not 0 <= value * source < DAY:
        raise Misfit
    target = DAY if logical == "date" else NS[logical.rpartition("-")[2] or "nanos"]
    scaled = Fraction(value * source, target)
    return number(int(scaled), base) if scaled.denominator == 1 else _misfit()


def decimal_bytes(kind: pa.DataType, value: int, node: dict[str, Any]) -> bytes:
    scaled = Fraction(value) * Fraction(10) ** (node.get("scale", 0) - (kind.scale if t.is_decimal(kind) else 0))
    if scaled.denominator != 1 or abs(scaled) >= 10 ** node["precision"]:
        raise Misfit
    size = node.get("size") or next(n for n in range(1, 99) if -(1 << 8 * n - 1) <= scaled < 1 << 8 * n - 1)
    return int(scaled).to_bytes(size, "big", signed=True)


def decimal_text(unscaled: int, scale: int) -> str:
    digits = (str(abs(unscaled)) + "0" * -scale).rjust(scale + 1, "0")
    text = f"{digits[:-scale]}.{digits[-scale:]}" if scale > 0 else (digits if unscaled else "0")
    return "-" * (unscaled < 0) + text


def _misfit() -> Any:
    raise Misfit


def bytes_of(schema: Any, value: Any) -> bytes:
    """By fastavro, under the schema itself."""
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


# -- types of columns, and their values -------------------------------------------------------------------

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
DECIMALS = [pa.decimal32(9, 2), pa.decimal64(18, 8), pa.decimal128(38, 10), pa.decimal128(19, 0), pa.decimal128(5, -2),
            pa.decimal128(3, 7), pa.decimal256(76, 38), pa.decimal256(60, 0)]  # fmt: skip
TIMES = [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")]
TIMESTAMPS = [pa.timestamp(unit) for unit in DIGITS]
DATES = [pa.date32(), pa.date64()]
DURATIONS = [pa.duration(unit) for unit in DIGITS]
FLOATS = [pa.float16(), pa.float32(), pa.float64()]
OTHERS = [pa.null(), pa.bool_(), pa.string(), pa.binary(), pa.uuid()]
FLAT = [*INTEGERS, *DECIMALS, *TIMES, *TIMESTAMPS, *DATES, *DURATIONS, *FLOATS, *OTHERS]

NAMES = ["a", "b", "B", "_1"]
SYMBOLS = ["BUY", "SELL", "buy"]


def nest(inner: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.DataType]:
    structs = st.lists(inner, max_size=3).map(lambda kinds: pa.struct(list(zip(NAMES, kinds, strict=False))))
    keys = st.sampled_from([pa.string(), pa.string(), pa.int8(), pa.uuid(), pa.decimal128(5, -2)])
    return st.one_of(structs, inner.map(pa.list_), st.tuples(keys, inner).map(lambda pair: pa.map_(*pair)))


KINDS = st.recursive(st.sampled_from(FLAT), nest, max_leaves=5)
NESTED_KINDS = nest(KINDS)


def values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    return st.none() if t.is_null(kind) else st.none() | present(kind)


def edges(low: int, high: int) -> st.SearchStrategy[int]:
    small = st.integers(max(low, -200), min(high, 200))
    near = (low, low + 1, high - 1, high, 0, 127, 128, -128, -129, 2**31, -(2**31), 2**24 + 1, 2**53 + 1)
    return st.one_of(small, st.sampled_from([n for n in near if low <= n <= high]), st.integers(low, high))


def present(kind: pa.DataType) -> st.SearchStrategy[Any]:  # noqa: PLR0911
    if t.is_struct(kind):
        return st.fixed_dictionaries({field.name: values(field.type) for field in kind})
    if t.is_map(kind):
        pair = st.tuples(present(kind.key_type), values(kind.item_type))
        return st.lists(pair, max_size=3, unique_by=lambda pair: pair[0]) | st.lists(pair, max_size=2)
    if t.is_list(kind):
        return st.lists(values(kind.value_type), max_size=3)
    if t.is_decimal(kind):
        limit = 10**kind.precision - 1
        return edges(-limit, limit) | st.integers(0, kind.precision - 1).map(lambda zeros: 10**zeros)
    if t.is_integer(kind):
        signed = t.is_signed_integer(kind)
        return (
            edges(-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1)
            if signed
            else edges(0, 2**kind.bit_width - 1)
        )
    if t.is_time(kind):
        day = DAY // NS[kind.unit]
        return edges(0, day - 1) | st.sampled_from([-1, day, 1000, 1_000_000])
    if t.is_temporal(kind):
        bits = 31 if t.is_date32(kind) else 63
        round_ones = st.integers(-20_000, 20_000).map(lambda days: days * (1 if bits == 31 else 86_400_000))
        return edges(-(2**bits), 2**bits - 1) | round_ones
    if t.is_floating(kind):
        return st.floats(width=kind.bit_width)
    if isinstance(kind, pa.UuidType):
        return st.binary(min_size=16, max_size=16)
    if t.is_boolean(kind):
        return st.booleans()
    if t.is_binary(kind):
        return st.binary(max_size=5)
    return st.one_of(st.text(max_size=5), st.sampled_from(SYMBOLS), st.uuids().map(str))


def column(kind: pa.DataType, given: list[Any]) -> pa.Array:
    """The values as an array. Under what is null lie leftovers, as a file may have them."""
    if t.is_null(kind):
        return pa.nulls(len(given))
    mask = pa.array([value is None for value in given], pa.bool_())
    if t.is_struct(kind):
        children = [column(f.type, [v[f.name] if isinstance(v, dict) else LEFT for v in given]) for f in kind]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask) if children else empty_structs(given)
    if t.is_map(kind):
        pairs = [(LEFT, LEFT) if pair is LEFT else pair for value in given for pair in _items(value)]
        keys, items = column(kind.key_type, [k for k, _ in pairs]), column(kind.item_type, [v for _, v in pairs])
        return pa.MapArray.from_arrays(_offsets(given), keys, items, mask=mask)
    if t.is_list(kind):
        items = column(kind.value_type, [item for value in given for item in _items(value)])
        return pa.ListArray.from_arrays(_offsets(given), items, mask=mask)
    return flat(kind, given)


class _Left:
    """Stands for what lies under a null: it is there, and means nothing."""


LEFT: Any = _Left()
_LEFT_OVER = {"bool": True, "string": "left", "binary": b"left", "fixed_size_binary[16]": b"l" * 16}


def flat(kind: pa.DataType, given: list[Any]) -> pa.Array:
    if isinstance(kind, pa.UuidType):
        return pa.ExtensionArray.from_storage(kind, flat(pa.binary(16), given))
    given = [_LEFT_OVER.get(str(kind), 7) if value is LEFT else value for value in given]
    if t.is_decimal(kind):
        width = kind.bit_width // 8
        data = b"".join((value or 0).to_bytes(width, "little", signed=True) for value in given)
        valid = np.packbits(np.array([value is not None for value in given], bool), bitorder="little")
        return pa.Array.from_buffers(kind, len(given), [pa.py_buffer(valid), pa.py_buffer(data)])
    if t.is_temporal(kind):
        return pa.array(given, pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)
    if t.is_float16(kind):
        return pa.array([None if value is None else np.float16(value) for value in given], kind)
    return pa.array(given, kind)


def _items(value: Any) -> list[Any]:
    return [LEFT] if value is None or value is LEFT else value


def _offsets(given: list[Any]) -> pa.Array:
    return pa.array(np.cumsum([0, *(len(_items(value)) for value in given)]), pa.int32())


def empty_structs(given: list[Any]) -> pa.Array:
    return pa.array([None if value is None else {} for value in given], pa.struct([]))


# -- types of a schema that a column goes into ------------------------------------------------------------


@st.composite
def nodes(draw: st.DrawFn, kind: pa.DataType) -> Any:
    """A type of a schema that columns of this type go into, as far as types tell."""
    if t.is_null(kind):
        return draw(st.sampled_from(["null", ["null", "int"], ["string", "null"]]))
    node = draw(_nodes(kind))
    return draw(st.sampled_from([node, ["null", node], [node, "null"]]))


def _nodes(kind: pa.DataType) -> st.SearchStrategy[Any]:  # noqa: PLR0911
    if t.is_struct(kind):
        fields = st.tuples(*(nodes(field.type) for field in kind))
        named = fields.map(lambda types: [{"name": f.name, "type": n} for f, n in zip(kind, types, strict=True)])
        return st.tuples(named, st.booleans()).map(
            lambda made: {"type": "record", "fields": made[0] + EXTRA[: made[1]]}
        )
    if t.is_map(kind):
        pairs = pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))
        as_array = _nodes(pairs)
        if not t.is_string(kind.key_type):
            return as_array
        return as_array | nodes(kind.item_type).map(lambda node: {"type": "map", "values": node})
    if t.is_list(kind):
        return nodes(kind.value_type).map(lambda node: {"type": "array", "items": node})
    if t.is_integer(kind):
        return st.sampled_from(["int", "long", "float", "double"]) | decimals()
    if t.is_decimal(kind):
        return decimals()
    if t.is_time(kind):
        plain = ["long"] * (kind.unit == "ns")
        return st.sampled_from([logical("int", "time-millis"), logical("long", "time-micros"), *plain])
    if t.is_timestamp(kind):
        stamps = [f"{local}timestamp-{unit}" for local in ("", "local-") for unit in ("millis", "micros", "nanos")]
        return st.sampled_from(stamps).map(lambda stamp: logical("long", stamp))
    return st.sampled_from(_OTHER_NODES[str(kind).partition("[")[0]])


def logical(base: str, name: str) -> dict[str, Any]:
    return {"type": base, "logicalType": name}


def decimals() -> st.SearchStrategy[dict[str, Any]]:
    of_bytes = st.tuples(st.integers(1, 60), st.integers(0, 20)).map(
        lambda made: {**logical("bytes", "decimal"), "precision": max(made), "scale": min(made)}
    )
    return of_bytes | st.sampled_from([(1, 2), (4, 9), (5, 10), (8, 18), (13, 30), (16, 38), (20, 47)]).flatmap(
        lambda made: st.integers(0, made[1]).map(
            lambda scale: {**logical("fixed", "decimal"), "size": made[0], "precision": made[1], "scale": scale}
        )
    )


EXTRA = [{"name": "extra", "type": ["null", "string"], "default": None}]
_UUID_FIXED = {**logical("fixed", "uuid"), "size": 16}
_OTHER_NODES: dict[str, list[Any]] = {
    "halffloat": ["float", "double"],
    "float": ["float", "double"],
    "double": ["double", {"type": "double", "logicalType": "no-such"}],
    "bool": ["boolean"],
    "string": ["string", {"type": "enum", "symbols": SYMBOLS}, logical("string", "uuid")],
    "binary": ["bytes", {"type": "fixed", "size": 2}, {"type": "fixed", "size": 4}],
    "date32": [logical("int", "date")],
    "date64": [logical("int", "date")],
    "duration": ["string"],
    "extension<arrow.uuid>": ["string", logical("string", "uuid"), _UUID_FIXED],
}


def with_names(node: Any, prefix: str = "N") -> Any:
    """The same with a name for each type that needs one."""
    return _with_names(node, iter(f"{prefix}{number}" for number in range(999)))


def _with_names(node: Any, names: Iterator[str]) -> Any:
    if isinstance(node, list):
        return [_with_names(branch, names) for branch in node]
    if not isinstance(node, dict):
        return node
    made = {key: _with_names(value, names) if key in ("items", "values") else value for key, value in node.items()}
    if made["type"] in ("record", "enum", "fixed"):
        made["name"] = next(names)
    if "fields" in made:
        made["fields"] = [{**field, "type": _with_names(field["type"], names)} for field in made["fields"]]
    return made
