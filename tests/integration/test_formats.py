"""Avro, Protobuf and JSON Schema on a real broker with a real registry: what a consumer reads with its own library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import murmur2

from tests.support import all_types
from tests.support.called import Called
from tests.support.third_party import Reader, field_of, wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.readback import Record
    from tests.support.registry import Registry

FORMATS = ["avro", "protobuf", "json-schema"]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("in") / "trades.parquet"
    pq.write_table(all_types.table(), path, row_group_size=4)
    return path


@pytest.fixture
def replay(kafka: KafkaCluster | Broker, registry: Registry, topic: str, tmp_path: Path) -> Called:
    """A replay into a new topic; inputs and options are the test's."""
    options = ("--create-topic", "3", "--registry", registry.url, "--linger", "5ms", "--broker-timeout", "10s")
    return Called(kafka.bootstrap_servers, topic, tmp_path, tmp_path / "checkpoint.json", options)


def in_order(replay: Called) -> list[Record]:
    """The records in the order of the rows (their times differ), each in its partition."""
    read = replay.records()
    for partition, records in enumerate(read):
        assert all(murmur2(record.key or b"", len(read)) == partition for record in records)
    return sorted((record for records in read for record in records), key=lambda record: record.timestamp_ms)


def assert_same(table: pa.Table, read: Sequence[Any], renamed: Mapping[str, str] = {}) -> None:
    """Each value of each column. `renamed`: column to field."""
    for field in table.schema:
        is_coded = pa.types.is_dictionary(field.type)
        kind = field.type.value_type if is_coded else field.type
        column = table[field.name].cast(kind) if is_coded else table[field.name]
        name = renamed.get(field.name, field.name)
        assert [field_of(each, name, kind) for each in read] == wanted(column), field


@pytest.mark.parametrize("format_", FORMATS)
def test_every_type_with_a_schema_made_of_the_columns(
    registry: Registry, replay: Called, everything: Path, format_: str
) -> None:
    """Broken: a consumer would read other values than the file has."""
    replay.inputs = everything
    table = pq.read_table(everything)
    fields = ",".join(table.column_names[3:])
    replay.run("--format", format_, "--fields", fields, "--schema-register")
    reader = Reader(format_, registry.url, replay.topic)
    assert_same(table, [reader.value(record) for record in in_order(replay)])
