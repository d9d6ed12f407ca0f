"""Schemas of Avro that are given: what they may say, which columns fit, what their other fields hold."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from replay.errors import InputError, UsageError
from replay.record.formats import avro
from replay.record.formats.base import Column, Reference, Schema
from replay.record.options import DecimalAs
from tests.unit.record.formats import avro_rows as rows
from tests.unit.record.formats.avro_oracle import bytes_of, column, logical


def decimal(precision: int, scale: int = 0, size: int | None = None) -> dict[str, Any]:
    base = {"type": "bytes"} if size is None else {"type": "fixed", "name": "D", "size": size}
    return {**base, "logicalType": "decimal", "precision": precision, "scale": scale}


ENUM = {"type": "enum", "name": "E", "symbols": ["A"]}
UNKNOWN = {"type": "long", "logicalType": "of-the-future"}

# -- which columns fit ------------------------------------------------------------------------------------

REFUSED = [
    (pa.float64(), "float"),
    (pa.float64(), "long"),
    (pa.float32(), decimal(9)),
    (pa.int64(), logical("long", "timestamp-millis")),
    (pa.int32(), logical("int", "date")),
    (pa.int64(), "string"),
    (pa.int64(), "boolean"),
    (pa.int64(), "bytes"),
    (pa.bool_(), "int"),
    (pa.string(), "int"),
    (pa.string(), "double"),
    (pa.string(), "bytes"),
    (pa.string(), decimal(9)),
    (pa.string(), logical("long", "timestamp-micros")),
    (pa.string(), {"type": "fixed", "name": "F", "size": 1}),
    (pa.binary(), "string"),
    (pa.binary(), decimal(9)),
    (pa.binary(), {**logical("bytes", "big-decimal")}),
    (pa.binary(), {**logical("fixed", "uuid"), "name": "F", "size": 16}),
    (pa.binary(), {**logical("fixed", "duration"), "name": "F", "size": 12}),
    (pa.decimal128(9, 2), "double"),
    (pa.decimal128(9, 0), "long"),
    (pa.decimal128(9, 2), "string"),
    (pa.decimal128(9, 2), "bytes"),
    (pa.decimal128(9, 2), {"type": "fixed", "name": "D", "size": 4}),
    (pa.timestamp("us"), "long"),
    (pa.timestamp("us"), "string"),
    (pa.timestamp("us"), logical("int", "date")),
    (pa.timestamp("us"), UNKNOWN),
    (pa.date32(), "int"),
    (pa.date32(), logical("long", "timestamp-millis")),
    (pa.time64("us"), "long"),
    (pa.time64("ns"), "int"),
    (pa.time32("s"), "int"),
    (pa.duration("ms"), "long"),
    (pa.duration("ms"), {**logical("fixed", "duration"), "name": "F", "size": 12}),
    (pa.uuid(), "bytes"),
    (pa.uuid(), {"type": "fixed", "name": "F", "size": 16}),
    (pa.null(), "int"),
    (pa.int64(), "null"),
    (pa.list_(pa.int8()), "int"),
    (pa.list_(pa.int8()), {"type": "map", "values": "int"}),
    (pa.list_(pa.float64()), {"type": "array", "items": "float"}),
    (pa.map_(pa.int8(), pa.int8()), {"type": "map", "values": "int"}),
    (pa.map_(pa.string(), pa.int8()), {"type": "array", "items": "int"}),
    (pa.struct([("a", pa.int8())]), {"type": "record", "name": "R", "fields": []}),
    (pa.struct([("a", pa.int8())]), {"type": "map", "values": "int"}),
    (pa.struct([("A", pa.int8())]), {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}),
    (pa.int64(), ["int", "string"]),
    (pa.int64(), ["null", "int", "string"]),
    (pa.int64(), ["long"]),
    (pa.list_(pa.int64()), {"type": "array", "items": ["null", "int", "string"]}),
]


@pytest.mark.parametrize(("kind", "node"), REFUSED, ids=str)
def test_what_would_need_a_guess_is_refused_before_the_first_row(kind, node):
    """Broken: values are changed without a word, or the replay fails in its middle."""
    with pytest.raises(InputError) as error:
        rows.bind(rows.given({"name": "x", "type": node}), x=kind)
    assert error.value.where.startswith("column in_x, field x")
    assert error.value.todo


def test_a_refusal_names_column_type_field_and_what_would_fit():
    """Broken: the operator cannot tell what to change."""
    book = pa.list_(pa.struct([("price", pa.float64())]))
    level = {"type": "record", "name": "Level", "fields": [{"name": "price", "type": ["null", decimal(9, 2)]}]}
    with pytest.raises(InputError) as error:
        rows.bind(rows.given({"name": "x", "type": {"type": "array", "items": level}}), x=book)
    assert str(error.value) == (
        "column in_x, field x.price of the schema: it is double, which does not go into bytes decimal(9, 2) without a"
        " change of values\n  -> give the field a type that it goes into: double, or leave the column out (--fields)"
    )


def test_a_column_that_is_always_sent_cannot_be_left_out():
    """Broken: the advice is impossible to follow."""
    price = Column("price", "price", pa.float64(), False, "px")
    for schema in (rows.given(), Schema("AVRO", '{"type": "record", "name": "T", "fields": []}', "T")):
        with pytest.raises(InputError) as error:
            avro.bound(schema, [price], rows.symbols(), DecimalAs.NUMBER)
        assert "--fields)" not in error.value.todo


def test_a_column_without_a_field_is_refused():
    """Broken: a column is silently not sent."""
    with pytest.raises(InputError, match="record T has no field 'x'") as error:
        rows.bind(rows.given({"name": "X", "type": "int"}), x=pa.int8())
    assert error.value.where == "column in_x"
    assert error.value.todo == ("give it the name of its field with --rename in_x=NAME, or leave it out (--fields)")


def test_text_of_decimals_only_where_it_is_asked_for():
    """Broken: digits go out as text that the consumer does not expect, or the option does nothing."""
    schema = rows.given({"name": "x", "type": "string"})
    form = rows.bind(schema, DecimalAs.STRING, x=pa.decimal128(9, 8))
    values = column(pa.decimal128(9, 8), [1, -(10**8)])
    found = form.payloads(rows.rows_of(x=values)).to_pylist()
    assert [avro.decoded(schema, payload)["x"] for payload in found] == ["0.00000001", "-1.00000000"]


def test_a_logical_type_that_is_not_known_is_as_if_it_were_not_there():
    """Broken: a schema of a newer Avro cannot be used, although the specification says how."""
    small_uuid = {**logical("fixed", "uuid"), "name": "F", "size": 8}
    for node in (UNKNOWN, logical("string", "date"), {**logical("bytes", "decimal"), "scale": 2}, small_uuid):
        kind = {"long": pa.int64(), "string": pa.string()}.get(node["type"], pa.binary())
        rows.bind(rows.given({"name": "x", "type": node}), x=kind)


# -- values by value --------------------------------------------------------------------------------------

BY_VALUE = [
    (pa.int64(), "int", [2**31 - 1, -(2**31), 2**31, -(2**31) - 1], [0, 0, 1, 1]),
    (pa.uint64(), "long", [2**63 - 1, 2**63, 2**64 - 1], [0, 1, 1]),
    (pa.uint64(), "int", [2**31 - 1, 2**31], [0, 1]),
    (pa.int64(), "double", [2**53, 2**53 + 1, 2**53 + 2, 2**63 - 1, -(2**63)], [0, 1, 0, 1, 0]),
    (pa.uint64(), "double", [2**64 - 1, 2**64 - 2048, 0], [1, 0, 0]),
    (pa.int32(), "float", [2**24, 2**24 + 1, -(2**31)], [0, 1, 0]),
    (pa.int64(), decimal(3, 1), [99, -99, 100, -100, None], [0, 0, 1, 1, 1]),
    (pa.uint64(), decimal(20), [2**64 - 1], [0]),
    (pa.decimal128(38, 10), decimal(38, 10), [10**38 - 1, -(10**38) + 1], [0, 0]),
    (pa.decimal128(38, 10), decimal(28, 2), [10**38 - 1, 10**36 - 10**8, 10**36, 10**8, 10**7], [1, 0, 1, 0, 1]),
    (pa.decimal128(9, 2), decimal(9, 4), [10**7 - 1, 10**7, -(10**7)], [0, 1, 1]),
    (pa.decimal128(9, 2), decimal(2, 2), [99, 100, 0], [0, 1, 0]),
    (pa.decimal128(9, 2), decimal(8, 2), [10**8 - 1, 10**8, -(10**8)], [0, 1, 1]),
    (pa.decimal128(9, 4), decimal(5, 0), [0, 10_000, 10_001], [0, 0, 1]),
    (pa.decimal256(76, 0), decimal(76, 0), [10**76 - 1, -(10**76) + 1], [0, 0]),
    (pa.decimal256(76, 0), decimal(9, 0, 4), [10**9 - 1, 10**9, -(10**76) + 1], [0, 1, 1]),
    (pa.decimal256(76, 0), decimal(100, 20), [10**56 - 1, 10**56], [0, 1]),
    (pa.string(), ENUM, ["A", "a", "", None], [0, 1, 1, 1]),
    (pa.string(), logical("string", "uuid"), ["0" * 8 + "-0000-0000-0000-" + "F" * 12, "0" * 32, ""], [0, 1, 1]),
    (pa.string(), logical("string", "uuid"), ["0" * 8 + "-0000-0000-0000-" + "F" * 12 + "\n"], [1]),
    (pa.binary(), {"type": "fixed", "name": "F", "size": 2}, [b"ab", b"", b"abc"], [0, 1, 1]),
    (pa.timestamp("ns"), logical("long", "timestamp-micros"), [1000, 1, -1000, -1, 2**63 - 1], [0, 1, 0, 1, 1]),
    (pa.timestamp("s"), logical("long", "timestamp-nanos"), [2**63 // 10**9, 2**63 // 10**9 + 1, -(2**63)], [0, 1, 1]),
    (pa.timestamp("us"), logical("long", "local-timestamp-millis"), [999, 1000, 1001], [1, 0, 1]),
    (pa.date64(), logical("int", "date"), [86_400_000, 1, 2**31 * 86_400_000], [0, 1, 1]),
    (pa.time32("s"), logical("int", "time-millis"), [0, 86_399, 86_400, -1], [0, 0, 1, 1]),
    (pa.time64("ns"), logical("long", "time-micros"), [1000, 1, 86_400 * 10**9], [0, 1, 1]),
    (pa.time64("ns"), "long", [1, 86_400 * 10**9 - 1, 86_400 * 10**9], [0, 0, 1]),
    (pa.int8(), "int", [1, None], [0, 1]),
    (pa.int8(), ["null", "int"], [1, None], [0, 0]),
    (pa.list_(pa.int64()), {"type": "array", "items": "int"}, [[1], [], [1, None], [2**31], None], [0, 0, 1, 1, 1]),
    (pa.map_(pa.string(), pa.int8()), {"type": "map", "values": "int"}, [[("a", 1), ("a", 2)], [], None], [1, 0, 1]),
    (pa.map_(pa.string(), pa.int8()), {"type": "map", "values": "int"}, [[("a", None)], [("a", 1), ("b", 1)]], [1, 0]),
    (pa.map_(pa.string(), pa.int8()), {"type": "map", "values": ["int", "null"]}, [[("a", 1)], [("a", None)]], [0, 0]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "node", "values", "misfits"), BY_VALUE, ids=str)
def test_a_value_that_the_field_cannot_hold_is_a_misfit(kind, node, values, misfits):
    """Broken: it is cut or wraps on its way, or a value at the edge is a bad row."""
    form = rows.bind(rows.given({"name": "x", "type": node}), x=kind)
    found = form.misfits("x", column(kind, values))
    assert ([False] * len(values) if found is None else found.tolist()) == [bool(misfit) for misfit in misfits]


def test_a_struct_with_a_null_that_its_record_does_not_allow_is_a_misfit_and_a_null_struct_is_not():
    """Broken: what lies under a null struct makes bad rows, or a null is written as 0."""
    level = {"type": "record", "name": "Level", "fields": [{"name": "size", "type": "int"}]}
    kind = pa.struct([("size", pa.int64())])
    form = rows.bind(rows.given({"name": "x", "type": ["null", level]}), x=kind)
    values = column(kind, [{"size": 1}, {"size": None}, None, {"size": 2**31}])
    found = form.misfits("x", values)
    assert found is not None
    assert found.tolist() == [False, True, False, True]
    assert form.misfits("x", values[2:3]) is None


def test_symbols_are_asked_for_as_text():
    """Broken: a symbol that an enum lacks ends the replay in its middle."""
    fields = [{"name": "symbol", "type": ENUM}, *rows.FIRST_FIELDS[1:]]
    schema = Schema("AVRO", json.dumps({"type": "record", "name": "T", "fields": fields}), "T")
    form = rows.bind(schema)
    found = form.misfits("symbol", pa.array(["A", "B"]))
    assert found is not None
    assert found.tolist() == [False, True]


def test_types_alone_answer_where_they_can():
    """Broken: each batch is looked through for what cannot be."""
    form = rows.bind(rows.given({"name": "x", "type": ["null", "long"]}), x=pa.int64())
    assert form._misfits["x"] is None
    assert form.misfits("x", pa.array([1])) is None
    assert form.misfits("no field of it", pa.array([1])) is None


# -- fields without a column ------------------------------------------------------------------------------

NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
BARE_POINT = {
    "type": "record",
    "name": "Point",
    "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "string"}],
}
POINT = {**BARE_POINT, "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "string", "default": "ü"}]}
DEFAULTS = [
    ("null", None, None),
    ("boolean", True, True),
    ("int", -(2**31), -(2**31)),
    ("long", 2**63 - 1, 2**63 - 1),
    ("float", 1.5, 1.5),
    ("double", 1, 1.0),
    ("double", -1e300, -1e300),
    ("string", "ä€", "ä€"),
    ("bytes", "\u00ff\u0000", "/wA="),
    (logical("int", "date"), 5, "1970-01-06"),
    (decimal(9, 2), "\u0001", "0.01"),
    ({"type": "fixed", "name": "F", "size": 2}, "\u00ff\u0080", "/4A="),
    ({"type": "fixed", "name": "F", "size": 0}, "", ""),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B"),
    (["null", "int"], None, None),
    (["int", "null"], 7, 7),
    (["null", "int"], 7, 7),
    (["null", "string", "int", "boolean"], True, True),
    ({"type": "array", "items": "int"}, [], []),
    ({"type": "array", "items": ["null", "string"]}, [None, "x", None], [None, "x", None]),
    ({"type": "map", "values": "long"}, {}, {}),
    (
        {"type": "map", "values": {"type": "array", "items": "bytes"}},
        {"k": ["\u00fe"], "l": []},
        {"k": ["/g=="], "l": []},
    ),
    (POINT, {"a": 1}, {"a": 1, "b": "ü"}),
    ({"type": "record", "name": "Empty", "fields": []}, {}, {}),
    (["null", NODE], None, None),
    (NODE, {"next": {"next": {"next": None}}}, {"next": {"next": {"next": None}}}),
]


@pytest.mark.parametrize(("node", "default", "expected"), DEFAULTS, ids=str)
def test_a_field_without_a_column_holds_its_default(node, default, expected):
    """Broken: other bytes than the default's, and each field behind it is read wrongly."""
    schema = rows.given({"name": "d", "type": node, "default": default}, {"name": "x", "type": ["null", "int"]})
    form = rows.bind(schema, x=pa.int32())
    batch = rows.rows_of(x=pa.array([1, None, 3], pa.int32()))
    found = [avro.decoded(schema, payload.as_py()) for payload in form.payloads(batch.slice(1))]
    assert [value["d"] for value in found] == [expected, expected]
    assert [value["x"] for value in found] == [None, 3], "nothing is read in another place"


def test_a_nullable_field_without_a_default_is_null():
    """Broken: a schema that is in a registry, and cannot be changed, cannot be used."""
    schema = rows.given({"name": "d", "type": ["string", "null"]}, {"name": "x", "type": "int"})
    form = rows.bind(schema, x=pa.int32())
    payload = form.payloads(rows.rows_of(x=pa.array([5], pa.int32())))[0].as_py()
    assert avro.decoded(schema, payload)["d"] is None


@pytest.mark.parametrize(
    "field",
    [
        {"name": "d", "type": "int"},
        {"name": "d", "type": "int", "default": 2**31},
        {"name": "d", "type": {"type": "fixed", "name": "F", "size": 2}, "default": "abc"},
        {"name": "d", "type": {"type": "enum", "name": "E", "symbols": ["A"]}, "default": "B"},
        {"name": "d", "type": "float", "default": 1e39},
        {"name": "d", "type": "bytes", "default": "€"},
        {"name": "d", "type": "long", "default": True},
        {"name": "d", "type": POINT},
        {"name": "d", "type": POINT, "default": {"b": "no a"}},
        {"name": "d", "type": {"type": "array", "items": "int"}, "default": [None]},
    ],
    ids=str,
)
def test_a_field_without_a_column_and_a_default_is_refused_by_name(field):
    """Broken: records lack a value, and no consumer can read them."""
    with pytest.raises((InputError, UsageError)) as error:
        rows.bind(rows.given(field))
    if isinstance(error.value, InputError):
        assert error.value.where == "field d of the schema"
        assert "--rename COLUMN=d" in error.value.todo


def test_fields_of_records_inside_have_defaults_too():
    """Broken: a struct with fewer fields than its record cannot be sent, or is sent with bytes missing."""
    kind = pa.struct([("a", pa.int32())])
    schema = rows.given({"name": "x", "type": {"type": "array", "items": POINT}})
    form = rows.bind(schema, x=pa.list_(kind))
    values = column(pa.list_(kind), [[{"a": 1}, {"a": 2}], []])
    found = [avro.decoded(schema, payload.as_py())["x"] for payload in form.payloads(rows.rows_of(x=values))]
    assert found == [[{"a": 1, "b": "ü"}, {"a": 2, "b": "ü"}], []]
    with pytest.raises(InputError) as error:
        rows.bind(rows.given({"name": "x", "type": BARE_POINT}), x=kind)
    assert error.value.where == "column in_x, field x.b of the schema"


# -- what a schema may say --------------------------------------------------------------------------------


def test_types_are_named_once_and_used_again():
    """Broken: a schema with two fields of one enum cannot be used."""
    side = {"type": "enum", "name": "Side", "namespace": "com.acme", "symbols": ["BUY", "SELL"]}
    schema = rows.given({"name": "x", "type": side}, {"name": "y", "type": ["null", "com.acme.Side"]})
    form = rows.bind(schema, x=pa.string(), y=pa.string())
    batch = rows.rows_of(x=pa.array(["SELL", "BUY"]), y=pa.array([None, "SELL"]))
    found = [avro.decoded(schema, payload.as_py()) for payload in form.payloads(batch)]
    assert [(value["x"], value["y"]) for value in found] == [("SELL", None), ("BUY", "SELL")]


def test_a_type_that_contains_itself_goes_as_deep_as_the_column():
    """Broken: a recursive schema hangs the replay."""
    schema = rows.given({"name": "x", "type": ["null", NODE]})
    kind = pa.struct([("next", pa.struct([("next", pa.null())]))])
    form = rows.bind(schema, x=kind)
    values = column(kind, [{"next": {"next": None}}, {"next": None}, None])
    found = [avro.decoded(schema, payload.as_py())["x"] for payload in form.payloads(rows.rows_of(x=values))]
    assert found == [{"next": {"next": None}}, {"next": None}, None]


def test_aliases_docs_and_orders_do_not_matter():
    """Broken: a schema as people write it is refused, or an alias takes a column of another field."""
    field = {"name": "x", "aliases": ["y"], "doc": "…", "order": "ignore", "type": {"type": "int", "prop": 1}}
    rows.bind(rows.given(field), x=pa.int32())
    with pytest.raises(InputError, match="has no field 'y'"):
        rows.bind(rows.given({**field, "default": 1}), y=pa.int32())


def references() -> Schema:
    side = Reference("com.acme.Side", "side", 1, '{"type": "enum", "name": "com.acme.Side", "symbols": ["BUY"]}')
    leg_fields = '[{"name": "side", "type": "com.acme.Side"}, {"name": "size", "type": "int"}]'
    leg = Reference("com.acme.Leg", "leg", 3, f'{{"type": "record", "name": "com.acme.Leg", "fields": {leg_fields}}}')
    record = {
        "type": "record",
        "name": "Trade",
        "namespace": "com.acme",
        "fields": [*rows.FIRST_FIELDS, {"name": "x", "type": {"type": "array", "items": "Leg"}}],
    }
    return avro.parsed(json.dumps(record), (side, leg))


def test_types_of_references():
    """Broken: a schema whose types lie in other subjects cannot be used."""
    schema = references()
    assert schema.name == "com.acme.Trade"
    kind = pa.list_(pa.struct([("size", pa.int32()), ("side", pa.string())]))
    form = rows.bind(schema, x=kind)
    values = column(kind, [[{"size": 2, "side": "BUY"}], []])
    found = [avro.decoded(schema, payload.as_py())["x"] for payload in form.payloads(rows.rows_of(x=values))]
    assert found == [[{"side": "BUY", "size": 2}], []]


def test_a_schema_may_be_the_name_of_a_referenced_record():
    """Broken: a subject that only points at another one cannot be used."""
    trade = Reference("T", "t", 1, rows.given().text)
    schema = avro.parsed('"T"', (trade,))
    assert schema.name == "T"
    payload = rows.bind(schema).payloads(rows.rows_of(x=pa.array([1])).drop_columns("x"))[0].as_py()
    assert payload == bytes_of(json.loads(rows.given().text), rows.record(0))
    assert avro.decoded(schema, payload)["symbol"] == "BTCUSDT"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not JSON"),
        ("{", "it is not JSON"),
        ("syntax = 'proto3';", "it is not JSON"),
        ('"string"', "it is a schema of string"),
        ('["null", "string"]', "it is a schema of null or string"),
        ('"com.acme.Trade"', "it names the type com.acme.Trade"),
        ('{"type": "record", "name": "T", "fields": [{"name": "a", "type": "Side"}]}', "it names the type Side"),
        ('{"type": "record", "fields": []}', '"name" is a required field'),
        ('{"type": "record", "name": "T", "fields": [{"name": "a"}]}', "is missing 'type'"),
        ('{"type": "record", "name": "T", "fields": [1]}', "must be a dict"),
        ('{"type": "record", "name": "T", "fields": [{"name": "a", "type": {"type": "array"}}]}', "lacks 'items'"),
        ('{"type": "record", "name": "T", "fields": [{"name": "a", "type": "int", "default": "x"}]}', "Default value"),
        ("{}", "lacks 'type'"),
        ("null", "it is no schema"),
        ("1", "it is no schema"),
        ('{"openapi": "3.0.0"}', "lacks 'type'"),
    ],
)
def test_a_text_that_is_no_schema_of_a_record(text, why):
    """Broken: a traceback, or a message that does not say what is wrong with the file."""
    for parse in (avro.parsed, lambda text: rows.bind(Schema("AVRO", text, "T"))):
        with pytest.raises(UsageError) as error:
            parse(text)
        assert error.value.where == "--schema"
        assert why in str(error.value)
