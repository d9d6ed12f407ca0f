"""Whether a replay and arrow-kafka-pyo3 write the same Avro records: the topics of both are read back and compared.

Only then is one of them faster than the other. The schema ids differ, since the records' names do; so do timestamps
(arrow-kafka-pyo3 has no say in them) and which partition a symbol is in.
"""

from __future__ import annotations

import json
from collections import defaultdict
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
from confluent_kafka import Consumer, TopicPartition

from tests.bench.arrow_sink import SCHEMA
from tests.bench.contenders import ARROW_SINK, AVRO
from tests.bench.setting import used
from tests.bench.throughput import Case, write_load
from tests.support.registry import Registry
from tests.support.topics import create_topic

_CASE = Case(rows=100_000, contenders=(AVRO, ARROW_SINK), runs=1)
_ID, _PAYLOAD = slice(1, 5), slice(5, None)  # behind a zero byte

Values = dict[str, list[bytes]]
"""Of each key, in order."""


def prove(scratch: Path, bootstrap_servers: str, registry: Registry) -> str:
    """What was found to be the same, in words. Raises `RuntimeError` for a value that is not."""
    load = write_load(scratch / "proof", _CASE, bootstrap_servers, registry.url)
    found: list[Values] = []
    for contender in _CASE.contenders:
        topic = f"proof-{len(found)}"
        create_topic(bootstrap_servers, topic, _CASE.partitions)
        used(contender.command(load, topic))
        found.append(_values(bootstrap_servers, topic))
    ours, theirs = found
    expected = _rows(load.folder)
    for symbol in expected:
        if [value[_PAYLOAD] for value in ours[symbol]] != [value[_PAYLOAD] for value in theirs[symbol]]:
            raise RuntimeError(f"{symbol}: {AVRO.name} and {ARROW_SINK.name} do not write the same bytes")
    for name, values in ((AVRO.name, ours), (ARROW_SINK.name, theirs)):
        if _decoded(values, registry) != expected:
            raise RuntimeError(f"{name}: the topic does not hold the rows of the files")
    return (
        f"{AVRO.name} and {ARROW_SINK.name} write the same bytes behind the schema id: {_CASE.rows:,} rows read back,"
        " and decoded by fastavro under the schema of each"
    )


def _values(bootstrap_servers: str, topic: str) -> Values:
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "proof", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(_CASE.partitions)])
    values: Values = defaultdict(list)
    records = 0
    while records < _CASE.rows:
        messages = consumer.consume(10_000, timeout=10)
        if not messages:
            raise RuntimeError(f"{topic}: {records:,} of {_CASE.rows:,} records")
        for message in messages:
            values[message.key().decode()].append(message.value())
        records += len(messages)
    consumer.close()
    return values


def _rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    rows = defaultdict(list)
    for path in sorted(folder.glob("*.parquet")):
        for row in pq.read_table(path, columns=SCHEMA.names).to_pylist():
            rows[row["symbol"]].append(row)
    return rows


def _decoded(values: Values, registry: Registry) -> dict[str, list[dict[str, Any]]]:
    schemas: dict[bytes, Any] = {}
    decoded: dict[str, list[Any]] = defaultdict(list)
    for symbol, of_symbol in values.items():
        for value in of_symbol:
            if value[_ID] not in schemas:
                stored = registry.ask("GET", f"/schemas/ids/{int.from_bytes(value[_ID], 'big')}")
                schemas[value[_ID]] = fastavro.parse_schema(json.loads(stored["schema"]))
            decoded[symbol].append(fastavro.schemaless_reader(BytesIO(value[_PAYLOAD]), schemas[value[_ID]], None))
    return decoded
