"""The bytes of a record are part of the promise: a resume compares them with what the topic holds."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import InputError
from replay.model import Batch, Position, SymbolTable
from replay.record.encoder import Encoder, refuse_records
from tests.support.formats import bare_json
from tests.unit.record.encoding import encode, values_of


@given(st.lists(st.sampled_from(["A", "B", 'C"', "D\u2028"]), min_size=1, max_size=20), st.data())
def test_a_record_does_not_depend_on_the_rows_beside_it(symbols, data):
    """A resume encodes the same rows in other batches: each byte has to be the same."""
    rows = len(symbols)
    table = SymbolTable()
    notes = data.draw(st.lists(st.one_of(st.none(), st.text(max_size=4)), min_size=rows, max_size=rows))
    sizes = data.draw(st.lists(st.one_of(st.none(), st.floats(allow_nan=True)), min_size=rows, max_size=rows))
    batch = pa.RecordBatch.from_pydict(
        {
            "symbol": pa.array([table.id_of(s) for s in symbols], pa.int32()),
            "price": pa.array([float(n) / 3 for n in range(rows)]),
            "event_time": pa.array(range(rows), pa.timestamp("us")),
            "note": pa.array(notes, pa.string()),
            "size": pa.array(sizes, pa.float64()),
        }
    )
    fields = ("note", "size")
    whole = Encoder(table, bare_json(table, *fields), lambda _: 0).encode(Batch(Position(0, (0,)), batch, 0))
    encoder = Encoder(table, bare_json(table, *fields), lambda _: 0)
    first = data.draw(st.integers(0, rows - 1))
    stop = data.draw(st.integers(first + 1, rows))
    part = encoder.encode(Batch(Position(0, (0,)), batch, 0), first, stop)
    assert part.values == whole.values[first:stop]
    assert part.keys == whole.keys[first:stop]


def test_symbols_that_appear_later_are_learned():
    table = SymbolTable()
    encoder = Encoder(table, bare_json(table), len)
    for symbols in (["A"], ["A", "BB"], ["CCC", "A"]):
        rows = pa.RecordBatch.from_pydict(
            {
                "symbol": pa.array([table.id_of(s) for s in symbols], pa.int32()),
                "price": pa.array([1.0] * len(symbols)),
                "event_time": pa.array([1] * len(symbols), pa.timestamp("us")),
            }
        )
        encoded = encoder.encode(Batch(Position(0, (0,)), rows, 0))
        assert encoded.keys == [s.encode() for s in symbols]
        assert [json.loads(value)["symbol"] for value in values_of(encoded)] == symbols
        assert encoded.partitions.tolist() == [len(s) for s in symbols]


@given(st.sampled_from(["s", "ms", "us", "ns"]), st.integers(1, 2**63 - 1))
def test_kafkas_timestamp_is_the_event_time_rounded_down_and_pacing_gets_all_of_it(unit, ns):
    """Rounded up, a record could be dated after its own event."""
    per_unit = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    encoded = encode(["A"], pa.array([ns // per_unit], pa.timestamp(unit)))
    assert encoded.timestamps_ms == [ns // per_unit * per_unit // 10**6]
    assert encoded.event_times_ns.tolist() == [ns // per_unit * per_unit]


def test_a_record_over_the_limit_is_named_and_one_at_the_limit_goes():
    encoded: Any = encode(["A", "B" * 50, "C"], pa.array([1, 2, 3], pa.timestamp("us")))
    largest = len(encoded.keys[1]) + len(encoded.values[1])
    refuse_records(encoded, largest, 6, str)
    with pytest.raises(InputError, match=f"{largest} bytes") as caught:
        refuse_records(encoded, largest - 1, 6, lambda row: f"row {row}")
    assert caught.value.where == "row 1"


# -- the value: JSON, to the byte ---------------------------------------------------------------------------

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def field_texts(column: pa.Array) -> list[str]:
    """The JSON text of each value of a further field."""
    times = pa.array([0] * len(column), pa.timestamp("us"))
    head = '{"symbol": "A", "price": 1, "event_time": "1970-01-01T00:00:00.000000Z", "f": '
    texts = [value.decode() for value in values_of(encode(["A"] * len(column), times, f=column))]
    assert all(text.startswith(head) and text.endswith("}") for text in texts)
    return [text[len(head) : -1] for text in texts]


def test_the_record_is_this_to_the_byte():
    """From the specification (README): consumers and a resume depend on it."""
    encoded = encode(
        ["BTCUSDT", 'Ä"\n'],
        pa.array([datetime(2026, 11, 22, 0, 0, 0, 32185), datetime(2026, 11, 22)], pa.timestamp("us")),
        pa.array([50034.56, 3.0]),
        trade_id=pa.array([12, None], pa.int64()),
        buyer=pa.array(["x", None]),
    )
    first, second = (value.decode() for value in values_of(encoded))
    assert first == (
        '{"symbol": "BTCUSDT", "price": 50034.56, "event_time": "2026-11-22T00:00:00.032185Z",'
        ' "trade_id": 12, "buyer": "x"}'
    )
    assert second == (
        '{"symbol": "Ä\\"\\n", "price": 3, "event_time": "2026-11-22T00:00:00.000000Z",'
        ' "trade_id": null, "buyer": null}'
    )
    assert encoded.keys == [b"BTCUSDT", 'Ä"\n'.encode()]
    pairs = zip(encoded.keys, values_of(encoded), strict=True)
    assert encoded.record_bytes.tolist() == [len(key or b"") + len(value) for key, value in pairs]


def test_a_field_name_is_escaped_too():
    times = pa.array([0], pa.timestamp("us"))
    (value,) = values_of(encode(["A"], times, **{'say "hi"\\': pa.array([1])}))
    assert json.loads(value)['say "hi"\\'] == 1


@given(st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=20))
def test_a_float_reads_back_as_itself_and_what_json_has_no_number_for_is_null(values):
    for value, text in zip(values, field_texts(pa.array(values, pa.float64())), strict=True):
        if value is None or not math.isfinite(value):
            assert text == "null"
        else:
            back = json.loads(text)
            assert float(back) == value
            assert len(text) <= 25


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_a_single_precision_float_reads_back_as_itself(values):
    for value, text in zip(values, field_texts(pa.array(values, pa.float32())), strict=True):
        assert np.float32(json.loads(text)) == np.float32(value)
        assert len(text) <= 16, "0.1 and not 0.10000000149011612"


@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), min_size=1, max_size=10))
def test_a_string_is_written_as_json_writes_it(values):
    expected = [json.dumps(value, ensure_ascii=False) for value in values]
    assert field_texts(pa.array(values, pa.string())) == expected


@pytest.mark.parametrize("text", [*map(chr, range(32)), '"', "\\", "\x7f", "\u2028", "\U0001f600", "'", "/", "\ufeff"])
def test_each_special_character_is_written_as_json_writes_it(text):
    assert field_texts(pa.array([f"a{text}b"])) == [json.dumps(f"a{text}b", ensure_ascii=False)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.int8(), [-128, 127, None]),
        (pa.int64(), [-(2**63), 2**63 - 1, 0]),
        (pa.uint64(), [2**64 - 1, None]),
        (pa.bool_(), [True, False, None]),
        (pa.null(), [None]),
    ],
)
def test_integers_and_booleans(kind, values):
    assert field_texts(pa.array(values, kind)) == [json.dumps(value) for value in values]


@given(st.lists(st.decimals(places=8, min_value=-(10**20), max_value=10**20), min_size=1, max_size=10))
def test_a_decimal_keeps_every_digit(values):
    for value, text in zip(values, field_texts(pa.array(values, pa.decimal128(38, 8))), strict=True):
        assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == value


UNITS = {"s": 10**6, "ms": 10**3, "us": 1}


@given(st.sampled_from(list(UNITS)), st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)))
def test_a_time_has_six_digits_after_the_second_and_is_utc(unit, when):
    units = (when.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) // UNITS[unit]
    kept = EPOCH + timedelta(microseconds=units * UNITS[unit])
    expected = kept.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert field_texts(pa.array([units, None], pa.timestamp(unit))) == [f'"{expected}"', "null"]


@given(st.integers(1, 2**63 - 1))
def test_a_nanosecond_time_has_nine(ns):
    seconds, rest = divmod(ns, 10**9)
    expected = (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09}Z"
    assert field_texts(pa.array([ns], pa.timestamp("ns"))) == [f'"{expected}"']
