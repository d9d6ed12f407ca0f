"""A topic's dump goes to a cluster with another registry: its values name the same schemas, under other ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import fastavro
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.support.dumps import Kept, kept_of, made_up, write_dump
from tests.support.process import KILLED, Jobs, replay_command
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.registry import Registry

PARTITIONS = 3
FIRST = {"type": "record", "name": "Trade", "namespace": "acme", "fields": [{"name": "n", "type": "long"}]}
SECOND = {**FIRST, "fields": [*FIRST["fields"], {"name": "side", "type": ["null", "string"], "default": None}]}
COLUMNS = ("--value-column", "value", "--partition-column", "partition", "--timestamp-column", "timestamp")


def framed(schema_id: int, schema: Mapping[str, object], value: Mapping[str, object]) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(dict(schema)), value)
    return b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()


@pytest.fixture
def dump(registry: Registry, topic: str) -> list[Kept]:
    """Values of two schemas, tombstones, and values without any."""
    one, two = (registry.register(f"{topic}-value", json.dumps(each)) for each in (FIRST, SECOND))
    made = []
    for number, each in enumerate(made_up(600, PARTITIONS)):
        values = [
            framed(one, FIRST, {"n": number}),
            framed(two, SECOND, {"n": number, "side": "buy"}),
            None,
            b"no schema",
        ]
        made.append(replace(each, value=values[number % 4], key=None, headers=()))
    return made


def decoded(reader: AvroDeserializer, topic: str, value: bytes | None) -> object:
    if value is None or value[:1] != b"\0":
        return value
    return reader(value, SerializationContext(topic, MessageField.VALUE))


def test_values_name_their_schemas_by_the_ids_of_the_new_registry(
    kafka: KafkaCluster | Broker,
    registry: Registry,
    own_registry: Registry,
    dump: list[Kept],
    topic: str,
    jobs: Jobs,
    tmp_path: Path,
) -> None:
    """Broken: readers of the new cluster find other schemas under the old ids; or a resume needs a registry."""
    for number in range(5):  # its ids are others
        own_registry.register(f"somebody-{number}", json.dumps({**FIRST, "name": f"Other{number}"}))
    create_topic(kafka.bootstrap_servers, topic, PARTITIONS, config={"retention.ms": "-1"})
    file = write_dump(tmp_path / "dump.parquet", dump)
    command = replay_command(
        [file], topic, kafka.bootstrap_servers, tmp_path / "c.json", *COLUMNS, "--source-registry", registry.url
    )

    refused = jobs.start([*command, "--registry", own_registry.url])
    assert refused.wait() == 4, refused.log
    assert "not registered" in refused.log
    assert "--schema-register" in refused.log
    assert not any(kept_of(kafka.bootstrap_servers, topic))

    killed = jobs.start([*command, "--registry", own_registry.url, "--schema-register"], "after report 100")
    assert killed.wait() == KILLED, killed.log
    own_registry.kill()
    again = jobs.start(
        [*command, "--registry", own_registry.url, "--source-registry", "http://127.0.0.1:1", "--verify"]
    )
    assert again.wait() == 0, again.log
    own_registry.start()

    found = [each for partition in kept_of(kafka.bootstrap_servers, topic) for each in partition]
    wanted = [each for number in range(PARTITIONS) for each in dump if each.partition == number]
    assert len(found) == len(wanted)
    theirs, ours = (AvroDeserializer(SchemaRegistryClient({"url": each.url})) for each in (own_registry, registry))
    for record, row in zip(found, wanted, strict=True):
        assert (record.partition, record.timestamp_ms) == (row.partition, row.timestamp_ms)
        assert decoded(theirs, topic, record.value) == decoded(ours, topic, row.value)
    assert len(own_registry.versions(f"{topic}-value")) == 2
