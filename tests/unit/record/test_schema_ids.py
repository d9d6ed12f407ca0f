"""Schema ids before values: found and replaced by columns, as they are value by value."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.record.schema_ids import ids_in, translated, unknown

ID = st.sampled_from([0, 1, 7, 255, 256, 100_000, 2**31 - 1])
FRAMED = st.builds(lambda number, rest: struct.pack(">bI", 0, number) + rest, ID, st.binary(max_size=4))
VALUE = st.none() | FRAMED | st.binary(max_size=7) | st.just(b"\0\0\0\0") | st.just(b"\0\0\0\0\0")
TABLE = st.dictionaries(ID, ID, max_size=3)


def id_of(value: bytes | None) -> int | None:
    if value is None or len(value) < 5 or value[0] != 0:
        return None
    number: int = struct.unpack(">I", value[1:5])[0]
    return number


def one_translated(value: bytes | None, table: Mapping[int, int]) -> bytes | None:
    number = id_of(value)
    if value is None or number is None or number not in table:
        return value
    return b"\0" + struct.pack(">I", table[number]) + value[5:]


@given(st.lists(VALUE, max_size=12), TABLE, st.integers(0, 3), st.integers(0, 3))
def test_columns_are_treated_as_their_values_are(
    values: list[bytes | None], table: dict[int, int], front: int, behind: int
) -> None:
    """Broken: a value gets another's id, loses a byte, or a slice of a column is read from its beginning."""
    column = pa.array([*[b"\0\0\0\0\x07x"] * front, *values, *[None] * behind], pa.binary())[front:]
    column = column[: len(values)]
    found = translated(column, table)
    found.validate(full=True)
    assert found.to_pylist() == [one_translated(value, table) for value in values]
    ids = [id_of(value) for value in values]
    assert ids_in(column) == {number for number in ids if number is not None}
    wrong = [number is not None and number not in table for number in ids]
    found_wrong = unknown(column, table)
    assert (found_wrong.tolist() if found_wrong is not None else [False] * len(values)) == wrong


def test_the_column_given_stays_as_it_is() -> None:
    """Broken: the rows of a batch change under whoever else holds them, and are translated twice."""
    column = pa.array([b"\0\0\0\0\x01a", None])
    assert translated(column, {1: 2}).to_pylist() == [b"\0\0\0\0\x02a", None]
    assert column.to_pylist() == [b"\0\0\0\0\x01a", None]


@pytest.mark.parametrize("column", [pa.array([], pa.binary()), pa.nulls(3, pa.binary()), pa.array([b"", b""])])
def test_columns_without_data(column: pa.Array) -> None:
    """Broken: a batch of tombstones ends the replay."""
    assert (ids_in(column), unknown(column, {1: 2})) == (set(), None)
    assert translated(column, {1: 2}).equals(column)
