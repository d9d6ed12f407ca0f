"""Protobuf over all types: both ways of writing give the same bytes, which protobuf's own classes read back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import types

from replay.record.formats.protobuf_forms import Slot
from replay.record.formats.protobuf_wire import column_wise, descriptor, row_wise
from replay.record.options import DecimalAs
from tests.unit.record.formats.protobuf_columns import arrays, kinds, span
from tests.unit.record.formats.protobuf_reading import DAY_MS, Case, batch_of, comparable, read_field, values_of

DECIMALS = st.sampled_from(list(DecimalAs))


@st.composite
def fields(draw: Callable[..., Any], fits: bool = True) -> dict[str, pa.Array]:
    """A few further columns of one length."""
    rows = draw(st.integers(0, 5))
    some = draw(st.lists(kinds(), min_size=1, max_size=3))
    return {
        f"field_{at}": draw(arrays(kind, rows, fits, not (types.is_list(kind) or types.is_map(kind))))
        for at, kind in enumerate(some)
    }


def both_ways(case: Case, columns: dict[str, pa.Array]) -> list[bytes]:
    """By each library the same; the payloads."""
    rows = batch_of(case.table, columns)
    slots: list[Slot] = [slot for _, slot in case.form._in_order]
    twin = descriptor(slots)
    by_column = column_wise(twin)
    assert by_column is not None
    assert case.form.encoder.startswith("protobuf-1 ptars ")
    case.form._serialize = by_column[0]
    fast = case.form.payloads(rows)
    case.form._serialize = row_wise(twin)
    assert case.form.payloads(rows).equals(fast)
    payloads: list[bytes] = fast.to_pylist()
    return payloads


@settings(max_examples=120, deadline=None)
@given(fields(), DECIMALS)
def test_both_ways_write_the_same_and_all_values_are_read_back(columns, decimal_as):
    """Broken: a value of some type, null or slice would reach consumers changed, or a resume on a machine without ptars
    would write other bytes and double rows."""
    case = Case({name: column.type for name, column in columns.items()}, decimal_as=decimal_as)
    for name, column in columns.items():
        assert case.form.misfits(name, column) is None
    messages = case.read(both_ways(case, columns))
    for name, column in columns.items():
        read = [comparable(read_field(message, name, column.type)) for message in messages]
        assert read == [comparable(value) for value in values_of(column)]
    for message in messages:
        assert (message.symbol, message.price) == ("BTCUSDT", 1.5)
        assert (message.event_time.seconds, message.event_time.nanos) == (1_700_000_000, 1000)


@settings(max_examples=40, deadline=None)
@given(fields())
def test_a_records_bytes_depend_on_nothing_beside_its_row(columns):
    """Broken: a resume cuts batches elsewhere; rows would have other bytes there, and be sent twice."""
    case = Case({name: column.type for name, column in columns.items()})
    alone = [
        case.write({name: column.slice(row, 1) for name, column in columns.items()})[0]
        for row in range(len(next(iter(columns.values()))))
    ]
    assert case.write(columns) == alone


@settings(max_examples=40, deadline=None)
@given(fields())
def test_bytes_are_those_that_protobuf_itself_writes(columns):
    """Broken: fields that hold a default, or their order, would differ from what other producers send: comparisons of
    bytes would see two values where there is one."""
    case = Case({name: column.type for name, column in columns.items()})
    if any("map" in str(column.type) for column in columns.values()):
        return  # protobuf writes entries in an order of its own
    payloads = case.write(columns)
    assert [message.SerializeToString() for message in case.read(payloads)] == payloads


@settings(max_examples=120, deadline=None)
@given(fields(fits=False))
def test_exactly_what_has_no_place_is_a_misfit_and_the_rest_is_written(columns):
    """Broken: a value that Protobuf cannot hold would be sent as another one, or a good row would be a bad one."""
    case = Case({name: column.type for name, column in columns.items()})
    good = np.ones(len(next(iter(columns.values()))), np.bool_)
    for name, column in columns.items():
        expected = [not fits(value, column.type, may_be_null=True) for value in values_of(column)]
        found = case.form.misfits(name, column)
        assert (found is not None) == any(expected)
        assert found is None or found.tolist() == expected
        good &= ~np.array(expected, np.bool_)
    kept = {name: column.filter(pa.array(good)) for name, column in columns.items()}
    messages = case.read(both_ways(case, kept))
    for name, column in kept.items():
        read = [comparable(read_field(message, name, column.type)) for message in messages]
        assert read == [comparable(value) for value in values_of(column)]


def fits(value: Any, kind: pa.DataType, *, may_be_null: bool) -> bool:
    """Whether a value of a generated schema has a place: said without arrays."""
    if value is None:
        return may_be_null and not types.is_list(kind) and not types.is_map(kind)
    if types.is_struct(kind):
        return all(fits(value[field.name], field.type, may_be_null=True) for field in kind)
    if types.is_list(kind):
        return all(fits(item, kind.value_type, may_be_null=False) for item in value)
    if types.is_map(kind):
        are_different = len({repr(key) for key, _ in value}) == len(value)
        return are_different and all(fits(item, kind.item_type, may_be_null=False) for _, item in value)
    unit, kind = (DAY_MS, pa.date32()) if types.is_date64(kind) else (1, kind)
    low, high = span(kind) or (None, None)
    return low is None or high is None or (value % unit == 0 and low <= value // unit <= high)


def test_what_lies_beneath_a_null_struct_is_neither_judged_nor_written():
    """Broken: leftovers of other rows under a null would make a good row bad, or leak into records."""
    children = [pa.array([2**62, 5]).view(pa.timestamp("s")), pa.array([[1], [2]], pa.list_(pa.int64()))]
    column = pa.StructArray.from_arrays(children, names=["at", "n"], mask=pa.array([True, False]))
    case = Case({"s": column.type})
    assert case.form.misfits("s", column) is None
    first, second = case.read(case.write({"s": column}))
    assert not first.HasField("s")
    assert (second.s.at.seconds, list(second.s.n)) == (5, [2])
    assert pc.all(column.is_valid()).as_py() is False
