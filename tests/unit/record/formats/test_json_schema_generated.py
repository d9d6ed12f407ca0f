"""The JSON Schema that is made of columns, and what it is good for: no value of theirs needs to be looked at."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.errors import InputError, UsageError
from replay.record.formats import json_schema
from replay.record.formats.base import Naming, Schema
from replay.record.formats.json_schema_types import column_schema, takes_all
from replay.record.options import DecimalAs
from replay.source.columns import unify
from tests.unit.record.formats.json_judge import judge
from tests.unit.record.formats.json_rows import Rows, trades
from tests.unit.record.test_json_text import KINDS, build, values_of

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
D = Decimal
AS = st.sampled_from([DecimalAs.NUMBER, DecimalAs.STRING])


def made(rows: Rows, naming: Naming | None = None) -> Schema:
    return json_schema.generated(rows.columns, naming or Naming(), rows.decimal_as)


# -- the schema that is made of columns ----------------------------------------------------------------------


def test_the_generated_schema_is_this():
    """Broken: consumers' generated code, and what a registry compares the next schema with, change by themselves."""
    kinds = {
        "n": pa.int64(), "f": pa.float32(), "d": pa.decimal128(9, 0), "b": pa.bool_(), "s": pa.string(), "x": pa.null(),
        "raw": pa.binary(), "id": pa.uuid(), "at": pa.timestamp("ns"), "day": pa.date64(), "t": pa.time32("s"),
        "took": pa.duration("us"), "l": pa.list_(pa.bool_()), "o": pa.struct([("p", pa.int8())]),
        "m": pa.map_(pa.string(), pa.float64()), "pairs": pa.map_(pa.int8(), pa.string()),
    }  # fmt: skip
    rows = trades(**{name: pa.nulls(1, kind) for name, kind in kinds.items()})
    schema = made(rows, Naming("com.acme.Trade", "Trades of a day"))
    nullable = {"s": "string", "f": "number", "n": "integer", "b": "boolean"}
    assert (schema.kind, schema.name, schema.references) == ("JSON", "com.acme.Trade", ())
    assert json.loads(schema.text) == {
        "$schema": DRAFT_7,
        "title": "com.acme.Trade",
        "description": "Trades of a day",
        "type": "object",
        "properties": {
            "symbol": {"type": "string"},
            "price": {"type": "number"},
            "event_time": {"type": "string", "format": "date-time"},
            **{name: {"type": [kind, "null"]} for name, kind in nullable.items()},
            "d": {"type": ["number", "null"]},
            "x": {"type": "null"},
            "raw": {"type": ["string", "null"], "contentEncoding": "base64"},
            "id": {"type": ["string", "null"], "format": "uuid"},
            "at": {"type": ["string", "null"], "format": "date-time"},
            "day": {"type": ["string", "null"], "format": "date"},
            "t": {"type": ["string", "null"]},
            "took": {"type": ["string", "null"]},
            "l": {"type": ["array", "null"], "items": {"type": ["boolean", "null"]}},
            "o": {
                "type": ["object", "null"],
                "properties": {"p": {"type": ["integer", "null"]}},
                "additionalProperties": False,
            },
            "m": {"type": ["object", "null"], "additionalProperties": {"type": ["number", "null"]}},
            "pairs": {
                "type": ["array", "null"],
                "items": {
                    "type": "array",
                    "items": [{"type": ["integer", "null"]}, {"type": ["string", "null"]}],
                    "minItems": 2,
                    "maxItems": 2,
                },
            },
        },
        "required": ["symbol", "price", "event_time"],
        "additionalProperties": False,
    }
    assert list(json.loads(schema.text)["properties"]) == [column.field for column in rows.columns], "in their order"
    assert made(rows, Naming("com.acme.Trade", "Trades of a day")) == schema, "the same columns, the same text"


PRICES = [
    (pa.array([5], pa.int8()), "integer", "integer"),
    (pa.array([1.5]), "number", "number"),
    (pa.array([D("1.50")]), "number", "string"),
    (pa.array(["1.50"]), "number", "string"),
    (pa.nulls(0), "number", "number"),
]


@pytest.mark.parametrize(("price", "number", "string"), PRICES, ids=lambda value: str(getattr(value, "type", "")))
def test_a_price_is_a_number_whatever_it_was_and_exact_digits_are_text_on_request(price, number, string):
    """Broken: a price that is text in the file has another type in the schema than in the records."""
    for decimal_as, expected in ((DecimalAs.NUMBER, number), (DecimalAs.STRING, string)):
        arrays = {"symbol": pa.array(["A"] * len(price)), "price": price}
        rows = Rows({**arrays, "event_time": pa.array([0] * len(price), pa.timestamp("us"))}, decimal_as)
        schema = made(rows).text
        assert json.loads(schema)["properties"]["price"] == {"type": expected}
        assert all(map(judge(schema), rows.bare()))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_generated_schema_takes_every_record_that_is_written(data):
    """Broken: a consumer that validates stops at our own records; or values of columns are asked for nothing."""
    arrays = {}
    count = data.draw(st.integers(1, 4))
    for name in ("f", "g"):
        kind = data.draw(KINDS)
        column = build(kind, data.draw(st.lists(values_of(kind), min_size=count, max_size=count)))
        arrays[name] = unify.widen(column, unify.plain(kind))
    rows = trades(**arrays)
    rows.decimal_as = data.draw(AS)
    schema = made(rows)
    takes = judge(schema.text)
    form = rows.bound(schema.text)
    payloads = form.payloads(rows.batch).to_pylist()
    assert payloads == rows.bare(), "the bytes are those of bare JSON"
    assert all(map(takes, payloads))
    assert form.row_keywords == ()
    assert all(form.misfits(column.name, rows.batch.column(column.name)) is None for column in rows.columns)


def test_messages_and_types_without_a_form_are_refused():
    """Broken: a wish that JSON cannot fulfil is passed over."""
    rows = trades()
    with pytest.raises(UsageError, match="JSON has no messages") as usage:
        json_schema.generated(rows.columns, Naming(), DecimalAs.MESSAGE)
    assert usage.value.where == "--decimal-as"
    union = trades(u=pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]))
    with pytest.raises(InputError, match="no JSON form") as caught:
        made(union)
    assert caught.value.where == "column 'in u'"


# -- what a schema takes by type alone -------------------------------------------------------------------------

CHANGES = [
    {"type": "string"}, {"type": ["string", "null"]}, {"type": "number"}, {"type": ["array", "object", "null"]},
    {"minLength": 2}, {"format": "date"}, {"format": "date-time"}, {"required": ["f\"0"]}, {"required": ["q"]},
    {"minItems": 1}, {"properties": {}}, {"additionalProperties": False}, {"additionalProperties": {"type": "null"}},
    {"items": {}},
    {"items": {"type": ["integer", "null"]}}, {"items": [{"type": "integer"}]}, {"title": "t"},
    {"description": "d", "default": None}, {"contentEncoding": "base64"}, {"maximum": 5},
]  # fmt: skip


def places(schema: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [*schema.get("properties", {}).values(), schema.get("additionalProperties")]
    inner += schema["items"] if isinstance(schema.get("items"), list) else [schema.get("items")]
    return [schema, *(each for child in inner if isinstance(child, dict) for each in places(child))]


def test_a_required_name_is_not_in_every_map():
    """Broken: a map without a field that the schema requires is sent."""
    ours = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert takes_all({"type": "object"}, ours)
    assert not takes_all({"type": "object", "required": ["a"]}, ours)
    assert not takes_all({"type": "object", "properties": {"a": {"type": "string"}}}, ours)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_is_said_to_take_all_values_takes_them(data):
    """Broken: values are not looked at, and a record is sent that its schema forbids."""
    kind = data.draw(KINDS)
    column = build(kind, data.draw(st.lists(values_of(kind), min_size=1, max_size=5)))
    rows = trades(f=unify.widen(column, unify.plain(kind)))
    ours = column_schema(rows.columns[-1], DecimalAs.NUMBER)
    assert takes_all(ours, ours)
    assert takes_all(True, ours)
    changed = json.loads(json.dumps(ours))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.sampled_from(places(changed)))
        if place and data.draw(st.booleans()):
            del place[data.draw(st.sampled_from(sorted(place)))]
        else:
            place.update(json.loads(json.dumps(data.draw(st.sampled_from(CHANGES)))))
    if takes_all(changed, ours):
        takes = judge(json.dumps({"properties": {"f": changed}}))
        assert all(map(takes, rows.bare()))
