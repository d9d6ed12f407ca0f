"""`replay verify` tells people what differs: on a real broker, in each format, also of what nobody expected."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from replay.kafka.options import KafkaOptions
from replay.kafka.patience import Patience
from replay.kafka.reader import READ_COMMITTED
from replay.kafka.trouble import Trouble
from replay.model import SystemClock
from replay.verify.findings import GONE, RecordsAgain
from replay.verify.sides import to_verify
from tests.support.dumps import AS_IT_IS, made_up, write_dump
from tests.support.process import Jobs, replay_command
from tests.support.topics import create_topic
from tests.unit.fakes import Told

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.registry_front import Front

ROWS = 50
START = 1_700_000_000_000_000  # us since 1970: 2023-11-14T22:13:20Z
SCHEMA_FORMATS = ("avro", "protobuf", "json-schema")


@dataclass(frozen=True)
class Topic:
    """A topic that a replay of other rows has written, so that it differs from what is expected."""

    jobs: Jobs
    name: str
    broker: str
    folder: Path

    def trades(self, name: str, prices: Sequence[float]) -> Path:
        """A file of them, one a second; a price of 0 leaves its row out."""
        rows = [(f"S{at % 3}", price, START + at * 1_000_000) for at, price in enumerate(prices) if price]
        symbols, kept, times = (list(column) for column in zip(*rows, strict=True))
        times = pa.array(times, pa.timestamp("us"))
        table = pa.table({"symbol": symbols, "price": kept, "event_time": times, "note": ["as it was"] * len(kept)})
        path = self.folder / f"{name}.parquet"
        pq.write_table(table, path)
        return path

    def run(self, path: Path, options: Sequence[str]) -> None:
        command = replay_command([path], self.name, self.broker, self.folder / "checkpoint.json", *options)
        self.ended(command, 0)

    def found(self, path: Path, options: Sequence[str]) -> tuple[dict[str, list[dict[str, Any]]], str]:
        """The examples by kind, and the table."""
        command = ["verify", str(path), "--topic", self.name, "--bootstrap-servers", self.broker, *options]
        listed = json.loads(self.ended([*command, "--output", "json"], 1))["examples"]
        kinds = {kind: [each for each in listed if each["kind"] == kind] for kind in {each["kind"] for each in listed}}
        return kinds, self.ended(command, 1)

    def add(self, value: bytes | None, key: bytes | None = b"S0") -> None:
        producer = Producer({"bootstrap.servers": self.broker, "log_level": 0})
        producer.produce(self.name, value, key, 0, timestamp=START // 1_000)
        assert producer.flush(30) == 0

    def ended(self, command: Sequence[str], code: int) -> str:
        job = self.jobs.start(command)
        assert job.wait() == code, job.log
        assert "Traceback" not in job.log
        return job.output


@pytest.fixture
def made(jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path) -> Topic:
    create_topic(kafka.bootstrap_servers, topic, 2, config={"retention.ms": "-1"})
    return Topic(jobs, topic, kafka.bootstrap_servers, tmp_path)


@pytest.fixture
def options_of(request: pytest.FixtureRequest) -> Callable[[str], list[str]]:
    """Those of a format; the registry starts only where it is needed."""

    def options(value_format: str) -> list[str]:
        if value_format == "json":
            return ["--fields", "note"]
        registry = request.getfixturevalue("registry")
        return ["--fields", "note", "--format", value_format, "--registry", registry.url]

    return options


@pytest.mark.parametrize("value_format", ["json", *SCHEMA_FORMATS])
def test_what_differs_is_decoded(made: Topic, options_of: Callable[[str], list[str]], value_format: str) -> None:
    """Broken: whoever finds a difference has to read bytes to learn which one."""
    options = options_of(value_format)
    prices = [1.5 + at for at in range(ROWS)]
    expected = made.trades("expected", prices)
    prices[7], prices[20] = 99.25, 0
    register = [] if value_format == "json" else ["--schema-register"]
    made.run(made.trades("sent", prices), [*options, *register])
    made.add(b"\x1b[31mnobody's")
    made.add(None)
    if register:
        made.add(b"\0\0\x0f\x42\x3fanother's")
    kinds, table = made.found(expected, options)

    (changed,) = kinds["changed"]
    (differs,) = changed["differs"]
    assert re.fullmatch(r"price: 99.25, expected 8.5", differs)
    assert differs in table
    assert "8.5" in changed["expected"]["value"]
    assert "99.25" in changed["found"]["value"]
    assert changed["expected"]["key"] == "S1"
    assert changed["expected"]["timestamp"] == "2023-11-14T22:13:27.000Z"

    (lost,) = kinds["lost"]
    wanted = json.loads(lost["expected"]["value"])
    assert (wanted["symbol"], wanted["price"], wanted["note"]) == ("S2", 21.5, "as it was")
    assert "found" not in lost
    assert f"expected {lost['expected']['value']}" in " ".join(table.split())

    strangers, tombstone, *other = kinds["foreign"]
    assert "\x1b" not in table
    assert tombstone["found"]["value"] == "null"
    if value_format == "json":
        assert strangers["found"] == {
            "key": "S0", "value": r"\x1b[31mnobody's", "timestamp": "2023-11-14T22:13:20.000Z"
        }  # fmt: skip
    else:
        assert strangers["found"]["value"] == "0x" + b"\x1b[31mnobody's".hex()
        assert strangers["differs"][0].startswith("written without a schema id in its bytes, expected ")
        (another,) = other
        assert another["differs"][0].startswith("written under schema id 999999, expected ")
        assert another["found"]["value"] == "0x" + b"another's".hex()


def test_a_schema_that_a_header_names_is_shown(made: Topic, front: Front) -> None:
    """Broken: with the schema's id in a header, values do not decode, or a record without one looks like any other."""
    front.give_guids()
    options = ["--fields", "note", "--format", "avro", "--schema-id-in", "header", "--registry", front.url]
    prices = [1.5 + at for at in range(ROWS)]
    expected = made.trades("expected", prices)
    prices[7] = 99.25
    made.run(made.trades("sent", prices), [*options, "--schema-register"])
    made.add(b"somebody's")
    kinds, _ = made.found(expected, options)
    (changed,), (foreign,) = kinds["changed"], kinds["foreign"]
    assert changed["differs"] == ["price: 99.25, expected 8.5"]
    assert foreign["differs"][0].startswith("written without a schema id in the header __value_schema_id, expected ")


def test_records_as_they_are_are_shown_as_text_or_digits(made: Topic) -> None:
    """Broken: of a restored dump only places are told, or a value's bytes reach the terminal."""
    records = made_up(200, 2)
    dump = write_dump(made.folder / "dump.parquet", records)
    made.run(dump, AS_IT_IS)
    lost = write_dump(made.folder / "more.parquet", [*records, replace(records[-1], value=b"\0\1", key=b"\xff")])
    kinds, table = made.found(lost, AS_IT_IS)
    (one,) = kinds["lost"]
    assert one["expected"]["key"] == "0xff"
    assert one["expected"]["value"] == "0x0001"
    assert one["expected"]["headers"].startswith("[")
    assert "expected 0x0001" in table


def test_a_record_that_is_gone_by_now_is_told(made: Topic) -> None:
    """Broken: `verify` waits for a record that retention has just removed, or shows the one behind it."""
    for value in (b"one", b"two", b"three"):
        made.add(value)
    clock = SystemClock()
    patience = Patience(clock, 20, lambda: None, Trouble(Told(), clock))
    again = RecordsAgain(
        KafkaOptions(made.broker, made.name), to_verify(made.name, READ_COMMITTED, slice(None)), patience
    )
    try:
        shown = [again(0, offset) for offset in (2, 0, 1, 1)]
        assert [getattr(each, "value", each) for each in shown] == [b"three", b"one", b"two", b"two"]
        admin = AdminClient({"bootstrap.servers": made.broker, "log_level": 0})
        (deleted,) = admin.delete_records([TopicPartition(made.name, 0, 2)]).values()
        deleted.result(30)
        assert again(0, 1) == GONE
        assert getattr(again(0, 2), "value", "") == b"three"
    finally:
        again.close()
