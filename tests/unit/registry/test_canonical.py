"""Two texts, one schema; or two."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.record.formats.base import Reference, Schema
from replay.registry.canonical import canonical, same
from tests.support.schemas import avro, json_schema, protobuf

SIDE = {"type": "enum", "name": "Side", "symbols": ["BUY", "SELL"]}
TRADE: dict[str, Any] = {
    "type": "record",
    "name": "Trade",
    "namespace": "com.acme",
    "doc": "One trade.",
    "fields": [
        {"name": "symbol", "type": "string"},
        {"name": "side", "type": SIDE, "default": "BUY"},
        {"name": "other", "type": ["null", "Side"], "default": None},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "more", "type": {"type": "map", "values": {"type": "int"}}},
        {"name": "id", "type": {"type": "fixed", "name": "Id", "namespace": "com.other", "size": 16}},
    ],
}


def text(body: Any) -> Schema:
    return Schema("AVRO", json.dumps(body), "com.acme.Trade")


def changed(*path: Any, to: Any) -> Schema:
    """The schema with another value at that place."""
    body = json.loads(json.dumps(TRADE))
    at = body
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = to
    return text(body)


@pytest.mark.parametrize(
    "other",
    [
        Schema("AVRO", json.dumps(TRADE, indent=4), ""),
        Schema("AVRO", json.dumps(TRADE, sort_keys=True), ""),
        text({**TRADE, "name": "com.acme.Trade", "namespace": ""}),
        text({**TRADE, "doc": "Another text.", "aliases": ["Deal"]}),
        changed("fields", 0, "type", to={"type": "string"}),
        changed("fields", 0, "doc", to="The symbol."),
        changed("fields", 1, "default", to="SELL"),
        changed("fields", 2, "type", 1, to="com.acme.Side"),
        changed("fields", 2, "type", 1, to={"type": "Side"}),
        changed("fields", 6, "type", "values", to="int"),
    ],
    ids=lambda each: each.text[:60],
)
def test_what_only_people_read_does_not_count(other):
    """Broken: a job would refuse its own schema, as the registry writes it."""
    assert same(text(TRADE), other)


@pytest.mark.parametrize(
    "other",
    [
        changed("name", to="Deal"),
        changed("namespace", to="com.other"),
        changed("fields", 0, "type", to="bytes"),
        changed("fields", 0, "name", to="sym"),
        changed("fields", 1, "type", "symbols", to=["SELL", "BUY"]),
        changed("fields", 2, "type", to=["Side", "null"]),
        changed("fields", 3, "type", "scale", to=3),
        changed("fields", 4, "type", "logicalType", to="timestamp-millis"),
        changed("fields", 4, "type", to="long"),
        changed("fields", 7, "type", "size", to=8),
        text({**TRADE, "fields": TRADE["fields"][:-1]}),
        text({**TRADE, "fields": [TRADE["fields"][3], *TRADE["fields"][:3], *TRADE["fields"][4:]]}),
        Schema("JSON", json.dumps(TRADE), ""),
    ],
    ids=lambda each: each.text[:60],
)
def test_what_decides_what_the_bytes_mean_counts(other):
    """Broken: records would be sent under an id that readers know as another schema."""
    assert not same(text(TRADE), other)


def test_a_type_is_the_same_written_out_or_referred_to():
    """Broken: a schema of several files would not be recognized in one."""
    apart = json.loads(json.dumps(TRADE))
    apart["fields"][1]["type"] = "Side"
    side = {**SIDE, "namespace": "com.acme"}
    reference = Reference("com.acme.Side", "side", 1, json.dumps(side))
    assert same(text(TRADE), replace(text(apart), references=(reference,)))
    other = replace(reference, text=json.dumps({**side, "symbols": ["SELL", "BUY"]}))
    assert not same(text(TRADE), replace(text(apart), references=(other,)))
    assert not same(text(TRADE), text(apart))


names = st.sampled_from(["a", "b", "c"])
types = st.recursive(
    st.sampled_from(["int", "string", "bytes", {"type": "long", "logicalType": "timestamp-micros"}]),
    lambda inner: st.one_of(
        st.builds(lambda each: {"type": "array", "items": each}, inner),
        st.builds(lambda each: ["null", each], inner.filter(lambda each: not isinstance(each, list))),
        st.builds(lambda each: {"type": "map", "values": each}, inner),
    ),
    max_leaves=4,
)
records = st.dictionaries(names, types, min_size=1).map(lambda fields: json.loads(avro(**fields).text))


@given(records, records, st.randoms(use_true_random=False))
def test_two_texts_are_one_schema_only_if_an_independent_reader_says_so(one, other, random):
    """Broken: a mistake in our own canonical form, where fastavro's (without logical types) sees two schemas."""
    fastavro = pytest.importorskip("fastavro.schema")
    theirs = [fastavro.to_parsing_canonical_form(each) for each in (one, other)]
    if same(text(one), text(other)):
        assert theirs[0] == theirs[1]
    assert same(text(one), text(shuffled(one, random)))


def shuffled(node: Any, random: Random) -> Any:
    """The same JSON with the attributes of objects in another order."""
    if isinstance(node, list):
        return [shuffled(each, random) for each in node]
    if not isinstance(node, dict):
        return node
    items = [(key, shuffled(value, random)) for key, value in node.items()]
    random.shuffle(items)
    return dict(items)


BOOK = """\
// Written by hand.
syntax = 'proto3';
package com.acme;
import "google/protobuf/timestamp.proto";
import "side.proto";
option java_package = "com.acme";
/* A trade;
   with { braces } in its comment. */
message Trade {
  message Leg { string a = 1; }
  optional string symbol = 1; // the symbol
  map<string, int32> more = 2 [deprecated = true];
  oneof way { Leg leg = 3; string text = 4; }
  google.protobuf.Timestamp at = 5;
  enum Kind { NONE = 0; SOME = 1; }
  reserved 9, 10;
}
message Other { string note = 1; }
"""

WIRE = """\
syntax = "proto3";
package com.acme;

import "side.proto";
import "google/protobuf/timestamp.proto";

option java_package = "com.acme";

message Trade {
  reserved 9, 10;

  optional string symbol = 1;

  map<string, int32> more = 2 [
    deprecated = true
  ];

  google.protobuf.Timestamp at = 5;

  oneof way {
    Leg leg = 3;

    string text = 4;
  }

  message Leg {
    string a = 1;
  }

  enum Kind {
    NONE = 0;
    SOME = 1;
  }
}

message Other {
  string note = 1;
}
"""
"""The same as Confluent's registry writes it (by the library Wire)."""


def proto(body: str) -> Schema:
    return Schema("PROTOBUF", body, "com.acme.Trade", (0,))


def test_a_protobuf_file_is_the_same_in_the_registry_s_own_order():
    """Broken: a job would refuse its own schema, as Confluent's registry writes it."""
    assert same(proto(BOOK), proto(WIRE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("symbol = 1", "symbol = 7"),
        ("optional string symbol", "string symbol"),
        ("string note", "bytes note"),
        ("package com.acme", "package com.other"),
        ("SOME = 1", "SOME = 2"),
        ('import "side.proto";\n', ""),
        ("text = 4; }", "text = 4; } string extra = 6;"),
        ("message Other", "message Another"),
        ('"com.acme"', '"com.Acme"'),
    ],
)
def test_another_protobuf_file_is_another_one(old, new):
    """Broken: records would be sent under an id that readers know as another schema."""
    assert old in BOOK
    assert not same(proto(BOOK), proto(BOOK.replace(old, new)))


def test_the_order_of_messages_counts():
    """Broken: a record names its message by its place in the file: readers would take another one."""
    first, second = "message A { string a = 1; }", "message B { string b = 1; }"
    assert not same(proto(f"{first}\n{second}"), proto(f"{second}\n{first}"))
    assert not same(proto(f"message X {{ {first} {second} }}"), proto(f"message X {{ {second} {first} }}"))


def test_json_schemas_are_compared_as_json():
    """Broken: a job would refuse its own schema, as the registry writes it."""
    one = json_schema(a="string", b="integer")
    assert same(one, replace(one, text=json.dumps(json.loads(one.text), indent=1, sort_keys=True)))
    assert not same(one, json_schema(a="string", b="number"))


@pytest.mark.parametrize("kind", ["AVRO", "JSON", "PROTOBUF"])
@pytest.mark.parametrize("body", ["", "{", "nonsense }{", '{"type":"record"}', "[" * 20_000, "{" * 20_000, '"'])
def test_a_text_that_cannot_be_read_is_only_the_same_as_itself(kind, body):
    """Broken: whatever stands under an id would end the job in a trace."""
    assert same(Schema(kind, body, ""), Schema(kind, body, ""))
    assert not same(Schema(kind, body, ""), Schema(kind, protobuf("string a").text, ""))
    assert isinstance(canonical(Schema(kind, body, "")), str)
