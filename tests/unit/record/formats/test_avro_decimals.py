"""Decimals as bytes, against Python's integers."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.record.formats import avro_decimals
from tests.unit.record.formats.avro_oracle import column

WIDTHS = [pa.decimal128(38, 10), pa.decimal256(76, 38)]


@pytest.mark.parametrize("kind", WIDTHS, ids=str)
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "00"), (1, "01"), (-1, "ff"), (127, "7f"), (128, "0080"), (-128, "80"), (-129, "ff7f"),
        (255, "00ff"), (256, "0100"), (-256, "ff00"), (2**31, "0080000000"), (-(2**63), "8000000000000000"),
        (2**63 - 1, "7fffffffffffffff"), (2**63, "008000000000000000"), (-(2**63) - 1, "ff7fffffffffffffff"),
    ],
)  # fmt: skip
def test_numbers_have_as_few_bytes_as_hold_them(kind, number, expected):
    """Broken: other bytes than a Java producer's for the same price, so that compaction or a comparison differs."""
    assert avro_decimals.minimal(column(kind, [number]))[0].as_py().hex() == expected


@given(st.data(), st.sampled_from(WIDTHS), st.integers(0, 3))
def test_bytes_are_those_of_python(data, kind, start):
    """Broken: a digit or the sign is lost, or a slice shows its neighbours."""
    limit = 10**kind.precision - 1
    sizes = st.sampled_from([2**7, 2**15, 2**32, 2**55, 2**63, 2**64, 2**70, limit])
    numbers = data.draw(
        st.lists(st.none() | sizes.flatmap(lambda size: st.integers(-min(size, limit), min(size, limit))), max_size=6)
    )
    array = column(kind, numbers)[start:]
    minimal, sized = avro_decimals.minimal(array), avro_decimals.of_size(array, 33)
    minimal.validate(full=True)
    sized.validate(full=True)
    expected = [None if number is None else number.to_bytes(33, "big", signed=True) for number in numbers[start:]]
    assert sized.to_pylist() == expected
    for found, whole in zip(minimal.to_pylist(), expected, strict=True):
        if whole is not None:
            number = int.from_bytes(whole, "big", signed=True)
            bits = (number if number >= 0 else ~number).bit_length()
            assert found == number.to_bytes(bits // 8 + 1, "big", signed=True)
        else:
            assert found is None


@pytest.mark.parametrize("kind", WIDTHS, ids=str)
def test_columns_of_nothing(kind):
    """Broken: an empty batch, or one of nulls, ends the replay."""
    for array in (column(kind, []), pa.nulls(3, kind), column(kind, [1, None])[1:]):
        assert avro_decimals.minimal(array).to_pylist() == [None] * len(array)
        assert avro_decimals.of_size(array, 16).to_pylist() == [None] * len(array)
        assert avro_decimals.misfits(array, 3, 1) is None
