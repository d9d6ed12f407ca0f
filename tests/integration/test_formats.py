"""Avro, Protobuf and JSON Schema on a real broker with a real registry: what a consumer reads with its own library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import murmur2

from tests.support import all_types
from tests.support.called import Called, call
from tests.support.process import KILLED, replay_command
from tests.support.third_party import KINDS, Reader, field_of, wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Jobs
    from tests.support.readback import Record
    from tests.support.registry import Registry
    from tests.support.registry_front import Front

FORMATS = ["avro", "protobuf", "json-schema"]
ROWS = 200
SOME = 20
"""So many are read by their GUID: Avro's deserializer asks the registry for each anew."""


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


# -- a schema that is given --------------------------------------------------------------------------------

FILL = {
    "avro": json.dumps(
        {
            "type": "record",
            "name": "Fill",
            "namespace": "com.acme",
            "fields": [
                {"name": "side", "type": {"type": "enum", "name": "Side", "symbols": ["sell", "buy"]}},
                {"name": "amount", "type": "int"},
                {"name": "venue", "type": "string", "default": "XNAS"},
                {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
                {"name": "symbol", "type": "string"},
                {"name": "price", "type": "double"},
                {"name": "note", "type": ["null", "string"], "default": None},
            ],
        }
    ),
    "protobuf": """syntax = "proto3";
package com.acme;
import "google/protobuf/timestamp.proto";
enum Side { NONE = 0; sell = 1; buy = 2; }
message Other { string text = 1; }
message Fill {
  optional string note = 9;
  Side side = 4;
  int32 amount = 7;
  string venue = 10;
  google.protobuf.Timestamp at = 2;
  string symbol = 1;
  double price = 3;
}
""",
    "json-schema": json.dumps(
        {
            "title": "Fill",
            "type": "object",
            "properties": {
                "side": {"enum": ["sell", "buy"]},
                "amount": {"type": "integer", "maximum": 2**31 - 1},
                "at": {"type": "string", "format": "date-time"},
                "symbol": {"type": "string"},
                "price": {"type": "number"},
                "note": {"type": ["string", "null"]},
            },
            "required": ["side", "amount", "at", "symbol", "price"],
            "additionalProperties": False,
        }
    ),
}
"""Other names, another order, narrower types, and a field that no column goes into."""

AS_FILL = ("--fields", "qty,side,note", "--rename", "event_time=at", "--rename", "qty=amount")
RENAMED = {"event_time": "at", "qty": "amount"}


def fills(**columns: Any) -> pa.Table:
    times = pa.array([all_types.T0_US + at * 1000 for at in range(ROWS)], pa.int64())
    made = {
        "symbol": [f"SYMBOL{at % 5}" for at in range(ROWS)],
        "price": [1 + at / 8 for at in range(ROWS)],
        "event_time": times.cast(pa.timestamp("us")),
        "qty": pa.array([2**31 - 1 - at for at in range(ROWS)], pa.int64()),
        "side": [("buy", "sell")[at % 2] for at in range(ROWS)],
        "note": [None if at % 3 else f"n{at}" for at in range(ROWS)],
    }
    return pa.table({**made, **columns})


@pytest.fixture
def filled(replay: Called, tmp_path: Path) -> pa.Table:
    """The rows of the replay's one file."""
    table = fills()
    pq.write_table(table, tmp_path / "fills.parquet")
    replay.inputs = tmp_path / "fills.parquet"
    return table


def schema_options(format_: str, folder: Path) -> list[str]:
    file = folder / f"fill.{format_}"
    file.write_text(FILL[format_])
    message = ["--schema-message", "com.acme.Fill"] if format_ == "protobuf" else []
    return ["--format", format_, "--schema", str(file), *message, *AS_FILL]


def sides(format_: str, table: pa.Table) -> list[Any]:
    """The column side, as it is read: protobuf's classes give the numbers of an enum."""
    texts = table["side"].to_pylist()
    return [{"sell": 1, "buy": 2}[text] for text in texts] if format_ == "protobuf" else texts


def read_fills(registry: Registry, replay: Called, format_: str, table: pa.Table) -> list[Any]:
    """What consumers get, each value compared."""
    reader = Reader(format_, registry.url, replay.topic)
    read = [reader.value(record) for record in in_order(replay)]
    assert_same(table.drop_columns(["side"]), read, RENAMED)
    assert [field_of(each, "side", pa.null()) for each in read] == sides(format_, table)
    return read


@pytest.mark.parametrize("format_", FORMATS)
def test_a_schema_that_is_given_decides(
    registry: Registry, replay: Called, filled: pa.Table, tmp_path: Path, format_: str
) -> None:
    """Broken: a schema that others have agreed on could not be written: names, order, narrower types, defaults."""
    replay.run(*schema_options(format_, tmp_path), "--schema-register")
    read = read_fills(registry, replay, format_, filled)
    if format_ != "json-schema":
        assert {field_of(each, "venue", pa.string()) for each in read} == {"XNAS" if format_ == "avro" else ""}
    assert registry.ask("GET", f"/subjects/{replay.topic}-value/versions/1")["schema"] == FILL[format_]


SIDE = {
    "avro": '{"type": "enum", "name": "Side", "namespace": "com.acme", "symbols": ["sell", "buy"]}',
    "protobuf": 'syntax = "proto3";\npackage com.acme;\nenum Side { NONE = 0; sell = 1; buy = 2; }\n',
}


def referring(format_: str) -> str:
    """The same schema, with the type of sides in another."""
    if format_ == "avro":
        made = json.loads(FILL["avro"])
        made["fields"][0]["type"] = "com.acme.Side"
        return json.dumps(made)
    kept = [line for line in FILL["protobuf"].splitlines() if not line.startswith(("enum", "message Other"))]
    return "\n".join([*kept[:2], 'import "com/acme/side.proto";', *kept[2:]])


@pytest.mark.parametrize("format_", ["avro", "protobuf"])
def test_a_schema_of_the_registry_with_references(
    registry: Registry, replay: Called, filled: pa.Table, format_: str
) -> None:
    """Broken: what a subject names could not be written, or another version of it; or one that cannot be would fail in
    the middle."""
    kind, subject = KINDS[format_], f"{replay.topic}-shared"
    registry.register(f"{subject}-side", SIDE[format_], kind)
    name = "com.acme.Side" if format_ == "avro" else "com/acme/side.proto"
    reference = {"name": name, "subject": f"{subject}-side", "version": 1}
    first = registry.register(subject, referring(format_), kind, [reference])
    narrower = {
        "avro": ('"amount", "type": "int"', '"amount", "type": "string"'),
        "protobuf": ("int32 am", "string am"),
    }
    registry.register(subject, referring(format_).replace(*narrower[format_]), kind, [reference])
    options = ("--format", format_, *AS_FILL, "--schema-subject")
    replay.refused(3, "qty", "int64", "amount", "string", more=(*options, subject))
    assert not replay.has_topic
    replay.run(*options, f"{subject}:1")
    reader = Reader(format_, registry.url, replay.topic)
    assert {reader.schema_id(record).id for record in in_order(replay)} == {first}
    read_fills(registry, replay, format_, filled)


# -- keys, and ids in headers ------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["avro", "protobuf"])
def test_keys_under_a_schema(registry: Registry, replay: Called, filled: pa.Table, format_: str) -> None:
    """Broken: keys could not be read; or a partition would be that of other bytes than those of the key."""
    replay.run("--key-format", format_, "--schema-register")
    reader = Reader(format_, registry.url, replay.topic)
    keys = [reader.key(record) for record in in_order(replay)]
    assert [key if format_ == "avro" else key.symbol for key in keys] == filled["symbol"].to_pylist()
    assert registry.versions(f"{replay.topic}-key") == [1]
    assert registry.versions(f"{replay.topic}-value") == []


def test_a_registry_without_guids_has_nothing_for_a_header(replay: Called, filled: pa.Table) -> None:
    """Broken: records would carry a header that names no schema; or a topic would be left behind."""
    assert filled.num_rows
    options = ("--format", "avro", "--schema-id-in", "header", "--schema-register")
    replay.refused(2, "--schema-id-in", "GUID", "payload", more=options)
    replay.refused(2, "--schema-id-in", "GUID", "payload", more=options)  # now it is registered
    assert not replay.has_topic


@pytest.mark.parametrize("format_", ["avro", "protobuf"])
def test_schema_ids_in_headers(
    front: Front, replay: Called, filled: pa.Table, jobs: Jobs, tmp_path: Path, format_: str
) -> None:
    """Broken: a consumer that looks into the header would not find the schema; a resume would lose or repeat rows."""
    front.give_guids()
    options = [*schema_options(format_, tmp_path), "--schema-id-in", "header", "--key-format", format_]
    command = replay_command([replay.inputs], replay.topic, replay.bootstrap_servers, replay.checkpoint, *options)
    first = ("--registry", front.url, "--schema-register", "--create-topic", "3")
    job = jobs.start([*command, *first], crash="after report 50")
    assert job.wait() == KILLED, job.log
    replay.run(*options, "--registry", "http://127.0.0.1:1")
    reader = Reader(format_, front.url, replay.topic)
    records = in_order(replay)
    assert {name for record in records for name, _ in record.headers} == {"__value_schema_id", "__key_schema_id"}
    assert [record.timestamp_ms for record in records] == [all_types.T0_US // 1000 + at for at in range(ROWS)]
    some, rows = records[:SOME], filled.slice(0, SOME)
    assert_same(rows.drop_columns(["side"]), [reader.value(record) for record in some], RENAMED)
    keys = [reader.key(record) for record in some]
    assert [key if format_ == "avro" else key.symbol for key in keys] == rows["symbol"].to_pylist()


# -- values and columns that do not fit --------------------------------------------------------------------


@pytest.mark.parametrize("format_", FORMATS)
def test_values_that_do_not_fit_are_bad_rows(
    registry: Registry, replay: Called, filled: pa.Table, tmp_path: Path, format_: str
) -> None:
    """Broken: a value beyond its field would end a replay in the middle, or be sent as another one."""
    wrong, side = filled["qty"].to_pylist(), filled["side"].to_pylist()
    wrong[7], side[-1] = 2**31, "short"
    spoiled = fills(qty=pa.array(wrong, pa.int64()), side=side)
    pq.write_table(spoiled, replay.inputs)
    options = schema_options(format_, tmp_path)
    replay.refused(3, "fills.parquet", "row 7", "qty", more=(*options, "--schema-register"))
    assert not replay.has_topic
    assert registry.versions(f"{replay.topic}-value") == []
    aside = ("--on-bad-row", "quarantine" if format_ == "avro" else "skip", "--schema-register")
    outcome = replay.run(*options, *aside)
    assert f"{ROWS - 2} in topic, 0 not selected, 2 bad, of {ROWS} rows" in outcome.out
    left = spoiled.take([at for at in range(ROWS) if at not in (7, ROWS - 1)])
    read_fills(registry, replay, format_, left)
    where = ("--topic", replay.topic, "--bootstrap-servers", replay.bootstrap_servers, "--registry", registry.url)
    verified = call("verify", str(replay.inputs), *where, "--checkpoint", str(replay.checkpoint), *options, *aside[:2])
    assert verified.code == 0, verified.out + verified.err
    if format_ == "avro":
        assert pq.read_table(f"{replay.checkpoint}.quarantine.parquet").num_rows == 2


@pytest.mark.parametrize("format_", FORMATS)
def test_columns_that_do_not_fit_are_told_before_the_first_row(
    replay: Called, filled: pa.Table, tmp_path: Path, format_: str
) -> None:
    """Broken: the wrong file for a schema would be found out in the middle of the night, or not be named."""
    options = (*schema_options(format_, tmp_path), "--schema-register")
    pq.write_table(filled.set_column(3, "qty", filled["qty"].cast(pa.string())), replay.inputs)
    replay.refused(3, "qty", "string", "amount", more=options)
    pq.write_table(filled, replay.inputs)
    unnamed = "amount" if format_ == "json-schema" else "no field 'qty'"
    replay.refused(3, unnamed, more=[each for each in options if each != "qty=amount"][:-2])
    left_out = [*options[: options.index("--fields")], "--rename", "event_time=at"]
    if format_ != "protobuf":  # whose fields need not be set
        replay.refused(3, "side", more=left_out)
    assert not replay.has_topic
