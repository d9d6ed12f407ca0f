"""Text that several formats write for values without a type of their own, against Python's own."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.record.texts import decimal_texts, duration_texts, uuid_texts


@given(st.lists(st.none() | st.uuids(), max_size=9), st.integers(0, 3))
def test_uuids_are_those_of_python(uuids, start):
    """Broken: an id is written that no one finds again, of a slice those of the rows before it, or a null has one."""
    column = pa.array([uuid and uuid.bytes for uuid in uuids], pa.uuid())[start:]
    texts = uuid_texts(column)
    texts.validate(full=True)
    assert texts.to_pylist() == [uuid and str(uuid) for uuid in uuids[start:]]


def test_a_column_of_nulls_has_no_texts():
    """Broken: a column in which nothing stands ends the replay."""
    assert uuid_texts(pa.nulls(2, pa.uuid())).to_pylist() == [None, None]
    assert decimal_texts(pa.nulls(2, pa.decimal128(9, 8))).to_pylist() == [None, None]
    assert duration_texts(pa.nulls(2, pa.duration("ns"))).to_pylist() == [None, None]


@pytest.mark.parametrize("uuid", [UUID(int=0), UUID(int=2**128 - 1)])
def test_the_first_and_the_last_uuid(uuid):
    """Broken: digits are lost in front."""
    assert uuid_texts(pa.array([uuid.bytes], pa.uuid())).to_pylist() == [str(uuid)]


def test_decimals_have_all_digits_and_no_exponent():
    """Broken: a reader gets 1E-7, or fewer digits than the column has."""
    column = pa.array([Decimal("0.0000001"), Decimal(-1), None], pa.decimal128(20, 7))
    assert decimal_texts(column).to_pylist() == ["0.0000001", "-1.0000000", None]


def test_durations_are_iso_8601_in_seconds():
    """Broken: a duration is read as another one, or not at all."""
    column = pa.array([1_500, -1, 0, None], pa.duration("ms"))
    assert duration_texts(column).to_pylist() == ["PT1.500S", "-PT0.001S", "PT0.000S", None]
