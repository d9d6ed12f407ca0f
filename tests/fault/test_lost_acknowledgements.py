"""The broker appends, its acknowledgement gets lost, and then broker or job dies: nothing may be sent a second time.

A broker recognizes a retry by what it remembers of the producer, and after a crash it remembers only producers whose
newest record is younger than producer.id.expiration.ms (a day) by the record's own timestamp. Replayed trades are
older. Seen with `kafka-transactions.sh describe-producers`: after a kill -9 a producer of fresh records is there, one
of old records is not, and then any sequence number is accepted.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import proxied_node, under_way
from tests.support.process import KILLED, Job, checkpoint_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fault.conftest import MakeBoth, MakeScenario
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.proxy import Proxy
    from tests.support.scenario import Trades


@pytest.fixture(scope="module")
def cluster_behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KafkaCluster, Proxy, str]]:
    with proxied_node(tmp_path_factory.mktemp("kafka-behind-a-proxy")) as place:
        yield place


@pytest.fixture
def place(cluster_behind_proxy: tuple[KafkaCluster, Proxy, str]) -> Iterator[tuple[KafkaCluster, Proxy, str]]:
    """One node that a test may kill, and cut off; the next test finds it up again, and at hand."""
    yield cluster_behind_proxy
    cluster, proxy, _ = cluster_behind_proxy
    proxy.heal()
    cluster.start()


def crash_unheard(cluster: KafkaCluster, proxy: Proxy) -> None:
    """The broker appends rows, its answers are lost, it crashes, and it comes back."""
    proxy.swallow_answers()
    time.sleep(1)
    cluster.kill_node(0)
    proxy.cut()
    time.sleep(1)
    cluster.start_node(0)


# Fails while the tool leaves it to librdkafka to retry after the broker's crash. With the broker's
# producer.id.expiration.ms=2147483647 (24 days) it passed, with trades three weeks old.
def test_a_retry_after_the_broker_died_is_no_copy(
    place: tuple[KafkaCluster, Proxy, str], trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: rows that were in flight when the broker crashed are in the topic twice."""
    cluster, proxy, address = place
    replay = scenario(trades, address, "--rate", "6k/s", "--checkpoint-interval", "200ms")
    job = replay.start()
    job.wait_row(replay.checkpoint, 3_000)
    crash_unheard(cluster, proxy)
    assert job.wait() == 0, job.log
    replay.assert_exact()


OTHER_WORDS = """
import re, runpy, sys
from replay.kafka.log_watch import LogWatch
LogWatch._LOST = re.compile("as another librdkafka would write it")
sys.argv[1:1] = ["", "--"]
runpy.run_module("tests.support.crashing", run_name="__main__", alter_sys=True)
"""


def test_the_same_where_only_the_statistics_tell_of_it(
    place: tuple[KafkaCluster, Proxy, str], tmp_path: Path, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: with a librdkafka whose log reads differently, rows in flight are in the topic twice."""
    cluster, proxy, address = place
    replay = scenario(trades, address, "--rate", "6k/s", "--checkpoint-interval", "200ms")
    job = Job([sys.executable, "-c", OTHER_WORDS, *replay.command], tmp_path / "other-words", os.environ)
    try:
        job.wait_row(replay.checkpoint, 3_000)
        crash_unheard(cluster, proxy)
        assert job.wait() == 0, job.log
    finally:
        job.kill()
    replay.assert_exact()
    assert "learned from the statistics only" in job.log, "the self-test"
    assert "not in the log, but in the statistics" in job.log


def test_a_job_killed_whose_acknowledgements_were_lost(
    place: tuple[KafkaCluster, Proxy, str], trades: Trades, both: MakeBoth
) -> None:
    """Broken: rows that the broker has, and of which the job that sent them never heard, are sent again."""
    _, proxy, address = place
    slow = ("--rate", "6k/s", "--checkpoint-interval", "200ms", "--transaction-ms", "200")
    replays = both(trades, address, *slow)
    jobs = under_way(replays, 3_000)
    proxy.swallow_answers()
    time.sleep(0.5)
    for job in jobs:
        job.kill()
        assert job.exit_code == KILLED, job.log
    proxy.cut()
    unheard = replays[0].records() - checkpoint_row(replays[0].checkpoint)
    assert unheard > 100, "this test needs rows without a word of them"
    for replay in replays:
        replay.finish()
