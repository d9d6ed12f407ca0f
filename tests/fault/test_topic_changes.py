"""The topic changes in the middle of a run, with rows in flight: what that run does about it, and the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from tests.fault.conftest import PARTITIONS, own_cluster, under_way
from tests.support.process import checkpoint
from tests.support.readback import compare, read_topic
from tests.support.topics import create_topic, wait_partitions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fault.conftest import MakeBoth
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job
    from tests.support.scenario import Scenario, Trades

SLOW = ("--rate", "3k/s", "--checkpoint-interval", "200ms", "--transaction-ms", "100")
"""A replay takes 5.3 s."""

SOME_ROWS = 3_000


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """A broker that makes any topic it is asked about, unless the client says that it should not."""
    config = {"auto.create.topics.enable": "true"}
    with own_cluster(tmp_path_factory.mktemp("kafka-that-creates"), config=config) as cluster:
        yield cluster


def delete(replay: Scenario) -> None:
    admin = AdminClient({"bootstrap.servers": replay.bootstrap_servers, "log_level": 0})
    admin.delete_topics([replay.topic])[replay.topic].result(10)
    wait_partitions(replay.bootstrap_servers, replay.topic, 0)


def refused(replay: Scenario, job: Job, says: str) -> None:
    """Exit 4 that says why, a checkpoint that is not done, and a next run that says it again."""
    assert job.wait(30) == 4, job.log
    assert says in job.log
    assert "--restart" in job.log
    saved = checkpoint(replay.checkpoint)
    assert saved["state"] != "done"
    assert SOME_ROWS <= saved["next_row"] < len(replay.trades.rows)
    assert says in replay.run(code=4).log


def test_a_topic_deleted_in_the_middle(kafka: KafkaCluster, trades: Trades, both: MakeBoth) -> None:
    """Broken: the run would wait for a topic that does not come back, make it anew, or end as if all were well."""
    replays = both(trades, kafka.bootstrap_servers, *SLOW)
    jobs = under_way(replays, SOME_ROWS)
    for replay in replays:
        delete(replay)
    for replay, job in zip(replays, jobs, strict=True):
        refused(replay, job, "deleted")
        wait_partitions(kafka.bootstrap_servers, replay.topic, 0, deadline_s=1)  # nobody asked for a new topic


def test_a_topic_created_again_in_the_middle(kafka: KafkaCluster, trades: Trades, both: MakeBoth) -> None:
    """Broken: the rest of the rows would go into the new topic, and the run would say that all of them are there."""
    replays = both(trades, kafka.bootstrap_servers, *SLOW)
    jobs = under_way(replays, SOME_ROWS)
    for replay in replays:
        delete(replay)
        create_topic(kafka.bootstrap_servers, replay.topic, PARTITIONS)
    for replay, job in zip(replays, jobs, strict=True):
        refused(replay, job, "created again")
        read = read_topic(kafka.bootstrap_servers, replay.topic, deadline_s=60)
        rows = sum(map(len, read))
        assert rows < len(trades.rows) - SOME_ROWS, "it noticed in the end only"


def test_partitions_added_in_the_middle(kafka: KafkaCluster, trades: Trades, both: MakeBoth) -> None:
    """Broken: the rows that follow would go to other partitions than those of the same symbol before, or a run that
    can go on would be ended, or the next one would go on with another number of partitions."""
    replays = both(trades, kafka.bootstrap_servers, *SLOW)
    jobs = under_way(replays, SOME_ROWS)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    for replay in replays:
        admin.create_partitions([NewPartitions(replay.topic, 9)])[replay.topic].result(10)
    for replay, job in zip(replays, jobs, strict=True):
        assert job.wait() == 0, job.log
        assert "9 partitions now" in job.log
        read = read_topic(kafka.bootstrap_servers, replay.topic, replay.isolation, deadline_s=60)
        assert [len(records) for records in read[PARTITIONS:]] == [0, 0, 0]
        verdict = compare(trades.rows, read[:PARTITIONS])
        assert verdict.exact, f"{verdict}\n{job.log}"
        assert "was 6, now 9" in replay.run(code=4).log
