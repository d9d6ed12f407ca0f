"""The schema that is made of columns: its text, what is refused for it, and that it compiles."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.errors import InputError
from replay.record.formats import protobuf
from replay.record.formats.base import Column, Naming
from replay.record.formats.protobuf_compile import compiled
from replay.record.formats.protobuf_schema import json_name
from replay.record.options import DecimalAs
from tests.unit.record.formats.protobuf_columns import kinds
from tests.unit.record.formats.protobuf_reading import Case, columns_of

ALL = {
    "size": pa.int16(),
    "trade_id": pa.uint64(),
    "fee": pa.decimal128(38, 9),
    "day": pa.date32(),
    "clock": pa.time64("us"),
    "lag": pa.duration("ms"),
    "raw": pa.binary(),
    "id": pa.uuid(),
    "nothing": pa.null(),
    "tags": pa.list_(pa.string()),
    "levels": pa.map_(pa.string(), pa.float32()),
    "legs": pa.list_(pa.struct([("side", pa.string()), ("at", pa.timestamp("ns"))])),
    "grid": pa.list_(pa.list_(pa.int64())),
}

TEXT = """\
syntax = "proto3";

package com.acme;

import "google/protobuf/duration.proto";
import "google/protobuf/timestamp.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";

// A trade.
//
// As it was.
message Trade {
  message Legs {
    optional string side = 1;
    google.protobuf.Timestamp at = 2;
  }

  message Grid {
    repeated int64 items = 1;
  }

  string symbol = 1;
  double price = 2;
  google.protobuf.Timestamp event_time = 3;
  optional int32 size = 4;
  optional uint64 trade_id = 5;
  optional string fee = 6;
  google.type.Date day = 7;
  google.type.TimeOfDay clock = 8;
  google.protobuf.Duration lag = 9;
  optional bytes raw = 10;
  optional string id = 11;
  optional string nothing = 12;
  repeated string tags = 13;
  map<string, float> levels = 14;
  repeated Legs legs = 15;
  repeated Grid grid = 16;
}
"""


def text_of(fields: dict[str, pa.DataType], decimal_as: DecimalAs = DecimalAs.NUMBER, **naming: str) -> str:
    return protobuf.generated(columns_of(fields), Naming(**naming), decimal_as).text


def test_the_text_is_this():
    """Broken: the same columns would have another schema after an update: another id, or one that is not registered."""
    schema = protobuf.generated(columns_of(ALL), Naming("com.acme.Trade", "A trade.\n\nAs it was."), DecimalAs.NUMBER)
    assert schema.text == TEXT
    assert (schema.kind, schema.name, schema.message_indexes) == ("PROTOBUF", "com.acme.Trade", (0,))


@pytest.mark.parametrize(
    ("kind", "decimal_as", "field"),
    [
        (pa.int64(), DecimalAs.NUMBER, "int64 price"),
        (pa.uint16(), DecimalAs.NUMBER, "uint32 price"),
        (pa.float16(), DecimalAs.NUMBER, "float price"),
        (pa.string(), DecimalAs.NUMBER, "string price"),
        (pa.string(), DecimalAs.MESSAGE, "google.type.Decimal price"),
        (pa.decimal256(60, 20), DecimalAs.NUMBER, "string price"),
        (pa.decimal128(10, 2), DecimalAs.STRING, "string price"),
        (pa.decimal128(10, 2), DecimalAs.MESSAGE, "google.type.Decimal price"),
    ],
)
def test_a_price_has_the_field_of_its_type(kind, decimal_as, field):
    """Broken: prices would lose digits, or be optional although they are always there."""
    text = protobuf.generated(columns_of({}, kind), Naming(), decimal_as).text
    assert f"\n  {field} = 2;\n" in text
    assert ('import "google/type/decimal.proto";' in text) == ("Decimal" in field)
    compiled(text)


@settings(max_examples=25, deadline=None)
@given(st.lists(kinds(3), max_size=4), st.sampled_from(list(DecimalAs)))
def test_it_is_deterministic_and_compiles(some, decimal_as):
    """Broken: protoc, and so a registry, would refuse a schema of ours; or each run would ask for another one."""
    fields = {f"field_{at}": kind for at, kind in enumerate(some)}
    text = text_of(fields, decimal_as)
    assert text_of(fields, decimal_as) == text
    assert [field.name for field in compiled(text).message_types_by_name["Trade"].fields] == [
        *("symbol", "price", "event_time"),
        *fields,
    ]


@pytest.mark.parametrize("name", ["", "1st", "bid price", "größe", "a-b", "a.b", "a\n"])
def test_a_name_that_is_no_identifier_is_refused_with_the_remedy(name):
    """Broken: protoc's complaint about line and column of a text that nobody wrote would be all there is."""
    columns = [*columns_of({}), Column("x", name, pa.int32(), True, "input column")]
    with pytest.raises(InputError, match="is no name of a Protobuf field") as error:
        protobuf.generated(columns, Naming(), DecimalAs.NUMBER)
    assert error.value.where == "column 'input column'"
    assert "--rename input column=NAME" in error.value.todo


@pytest.mark.parametrize(
    ("one", "other"), [("foo_bar", "fooBar"), ("foo", "foo_"), ("foo_bar", "foo__bar"), ("a", "a")]
)
def test_two_names_that_are_one_in_json_are_refused_by_name(one, other):
    """Broken: protoc refuses such a schema with a text that names neither column."""
    columns = [*columns_of({}), *(Column(name, name, pa.int32(), True, name) for name in (one, other))]
    with pytest.raises(InputError, match=f"{one}.*{other}"):
        protobuf.generated(columns, Naming(), DecimalAs.NUMBER)


@given(st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,5}\Z"))
@settings(max_examples=20, deadline=None)
def test_names_in_json_are_those_of_protoc(name):
    """Broken: names that clash would be found by protoc only, or good names be refused."""
    text = f'syntax = "proto3"; message Trade {{ int32 {name} = 1; }}'
    (field,) = compiled(text).message_types_by_name["Trade"].fields
    assert json_name(name) == field.json_name


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (pa.month_day_nano_interval(), "has none"),
        (pa.struct([("a b", pa.int8())]), "'a b' is no name"),
        (pa.struct([("a", pa.int8()), ("a", pa.int8())]), "one in Protobuf's JSON: 'a'"),
        (pa.struct([("a_b", pa.int8()), ("aB", pa.int8())]), "one in Protobuf's JSON: 'aB'"),
        (pa.map_(pa.float64(), pa.int8()), "keys of a map are text, integers or bool, and these are double"),
        (pa.map_(pa.binary(), pa.int8()), "these are binary"),
        (pa.map_(pa.date32(), pa.int8()), "these are date32"),
        (pa.list_(pa.struct([("m", pa.map_(pa.list_(pa.int8()), pa.int8()))])), "m: keys of a map"),
        (pa.struct([("m", pa.map_(pa.string(), pa.int8())), ("MEntry", pa.int8())]), "MEntry"),
        (pa.struct([("m", pa.map_(pa.string(), pa.int8())), ("M", pa.map_(pa.string(), pa.int8()))]), "MEntry"),
        (pa.struct([("_1", pa.map_(pa.string(), pa.int8()))]), "'1Entry'"),
    ],
)
def test_what_has_no_form_is_refused_by_column_and_reason(kind, why):
    """Broken: a replay would end in the middle, or a column vanish from records."""
    with pytest.raises(InputError) as error:
        text_of({"x": kind})
    assert error.value.where == "column 'in_x'"
    assert why in error.value.what
    assert "--fields" in error.value.todo


def test_keys_that_are_decimals_go_as_text_but_not_as_messages():
    """Broken: a message as the key of a map, which protoc refuses."""
    kind = pa.map_(pa.decimal128(5, 2), pa.int8())
    assert "map<string, int32> x = 4;" in text_of({"x": kind})
    with pytest.raises(InputError, match="keys of a map"):
        text_of({"x": kind}, DecimalAs.MESSAGE)


@pytest.mark.parametrize(
    "name", ["Trade", "com.acme.Trade", "com.google.md.Trade", "google.md.Trade", "md.google", "a.b.c.X"]
)
def test_googles_types_are_found_from_any_package(name):
    """Broken: protoc looks for google.protobuf.Timestamp in com.google first, and refuses the schema."""
    schema = protobuf.generated(
        columns_of({"t": pa.time32("s"), "s": pa.struct([("t", pa.date32())])}), Naming(name), DecimalAs.NUMBER
    )
    assert protobuf.parsed(schema.text) == schema


def test_messages_within_have_names_that_are_free():
    """Broken: two columns that together make one name twice, which protoc refuses, would not be replayed at all."""
    inner = pa.struct([("x", pa.int8())])
    fields = {
        "legs": pa.map_(pa.string(), inner),
        "Legs": inner,
        "legs_entry": inner,
        "_1": inner,
        "deep": pa.struct([("deep", pa.struct([("Deep", inner)]))]),
    }
    one = {"x": 7}
    values = {"legs": [("k", one)], "Legs": one, "legs_entry": one, "_1": one, "deep": {"deep": {"Deep": one}}}
    case = Case(fields)
    (message,) = case.read(case.write({name: pa.array([values[name]], kind) for name, kind in fields.items()}))
    assert (message.legs["k"].x, message.Legs.x, message.legs_entry.x, message._1.x) == (7,) * 4
    assert message.deep.deep.Deep.x == 7


@pytest.mark.parametrize(
    "fields",
    [
        {"m": pa.map_(pa.string(), pa.int8()), "MEntry": pa.int8()},
        {"_1": pa.map_(pa.string(), pa.int8())},
    ],
)
def test_names_that_clash_with_those_that_protobuf_makes_are_refused(fields):
    """Broken: a traceback, or protoc's complaint about a text that nobody wrote."""
    with pytest.raises(InputError, match=r"Protobuf makes a message '(M|1)Entry' of a map") as error:
        text_of(fields)
    assert "--rename" in error.value.todo


@pytest.mark.parametrize("field", ["symbol", "message", "optional", "_s1"])
def test_a_keys_schema_and_payload_go_together(field):
    """Broken: no consumer could read the keys of records."""
    for namespace in ("", "com.acme"):
        schema = protobuf.key_schema(field, namespace)
        assert protobuf.parsed(schema.text) == schema
        for text in ("BTCUSDT", "", "ü" * 64, "x" * 20_000):
            assert protobuf.decoded(schema, protobuf.key_payload(text)) == {field: text}


def test_a_keys_name_that_is_none_is_refused():
    """Broken: protoc's complaint about a text that nobody wrote."""
    with pytest.raises(InputError, match="'the key' is no name"):
        protobuf.key_schema("the key")
