"""Values as text: nothing is rounded, nothing is endless, and what differs is in sight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.verify.texts import FIELD_MAX, change, change_of_bytes, changes, cut, hexadecimal, json_text, moment
from replay.verify.texts import parsed_json as parsed


@pytest.mark.parametrize("text", ["1.10", "100000000000000000000.1", "-0.0", '{"a": [1, null, "ü\\n"], "b": {}}'])
def test_numbers_of_json_keep_their_digits(text: str) -> None:
    """Broken: two prices that differ in the last digit look the same."""
    assert json_text(parsed(text.encode())) == text


def test_only_fields_that_differ_are_told_by_their_path() -> None:
    """Broken: a reader searches forty fields for the one that is wrong."""
    expected = {"price": 2.0, "book": {"bids": [1, 2, 3], "asks": []}, "gone": 1, "same": "x"}
    found = {"price": 1.0, "book": {"bids": [1, 5, 3], "asks": [1]}, "same": "x", "new": None}
    assert list(changes(found, expected, "")) == [
        "price: 1.0, expected 2.0",
        "book.bids[1]: 5, expected 2",
        "book.asks: [1], expected []",
        "gone: missing, expected 1",
        "new: null, expected no such field",
    ]


@pytest.mark.parametrize(("found", "expected"), [(1, 1.0), (True, 1), (0.0, -0.0), (None, "null")])
def test_what_python_takes_for_equal_differs(found: object, expected: object) -> None:
    """Broken: bytes differ, and no field does."""
    assert list(changes({"a": found}, {"a": expected}, "")) == [
        f"a: {json_text(found)}, expected {json_text(expected)}"
    ]


def test_not_a_number_is_itself() -> None:
    """Broken: each NaN that is as it should be is told as a difference."""
    assert list(changes({"a": float("nan")}, {"a": float("nan")}, "")) == []


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_long_texts_show_where_they_begin_to_differ(before: str, one: str, other: str) -> None:
    """Broken: both sides are cut before they differ, and look the same."""
    if one[:1] == other[:1]:
        one, other = "a" + one, "b" + other
    told = change("x", before + one, before + other)
    there, _, wanted = told.removeprefix("x: ").rpartition(", expected ")
    assert there != wanted
    assert len(told) <= 2 * FIELD_MAX + 20


def test_bytes_are_digits_from_where_they_differ() -> None:
    """Broken: a megabyte of digits reaches the terminal."""
    assert change_of_bytes("value", b"\1\2", b"\1") == "value: 0x0102, expected 0x01"
    told = change_of_bytes("value", bytes(100) + b"\1" * 100, bytes(100) + b"\2")
    assert told == f"value from byte 92: 0x{'00' * 8}{'01' * 24}…, expected 0x{'00' * 8}02"


def test_long_values_are_cut() -> None:
    """Broken: one record fills the screen."""
    assert cut("abcdef", 3) == "abc… (6 characters)"
    assert hexadecimal(b"\0\xff") == "0x00ff"
    assert hexadecimal(bytes(5_000)) == f"0x{'00' * 32}… (5,000 bytes)"


@pytest.mark.parametrize(
    ("time_ms", "text"), [(0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (2**62, f"{2**62} ms")]
)
def test_any_timestamp_has_a_text(time_ms: int, text: str) -> None:
    """Broken: a record from beyond the calendar ends `verify` in a trace."""
    assert moment(time_ms) == text
