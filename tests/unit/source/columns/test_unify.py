"""One type for a column over all files, and every value of it as it was."""

from __future__ import annotations

import itertools
import math
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replay.record.json_text import json_text
from replay.source.columns.unify import plain, unify, widen

D = Decimal
TEXT = pa.dictionary(pa.int32(), pa.string())

SAME = [
    ([pa.string(), pa.large_string(), pa.string_view(), TEXT], pa.string()),
    ([pa.dictionary(pa.int8(), pa.large_string())], pa.string()),
    ([pa.binary(), pa.binary(4), pa.large_binary(), pa.binary_view()], pa.binary()),
    ([pa.int32(), pa.int64()], pa.int64()),
    ([pa.uint8(), pa.uint16()], pa.uint16()),
    ([pa.uint8(), pa.int8()], pa.int16()),
    ([pa.uint32(), pa.int8()], pa.int64()),
    ([pa.uint64(), pa.int64()], pa.decimal128(20, 0)),
    ([pa.uint64(), pa.int8(), pa.int64()], pa.decimal128(20, 0)),
    ([pa.float32(), pa.float64()], pa.float64()),
    ([pa.int32(), pa.float32()], pa.float64()),
    ([pa.decimal128(10, 2), pa.decimal128(9, 8)], pa.decimal128(16, 8)),
    ([pa.decimal32(5, 2)], pa.decimal32(5, 2)),
    ([pa.decimal32(5, 2), pa.decimal64(12, 1)], pa.decimal128(13, 2)),
    ([pa.decimal128(38, 0), pa.decimal128(38, 8)], pa.decimal256(46, 8)),
    ([pa.int64(), pa.decimal128(10, 2)], pa.decimal128(21, 2)),
    ([pa.timestamp("ms", "UTC"), pa.timestamp("us")], pa.timestamp("us")),
    ([pa.timestamp("ns", "Asia/Tokyo")], pa.timestamp("ns")),
    ([pa.time32("s"), pa.time64("us")], pa.time64("us")),
    ([pa.duration("ns"), pa.duration("s")], pa.duration("ns")),
    ([pa.date32(), pa.date64()], pa.date32()),
    ([pa.null(), pa.float64(), pa.null()], pa.float64()),
    ([pa.null()], pa.null()),
    ([pa.bool_(), pa.bool_()], pa.bool_()),
    ([pa.uuid(), pa.uuid()], pa.uuid()),
    ([pa.json_(), pa.string()], pa.string()),
    ([pa.struct([("a", pa.int8()), ("b", TEXT)]), pa.struct([("c", pa.bool_()), ("a", pa.int16())])],
     pa.struct([("a", pa.int16()), ("b", pa.string()), ("c", pa.bool_())])),
    ([pa.list_(pa.int8()), pa.large_list(pa.int64()), pa.list_(pa.int8(), 2), pa.list_view(pa.null())],
     pa.list_(pa.int64())),
    ([pa.map_(pa.string(), pa.int8()), pa.map_(pa.large_string(), pa.int16())], pa.map_(pa.string(), pa.int16())),
]  # fmt: skip


@pytest.mark.parametrize(("kinds", "expected"), SAME, ids=str)
def test_these_types_have_this_one_in_common_in_whatever_order(kinds, expected):
    """Broken: whether two files go together, or the bytes of a row, depend on how the files are named."""
    for order in itertools.permutations(kinds):
        unified = unify(order)
        if pa.types.is_struct(expected):  # its fields keep the order in which they are first seen
            assert {field.name: field.type for field in unified} == {field.name: field.type for field in expected}
        else:
            assert unified == expected
    assert unify(kinds) == expected


DIFFERENT = [
    (pa.int64(), pa.float64()),
    (pa.uint32(), pa.float64()),
    (pa.decimal128(10, 2), pa.float64()),
    (pa.string(), pa.int64()),
    (pa.string(), pa.binary()),
    (pa.bool_(), pa.int8()),
    (pa.date32(), pa.timestamp("s")),
    (pa.decimal256(76, 0), pa.decimal256(76, 1)),
    (pa.uuid(), pa.binary()),
    (pa.list_(pa.int8()), pa.int8()),
    (pa.list_(pa.int64()), pa.list_(pa.float64())),
    (pa.struct([("a", pa.int8())]), pa.struct([("a", pa.string())])),
    (pa.map_(pa.string(), pa.int8()), pa.map_(pa.int8(), pa.int8())),
]


@pytest.mark.parametrize(("a", "b"), DIFFERENT, ids=str)
def test_types_that_contradict_each_other_are_both_named(a, b):
    """Broken: values are changed to make files fit, or the error does not say which types do not."""
    for one, other in ((a, b), (b, a)):
        with pytest.raises(TypeError) as caught:
            unify([one, other])
        assert str(plain(one)) in str(caught.value)
        assert str(other) in str(caught.value)
        with pytest.raises(TypeError, match="cannot become"):
            widen(pa.nulls(1, one), plain(other))


NUMBERS = st.sampled_from(
    [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float16(),
     pa.float32(), pa.float64(), pa.decimal128(5, 2), pa.decimal256(60, 10), pa.decimal128(20, 0), pa.null()]
)  # fmt: skip


def outcome(kinds: list[pa.DataType]) -> pa.DataType | None:
    try:
        common = kinds[0]
        for kind in kinds[1:]:
            common = unify([common, kind])
    except TypeError:
        return None
    return common


@settings(max_examples=500, deadline=None)
@given(
    st.lists(NUMBERS, min_size=1, max_size=4).flatmap(lambda kinds: st.tuples(st.just(kinds), st.permutations(kinds)))
)
@example(([pa.int8(), pa.uint8(), pa.decimal128(5, 2)], [pa.int8(), pa.decimal128(5, 2), pa.uint8()]))
@example(([pa.uint32(), pa.float64(), pa.int8()], [pa.uint32(), pa.int8(), pa.float64()]))
def test_numbers_go_together_whatever_the_order_of_files(orders):
    """Broken: a file more or less between two others decides whether these go together."""
    one, other = orders
    assert outcome(one) == outcome(other)


EXACT = [
    (pa.array(["a", None]).dictionary_encode(), pa.string(), ["a", None]),
    (pa.array([b"ab", None], pa.binary(2)), pa.binary(), [b"ab", None]),
    (pa.array(["a", None], pa.string_view()), pa.string(), ["a", None]),
    (pa.DictionaryArray.from_arrays(pa.array([1, None]), pa.array(["a", "b"], pa.string_view())), pa.string(),
     ["b", None]),
    (pa.array([2**64 - 1, None], pa.uint64()), pa.decimal128(20, 0), [D(2**64 - 1), None]),
    (pa.array([-(2**63)], pa.int64()), pa.decimal128(21, 2), [D(-(2**63))]),
    (pa.array([0.1, 3e38, None], pa.float32()), pa.float64(), [0.1, 3e38, None]),
    (pa.array([math.inf, -math.inf], pa.float32()), pa.float64(), [math.inf, -math.inf]),
    (pa.array([2**31 - 1], pa.int32()), pa.float64(), [2.0**31 - 1]),
    (pa.array([D("1.5"), None], pa.decimal32(5, 1)), pa.decimal256(50, 8), [D("1.5"), None]),
    (pa.array([1], pa.timestamp("ms", "Asia/Tokyo")), pa.timestamp("us"), [datetime(1970, 1, 1, 0, 0, 0, 1_000)]),
    (pa.array([date(2026, 11, 22)], pa.date64()), pa.date32(), [date(2026, 11, 22)]),
    (pa.nulls(2), pa.struct([("a", pa.int8())]), [None, None]),
    (pa.array([{"a": 1}, None], pa.struct([("a", pa.int8())])), pa.struct([("b", pa.string()), ("a", pa.int64())]),
     [{"b": None, "a": 1}, None]),
    (pa.array([{}, None], pa.struct([])), pa.struct([("a", pa.int8())]), [{"a": None}, None]),
    (pa.array([[0.1], None, [None]], pa.large_list(pa.float32())), pa.list_(pa.float64()), [[0.1], None, [None]]),
    (pa.array([[1, 2], None], pa.list_(pa.int8(), 2)), pa.list_(pa.int64()), [[1, 2], None]),
    (pa.array([["a"], []], pa.list_view(TEXT)), pa.list_(pa.string()), [["a"], []]),
    (pa.array([None, [(0, [("a", None), ("b", None)])]], pa.map_(pa.int8(), pa.map_(pa.string(), pa.null()))),
     pa.map_(pa.int8(), pa.map_(pa.string(), pa.bool_())), [None, [(0, [("a", None), ("b", None)])]]),
    (pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int8())), pa.map_(pa.string(), pa.int64()),
     [[("a", 1)], None, []]),
]  # fmt: skip


@pytest.mark.parametrize(("array", "kind", "values"), EXACT, ids=str)
def test_a_value_is_the_same_in_the_wider_type(array, kind, values):
    """Broken: a file's values change because another file has a wider type; or a slice shows its neighbours."""
    for start in range(len(array)):
        widened = widen(array[start:], kind)
        widened.validate(full=True)
        assert widened.type == kind
        assert widened.to_pylist() == values[start:]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20))
def test_a_single_precision_float_is_written_alike_in_a_file_of_doubles(values):
    """Broken: 0.1 becomes 0.10000000149011612 once a second file has doubles."""
    single = pa.array(values, pa.float32())
    double = widen(single, pa.float64())
    assert double.cast(pa.float32()).equals(single)
    for written, widened in zip(json_text(single)[1].to_pylist(), json_text(double)[1].to_pylist(), strict=True):
        assert (written == widened == b"null") or float(written) == float(widened)
        assert len(widened) <= 16


def test_what_has_no_place_in_the_finer_unit_raises_and_does_not_wrap():
    """Broken: the year 3000 in seconds becomes 1831 in nanoseconds."""
    year_3000 = pa.array([32_503_680_000], pa.timestamp("s"))
    with pytest.raises(ValueError, match="out of bounds"):
        widen(year_3000, pa.timestamp("ns"))
    with pytest.raises(ValueError, match="out of bounds"):
        widen(pa.array([[32_503_680_000]], pa.list_(pa.timestamp("s"))), pa.list_(pa.timestamp("ns")))
    with pytest.raises(ValueError, match="lose data"):
        widen(pa.array([1]).view(pa.date64()), pa.date32())


def test_what_lies_in_null_lists_does_not_come_along():
    """Broken: leftovers under nulls move the items of the lists behind them."""
    mask = pa.array([True, False])
    lists = pa.ListArray.from_arrays(pa.array([0, 2, 3], pa.int32()), pa.array([1, 2, 3], pa.int8()), mask=mask)
    assert widen(lists, pa.list_(pa.int64())).to_pylist() == [None, [3]]
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(4, dtype=np.int8)), 2, mask=mask)
    assert widen(fixed, pa.list_(pa.int64())).to_pylist() == [None, [2, 3]]
