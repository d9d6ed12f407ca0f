"""What others make of our JSON Schema: Confluent's own deserializer, and a real registry that compares versions."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

from replay.record.formats import json_schema
from replay.record.options import DecimalAs, Naming
from tests.conftest import Broker
from tests.support.kafka_cluster import KafkaCluster
from tests.support.process import Jobs, replay_command
from tests.support.readback import read_topic
from tests.support.registry import Registry
from tests.support.topics import create_topic
from tests.unit.record.formats.json_rows import Rows, trades
from tests.unit.source.trades import write

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


def test_a_replay_under_a_given_schema_is_read_back_by_its_id(
    jobs: Jobs, kafka: KafkaCluster | Broker, registry: Registry, topic: str, tmp_path: Path
) -> None:
    """Broken: `--format json-schema` sends what its schema forbids, or under another schema than it says."""
    create_topic(kafka.bootstrap_servers, topic, 2, config={"retention.ms": "-1"})
    path = write(tmp_path / "a.parquet", 9, n=pa.array(range(9)))  # symbols S0, S1, S2, S0, …
    given = {"title": "com.acme.Trade", "properties": {"n": {"maximum": 7}}, "additionalProperties": True,
             "not": {"properties": {"symbol": {"const": "S0"}, "n": {"minimum": 3}}}}  # fmt: skip
    schema = tmp_path / "s.json"
    schema.write_text(json.dumps(given))
    options = ["--fields", "n", "--format", "json-schema", "--schema", str(schema), "--registry", registry.url,
               "--on-bad-row", "skip", "--bad-rows-max", "3", "--verify"]  # fmt: skip
    job = jobs.start(
        replay_command([path], topic, kafka.bootstrap_servers, tmp_path / "c.json", *options, "--schema-register")
    )
    assert job.wait() == 0, job.log
    assert "looks at several fields of a row together (not)" in job.log

    client = SchemaRegistryClient({"url": registry.url, "timeout": 10})
    reads = JSONDeserializer(None, schema_registry_client=client, conf={"subject.name.strategy.type": "TOPIC"})
    context = SerializationContext(topic, MessageField.VALUE)
    records = [record for partition in read_topic(kafka.bootstrap_servers, topic) for record in partition]
    found = [reads(record.value, context) for record in records]
    assert sorted(each["n"] for each in found) == [0, 1, 2, 4, 5, 7], "3 and 6 are of S0, 8 is more than 7"
    assert all(each["symbol"] == f"S{each['n'] % 3}" and each["price"] == 100 + each["n"] for each in found)
    assert json.loads(client.get_latest_version(f"{topic}-value").schema.schema_str) == given


def test_a_further_field_is_backward_compatible_since_the_schema_is_closed(registry: Registry):
    """Broken: the day a column is added to --fields, the registry refuses the new schema."""
    for subject, is_open in (("closed-value", False), ("open-value", True)):
        registry.register(subject, text_of("n", is_open=is_open)[1], "JSON")
        registry.demand(subject)
        body = {"schemaType": "JSON", "schema": text_of(*FIELDS, is_open=is_open)[1]}
        answer = registry.ask("POST", f"/compatibility/subjects/{subject}/versions/latest", body)
        assert answer["is_compatible"] is not is_open
