"""Columns of every type that a replay may meet, for properties: with nulls, slices, and values beneath null parents."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from pyarrow import types

from replay.record.kinds import is_uuid
from tests.unit.record.formats.protobuf_reading import as_integers

UNITS = ("s", "ms", "us", "ns")

FLAT = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.string(), pa.binary(), pa.uuid(), pa.null()),
    *(pa.decimal128(38, 9), pa.decimal128(5, -3), pa.decimal256(76, 40), pa.decimal128(20, 0), pa.decimal128(9, 9)),
    *(pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    *map(pa.timestamp, UNITS),
    *map(pa.duration, UNITS),
]

KEYS = [
    pa.string(),
    pa.int8(),
    pa.int32(),
    pa.int64(),
    pa.uint16(),
    pa.uint64(),
    pa.bool_(),
    pa.uuid(),
]

DAY = 86_400
YEAR_1, YEAR_10000 = -719_162 * DAY, 2_932_897 * DAY
LONGEST = 315_576_000_000
INT64 = (-(2**63), 2**63 - 1)


def per_second(kind: pa.DataType) -> int:
    return {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]


def span(kind: pa.DataType) -> tuple[int, int] | None:
    """Which integers of a time or date fit; None: the type is none."""
    if types.is_timestamp(kind):
        return YEAR_1 * per_second(kind), YEAR_10000 * per_second(kind) - 1
    if types.is_duration(kind):
        return -LONGEST * per_second(kind), LONGEST * per_second(kind)
    if types.is_time(kind):
        return 0, DAY * per_second(kind) - 1
    if types.is_date32(kind):
        return YEAR_1 // DAY, YEAR_10000 // DAY - 1
    return None


def kinds(depth: int = 2) -> st.SearchStrategy[pa.DataType]:
    flat = st.sampled_from(FLAT)
    if not depth:
        return flat
    inner = kinds(depth - 1)
    structs = st.lists(inner, max_size=3).map(
        lambda some: pa.struct([(f"s{at}", kind) for at, kind in enumerate(some)])
    )
    maps = st.tuples(st.sampled_from(KEYS), inner).map(lambda pair: pa.map_(*pair))
    return st.one_of(flat, structs, inner.map(pa.list_), maps)


def _mask(draw: Callable[..., Any], rows: int, nulls: bool) -> list[bool]:
    return draw(st.lists(st.booleans(), min_size=rows, max_size=rows)) if nulls else [False] * rows


@st.composite
def arrays(draw: Callable[..., Any], kind: pa.DataType, rows: int, fits: bool = True, nulls: bool = True) -> pa.Array:
    """`fits`: only values that have a place, with null where it has one (`nulls`). Else anything."""
    pad = draw(st.integers(0, 2))
    array = draw(_whole(kind, rows + pad, fits, nulls or not fits))
    return array.slice(pad, rows)


@st.composite
def _whole(draw: Callable[..., Any], kind: pa.DataType, rows: int, fits: bool, nulls: bool) -> pa.Array:
    if types.is_struct(kind):
        # null structs have children all the same
        children = [draw(arrays(field.type, rows, fits, not _is_repeated(field.type))) for field in kind]
        if not children:
            mask = _mask(draw, rows, nulls)
            return pa.array([None if null else {} for null in mask], kind)
        return pa.StructArray.from_arrays(
            children, fields=list(kind), mask=pa.array(_mask(draw, rows, nulls), pa.bool_())
        )
    if _is_repeated(kind):
        return draw(_lists(kind, rows, fits, nulls and not fits))
    if types.is_null(kind):
        return pa.nulls(rows)
    mask = _mask(draw, rows, nulls)
    values = draw(st.lists(flat_values(kind, fits), min_size=rows, max_size=rows))
    return _flat(kind, [None if null else value for null, value in zip(mask, values, strict=True)])


def _is_repeated(kind: pa.DataType) -> bool:
    return bool(types.is_list(kind) or types.is_map(kind))


@st.composite
def _lists(draw: Callable[..., Any], kind: pa.DataType, rows: int, fits: bool, nulls: bool) -> pa.Array:
    inner = kind.value_type if types.is_list(kind) else kind.item_type
    most = 0 if fits and types.is_null(inner) else 3
    if types.is_map(kind):
        keys = draw(st.lists(_keys(kind.key_type, most, fits), min_size=rows, max_size=rows))
        lengths = [len(some) for some in keys]
    else:
        lengths = draw(st.lists(st.integers(0, most), min_size=rows, max_size=rows))
    begins = pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int32))
    items = draw(arrays(inner, sum(lengths), fits, False))
    mask = pa.array(_mask(draw, rows, nulls), pa.bool_())
    if types.is_list(kind):
        return pa.ListArray.from_arrays(begins, items, mask=mask)
    flat = _flat(kind.key_type, [key for some in keys for key in some])
    return pa.MapArray.from_arrays(begins, flat, items, type=kind, mask=mask)


def _keys(kind: pa.DataType, most: int, fits: bool) -> st.SearchStrategy[list[Any]]:
    """Those of one map: all different, or just a few different ones."""
    if fits:
        return st.lists(flat_values(kind, True), max_size=min(most, 2) if types.is_boolean(kind) else most, unique=True)
    few = st.lists(flat_values(kind, True), min_size=1, max_size=3)
    return few.flatmap(lambda some: st.lists(st.sampled_from(some), max_size=most))


def _flat(kind: pa.DataType, values: list[Any]) -> pa.Array:
    if span(kind) or types.is_date64(kind):
        return as_integers(kind, values)
    if is_uuid(kind):
        return pa.array([None if value is None else value.bytes for value in values], pa.binary(16)).cast(kind)
    if types.is_float16(kind):
        return pa.array([None if value is None else np.float16(value) for value in values], kind)
    return pa.array(values, kind)


def flat_values(kind: pa.DataType, fits: bool) -> st.SearchStrategy[Any]:
    if span(kind) or types.is_date64(kind):
        return _times(kind, fits)
    return next(make(kind) for matches, make in _VALUES if matches(kind))


def _times(kind: pa.DataType, fits: bool) -> st.SearchStrategy[int]:
    """As integers."""
    if types.is_date64(kind):
        days = st.integers(YEAR_1 // DAY, YEAR_10000 // DAY - 1).map(lambda days: days * DAY * 1000)
        return days if fits else days | st.integers(*INT64)
    low, high = span(kind) or INT64
    least, most = (-(2**31), 2**31 - 1) if kind.bit_width == 32 else INT64
    inside = st.just(0) | st.integers(max(low, least), min(high, most))
    edges = [edge for edge in (low - 1, low, high, high + 1) if least <= edge <= most]
    return inside if fits else inside | st.integers(least, most) | st.sampled_from([0, *edges])


def _integers(kind: pa.DataType) -> st.SearchStrategy[int]:
    limits = np.iinfo(kind.to_pandas_dtype())
    return st.integers(int(limits.min), int(limits.max)) | st.just(0)


def _decimals(kind: pa.DataType) -> st.SearchStrategy[Decimal]:
    context, top = Context(prec=kind.precision), 10**kind.precision - 1
    return st.integers(-top, top).map(lambda digits: Decimal(digits).scaleb(-kind.scale, context))


_VALUES: list[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], st.SearchStrategy[Any]]]] = [
    (types.is_integer, _integers),
    (types.is_floating, lambda kind: st.floats(width=kind.bit_width) | st.sampled_from([0.0, -0.0])),
    (types.is_decimal, _decimals),
    (is_uuid, lambda _: st.uuids() | st.just(UUID(int=0))),
    (types.is_boolean, lambda _: st.booleans()),
    (types.is_binary, lambda _: st.binary(max_size=9)),
    (types.is_string, lambda _: st.text(max_size=9)),
]
