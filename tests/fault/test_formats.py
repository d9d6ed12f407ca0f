"""Values under a schema, and the job, the broker or both are killed. The registry is away whenever a replay goes on.

What the topic holds is read by others' libraries, with the schema as the registry gives it.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from tests.fault.conftest import ISOLATION, PARTITIONS, own_cluster, under_way
from tests.support.process import KILLED, checkpoint
from tests.support.readback import Row, read_topic
from tests.support.scenario import Scenario, make_trades
from tests.support.third_party import Reader
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job, Jobs
    from tests.support.registry import Registry
    from tests.support.scenario import Trades

ROWS = 8_000
GONE = "http://127.0.0.1:1"
"""Nobody listens there."""

LIKENESSES = 10
"""Records of each partition that another job writes again, almost."""

SLOW = ("--rate", "2k/s", "--checkpoint-interval", "100ms")
"""A replay takes 4 s: long enough for something to happen in the middle."""

SLOWER = ("--rate", "500/s", "--checkpoint-interval", "100ms")
"""The same of 16 s: a broker starts again meanwhile. What is due by then goes out at once."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    with own_cluster(tmp_path_factory.mktemp("kafka-to-kill")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades") / "in", ROWS)


@pytest.fixture
def formatted(
    cluster: KafkaCluster, registry: Registry, trades: Trades, topic: str, tmp_path: Path, jobs: Jobs
) -> Callable[..., Scenario]:
    """Makes a topic, and gives the replay into it. Its command names a registry that is not there."""

    def make(format_: str, delivery: str, *options: str) -> Scenario:
        name = f"{topic}-{delivery}"
        create_topic(cluster.bootstrap_servers, name, PARTITIONS, 1, {"retention.ms": "-1"})
        chosen = ("--format", format_, "--delivery", delivery, *options)
        return Scenario(
            trades,
            cluster.bootstrap_servers,
            name,
            tmp_path / f"{name}.json",
            jobs,
            chosen,
            isolation=ISOLATION[delivery],
            decode=Reader(format_, registry.url, name).as_json,
        )

    return make


def registering(registry: Registry) -> tuple[str, ...]:
    """What the first run has, and no other: where the registry is."""
    return ("--registry", registry.url, "--schema-register")


AWAY = ("--registry", GONE, "--broker-timeout", "30s")


def run_all(replays: Sequence[Scenario], *options: str, code: int, crash: str | None = None) -> list[Job]:
    """Both deliveries at once: each to its end, which must be `code`."""
    jobs = [replay.start(*options, crash=crash) for replay in replays]
    for job in jobs:
        assert job.wait() == code, f"exit {job.exit_code} instead of {code}:\n{job.log}"
    return jobs


def add_likenesses(replay: Scenario) -> None:
    """Records as another job could write them: those that are there, with another schema id or another time."""
    producer = Producer({"bootstrap.servers": replay.bootstrap_servers, "log_level": 0})
    for records in read_topic(replay.bootstrap_servers, replay.topic, deadline_s=60):
        for record in records[:LIKENESSES]:
            key, value, at = record.key or b"", record.value or b"", record.timestamp_ms
            other = Row(key, value[:4] + bytes([value[4] ^ 1]) + value[5:], at), Row(key, value, at + 1)
            for row in other:
                replay.foreign[row] += 1
                producer.produce(replay.topic, row.value, row.key, record.partition, timestamp=row.timestamp_ms)
    assert producer.flush(30) == 0


@pytest.mark.parametrize("format_", ["avro", "protobuf", "json-schema"])
def test_killed_at_one_exact_place_after_the_other(
    registry: Registry, formatted: Callable[..., Scenario], format_: str
) -> None:
    """Broken: a crash right there would lose or repeat rows, or a resume would ask the registry, or take rows of its
    own that are in the topic for others' because it writes them with other bytes."""
    deliveries = list(ISOLATION)[: 1 if format_ == "json-schema" else None]
    replays = [formatted(format_, delivery, "--rate", "max", "--checkpoint-interval", "30s") for delivery in deliveries]
    run_all(replays, *registering(registry), crash="after send 1", code=KILLED)
    known = [schema_id(replay) for replay in replays]
    run_all(replays, *AWAY, crash="after report 5000", code=KILLED)
    for replay in replays:
        add_likenesses(replay)
        replay.add_foreign()
    run_all(replays, *AWAY, crash="amid read 1", code=KILLED)
    run_all(replays, *AWAY, crash="before done 1", code=KILLED)
    for job in run_all(replays, *AWAY, code=0):
        assert GONE not in job.log
    assert [schema_id(replay) for replay in replays] == known
    for replay in replays:
        replay.assert_exact()


@pytest.mark.parametrize("format_", ["avro", "protobuf"])
def test_killed_at_a_random_moment(registry: Registry, formatted: Callable[..., Scenario], format_: str) -> None:
    """Broken: a kill -9 would lose or duplicate trades, or change their order."""
    replays = [formatted(format_, delivery, *SLOW) for delivery in ISOLATION]
    jobs = under_way(replays, 0, *registering(registry))
    time.sleep(1.9 * random.random())
    for replay, job in zip(replays, jobs, strict=True):
        job.kill()
        assert job.exit_code == KILLED, job.log
        replay.add_foreign()
    run_all(replays, *AWAY, "--rate", "max", code=0)
    for replay in replays:
        replay.assert_exact()


@pytest.mark.parametrize("format_", ["avro", pytest.param("protobuf", marks=pytest.mark.soak)])
def test_the_broker_is_killed_and_then_both(
    node: KafkaCluster, registry: Registry, formatted: Callable[..., Scenario], format_: str
) -> None:
    """Broken: rows in flight would be lost or doubled by a crash of the broker; or a power cut of the whole machine
    would leave a topic that a resume completes wrongly."""
    replays = [formatted(format_, delivery, *SLOWER) for delivery in ISOLATION]
    jobs = under_way(replays, 500, *registering(registry))
    node.kill_node(0)
    for job in jobs:
        job.wait_log("retrying until")
    node.start_node(0)
    for replay, job in zip(replays, jobs, strict=True):
        job.wait_row(replay.checkpoint, 1_000)
    node.kill_node(0)
    for job in jobs:
        job.kill()
        assert job.exit_code == KILLED, job.log
    again = [replay.start(*AWAY, "--rate", "max") for replay in replays]  # before the broker is back
    node.start_node(0)
    for replay, job in zip(replays, again, strict=True):
        assert job.wait() == 0, job.log
        replay.assert_exact()


def schema_id(replay: Scenario) -> str:
    return str(checkpoint(replay.checkpoint)["options"]["value schema id"])
