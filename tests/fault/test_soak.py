"""The random kills of the other files, many times over and in both deliveries: `pytest -m soak tests/fault`.

`--rounds` says how many kills (200 of the job, a quarter of that of the broker). Each test adds a row to the table that
is shown in the end.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import ISOLATION, own_cluster
from tests.support.process import KILLED
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Broker
    from tests.fault.conftest import MakeScenario, Tell
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Scenario, Trades

KILLS_PER_TOPIC = 10

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]


def topics(first: Scenario, delivery: str) -> Iterator[Scenario]:
    """The same replay into one new topic after the other."""
    number = 0
    while True:
        topic = f"{first.topic}-{number}"
        create_topic(first.bootstrap_servers, topic, 6, config={"retention.ms": "-1"})
        checkpoint = first.checkpoint.with_name(topic)
        yield replace(first, topic=topic, checkpoint=checkpoint, foreign=Counter(), isolation=ISOLATION[delivery])
        number += 1


@pytest.mark.parametrize("delivery", ISOLATION)
def test_the_job_killed_many_times(
    kafka: KafkaCluster | Broker, many_trades: Trades, scenario: MakeScenario, delivery: str, rounds: int, tell: Tell
) -> None:
    """Broken: as in test_job_killed.py, but so rarely that 20 kills would miss it."""
    rng = random.Random(rounds)
    options = ("--rate", "16k/s", "--checkpoint-interval", "300ms", "--delivery", delivery)
    first = scenario(many_trades, kafka.bootstrap_servers, *options)
    kills = 0
    for done, replay in enumerate(topics(first, delivery), 1):  # noqa: B007
        for _ in range(KILLS_PER_TOPIC):
            job = replay.start()
            time.sleep(rng.uniform(0.3, 2.5))
            job.kill()
            assert job.exit_code in (KILLED, 0), job.log
            kills += job.exit_code == KILLED
            replay.add_foreign()
        replay.run(code=0)
        replay.assert_exact()
        if kills >= rounds:
            break
    tell("job, kill -9", delivery, kills, done, len(many_trades.rows))


@pytest.mark.parametrize("delivery", ISOLATION)
def test_the_broker_killed_many_times(
    tmp_path_factory: pytest.TempPathFactory,
    many_trades: Trades,
    scenario: MakeScenario,
    delivery: str,
    rounds: int,
    tell: Tell,
) -> None:
    """Broken: as in test_broker_faults.py, but so rarely that a few crashes would miss it."""
    rng = random.Random(rounds)
    kills = 0
    with own_cluster(tmp_path_factory.mktemp("kafka")) as cluster:
        options = ("--rate", "8k/s", "--checkpoint-interval", "300ms", "--delivery", delivery)
        first = scenario(many_trades, cluster.bootstrap_servers, *options)
        for done, replay in enumerate(topics(first, delivery), 1):  # noqa: B007
            job = replay.start()
            while job.exit_code is None and kills < rounds // 4:
                time.sleep(rng.uniform(0.5, 3.0))
                if job.exit_code is None:
                    cluster.kill_node(0)
                    kills += 1
                    cluster.start()
            assert job.wait(120) == 0, job.log
            replay.assert_exact()
            if kills >= rounds // 4:
                break
    tell("broker, kill -9", delivery, kills, done, len(many_trades.rows))
