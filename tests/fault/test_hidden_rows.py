"""A follower hangs: its leader has rows that nobody is shown until the follower is back, or out of the in-sync set.

With a cluster of its own, that takes long to let go of a node: so a resume looks while the rows are hidden, although
some of what it asks first is asked of the node that hangs.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import own_cluster, under_way
from tests.support.process import KILLED
from tests.support.topics import leader_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fault.conftest import MakeScenario
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Trades

LET_GO_MS = "20000"


@pytest.fixture
def slow_to_let_go(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    config = {"replica.lag.time.max.ms": LET_GO_MS, "broker.session.timeout.ms": "60000"}
    with own_cluster(tmp_path_factory.mktemp("kafka-slow-to-let-go"), 3, config) as cluster:
        yield cluster


@pytest.mark.soak
def test_rows_that_a_hanging_follower_hides_are_waited_for(
    slow_to_let_go: KafkaCluster, scenario: MakeScenario, trades: Trades
) -> None:
    """Broken: a resume that looks at once does not see them, and sends them again."""
    cluster = slow_to_let_go
    options = ("--rate", "5k/s", "--checkpoint-interval", "200ms")
    replay = scenario(trades, cluster.bootstrap_servers, *options, partitions=1, replication=3)
    (job,) = under_way([replay], 3_000)
    leader = cluster.node_of(leader_of(cluster.bootstrap_servers, replay.topic, 0))
    cluster.freeze_node(max({0, 1, 2} - {leader}))  # not the first, which is asked for its configuration
    time.sleep(0.5)
    job.kill()
    assert job.exit_code == KILLED, job.log
    near = replace(replay, bootstrap_servers=cluster.bootstrap_servers.split(",")[leader])
    near.run("--rate", "max", code=0)
    near.assert_exact()
