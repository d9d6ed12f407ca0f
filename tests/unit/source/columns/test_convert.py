"""Times and prices of any accepted type: exact or bad, and never an exception."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replay import iso8601
from replay.fate import Fate
from replay.source.columns.convert import infer_time_unit, price_type, time_type, to_price, to_time
from replay.source.columns.unify import unify
from replay.source.selection.moment import parse_moment

D = Decimal
NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
LAST_NS = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = st.sampled_from(list(NS))
TEXT = pa.dictionary(pa.int32(), pa.string())


def fates_of(result: tuple[pa.Array, np.ndarray]) -> list[str]:
    array, fates = result
    assert len(array) == len(fates)
    assert fates.dtype == np.int8
    assert not array.null_count or pa.types.is_null(array.type)
    return [Fate(fate).name for fate in fates]


def no_utf8() -> pa.Array:
    """A text of two bytes that are none."""
    offsets = np.array([0, 2], dtype=np.int32).tobytes()
    return pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(offsets), pa.py_buffer(b"\xff\xfe")])


# -- times ------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(UNITS, st.datetimes(datetime(1970, 12, 20), datetime(2262, 4, 10)), st.integers(0, 86_400))
def test_the_unit_of_a_likely_time_is_told_by_its_magnitude(unit, when, more_s):
    """Broken: times in ms are taken for us, and a year of trades goes into eight hours of 1970."""
    ns = (when.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) * 1_000
    assert infer_time_unit(ns // NS[unit], (ns + more_s * 10**9) // NS[unit]) == unit


@pytest.mark.parametrize(
    ("smallest", "largest"),
    [(0, 1_795_341_600), (1_795_341_600, 1_795_341_600_000), (-1_795_341_600, 1_795_341_600), (20_261_122, 20_261_123),
     (29_999_999, 29_999_999), (9_223_372_037, 9_223_372_037), (2**63, 2**64 - 1)],
)  # fmt: skip
def test_what_is_of_no_one_unit_is_not_guessed(smallest, largest):
    """Broken: a date written as 20261122, or a 0 for "no time", is taken for seconds."""
    assert infer_time_unit(smallest, largest) is None


@pytest.mark.parametrize(
    ("kind", "unit", "expected"),
    [
        (pa.timestamp("ms"), None, pa.timestamp("ms")),
        (pa.timestamp("ns", "Asia/Tokyo"), "s", pa.timestamp("ns")),
        (pa.dictionary(pa.int8(), pa.timestamp("us")), None, pa.timestamp("us")),
        (pa.int64(), "ms", pa.timestamp("ms")),
        (pa.uint32(), "s", pa.timestamp("s")),
        (pa.int64(), None, None),
        (pa.string(), None, pa.timestamp("us")),
        (pa.large_string(), "ms", pa.timestamp("us")),
        (pa.string_view(), "ns", pa.timestamp("ns")),
        (TEXT, "us", pa.timestamp("us")),
        (pa.null(), None, pa.timestamp("s")),
        (pa.date32(), "s", None),
        (pa.date64(), "ms", None),
        (pa.float64(), "s", None),
        (pa.decimal128(20, 0), "s", None),
        (pa.bool_(), "s", None),
        (pa.time64("us"), None, None),
        (pa.binary(), None, None),
        (pa.struct([("s", pa.int64())]), "s", None),
    ],
    ids=str,
)
def test_the_type_that_a_column_of_times_becomes(kind, unit, expected):
    """Broken: what is no time is taken for one, or the other way round."""
    assert time_type(kind, unit) == expected


def expected_time(value: int, unit: str, target: str) -> tuple[str, int]:
    ns = value * NS[unit]
    if ns < 10**6:
        return "TIME_TOO_EARLY", 0
    if ns > LAST_NS:
        return "TIME_TOO_LATE", 0
    return ("SENT", ns // NS[target]) if ns % NS[target] == 0 else ("TIME_NEEDS_NS", 0)


INTEGERS = {pa.int64(): (-(2**63), 2**63 - 1), pa.uint64(): (0, 2**64 - 1), pa.int32(): (-(2**31), 2**31 - 1),
            pa.uint8(): (0, 255), pa.int8(): (-128, 127)}  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.data(), UNITS, UNITS)
def test_integers_and_timestamps_are_exact_or_bad_and_nothing_wraps(data, unit, target):
    """Broken: a time out of range comes round as a plausible one, or digits are cut off in silence."""
    kind = data.draw(st.sampled_from([*INTEGERS, pa.timestamp(unit), pa.timestamp(unit, "Europe/Berlin")]))
    low, high = INTEGERS.get(kind, INTEGERS[pa.int64()])
    edges = [low, high, 0, *(bound // NS[unit] + by for bound in (10**6, LAST_NS) for by in (-1, 0, 1))]
    edges = [edge for edge in edges if low <= edge <= high]
    numbers = st.one_of(st.none(), st.sampled_from(edges), st.integers(low, high))
    values = data.draw(st.lists(numbers, min_size=1, max_size=10))
    column = pa.array(values, kind) if pa.types.is_integer(kind) else pa.array(values, pa.int64()).view(kind)
    start = data.draw(st.integers(0, len(values) - 1))
    result = to_time(column[start:], pa.timestamp(target), unit)
    expected = [
        ("TIME_MISSING", 0) if value is None else expected_time(value, unit, target) for value in values[start:]
    ]
    assert fates_of(result) == [fate for fate, _ in expected]
    assert result[0].type == pa.timestamp(target)
    assert result[0].view(pa.int64()).to_pylist() == [value for _, value in expected]


DAY = "2026-11-22"
NOON_NS = 1_795_348_800 * 10**9

TEXTS = [
    (f"{DAY}T12:00:00Z", NOON_NS),
    (f"{DAY} 12:00:00", NOON_NS),
    (f"{DAY}T12:00", NOON_NS),
    (f"{DAY}T12", NOON_NS),
    (f"{DAY}T14:00:00+02:00", NOON_NS),
    (f"{DAY}T14:00:00+0200", NOON_NS),
    (f"{DAY}T14:00:00+02", NOON_NS),
    (f"{DAY}T09:30:00-02:30", NOON_NS),
    ("2026-11-23T00:00:00+12:00", NOON_NS),
    (f"{DAY}T12:00:00.1Z", NOON_NS + 10**8),
    (f"{DAY}T12:00:00.032185", NOON_NS + 32_185_000),
    (f"{DAY}T12:00:00.123456000+00:00", NOON_NS + 123_456_000),
    ("2024-02-29T00:00:00", 1_709_164_800 * 10**9),
    ("1970-01-01T00:00:00.001Z", 10**6),
    (None, "TIME_MISSING"),
    ("", "TIME_MISSING"),
    (DAY, "TIME_NO_CLOCK"),
    ("20261122", "TIME_NO_CLOCK"),
    ("2026-W47-7", "TIME_NO_CLOCK"),
    ("2026-326", "TIME_NO_CLOCK"),
    ("12:00:00Z", "TIME_NO_DATE"),
    (f"{DAY}Z", "TIME_NOT_A_TIME"),
    (f"{DAY}T12:00:00.1234567", "TIME_NEEDS_NS"),
    (f"{DAY}T12:00:00.123456789Z", "TIME_NEEDS_NS"),
    (f"{DAY}T12:00:00.1234560000", NOON_NS + 123_456_000),
    (f"{DAY}T12:00:00.12345600000000000000000", NOON_NS + 123_456_000),
    (f"{DAY}T12:00:00.1234567891", "TIME_TOO_FINE"),
    (f"{DAY}T12:00:00.00000000000000000001Z", "TIME_TOO_FINE"),
    (f"{DAY}T12:00:00,5", NOON_NS + 5 * 10**8),
    (f"{DAY}t12:00:00z", NOON_NS),
    (f"{DAY} 12:00:00 Z", NOON_NS),
    (f"{DAY} 13:00:00 +0100", NOON_NS),
    (f"{DAY}T13:30+0130", NOON_NS),
    (f"{DAY}T07:00:00\u221205:00", NOON_NS),
    (f"{DAY}T12:00:00-00:00", NOON_NS),
    (f"{DAY}T12:00,5Z", NOON_NS + 30 * 10**9),
    (f"{DAY}T12.5", NOON_NS + 1_800 * 10**9),
    (f"{DAY}T12:00.000001", NOON_NS + 60_000),
    (f"{DAY}T1200", NOON_NS),
    ("20261122T120000", NOON_NS),
    ("20261122T120000,25Z", NOON_NS + 25 * 10**7),
    ("20261122T1230+0030", NOON_NS),
    ("20261122 12", NOON_NS),
    ("2026-W47-7T12:00:00Z", NOON_NS),
    ("2026W477T120000Z", NOON_NS),
    ("2020-W53-7T00:00:00", 1_609_632_000 * 10**9),
    ("2021-W53-1T00:00:00", "TIME_NOT_A_TIME"),
    ("2026-W00-1T00:00:00", "TIME_NOT_A_TIME"),
    ("2026-W47-8T00:00:00", "TIME_NOT_A_TIME"),
    ("2026-W47-0T00:00:00", "TIME_NOT_A_TIME"),
    ("2026-326T12:00:00Z", NOON_NS),
    ("2026326T120000Z", NOON_NS),
    ("2024-366T00:00", 1_735_603_200 * 10**9),
    ("2026-366T00:00", "TIME_NOT_A_TIME"),
    ("2026-000T00:00", "TIME_NOT_A_TIME"),
    ("2026-11-21T24:00:00Z", NOON_NS - 43_200 * 10**9),
    ("2026-11-21T24:00", NOON_NS - 43_200 * 10**9),
    ("2026-11-21T24:00:00,000", NOON_NS - 43_200 * 10**9),
    (f"{DAY}T24:00:00.000001", "TIME_NOT_A_TIME"),
    (f"{DAY}T24:00:01", "TIME_NOT_A_TIME"),
    (f"{DAY}T24:00:00+24:00", "TIME_NOT_A_TIME"),
    (f"{DAY}T12:00:00.", "TIME_NOT_A_TIME"),
    (f"{DAY}T12:00:00 ", "TIME_NOT_A_TIME"),
    (f"{DAY}T12:60:00", "TIME_NOT_A_TIME"),
    (f"{DAY}T12:00:60", "TIME_LEAP_SECOND"),
    ("2016-12-31T23:59:60Z", "TIME_LEAP_SECOND"),
    ("20161231T235960,5Z", "TIME_LEAP_SECOND"),
    ("2016-W52-6T23:59:60.123456789+00", "TIME_LEAP_SECOND"),
    (f"{DAY}T12:00:61", "TIME_NOT_A_TIME"),
    (f"{DAY}T12:00:00+24:00", "TIME_NOT_A_TIME"),
    (f"{DAY}T12:00:00+02:60", "TIME_NOT_A_TIME"),
    (f"{DAY}T13:00:00+01:00[Europe/Berlin]", "TIME_ZONE_NAME"),
    (f"{DAY}T12:00:00Z[UTC]", "TIME_ZONE_NAME"),
    (f"{DAY} 12:00:00 UTC", "TIME_ZONE_NAME"),
    (f"{DAY} 13:00:00.5 Europe/Berlin", "TIME_ZONE_NAME"),
    (f"+002026{DAY[4:]}T12:00:00", "TIME_LONG_YEAR"),
    (f" {DAY}T12:00:00", "TIME_NOT_A_TIME"),
    (f"{DAY}T12:00:00Z\n", "TIME_NOT_A_TIME"),
    (f"{DAY}X12:00:00", "TIME_NOT_A_TIME"),
    ("2026-02-29T00:00:00", "TIME_NOT_A_TIME"),
    ("2026-13-01T00:00:00", "TIME_NOT_A_TIME"),
    ("2026-00-01T00:00:00", "TIME_NOT_A_TIME"),
    ("2026-01-00T00:00:00", "TIME_NOT_A_TIME"),
    ("1795348800", "TIME_NUMBER"),
    ("1795348800123.5", "TIME_NUMBER"),
    ("\uff12026-11-22T12:00:00", "TIME_NOT_A_TIME"),
    ("1970-01-01T00:00:00.000999Z", "TIME_TOO_EARLY"),
    ("1970-01-01T00:00:00+00:01", "TIME_TOO_EARLY"),
    ("0000-01-01T00:00:00", "TIME_TOO_EARLY"),
    ("1500-01-01T00:00:00", "TIME_TOO_EARLY"),
    ("2300-01-01T00:00:00", "TIME_TOO_LATE"),
    ("2262-04-11T23:47:17Z", "TIME_TOO_LATE"),
    ("2262-04-11T23:47:16.854775808Z", "TIME_TOO_LATE"),
    ("9999-12-31T23:59:59", "TIME_TOO_LATE"),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_a_time_as_text_alone_and_among_others(text, expected):
    """Broken: what becomes of a row depends on the rows beside it; a resume in the middle would differ."""
    fate, value = (expected, 0) if isinstance(expected, str) else ("SENT", expected // 1_000)
    for neighbour in (None, "2026-11-22T12:00:00Z", "2026-11-22T12:00:00", "rubbish", DAY):
        array, fates = to_time(pa.array([text, neighbour], pa.string()), pa.timestamp("us"), None)
        assert fates_of((array[:1], fates[:1])) == [fate]
        assert array.view(pa.int64())[0].as_py() == value
    for kind in (pa.large_string(), pa.string_view(), TEXT):
        array, fates = to_time(pa.array([text], pa.string()).cast(kind), pa.timestamp("us"), None)
        assert fates_of((array, fates)) == [fate]


FAMILIES = st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%G-W%V-%u", "%GW%V%u", "%Y-%j", "%Y%j"])
CLOCKS = st.sampled_from(["%H:%M:%S", "%H%M%S", "%H:%M", "%H%M", "%H"])
OFFSETS = st.sampled_from(["", "Z", "z", " Z", "+01", "+0130", "-05:30", " +0000", "\u221203"])


@settings(max_examples=500, deadline=None)
@given(
    st.datetimes(datetime(1970, 1, 3), datetime(2262, 4, 9)),
    FAMILIES, CLOCKS, st.sampled_from("Tt "), st.sampled_from(".,"), st.integers(0, 10**9 - 1), st.booleans(), OFFSETS,
)  # fmt: skip
def test_columns_and_options_read_every_form_as_the_same_moment(when, date, clock, sep, point, fraction, exact, offset):
    """Broken: a form that ISO 8601 allows is another moment in a column than in --from, or another than Python's."""
    digits = f"{point}{fraction:09}" if exact else ""
    text = f"{when.strftime(date + sep + clock)}{digits}{offset}"
    shown = datetime.strptime(when.strftime("%Y-%m-%d " + clock), "%Y-%m-%d " + clock).replace(tzinfo=UTC)
    zone = offset.strip().replace("\u2212", "-").replace(":", "").replace("z", "Z").replace("Z", "")
    east_s = int(f"{zone[0]}1") * (int(zone[1:3]) * 3_600 + int(zone[3:] or 0) * 60) if zone else 0
    unit = {"S": 1, "M": 60, "H": 3_600}[clock[-1]]
    ns = ((shown - EPOCH) // timedelta(seconds=1) - east_s) * 10**9 + (fraction * unit if exact else 0)
    array, fates = to_time(pa.array([text]), pa.timestamp("ns"), None)
    assert fates_of((array, fates)) == ["SENT"]
    assert array.view(pa.int64())[0].as_py() == ns
    assert (parse_moment(text, "--from").ns, parse_moment(text, "--from").zone) == (ns, offset != "")


@pytest.mark.parametrize(("text", "expected"), [each for each in TEXTS if each[0]])
def test_options_take_and_refuse_what_columns_do(text, expected):
    """Broken: --from names a moment that no row can have, or the two call the same fault by different names."""
    found = iso8601.parse(text)
    if isinstance(expected, int):
        assert isinstance(found, iso8601.Parsed)
        assert found.ns == expected
    elif expected.startswith("TIME_TOO_") and expected != "TIME_TOO_FINE":
        assert isinstance(found, iso8601.Parsed) or text.startswith("0000")  # Python's years begin with 1
    elif expected == "TIME_NO_CLOCK":
        assert isinstance(found, iso8601.Parsed)
        assert not found.clock
    elif expected != "TIME_NEEDS_NS":
        assert str(found) == Fate[expected].reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2026-11-22T12:00:00.123456789Z", NOON_NS + 123_456_789), ("2262-04-11T23:47:16.854775807Z", LAST_NS)],
)
def test_nine_digits_are_kept_where_they_were_asked_for(text, expected):
    """Broken: nanoseconds in text are cut off, or the last moment wraps."""
    array, fates = to_time(pa.array([text]), pa.timestamp("ns"), None)
    assert fates_of((array, fates)) == ["SENT"]
    assert array.view(pa.int64()).to_pylist() == [expected]
    mixed = to_time(pa.array([text, text.replace(".", ",")]), pa.timestamp("ns"), None)
    assert mixed[0].view(pa.int64()).to_pylist() == [expected] * 2


ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1970, 1, 3), datetime(2262, 4, 9)), ZONES, st.booleans(), st.sampled_from("T ")
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(["us", "ns"]),
)
def test_a_time_as_text_is_the_moment_that_python_reads(moments, unit):
    """Broken: an offset counts the wrong way round, or a leap year is missed."""
    written = [(when.replace(tzinfo=zone) if zoned else when).isoformat(sep) for when, zone, zoned, sep in moments]
    read = [datetime.fromisoformat(text) for text in written]
    ns = [(when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC) - EPOCH for when in read]
    result = to_time(pa.array(written), pa.timestamp(unit), None)
    assert fates_of(result) == ["SENT"] * len(written)
    expected = [each // timedelta(microseconds=1) * 1_000 // NS[unit] for each in ns]
    assert result[0].view(pa.int64()).to_pylist() == expected


NEARLY = st.from_regex(
    r"\A[12]\d{3}-[01]\d-[0-3]\d[T ]?[0-2]?\d?(:[0-6]\d)?(:[0-6]\d)?(\.\d{0,10})?(Z|[+-]\d\d:?\d?\d?)?\Z"
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(NEARLY, st.text(max_size=30)), min_size=1, max_size=3))
def test_any_text_has_a_fate_and_the_same_one_beside_others(texts):
    """Broken: a text raises, or reading a whole column at once takes what reading part by part refuses."""
    together = to_time(pa.array([*texts, "rubbish"]), pa.timestamp("us"), None)
    alone = [to_time(pa.array([text]), pa.timestamp("us"), None) for text in texts]
    assert fates_of(together)[:-1] == [fates_of(each)[0] for each in alone]
    assert together[0][:-1].to_pylist() == [each[0][0].as_py() for each in alone]


def test_bytes_that_are_no_text_are_neither_times_nor_numbers():
    """Broken: one damaged text ends the run with a traceback."""
    assert fates_of(to_time(no_utf8(), pa.timestamp("us"), None)) == ["TIME_NOT_A_TIME"]
    assert fates_of(to_price(no_utf8(), pa.string(), scale=None)) == ["PRICE_NOT_A_NUMBER"]


def test_an_empty_column_and_one_without_a_value():
    """Broken: an empty day, or one that pandas wrote without a type, stops the replay of the others."""
    for kind in (pa.string(), pa.int64(), pa.timestamp("us"), pa.null()):
        assert fates_of(to_time(pa.array([], kind), pa.timestamp("us"), "us")) == []
        assert fates_of(to_time(pa.nulls(2, kind), pa.timestamp("us"), "us")) == ["TIME_MISSING"] * 2
    for kind in (pa.string(), pa.int64(), pa.float64(), pa.null()):
        became = price_type(kind, scale=None)
        assert fates_of(to_price(pa.array([], kind), became, scale=None)) == []
        assert fates_of(to_price(pa.nulls(2, kind), became, scale=None)) == ["PRICE_MISSING"] * 2
    assert fates_of(to_price(pa.nulls(1), pa.decimal128(5, 5), scale=None)) == ["PRICE_MISSING"]


# -- prices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "scale", "expected"),
    [
        (pa.float64(), None, pa.float64()),
        (pa.float64(), 8, pa.float64()),
        (pa.float16(), None, pa.float32()),
        (pa.decimal128(38, 8), 2, pa.decimal128(38, 8)),
        (pa.int64(), None, pa.int64()),
        (pa.int32(), 8, pa.decimal128(38, 8)),
        (pa.uint64(), 0, pa.decimal128(38, 0)),
        (pa.string_view(), None, pa.string()),
        (TEXT, None, pa.string()),
        (pa.dictionary(pa.int8(), pa.float32()), None, pa.float32()),
        (pa.null(), None, pa.null()),
        (pa.bool_(), None, None),
        (pa.timestamp("us"), 8, None),
        (pa.duration("us"), None, None),
        (pa.binary(), None, None),
        (pa.list_(pa.float64()), None, None),
    ],
    ids=str,
)
def test_the_type_that_a_column_of_prices_becomes(kind, scale, expected):
    """Broken: what is no number is taken for a price, or the other way round."""
    assert price_type(kind, scale=scale) == expected


@settings(deadline=None)
@given(st.data(), st.integers(0, 38))
def test_an_integer_price_with_decimal_places_is_exact(data, scale):
    """Broken: a price is off by a digit, or by a power of ten."""
    kind = data.draw(st.sampled_from(list(INTEGERS)))
    low, high = INTEGERS[kind]
    values = data.draw(st.lists(st.one_of(st.none(), st.integers(low, high)), min_size=1, max_size=8))
    column = pa.array(values, kind)[data.draw(st.integers(0, len(values) - 1)) :]
    became = price_type(kind, scale=scale)
    array, fates = to_price(column, became, scale=scale)
    assert fates_of((array, fates)) == [
        "SENT" if value is not None else "PRICE_MISSING" for value in column.to_pylist()
    ]
    assert array.type == became
    for value, price in zip(column.to_pylist(), array.to_pylist(), strict=True):
        assert price.scaleb(scale) == (value or 0)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=8), st.sampled_from([64, 32, 16]))
def test_a_float_price_is_itself_or_bad(values, bits):
    """Broken: NaN goes out as a price, or a good price changes."""
    kind = {64: pa.float64(), 32: pa.float32(), 16: pa.float16()}[bits]
    with np.errstate(over="ignore"):
        narrow = [None if value is None else np.dtype(f"f{bits // 8}").type(value) for value in values]
    column, kept = pa.array(narrow, kind), [None if value is None else float(value) for value in narrow]
    array, fates = to_price(column, price_type(kind, scale=None), scale=None)
    for value, price, fate in zip(kept, array.to_pylist(), fates_of((array, fates)), strict=True):
        if value is None or not math.isfinite(value):
            assert fate == ("PRICE_MISSING" if value is None else "PRICE_NOT_FINITE")
            assert price == 0
        else:
            assert (fate, price) == ("SENT", value)


PRICES = [
    ("50034.56000000", "50034.56000000"),
    ("1e-7", "1e-7"),
    ("-0.5E+3", "-0.5E+3"),
    ("-0", "-0"),
    (" 12 ", "12"),
    ("\t7\n", "7"),
    ("007.50", "7.50"),
    ("-000.10", "-0.10"),
    ("00", "0"),
    (".5", "0.5"),
    ("-.5e1", "-0.5e1"),
    ("5.", "5"),
    ("05.e3", "5e3"),
    (None, "PRICE_MISSING"),
    ("", "PRICE_MISSING"),
    ("  ", "PRICE_MISSING"),
    ("NaN", "PRICE_NOT_FINITE"),
    ("nan", "PRICE_NOT_FINITE"),
    ("-Infinity", "PRICE_NOT_FINITE"),
    ("inf", "PRICE_NOT_FINITE"),
    ("+5", "PRICE_NOT_A_NUMBER"),
    ("1,000", "PRICE_NOT_A_NUMBER"),
    ("1_000", "PRICE_NOT_A_NUMBER"),
    ("1 000", "PRICE_NOT_A_NUMBER"),
    ("0x10", "PRICE_NOT_A_NUMBER"),
    (".", "PRICE_NOT_A_NUMBER"),
    ("1e", "PRICE_NOT_A_NUMBER"),
    ("--1", "PRICE_NOT_A_NUMBER"),
    ("\uff11\uff12", "PRICE_NOT_A_NUMBER"),
    ("$5", "PRICE_NOT_A_NUMBER"),
    ("5}", "PRICE_NOT_A_NUMBER"),
    ("null", "PRICE_NOT_A_NUMBER"),
]


@pytest.mark.parametrize(("text", "expected"), PRICES)
def test_a_price_as_text_keeps_its_digits_alone_and_among_others(text, expected):
    """Broken: a text that is no number breaks the JSON of its record, or an exact price is rounded."""
    bad = expected.startswith("PRICE")
    for column in (pa.array([text], pa.string()), pa.array(["1", text, "x", None], pa.string())[1:],
                   pa.array([text], pa.large_string()), pa.array([text], pa.string()).dictionary_encode()):  # fmt: skip
        array, fates = to_price(column, pa.string(), scale=None)
        assert fates_of((array, fates))[0] == (expected if bad else "SENT")
        assert array[0].as_py() == ("0" if bad else expected)


def read_by_python(text: str | None) -> Decimal | None:
    """The number, if it is one without a plus in front, underscores and digits or blanks of other scripts."""
    if text is None or text.strip()[:1] == "+" or not set(text) <= set("0123456789.+-eE \t\r\n\f"):
        return None
    try:
        return D(text)
    except InvalidOperation:
        return None


NEARLY_NUMBERS = st.text("0123456789.+-eE_ \t\r\n\f\v", max_size=8)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=6), NEARLY_NUMBERS), max_size=4))
@example(["1", "1\n", "01", None])
@example(["-00.0e-1"])
def test_any_text_is_a_number_of_the_same_digits_or_bad(texts):
    """Broken: a text raises, its value changes, or what is sent is no JSON."""
    array, fates = to_price(pa.array(texts, pa.string()), pa.string(), scale=None)
    for text, price, fate in zip(texts, array.to_pylist(), fates_of((array, fates)), strict=True):
        number = read_by_python(text)
        assert (fate == "SENT") == (number is not None)
        sent = json.loads(price, parse_float=D, parse_int=D)
        assert sent.as_tuple() == (D(0) if number is None else number).as_tuple()


def test_prices_of_files_with_other_types_meet_in_one():
    """Broken: a price changes because another file has a wider type."""
    kind = unify([price_type(pa.int64(), scale=2), price_type(pa.decimal128(9, 3), scale=2)])
    array, fates = to_price(pa.array([5_003_456, None]), kind, scale=2)
    assert array.type == kind
    assert array.to_pylist() == [D("50034.560"), D(0)]
    assert fates_of((array, fates)) == ["SENT", "PRICE_MISSING"]
    array, _ = to_price(pa.array([0.1, math.nan], pa.float32()), pa.float64(), scale=None)
    assert array.to_pylist() == [0.1, 0.0]
