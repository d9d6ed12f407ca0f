"""A follower hangs: its leader has rows that nobody is shown until the follower is back, or out of the in-sync set.

With a cluster of its own, that takes long to let go of a node: so a resume looks while the rows are hidden, although
some of what it asks first is asked of the node that hangs.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import own_cluster, under_way
from tests.support.process import KILLED
from tests.support.scenario import Scenario
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Jobs
    from tests.support.scenario import Trades

LET_GO_MS = "20000"


@pytest.fixture
def slow_to_let_go(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    config = {"replica.lag.time.max.ms": LET_GO_MS, "broker.session.timeout.ms": "60000"}
    with own_cluster(tmp_path_factory.mktemp("kafka-slow-to-let-go"), 3, config) as cluster:
        yield cluster


def controller_of(cluster: KafkaCluster) -> int:
    """The node that is the controller now: the one that said so last."""
    elected = [re.findall(r"^\[(.*?)\].*Becoming the active controller", cluster.log(node), re.M) for node in range(3)]
    return max(range(3), key=lambda node: max(elected[node], default=""))


@pytest.mark.soak
@pytest.mark.parametrize("hangs", ["a follower", "the controller"])
def test_rows_that_a_hanging_follower_hides_are_waited_for(
    slow_to_let_go: KafkaCluster, topic: str, tmp_path: Path, jobs: Jobs, trades: Trades, hangs: str
) -> None:
    """Broken: a resume that looks at once does not see them, and sends them again. Without a controller the leader
    cannot let go of the follower, so it hides the rows for longer than replica.lag.time.max.ms says."""
    cluster = slow_to_let_go
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
    near.run("--rate", "max", code=0, timeout_s=150)
    near.assert_exact()
