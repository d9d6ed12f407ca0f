"""What others make of our JSON Schema: Confluent's own deserializer, and a real registry that compares versions."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

from replay.record.formats import json_schema
from replay.record.options import DecimalAs, Naming
from tests.support.registry import Registry
from tests.unit.record.formats.json_rows import Rows, trades

FRAME = b"\x00\x00\x00\x00\x01"
FIELDS = {
    "n": pa.array([1, None]),
    "pairs": pa.array([[(1, "x")], None], pa.map_(pa.int8(), pa.string())),
    "o": pa.array([{"at": 1}, None], pa.struct([("at", pa.timestamp("ns"))])),
    "d": pa.array(["0.50", "1.25"]).cast(pa.decimal128(9, 2)),
    "raw": pa.array([b"\x00\xff", b""]),
}


def text_of(*fields: str, is_open: bool = False) -> tuple[Rows, str]:
    rows = trades(**{name: FIELDS[name] for name in fields})
    made = json.loads(json_schema.generated(rows.columns, Naming("com.acme.Trade"), DecimalAs.NUMBER).text)
    if is_open:
        del made["additionalProperties"]
    return rows, json.dumps(made)


def test_confluents_deserializer_takes_our_records_and_no_others():
    """Broken: the client that most consumers use refuses what was sent under its own schema."""
    rows, text = text_of(*FIELDS)
    reads, context = JSONDeserializer(text), SerializationContext("trades", MessageField.VALUE)
    first, second = (reads(FRAME + payload, context) for payload in rows.bound(text).payloads(rows.batch).to_pylist())
    assert first == {
        "symbol": "A", "price": 1.5, "event_time": "1970-01-01T00:00:00.000000Z", "n": 1, "pairs": [[1, "x"]],
        "o": {"at": "1970-01-01T00:00:00.000000001Z"}, "d": 0.5, "raw": "AP8=",
    }  # fmt: skip
    assert second == {**first, "symbol": "B", "n": None, "pairs": None, "o": None, "d": 1.25, "raw": ""}
    with pytest.raises(SerializationError):
        reads(FRAME + rows.bare()[0].replace(b'"n": 1', b'"n": "1"'), context)


def test_a_further_field_is_backward_compatible_since_the_schema_is_closed(registry: Registry):
    """Broken: the day a column is added to --fields, the registry refuses the new schema."""
    for subject, is_open in (("closed-value", False), ("open-value", True)):
        registry.register(subject, text_of("n", is_open=is_open)[1], "JSON")
        registry.demand(subject)
        body = {"schemaType": "JSON", "schema": text_of(*FIELDS, is_open=is_open)[1]}
        answer = registry.ask("POST", f"/compatibility/subjects/{subject}/versions/latest", body)
        assert answer["is_compatible"] is not is_open
