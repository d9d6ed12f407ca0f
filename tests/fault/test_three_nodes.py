"""Replication 3, two in sync needed: leaders die and followers hang while a replay runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import murmur2

from tests.fault.conftest import own_cluster
from tests.support.process import KILLED
from tests.support.topics import leader_of, wait_in_sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fault.conftest import MakeScenario
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Scenario, Trades

PARTITIONS = 6
SLOW = ("--rate", "5k/s", "--checkpoint-interval", "500ms")
SOME_ROWS = 4_000


@pytest.fixture(scope="module")
def kafka3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """A short replica.lag.time.max.ms: a resume after a crash has to wait for half as long again."""
    with own_cluster(tmp_path_factory.mktemp("kafka3"), 3, {"replica.lag.time.max.ms": "2000"}) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _all_back(kafka3: KafkaCluster, topic: str) -> Iterator[None]:
    yield
    for i in range(3):
        kafka3.thaw_node(i)
    kafka3.start()
    wait_in_sync(kafka3.bootstrap_servers, topic, PARTITIONS, 3)


def busiest_leader(kafka3: KafkaCluster, replay: Scenario) -> int:
    """The node that leads the partition of the first symbol, which has most of the trades."""
    partition = murmur2(replay.trades.rows[0].key, PARTITIONS)
    return kafka3.node_of(leader_of(kafka3.bootstrap_servers, replay.topic, partition))


def test_a_leader_killed_in_the_middle(kafka3: KafkaCluster, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: a new leader would get rows twice, or without the ones that the dead leader had."""
    replay = scenario(trades, kafka3.bootstrap_servers, *SLOW, replication=3)
    job = replay.start()
    job.wait_row(replay.checkpoint, SOME_ROWS)
    leader = busiest_leader(kafka3, replay)
    kafka3.kill_node(leader)
    time.sleep(1.5)
    kafka3.start_node(leader)
    assert job.wait() == 0, job.log
    kafka3.wait_ready()
    replay.assert_exact()


# Fails now and then (exit 4, "the high watermark is -1,001") while `Cluster._offsets` takes OFFSET_INVALID (-1001),
# which list_offsets gives for a partition without an answer, for a watermark.
@pytest.mark.parametrize("who", ["leader", "follower"])
def test_a_job_killed_and_resumed_while_a_node_hangs(
    kafka3: KafkaCluster, trades: Trades, scenario: MakeScenario, who: str
) -> None:
    """Broken: rows that a hanging replica keeps below the high watermark would surface after the resume has
    looked, and be there twice."""
    replay = scenario(trades, kafka3.bootstrap_servers, *SLOW, replication=3)
    job = replay.start()
    job.wait_row(replay.checkpoint, SOME_ROWS)
    leader = busiest_leader(kafka3, replay)
    node = leader if who == "leader" else (leader + 1) % 3
    kafka3.freeze_node(node)
    time.sleep(0.8)
    job.kill()
    assert job.exit_code == KILLED, job.log
    again = replay.start()
    again.wait_log("resuming at row")
    time.sleep(3)  # longer than the cluster takes to let go of the node
    kafka3.thaw_node(node)
    assert again.wait() == 0, again.log
    replay.assert_exact()
