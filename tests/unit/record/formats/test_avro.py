"""Values in Avro, against fastavro alone: it writes the same bytes under the same schema, and reads the values back."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay.model import SymbolTable
from replay.record.formats import avro, avro_write
from replay.record.formats.base import Column, Naming, Schema
from replay.record.options import DecimalAs
from tests.unit.record.formats import avro_rows as rows
from tests.unit.record.formats.avro_oracle import (
    KINDS,
    NESTED_KINDS,
    Misfit,
    bytes_of,
    column,
    held,
    nodes,
    values,
    with_names,
)

D = Decimal

anything = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])


def outcome(kind: pa.DataType, value: Any, node: Any) -> Any:
    try:
        return held(kind, value, node)
    except Misfit:
        return Misfit


def check(form: avro.AvroFormat, node: Any, kind: pa.DataType, drawn: list[Any], start: int, stop: int) -> None:
    """The rows from `start` to `stop` of a batch are written as fastavro does, but those that have a misfit."""
    schema = json.loads(form.schema.text)
    expected = [outcome(kind, value, node) for value in drawn][start:stop]
    batch = rows.rows_of(x=column(kind, drawn)).slice(start, stop - start)
    misfits = form.misfits("x", batch.column("x"))
    assert misfits is None or misfits.any()
    assert (np.zeros(len(expected), bool) if misfits is None else misfits).tolist() == [e is Misfit for e in expected]
    fit = [at for at, value in enumerate(expected) if value is not Misfit]
    whole = len(fit) == len(expected)
    kept = batch if whole else batch.take(pa.array(fit, pa.int64()))
    payloads = form.payloads(kept)
    payloads.validate(full=True)
    assert payloads.to_pylist() == [bytes_of(schema, {**rows.record(start + at), "x": expected[at]}) for at in fit]
    for at in range(len(fit)):
        assert form.payloads(kept.slice(at, 1))[0] == payloads[at], "a record depends on the rows beside it"
    by_row = avro_write.row_wise([field.fit.avro for field in form._fields])
    columns = [field.fit.convert(form._column(kept, field.column)) for field in form._fields]
    assert by_row(columns).equals(payloads)


@anything
@given(st.data(), st.one_of(KINDS, NESTED_KINDS), st.sampled_from([DecimalAs.NUMBER, DecimalAs.STRING]))
def test_a_column_of_any_type_under_a_generated_schema(data, kind, decimal_as):
    """Broken: a value changes on its way, a slice shows other rows, leftovers under nulls are written, or the two
    libraries write different bytes, so that a resume on another machine doubles rows."""
    schema = avro.generated(rows.columns_of(x=kind), Naming("com.acme.Trade"), decimal_as)
    assert schema == avro.generated(rows.columns_of(x=kind), Naming("com.acme.Trade"), decimal_as)
    form = rows.bind(schema, decimal_as, x=kind)
    assert form.encoder.startswith("avro-1 pyruhvro "), "a schema of our own is written by columns"
    drawn = data.draw(st.lists(values(kind), min_size=1, max_size=6))
    start = data.draw(st.integers(0, len(drawn)))
    stop = data.draw(st.integers(start, len(drawn)))
    node = json.loads(schema.text)["fields"][-1]["type"]
    check(form, node, kind, drawn, start, stop)


@anything
@given(st.data(), st.one_of(KINDS, NESTED_KINDS))
def test_a_column_of_any_type_under_a_given_schema(data, kind):
    """Broken: a value that the field cannot hold is sent changed, or one that it can hold is a bad row; or the order of
    a union, a default, a fixed or an enum is written wrongly."""
    node = with_names(data.draw(nodes(kind)))
    form = rows.bind(rows.given({"name": "x", "type": node}), x=kind)
    drawn = data.draw(st.lists(values(kind), min_size=1, max_size=6))
    start = data.draw(st.integers(0, len(drawn)))
    check(form, node, kind, drawn, start, data.draw(st.integers(start, len(drawn))))


# -- as fastavro reads them -------------------------------------------------------------------------------


def read(kind: pa.DataType, values_in: list[Any], decimal_as: DecimalAs = DecimalAs.NUMBER) -> list[Any]:
    """The values of a further column as a reader has them, that knows no more than the schema."""
    schema = avro.generated(rows.columns_of(x=kind), Naming(), decimal_as)
    form = rows.bind(schema, decimal_as, x=kind)
    array = values_in if isinstance(values_in, pa.Array) else pa.array(values_in, kind)
    assert form.misfits("x", array) is None
    parsed = fastavro.parse_schema(json.loads(schema.text))
    payloads = form.payloads(rows.rows_of(x=array)).to_pylist()
    return [fastavro.schemaless_reader(BytesIO(payload), parsed, None)["x"] for payload in payloads]  # type: ignore


UTC_1, UTC_9999 = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
NS_EDGES = [2**63 - 1, -(2**63), 0, 1, -1]

READ_BACK = [
    (pa.int8(), [-128, 127, None]),
    (pa.uint16(), [0, 2**16 - 1]),
    (pa.int32(), [-(2**31), 2**31 - 1]),
    (pa.uint32(), [0, 2**32 - 1]),
    (pa.int64(), [-(2**63), 2**63 - 1]),
    (pa.uint64(), [D(0), D(2**64 - 1), D(2**63)]),
    (pa.float32(), [1.5, float("inf"), 2.0**-149, None]),
    (pa.float64(), [0.1, 5e-324, 1.7976931348623157e308, float("-inf")]),
    (pa.bool_(), [True, False, None]),
    (pa.string(), ["", "ä\U0001f600\0", None]),
    (pa.binary(), [b"", bytes(range(256)), None]),
    (pa.decimal128(38, 10), [D("9" * 28 + "." + "9" * 10), D("-" + "9" * 28 + "." + "9" * 10), D("1E-10"), D("0E-10")]),
    (pa.decimal256(76, 38), [D("9" * 38 + "." + "9" * 38), D("-" + "9" * 38 + "." + "9" * 38), None]),
    (pa.timestamp("s"), [UTC_1, UTC_9999.replace(microsecond=0), None]),
    (pa.timestamp("ms"), [UTC_1, UTC_9999.replace(microsecond=999_000), datetime(1969, 12, 31, tzinfo=UTC)]),
    (pa.timestamp("us"), [UTC_1, UTC_9999, datetime(1970, 1, 1, tzinfo=UTC)]),
    (pa.date32(), [date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1)]),
    (pa.date64(), [date(1, 1, 1), date(9999, 12, 31), None]),
    (pa.time32("s"), [time(0), time(23, 59, 59)]),
    (pa.time32("ms"), [time(0), time(23, 59, 59, 999_000)]),
    (pa.time64("us"), [time(0), time(23, 59, 59, 999_999), None]),
    (pa.list_(pa.int64()), [[], [None], [2**63 - 1, None], None]),
    (pa.struct([("a", pa.string()), ("b", pa.list_(pa.bool_()))]), [{"a": "", "b": []}, {"a": None, "b": None}, None]),
    (pa.null(), [None, None]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given_values"), READ_BACK, ids=str)
def test_values_at_the_limits_are_read_back(kind, given_values):
    """Broken: a consumer finds another value than the file has."""
    found = read(kind, given_values)
    assert found == given_values
    assert list(map(type, found)) == list(map(type, given_values))


def test_nanoseconds_are_read_back_as_such():
    """Broken: the digits of exchanges that give nine are lost."""
    assert read(pa.timestamp("ns"), pa.array(NS_EDGES).view(pa.timestamp("ns"))) == NS_EDGES
    times = [0, 86_400 * 10**9 - 1, 1]
    assert read(pa.time64("ns"), pa.array(times).view(pa.time64("ns"))) == times


def test_what_avro_has_other_types_for_is_read_back():
    """Broken: maps, UUIDs, half floats or decimals of an odd scale arrive as something else."""
    ids = [UUID(int=0), UUID(int=2**128 - 1), None]
    assert read(pa.uuid(), pa.array([each and each.bytes for each in ids], pa.uuid())) == ids
    maps = pa.map_(pa.string(), pa.float64())
    assert read(maps, pa.array([[("a", 0.1), ("b", None)], [], None], maps)) == [{"a": 0.1, "b": None}, {}, None]
    odd = pa.map_(pa.int8(), pa.string())
    assert read(odd, pa.array([[(1, "x"), (1, None)]], odd)) == [[{"key": 1, "value": "x"}, {"key": 1, "value": None}]]
    halves = pa.array([np.float16(0.1), np.float16(65504), None], pa.float16())
    assert read(pa.float16(), halves) == [float(np.float16(0.1)), 65504.0, None]
    assert read(pa.decimal128(3, -2), pa.array([D("12300")], pa.decimal128(3, -2))) == [D(12300)]
    assert read(pa.decimal128(3, 7), column(pa.decimal128(3, 7), [123])) == [D("0.0000123")]
    assert math.isnan(read(pa.float64(), [math.nan])[0]), "Avro has NaN, other than JSON"


def test_text_forms_are_those_of_json():
    """Broken: the same duration or decimal is another text in another format."""
    assert read(pa.duration("ms"), pa.array([1_500, -1]).view(pa.duration("ms"))) == ["PT1.500S", "-PT0.001S"]
    decimals = [D("1.10"), D("-0.01"), None]
    assert read(pa.decimal128(9, 2), decimals, DecimalAs.STRING) == ["1.10", "-0.01", None]


def test_a_map_with_a_key_twice_is_a_misfit():
    """Broken: a reader keeps the last value of each key, and one is lost without a word."""
    kind = pa.map_(pa.string(), pa.int8())
    form = rows.bind(avro.generated(rows.columns_of(x=kind), Naming(), DecimalAs.NUMBER), x=kind)
    found = form.misfits("x", pa.array([[("a", 1)], [("a", 1), ("b", 1), ("a", 1)], None], kind))
    assert found is not None
    assert found.tolist() == [False, True, False]


def test_prices_are_written_by_their_type():
    """Broken: an exact price becomes a float on its way, or a price of text is refused."""
    for kind, price, expected in (
        (pa.string(), "50034.5600", "50034.5600"),
        (pa.decimal128(18, 8), D("0.00000001"), D("0.00000001")),
        (pa.int64(), 7, 7),
        (pa.float32(), 0.5, 0.5),
    ):
        columns = [
            Column(c.name, c.field, kind if c.name == "price" else c.kind, c.nullable, c.source)
            for c in rows.columns_of()
        ]
        schema = avro.generated(columns, Naming(), DecimalAs.NUMBER)
        form = avro.bound(schema, columns, rows.symbols(), DecimalAs.NUMBER)
        batch = rows.rows_of(x=pa.array([1])).drop_columns("x")
        batch = batch.set_column(1, "price", pa.array([price], kind))
        record = fastavro.schemaless_reader(BytesIO(form.payloads(batch)[0].as_py()), json.loads(schema.text), None)
        assert record["price"] == expected  # type: ignore


def test_fields_go_by_their_own_names():
    """Broken: --rename has no effect, or columns go into each other's fields."""
    columns = [
        Column("symbol", "ticker", pa.string(), False, "s"),
        Column("price", "px", pa.float64(), False, "p"),
        Column("event_time", "at", pa.timestamp("us"), False, "t"),
    ]
    schema = avro.generated(columns, Naming(), DecimalAs.NUMBER)
    form = avro.bound(schema, columns, rows.symbols(), DecimalAs.NUMBER)
    batch = rows.rows_of(x=pa.array([1, 2])).drop_columns("x")
    assert [avro.decoded(schema, payload.as_py()) for payload in form.payloads(batch)] == [
        {"ticker": "BTCUSDT", "px": 0.0, "at": "1970-01-01T00:00:00.000001+00:00"},
        {"ticker": "Ä", "px": 0.25, "at": "1970-01-01T00:00:00.000002+00:00"},
    ]


def test_the_schema_decides_the_order_of_fields():
    """Broken: bytes are in the order of columns, and a reader takes one for the other."""
    fields = [{"name": "x", "type": "int"}, *reversed(rows.FIRST_FIELDS)]
    schema = Schema("AVRO", json.dumps({"type": "record", "name": "T", "fields": fields}), "T")
    form = rows.bind(schema, x=pa.int8())
    payload = form.payloads(rows.rows_of(x=pa.array([5], pa.int8())))[0].as_py()
    assert payload == bytes_of(json.loads(schema.text), {**rows.record(0), "x": 5})
    assert payload[0] == 10, "5 as zigzag"


def test_symbols_that_come_later_are_known():
    """Broken: the second batch's new symbols are those of the first."""
    table = SymbolTable()
    schema = avro.generated(rows.columns_of(), Naming(), DecimalAs.NUMBER)
    form = avro.bound(schema, rows.columns_of(), table, DecimalAs.NUMBER)
    batch = rows.rows_of(x=pa.array([1, 2])).drop_columns("x")
    for name in rows.NAMES:
        at = table.id_of(name)
        assert avro.decoded(schema, form.payloads(batch.slice(at, 1))[0].as_py())["symbol"] == name


# -- keys, and values for people --------------------------------------------------------------------------


@given(st.text() | st.sampled_from(["x" * 63, "x" * 64, "x" * 8192, "ä" * 100_000]))
def test_keys_are_strings(text):
    """Broken: consumers cannot read keys, or a key goes to another partition than its Java twin."""
    schema = avro.key_schema()
    assert (schema.kind, schema.text, schema.name) == ("AVRO", '"string"', "string")
    assert avro.key_payload(text) == bytes_of("string", text)
    assert avro.decoded(schema, avro.key_payload(text)) == text


def test_a_value_for_people_is_json():
    """Broken: `verify` cannot show what differs."""
    kind = pa.struct([
        ("d", pa.decimal128(9, 8)), ("u", pa.uuid()), ("b", pa.binary()), ("t", pa.time64("us")), ("f", pa.float64()),
        ("m", pa.map_(pa.string(), pa.date32())),
    ])  # fmt: skip
    schema = avro.generated(rows.columns_of(x=kind), Naming(), DecimalAs.NUMBER)
    value = {"d": 1, "u": b"\xff" * 16, "b": b"\xff", "t": 1, "f": math.nan, "m": [("k", 0)]}
    form = rows.bind(schema, x=kind)
    shown = avro.decoded(schema, form.payloads(rows.rows_of(x=column(kind, [value])))[0].as_py())
    assert json.loads(json.dumps(shown, allow_nan=False))["x"] == {
        "d": "0.00000001",
        "u": "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "b": "/w==",
        "t": "00:00:00.000001",
        "f": "nan",
        "m": {"k": "1970-01-01"},
    }


@pytest.mark.parametrize("raw", [b"", b"\xff", b"\x01", b"\x02a", b"{}", b"\x02\xff" + bytes(8) + b"\x00", bytes(99)])
def test_bytes_that_are_no_value_are_told_as_such(raw):
    """Broken: a record of somebody else ends `verify` with a traceback."""
    schema = avro.generated(rows.columns_of(), Naming(), DecimalAs.NUMBER)
    with pytest.raises(ValueError, match="the bytes are none of Trade"):
        avro.decoded(schema, raw)


def test_a_year_that_python_does_not_have_is_told_as_such():
    """Broken: `verify` ends with a traceback at a time that another producer wrote."""
    schema = avro.generated(rows.columns_of(), Naming(), DecimalAs.NUMBER)
    raw = bytes_of(json.loads(schema.text), {**rows.record(0), "event_time": 2**62})
    with pytest.raises(ValueError, match="the bytes are none of Trade"):
        avro.decoded(schema, raw)
