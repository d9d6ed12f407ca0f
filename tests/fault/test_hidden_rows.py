"""A follower hangs: its leader has rows that nobody is shown until the follower is back, or out of the in-sync set.

Each test has a cluster of its own, that takes long to let go of a node: so a resume looks while the rows are hidden,
although some of what it asks first is asked of the node that hangs.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from replay.kafka.replicas import Replicas
from replay.kafka.topic import Topic
from tests.fault.conftest import own_cluster, under_way
from tests.support.process import KILLED
from tests.support.scenario import Scenario
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Jobs
    from tests.support.scenario import Trades

SLOW_TO_LET_GO = {"replica.lag.time.max.ms": "20000", "broker.session.timeout.ms": "60000"}
LONG_WITHOUT_CONTROLLER = {
    "replica.lag.time.max.ms": "5000",
    "broker.session.timeout.ms": "60000",
    "controller.socket.timeout.ms": "60000",
}
"""A leader asks the controller that hangs for so long before it asks the next one: longer than a resume waits by
replica.lag.time.max.ms."""


def controller_of(cluster: KafkaCluster) -> int:
    """The node that is the controller now: the one that said so last."""
    elected = [re.findall(r"^\[(.*?)\].*Becoming the active controller", cluster.log(node), re.M) for node in range(3)]
    return max(range(3), key=lambda node: max(elected[node], default=""))


@pytest.mark.soak
@pytest.mark.parametrize("hangs", ["a follower", "the controller"])
def test_rows_that_a_hanging_follower_hides_are_waited_for(
    topic: str, tmp_path: Path, jobs: Jobs, trades: Trades, hangs: str
) -> None:
    """Broken: a resume that looks at once does not see them, and sends them again. Without a controller the leader
    cannot let go of the follower, so it hides the rows for longer than replica.lag.time.max.ms says."""
    config = LONG_WITHOUT_CONTROLLER if hangs == "the controller" else SLOW_TO_LET_GO
    with own_cluster(tmp_path / "kafka", 3, config) as cluster:
        controller = controller_of(cluster)
        first, second = {0, 1, 2} - {controller}
        frozen, leader = (controller, second) if hangs == "the controller" else (first, second)
        broker = cluster.broker_id(leader)
        create_topic(cluster.bootstrap_servers, topic, 1, 3, {"retention.ms": "-1"}, first_broker=broker)
        options = ("--rate", "5k/s", "--checkpoint-interval", "200ms")
        replay = Scenario(trades, cluster.bootstrap_servers, topic, tmp_path / "checkpoint.json", jobs, options)
        (job,) = under_way([replay], 3_000)
        cluster.freeze_node(frozen)
        time.sleep(0.5)
        job.kill()
        assert job.exit_code == KILLED, job.log
        near = replace(replay, bootstrap_servers=cluster.bootstrap_servers.split(",")[leader])
        near.run("--rate", "max", code=0, timeout_s=240)
        near.assert_exact()


def test_a_broker_that_counts_as_in_sync_is_asked_whether_it_is_there(topic: str, tmp_path: Path) -> None:
    """Broken: rows that a hanging broker hides are not waited for, and are sent again."""
    with own_cluster(tmp_path / "kafka", 3, SLOW_TO_LET_GO) as cluster:
        create_topic(cluster.bootstrap_servers, topic, 1, 3)
        found = Topic("", topic, "", partitions=1, replication=3)
        settings = {"bootstrap.servers": cluster.bootstrap_servers, "socket.timeout.ms": 1_000, "log_level": 0}
        replicas = Replicas(AdminClient(settings), call_s=2.0)
        assert replicas.are_in_sync(found, ask_each=True)
        cluster.freeze_node(2)
        wanted = (
            f"no answer from broker {cluster.broker_id(2)}, in sync as the cluster says; --settle waits without asking"
        )
        assert wanted in looks(replicas, found, until=wanted)
        cluster.thaw_node(2)
        assert "in sync" in looks(replicas, found, until="in sync")


def looks(replicas: Replicas, found: Topic, until: str) -> list[str]:
    """What looks at the replicas say, up to this. A look may itself ask the frozen broker, and say nothing of it."""
    said: list[str] = []
    deadline = time.monotonic() + 15  # the leader lets go of the frozen broker after 20 s
    while until not in said and time.monotonic() < deadline:
        try:
            said.append("in sync" if replicas.are_in_sync(found, ask_each=True) else "no answer")
        except KafkaException as error:
            said.append(error.args[0].str())
        time.sleep(0.1)
    return said
