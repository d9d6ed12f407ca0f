"""The bytes of a record are part of the promise: a resume compares them with what the topic holds."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import InputError
from replay.model import Batch, Position, SymbolTable
from replay.record.encoder import Encoder, refuse_records
from tests.unit.record.encoding import encode


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
    whole = Encoder(table, fields, lambda _: 0).encode(Batch(Position(0, (0,)), batch, 0))
    encoder = Encoder(table, fields, lambda _: 0)
    first = data.draw(st.integers(0, rows - 1))
    stop = data.draw(st.integers(first + 1, rows))
    part = encoder.encode(Batch(Position(0, (0,)), batch, 0), first, stop)
    assert part.values == whole.values[first:stop]
    assert part.keys == whole.keys[first:stop]


def test_symbols_that_appear_later_are_learned():
    table = SymbolTable()
    encoder = Encoder(table, (), len)
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
        assert [json.loads(value)["symbol"] for value in encoded.values] == symbols
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
