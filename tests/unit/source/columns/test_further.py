"""Further columns: what is bad in them is null and named, and the rest keeps its values."""

from __future__ import annotations

import pyarrow as pa
import pytest

from replay.fate import Fate
from replay.source.columns.further import DoesNotFit, to_field, to_key, to_partition

NO_TEXT = pa.array([b"a", b"\xff", None], pa.binary()).view(pa.string())


@pytest.mark.parametrize(
    "column",
    [
        NO_TEXT,
        pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int8()), NO_TEXT, safe=False),
        pa.StructArray.from_arrays([NO_TEXT], ["name"], mask=pa.array([False, False, True])),
        pa.ListArray.from_arrays([0, 1, 2, 2], NO_TEXT.slice(0, 2), mask=pa.array([False, False, True])),
    ],
    ids=["text", "dictionary", "struct", "list"],
)
def test_text_that_is_not_utf8_is_bad_however_deep(column):
    """Broken: a record that no JSON reader takes, or a crash on one row of millions."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    values, fates = to_field(column, kind)
    assert fates.tolist() == [Fate.SENT, Fate.FIELD_NOT_TEXT, Fate.SENT]
    assert values.is_null().to_pylist() == [False, True, True]


def test_a_bad_entry_of_a_dictionary_that_no_row_has_is_no_matter():
    """Broken: rows are called bad for a value of rows that were filtered out by the writer."""
    column = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int8()), NO_TEXT, safe=False)
    values, fates = to_field(column, pa.string())
    assert values.to_pylist() == ["a", "a"]
    assert fates.tolist() == [Fate.SENT, Fate.SENT]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_a_time_without_four_digits_of_a_year_has_no_text_form(unit):
    """Broken: a year 10000 that no RFC 3339 reader takes."""
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000}[unit]
    seconds = [-62_135_596_801, -62_135_596_800, 253_402_300_799, 253_402_300_800]
    column = pa.array([second * per_second for second in seconds], pa.timestamp(unit))
    values, fates = to_field(column, column.type)
    assert fates.tolist() == [Fate.FIELD_TOO_LATE, Fate.SENT, Fate.SENT, Fate.FIELD_TOO_LATE]
    assert values.is_null().to_pylist() == [True, False, False, True]


def test_a_time_that_a_finer_unit_cannot_hold_is_refused():
    """Broken: it wraps around and is sent as another one."""
    with pytest.raises(DoesNotFit):
        to_field(pa.array([2**60], pa.timestamp("s")), pa.timestamp("ns"))


def test_every_row_needs_a_key():
    """Broken: rows without a key are spread over the partitions, in no order."""
    assert to_key(NO_TEXT, pa.string())[1].tolist() == [Fate.SENT, Fate.FIELD_NOT_TEXT, Fate.KEY_MISSING]


def test_a_partition_is_a_number_that_kafka_knows():
    """Broken: an overflow sends rows to another partition."""
    numbers, fates = to_partition(pa.array([0, 2**31 - 1, 2**31, -1, None]))
    assert numbers.to_pylist() == [0, 2**31 - 1, 0, 0, 0]
    assert fates.tolist() == [Fate.SENT] * 2 + [Fate.PARTITION_WRONG] * 3
