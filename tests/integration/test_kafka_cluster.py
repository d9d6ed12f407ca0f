"""The brokers that the other tests stand on: real processes, really killed, with data that survives."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer, murmur2

from tests.support.java import JavaUnavailable
from tests.support.kafka_cluster import KafkaCluster, KafkaNodeError, jars
from tests.support.readback import Row, compare, read_topic, same_content
from tests.support.topics import create_topic, leader_of, wait_in_sync

if TYPE_CHECKING:
    from tests.conftest import Broker

PARTITIONS = 6


def trades(start: int, stop: int) -> list[Row]:
    return [Row(f"S{i % 9}".encode(), f'{{"n": {i}}}'.encode(), 1_600_000_000_000 + i) for i in range(start, stop)]


def produce(bootstrap: str, topic: str, rows: list[Row]) -> None:
    """Idempotently, and acknowledged when this returns."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
    for row in rows:
        where = murmur2(row.key, PARTITIONS)
        producer.produce(topic, row.value, row.key, where, timestamp=row.timestamp_ms)
    assert producer.flush(60) == 0


def test_the_shared_broker_keeps_old_event_times(kafka: KafkaCluster | Broker, topic: str) -> None:
    """Broken: a replay of old trades would vanish from the topic while a test looks at it."""
    rows = trades(0, 1000)
    create_topic(kafka.bootstrap_servers, topic, PARTITIONS, config={"retention.ms": "-1"})
    produce(kafka.bootstrap_servers, topic, rows)
    verdict = compare(rows, read_topic(kafka.bootstrap_servers, topic))
    assert verdict.exact, verdict
    assert same_content(rows, kafka.bootstrap_servers, topic)


def test_a_read_ends_behind_transaction_markers(kafka: KafkaCluster | Broker, topic: str) -> None:
    """Broken: the check would wait forever for an offset that no reader is ever given."""
    bootstrap = kafka.bootstrap_servers
    committed, aborted = trades(0, 100), trades(100, 150)
    create_topic(bootstrap, topic, PARTITIONS)
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(30)
    for rows, end in ((committed, producer.commit_transaction), (aborted, producer.abort_transaction)):
        producer.begin_transaction()
        for row in rows:
            where = murmur2(row.key, PARTITIONS)
            producer.produce(topic, row.value, row.key, where, timestamp=row.timestamp_ms)
        producer.flush(30)
        end(30)
    assert compare(committed, read_topic(bootstrap, topic, "read_committed")).exact
    assert compare(committed + aborted, read_topic(bootstrap, topic)).exact


def test_committed_rows_behind_an_open_transaction_are_waited_for(kafka: KafkaCluster | Broker, topic: str) -> None:
    """Broken: rows would be reported lost that are only waiting for somebody else's transaction."""
    bootstrap = kafka.bootstrap_servers
    create_topic(bootstrap, topic, PARTITIONS)
    settings = {"transactional.id": topic, "transaction.timeout.ms": 5000, "log_level": 0}
    abandoned = Producer({"bootstrap.servers": bootstrap, **settings})
    abandoned.init_transactions(30)
    abandoned.begin_transaction()
    for row in trades(0, 9):
        abandoned.produce(topic, row.value, row.key, murmur2(row.key, PARTITIONS), timestamp=row.timestamp_ms)
    abandoned.flush(30)
    rows = trades(100, 200)
    produce(bootstrap, topic, rows)
    verdict = compare(rows, read_topic(bootstrap, topic, "read_committed", deadline_s=60))
    assert verdict.exact, verdict


def test_data_survives_kill_9(kafka_node: KafkaCluster, topic: str) -> None:
    """Broken: tests that kill the broker would test a fresh one instead, or none at all."""
    bootstrap = kafka_node.bootstrap_servers
    create_topic(bootstrap, topic, PARTITIONS)
    produce(bootstrap, topic, trades(0, 500))
    kafka_node.kill_node(0)
    assert not kafka_node.alive(0)
    kafka_node.start_node(0)
    kafka_node.wait_ready()
    assert kafka_node.bootstrap_servers == bootstrap
    produce(bootstrap, topic, trades(500, 1000))
    verdict = compare(trades(0, 1000), read_topic(bootstrap, topic))
    assert verdict.exact, verdict


def test_a_frozen_node_neither_answers_nor_forgets(kafka_node: KafkaCluster, topic: str) -> None:
    """Broken: "frozen" would mean dead, or nothing, and hanging brokers would stay untested."""
    bootstrap = kafka_node.bootstrap_servers
    create_topic(bootstrap, topic, PARTITIONS)
    kafka_node.freeze_node(0)
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
    row = trades(0, 1)[0]
    producer.produce(topic, row.value, row.key, murmur2(row.key, PARTITIONS), timestamp=row.timestamp_ms)
    assert producer.flush(1) == 1
    assert kafka_node.alive(0)
    kafka_node.thaw_node(0)
    assert producer.flush(30) == 0
    verdict = compare([row], read_topic(bootstrap, topic))
    assert verdict.exact, verdict


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"log.segment.bytes": "-5"}, r"(?s)could not format.*log\.segment\.bytes"),
        ({"authorizer.class.name": "no.such.Class"}, r"(?s)ended.*no\.such\.Class"),
    ],
)
def test_a_node_that_cannot_start_says_why(tmp_path: Path, config: dict[str, str], match: str) -> None:
    """Broken: a mistake in a test's broker settings would show as a bare timeout."""
    try:
        jars()
    except JavaUnavailable as reason:
        pytest.skip(f"no Kafka to start: {reason}")
    with pytest.raises(KafkaNodeError, match=match):
        KafkaCluster(tmp_path, config=config).start(timeout_s=30)


def test_the_cluster_goes_on_without_a_leader_and_takes_it_back(kafka3: KafkaCluster, topic: str) -> None:
    """Broken: failover tests would run against a cluster that never fails over."""
    bootstrap = kafka3.bootstrap_servers
    create_topic(bootstrap, topic, PARTITIONS, replication=3)
    produce(bootstrap, topic, trades(0, 300))
    leader = leader_of(bootstrap, topic, 0)
    victim = kafka3.node_of(leader)
    kafka3.kill_node(victim)
    produce(bootstrap, topic, trades(300, 600))
    assert leader_of(bootstrap, topic, 0) not in (leader, -1)
    kafka3.start_node(victim)
    kafka3.wait_ready()
    wait_in_sync(bootstrap, topic, PARTITIONS, replication=3)
    verdict = compare(trades(0, 600), read_topic(bootstrap, topic))
    assert verdict.exact, verdict


def test_a_wiped_node_is_filled_again(kafka3: KafkaCluster, topic: str) -> None:
    """Broken: a lost disk could not be told from a restart."""
    bootstrap = kafka3.bootstrap_servers
    create_topic(bootstrap, topic, PARTITIONS, replication=3)
    produce(bootstrap, topic, trades(0, 300))
    kafka3.stop_node(1)
    kafka3.wipe_node(1)
    kafka3.start_node(1)
    kafka3.wait_ready()
    wait_in_sync(bootstrap, topic, PARTITIONS, replication=3)
    verdict = compare(trades(0, 300), read_topic(bootstrap, topic))
    assert verdict.exact, verdict


def test_all_nodes_survive_a_power_cut(kafka3: KafkaCluster, topic: str) -> None:
    """Broken: `kill_all` and `start_all` would leave a cluster that cannot be used again."""
    bootstrap = kafka3.bootstrap_servers
    create_topic(bootstrap, topic, PARTITIONS, replication=3)
    produce(bootstrap, topic, trades(0, 300))
    kafka3.kill_all()
    assert not any(kafka3.alive(i) for i in range(3))
    kafka3.start_all()
    kafka3.wait_ready()
    wait_in_sync(bootstrap, topic, PARTITIONS, replication=3)
    verdict = compare(trades(0, 300), read_topic(bootstrap, topic))
    assert verdict.exact, verdict


def test_nodes_do_not_outlive_a_killed_test_run(tmp_path: Path) -> None:
    """Broken: each aborted test run would leave a Java process behind."""
    try:
        jars()
    except JavaUnavailable as reason:
        pytest.skip(f"no Kafka to start: {reason}")
    script = (
        "import sys, time; from pathlib import Path; from tests.support.kafka_cluster import KafkaCluster\n"
        "cluster = KafkaCluster(Path(sys.argv[1])); cluster.start_all()\n"
        "print(cluster._nodes[0].pid, flush=True); time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, cwd=root, text=True
    ) as run:
        assert run.stdout is not None
        node = int(run.stdout.readline())
        os.kill(node, 0)
        run.kill()
    assert gone(node, within_s=10)


def gone(pid: int, within_s: float) -> bool:
    """Whether the process ends in time; as a zombie that nobody waits for it has ended, too."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False
