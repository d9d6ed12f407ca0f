"""The schema of Avro that is made from columns."""

from __future__ import annotations

import json

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.errors import InputError, UsageError
from replay.record.formats import avro
from replay.record.formats.base import Column, Naming
from replay.record.options import DecimalAs
from tests.unit.record.formats.avro_oracle import KINDS
from tests.unit.record.formats.avro_rows import columns_of


def generated(naming: Naming | None = None, decimal_as: DecimalAs = DecimalAs.NUMBER, **further: pa.DataType):
    return avro.generated(columns_of(**further), naming or Naming(), decimal_as)


def type_of(kind: pa.DataType, decimal_as: DecimalAs = DecimalAs.NUMBER):
    """The type of a further column, once the union with null that it is was taken off."""
    field = json.loads(generated(decimal_as=decimal_as, x=kind).text)["fields"][-1]
    assert field["default"] is None
    if field["type"] == "null":
        return "null"
    null, made = field["type"]
    assert null == "null"
    return made


def test_the_text_of_the_three_first_columns():
    """Broken: the schema of a nightly job changes with a release, and the registry has it under another id."""
    schema = generated(Naming("com.acme.Trade", "Trades, as they were."))
    assert schema.kind == "AVRO"
    assert schema.name == "com.acme.Trade"
    assert schema.references == ()
    assert schema.text == (
        '{"type": "record", "name": "Trade", "namespace": "com.acme", "doc": "Trades, as they were.", "fields": ['
        '{"name": "symbol", "type": "string"}, '
        '{"name": "price", "type": "double"}, '
        '{"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}'
    )
    assert json.loads(generated().text).keys() == {"type", "name", "fields"}, "no empty namespace or doc"


def logical(base: str, name: str, **more: int):
    return {"type": base, "logicalType": name, **more}


def decimal(precision: int, scale: int):
    return logical("bytes", "decimal", precision=precision, scale=scale)


TYPES = [
    (pa.int8(), "int"),
    (pa.int16(), "int"),
    (pa.int32(), "int"),
    (pa.uint8(), "int"),
    (pa.uint16(), "int"),
    (pa.uint32(), "long"),
    (pa.int64(), "long"),
    (pa.uint64(), decimal(20, 0)),
    (pa.float16(), "float"),
    (pa.float32(), "float"),
    (pa.float64(), "double"),
    (pa.bool_(), "boolean"),
    (pa.string(), "string"),
    (pa.binary(), "bytes"),
    (pa.decimal128(38, 10), decimal(38, 10)),
    (pa.decimal32(9, 2), decimal(9, 2)),
    (pa.decimal256(76, 38), decimal(76, 38)),
    (pa.decimal128(5, -2), decimal(7, 0)),
    (pa.decimal128(3, 7), decimal(7, 7)),
    (pa.timestamp("s"), logical("long", "timestamp-millis")),
    (pa.timestamp("ms"), logical("long", "timestamp-millis")),
    (pa.timestamp("us"), logical("long", "timestamp-micros")),
    (pa.timestamp("ns"), logical("long", "timestamp-nanos")),
    (pa.date32(), logical("int", "date")),
    (pa.date64(), logical("int", "date")),
    (pa.time32("s"), logical("int", "time-millis")),
    (pa.time32("ms"), logical("int", "time-millis")),
    (pa.time64("us"), logical("long", "time-micros")),
    (pa.time64("ns"), "long"),
    (pa.duration("ms"), "string"),
    (pa.uuid(), logical("string", "uuid")),
    (pa.null(), "null"),
    (pa.list_(pa.int8()), {"type": "array", "items": ["null", "int"]}),
    (pa.list_(pa.null()), {"type": "array", "items": "null"}),
    (pa.map_(pa.string(), pa.bool_()), {"type": "map", "values": ["null", "boolean"]}),
]


@pytest.mark.parametrize(
    ("kind", "expected"), TYPES, ids=lambda value: str(value) if isinstance(value, pa.DataType) else ""
)
def test_each_type_has_this_form(kind, expected):
    """Broken: a column goes out as another type than the documentation says, or another night's schema is another."""
    assert type_of(kind) == expected


def test_decimals_are_text_where_that_is_asked_for():
    """Broken: a consumer without decimals, for whom the option is, gets bytes."""
    assert type_of(pa.decimal128(38, 10), DecimalAs.STRING) == "string"
    inside = type_of(pa.list_(pa.decimal128(5, -2)), DecimalAs.STRING)
    assert inside == {"type": "array", "items": ["null", "string"]}
    assert type_of(pa.uint64(), DecimalAs.STRING) == decimal(20, 0), "it is no decimal column"


def test_a_column_that_is_never_null_is_no_union():
    """Broken: consumers have to unpack prices that are always there."""
    price = Column("price", "price", pa.decimal128(18, 8), False, "px")
    field = json.loads(avro.generated([price], Naming(), DecimalAs.NUMBER).text)["fields"][0]
    assert field == {"name": "price", "type": decimal(18, 8)}


def test_times_of_nanoseconds_say_what_they_are():
    """Broken: a plain long, and nobody knows of what."""
    for kind in (pa.time64("ns"), pa.list_(pa.time64("ns")), pa.map_(pa.string(), pa.time64("ns"))):
        field = json.loads(generated(x=kind).text)["fields"][-1]
        assert field["doc"] == "Time of day in nanoseconds since midnight."
    assert "doc" not in json.loads(generated(x=pa.timestamp("ns")).text)["fields"][-1]


def test_records_inside_are_named_after_their_place():
    """Broken: two records of one name, which no registry accepts."""
    leg = pa.struct([("price", pa.float64()), ("fee", pa.struct([("a", pa.int8())]))])
    schema = generated(Naming("com.acme.Trade"), legs=pa.list_(leg), legs_fee=pa.struct([("b", pa.int8())]))
    legs, fee = json.loads(schema.text)["fields"][-2:]
    assert legs["type"][1]["items"][1]["name"] == "Trade_legs"
    assert legs["type"][1]["items"][1]["fields"][1]["type"][1]["name"] == "Trade_legs_fee"
    assert fee["type"][1]["name"] == "Trade_legs_fee_2"
    fastavro.parse_schema(json.loads(schema.text))


def test_a_map_without_text_keys_is_an_array_of_records():
    """Broken: keys of Avro's maps are text; others would be lost or refused midway."""
    assert type_of(pa.map_(pa.int8(), pa.string())) == {
        "type": "array",
        "items": {
            "type": "record",
            "name": "Trade_x",
            "fields": [
                {"name": "key", "type": "int"},
                {"name": "value", "type": ["null", "string"], "default": None},
            ],
        },
    }


@settings(deadline=None)
@given(KINDS, st.sampled_from([DecimalAs.NUMBER, DecimalAs.STRING]))
def test_every_generated_text_is_a_schema_to_others(kind, decimal_as):
    """Broken: a registry refuses a schema that we made."""
    text = generated(Naming("com.acme.Trade"), decimal_as, x=kind).text
    assert text == generated(Naming("com.acme.Trade"), decimal_as, x=kind).text
    assert avro.parsed(text).name == "com.acme.Trade"
    assert fastavro.schema.fullname(fastavro.parse_schema(json.loads(text))) == "com.acme.Trade"


@settings(deadline=None)
@given(KINDS)
def test_every_generated_text_is_a_schema_to_apache_avro(kind):
    """Broken: the reference implementation refuses a schema that we made."""
    reference = pytest.importorskip("avro.schema")
    assert reference.parse(generated(Naming("com.acme.Trade"), x=kind).text).fullname == "com.acme.Trade"


@pytest.mark.parametrize("name", ["bid price", "1st", "größe", "a.b", "", "a-b", "a\n"])
def test_a_name_that_avro_does_not_have_is_refused(name):
    """Broken: the registry refuses the schema, with a message that names no column."""
    column = Column(name, name, pa.int8(), True, "source name")
    with pytest.raises(InputError) as error:
        avro.generated([column], Naming(), DecimalAs.NUMBER)
    assert error.value.where == "column source name"
    assert "--rename source name=NAME" in error.value.todo


@pytest.mark.parametrize(
    "kind",
    [
        pa.struct([("bid price", pa.int8())]),
        pa.list_(pa.struct([("a", pa.int8()), ("a", pa.int8())])),
        pa.month_day_nano_interval(),
        pa.map_(pa.string(), pa.dense_union([pa.field("a", pa.int8())])),
        pa.decimal256(76, -1),
    ],
    ids=str,
)
def test_a_type_without_a_form_is_refused(kind):
    """Broken: the replay fails at its first row, with a traceback."""
    with pytest.raises(InputError, match="has no form in Avro") as error:
        generated(x=kind)
    assert error.value.where == "column in_x"


@pytest.mark.parametrize("name", ["", "Trade-1", "com..Trade", ".Trade", "9.Trade", "Tr\u00e4de"])
def test_a_record_needs_a_full_name(name):
    """Broken: the registry refuses the schema."""
    with pytest.raises(UsageError) as error:
        generated(Naming(name))
    assert error.value.where == "--schema-name"


def test_avro_has_no_messages():
    """Broken: an option of Protobuf is ignored without a word."""
    with pytest.raises(UsageError) as error:
        generated(decimal_as=DecimalAs.MESSAGE)
    assert error.value.where == "--decimal-as"
    with pytest.raises(UsageError):
        avro.bound(generated(), columns_of(), None, DecimalAs.MESSAGE)  # type: ignore[arg-type]
