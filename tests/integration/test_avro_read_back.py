"""What others make of our Avro: a real registry, which knows Java's Avro, and Confluent's own deserializer."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from replay.record.formats import avro
from replay.record.formats.base import Reference, Schema
from replay.record.options import DecimalAs, Naming
from tests.support.registry import Registry
from tests.unit.record.formats import avro_rows as rows
from tests.unit.record.formats.avro_oracle import FLAT, column

LEG = pa.struct([("side", pa.string()), ("at", pa.timestamp("ns"))])
FIELDS: dict[str, tuple[pa.DataType, list[Any], list[Any]]] = {
    "i": (pa.int32(), [2**31 - 1, None], [2**31 - 1, None]),
    "u": (pa.uint64(), [2**64 - 1, 0], [Decimal(2**64 - 1), Decimal(0)]),
    "d": (pa.decimal128(38, 10), [-(10**38) + 1, None], [Decimal(f"-{'9' * 28}.{'9' * 10}"), None]),
    "raw": (pa.binary(), [b"\xff\x00", b""], [b"\xff\x00", b""]),
    "day": (pa.date32(), [0, -1], [date(1970, 1, 1), date(1969, 12, 31)]),
    "clock": (pa.time64("us"), [1, None], [time(0, 0, 0, 1), None]),
    "at": (pa.timestamp("ms"), [1, None], [datetime(1970, 1, 1, 0, 0, 0, 1000, UTC), None]),
    "id": (pa.uuid(), [b"\x01" * 16, None], [UUID(bytes=b"\x01" * 16), None]),
    "legs": (pa.list_(LEG), [[{"side": "ä", "at": 2**63 - 1}, None], []], [[{"side": "ä", "at": 2**63 - 1}, None], []]),
    "tags": (pa.map_(pa.string(), pa.float64()), [[("k", 0.1)], None], [{"k": 0.1}, None]),
    "odd": (pa.map_(pa.int8(), pa.bool_()), [None, [(1, None)]], [None, [{"key": 1, "value": None}]]),
}


def test_confluents_deserializer_reads_exact_values(registry: Registry, topic: str) -> None:
    """Broken: the client that most consumers use finds other values, or refuses the schema."""
    kinds = {name: kind for name, (kind, _, _) in FIELDS.items()}
    schema = avro.generated(rows.columns_of(**kinds), Naming("com.acme.Trade"), DecimalAs.NUMBER)
    batch = rows.rows_of(**{name: column(kind, values) for name, (kind, values, _) in FIELDS.items()})
    found = read(registry, topic, schema, rows.bind(schema, **kinds).payloads(batch))
    for row, value in enumerate(found):
        at = datetime(1970, 1, 1, 0, 0, 0, row + 1, UTC)
        first = {"symbol": rows.NAMES[row], "price": row / 4, "event_time": at}
        assert value == {**first, **{name: expected[row] for name, (_, _, expected) in FIELDS.items()}}


def test_confluents_deserializer_reads_records_of_a_schema_with_references(registry: Registry, topic: str) -> None:
    """Broken: types that lie in other subjects are written in another way than they are read."""
    side = '{"type": "enum", "name": "Side", "namespace": "com.acme", "symbols": ["BUY", "SELL"]}'
    registry.register(f"{topic}-side", side)
    reference = Reference("com.acme.Side", f"{topic}-side", 1, side)
    schema = avro.parsed(rows.given({"name": "x", "type": ["com.acme.Side", "null"]}).text, [reference])
    payloads = rows.bind(schema, x=pa.string()).payloads(rows.rows_of(x=pa.array(["SELL", None])))
    assert [value["x"] for value in read(registry, topic, schema, payloads)] == ["SELL", None]


def test_a_schema_of_all_types_is_one_to_java(registry: Registry, topic: str) -> None:
    """Broken: registries refuse what we generate."""
    kinds = {f"f{at}": kind for at, kind in enumerate(FLAT)}
    kinds |= {f"l{at}": pa.list_(pa.struct([("x", kind)])) for at, kind in enumerate(FLAT)}
    schema = avro.generated(rows.columns_of(**kinds), Naming("com.acme.Trade", "All \u00e4."), DecimalAs.NUMBER)
    registry.register(f"{topic}-value", schema.text)
    kept = registry.ask("GET", f"/subjects/{topic}-value/versions/1")["schema"]
    assert json.loads(kept) == json.loads(schema.text)


def test_a_further_field_is_compatible_in_both_directions(registry: Registry, topic: str) -> None:
    """Broken: the day a column is added to --fields, or left out, the registry refuses the new schema."""
    texts = [
        avro.generated(rows.columns_of(**kinds), Naming("com.acme.Trade"), DecimalAs.NUMBER).text
        for kinds in ({"x": pa.int8()}, {"x": pa.int8(), "y": pa.list_(LEG)})
    ]
    for subject, (old, new) in ((f"{topic}-more", texts), (f"{topic}-fewer", reversed(texts))):
        registry.register(subject, old)
        registry.demand(subject, "FULL")
        answer = registry.ask("POST", f"/compatibility/subjects/{subject}/versions/latest", {"schema": new})
        assert answer["is_compatible"]


def read(registry: Registry, topic: str, schema: Schema, payloads: pa.Array) -> list[Any]:
    """The values, as a consumer has them that knows the registry and nothing else."""
    references = [{"name": each.name, "subject": each.subject, "version": each.version} for each in schema.references]
    number = registry.register(f"{topic}-value", schema.text, references=references)
    reads = AvroDeserializer(SchemaRegistryClient({"url": registry.url, "timeout": 10}))
    context = SerializationContext(topic, MessageField.VALUE)
    frame = b"\x00" + number.to_bytes(4, "big")
    return [reads(frame + payload, context) for payload in payloads.to_pylist()]
