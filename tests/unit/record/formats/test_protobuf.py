"""The format as the core uses it: which library writes, and records for people."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from replay.record.formats import protobuf, protobuf_wire
from replay.record.formats.protobuf_wire import row_wise
from tests.unit.record.formats.protobuf_reading import Case, as_integers, trade_with

COLUMNS = {
    "size": pa.array([5, None, 0], pa.int32()),
    "legs": pa.array([[{"a": -0.0}], [], [{"a": None}]], pa.list_(pa.struct([("a", pa.float32())]))),
    "seen": as_integers(pa.timestamp("ns"), [-1, None, 0]),
    "levels": pa.array([[("b", 0), ("a", 1)], [], []], pa.map_(pa.string(), pa.int64())),
}
KINDS = {name: column.type for name, column in COLUMNS.items()}


def test_without_ptars_protobufs_own_classes_write_the_same(monkeypatch):
    """Broken: a machine without the optional package could not replay, or would write other bytes."""
    fast = Case(KINDS)
    monkeypatch.setitem(sys.modules, "ptars", None)
    kept = Case(KINDS)
    assert (fast.form.encoder.split()[1], kept.form.encoder.split()[1]) == ("ptars", "protobuf")
    assert kept.write(COLUMNS) == fast.write(COLUMNS)


class Panic(BaseException):
    """As pyo3 raises one: no Exception."""


def raising(_: pa.RecordBatch) -> pa.Array:
    raise Panic


def empty(rows: pa.RecordBatch, kind: pa.DataType) -> pa.Array:
    return pa.array([b""] * len(rows), kind)


WRONG: dict[str, Callable[[Any], Any]] = {
    "panics": lambda _: raising,
    "other bytes": lambda _: lambda rows: empty(rows, pa.binary()),
    "another type": lambda twin: lambda rows: row_wise(twin)(rows).cast(pa.large_binary()),
    "no slices": lambda twin: lambda rows: row_wise(twin)(rows) if len(rows) > 7 else empty(rows, pa.binary()),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_version_of_ptars_that_writes_otherwise_is_not_used(monkeypatch, how):
    """Broken: an update of a young library would change the bytes of records in the middle of a topic."""
    monkeypatch.setattr(protobuf_wire, "column_wise", lambda twin: (WRONG[how](twin), "9.9"))
    case = Case(KINDS)
    assert case.form.encoder.startswith("protobuf-1 protobuf ")
    assert len(case.read(case.write(COLUMNS))) == 3


def test_a_version_of_ptars_that_writes_the_same_is_used(monkeypatch):
    """Broken: every row would be written the slow way."""
    monkeypatch.setattr(protobuf_wire, "column_wise", lambda twin: (row_wise(twin), "9.9"))
    assert Case(KINDS).form.encoder == "protobuf-1 ptars 9.9"


def test_an_interrupt_while_it_is_probed_is_none_of_its_faults(monkeypatch):
    """Broken: Ctrl-C at the start would be without effect."""

    def interrupted(_: pa.RecordBatch) -> pa.Array:
        raise KeyboardInterrupt

    monkeypatch.setattr(protobuf_wire, "column_wise", lambda _twin: (interrupted, "9.9"))
    with pytest.raises(KeyboardInterrupt):
        Case(KINDS)


def test_no_rows_are_no_payloads():
    """Broken: a slice of which no row is sent would end the replay."""
    case = Case(KINDS)
    assert case.write({name: column.slice(0, 0) for name, column in COLUMNS.items()}) == []


def test_symbols_that_come_later_are_known():
    """Broken: rows of a symbol that a later batch is the first to have would be sent as another."""
    case = Case({})
    assert [message.symbol for message in case.read(case.write({}))] == ["BTCUSDT"]
    later = case.table.id_of("ETHUSDT")
    rows = {
        "symbol": pa.array([later, 0], pa.int32()),
        "price": pa.array([1.0, 2.0]),
        "event_time": as_integers(pa.timestamp("us"), [1, 2]),
    }
    payloads = case.form.payloads(pa.RecordBatch.from_pydict(rows)).to_pylist()
    assert [message.symbol for message in case.read(payloads)] == ["ETHUSDT", "BTCUSDT"]


# -- for people -------------------------------------------------------------------------------------------


def test_a_record_is_shown_as_json_has_it():
    """Broken: what differs in a topic would be told as bytes only."""
    case = Case(KINDS)
    first, second, _ = (protobuf.decoded(case.schema, payload) for payload in case.write(COLUMNS))
    assert first == {
        "symbol": "BTCUSDT",
        "price": 1.5,
        "event_time": "2023-11-14T22:13:20.000001Z",
        "size": 5,
        "legs": [{"a": -0.0}],
        "seen": "1969-12-31T23:59:59.999999999Z",
        "levels": {"a": "1", "b": "0"},
    }
    assert "size" not in second
    assert json.loads(json.dumps(first)) == first


def test_zeros_without_presence_and_what_json_has_no_number_for_are_shown():
    """Broken: a price of 0 would be missing in what is shown; NaN would break the JSON."""
    case = Case({}, price=pa.float64())
    zero, nan = case.write({}, pa.array([0.0, math.nan]))
    assert protobuf.decoded(case.schema, zero)["price"] == 0.0
    assert protobuf.decoded(case.schema, nan)["price"] == "NaN"


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        (trade_with(), b"\xff"),
        (trade_with(), b"\x52\x05ab"),
        (trade_with(), b"\x52\x01\xff"),
        (trade_with(), b"\x62\x0b\x08" + b"\xff" * 9 + b"\x00"),
    ],
    ids=["no field", "too short", "no text", "a time beyond the year 9999"],
)
def test_bytes_that_are_no_such_message_are_a_value_error(text, payload):
    """Broken: verify would end where a topic holds something else."""
    with pytest.raises(ValueError, match=r"these bytes are no com\.acme\.Trade: "):
        protobuf.decoded(protobuf.parsed(text), payload)
