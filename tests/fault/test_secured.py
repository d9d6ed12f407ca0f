"""A replay over TLS, with a login that has no right too many; the job and the broker are killed.

What a replay does to be exact is more than to produce: it reads the topic back, asks for watermarks, and looks again
for the topic while it runs. All of that has to go through the same door.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import ISOLATION, PARTITIONS, need_kafka, under_way
from tests.support.process import KILLED
from tests.support.scenario import Scenario, make_trades
from tests.support.secured import SecuredKafka
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.support.process import Jobs
    from tests.support.scenario import Trades

ROWS = 8_000
USER, PASSWORD, PROGRESS = "replayer", "replayers-secret-91", "progress"
SLOWER = ("--rate", "1k/s", "--checkpoint-interval", "100ms")
"""8 s for all: a broker starts again meanwhile. What is due by then goes out at once."""

RIGHTS = {"idempotent": ("write", "describe", "read"), "transactional": ("write", "describe")}
"""On the topic. Without transactions the end of the topic is read, too."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    need_kafka()
    with SecuredKafka(tmp_path_factory.mktemp("secured")) as cluster:
        cluster.add_user(USER, PASSWORD)
        create_topic(cluster.bootstrap_servers, PROGRESS, 1, 1, {"cleanup.policy": "compact"})
        cluster.allow(f"User:{USER}", "topic", PROGRESS, "write", "describe", "read")
        cluster.allow(f"User:{USER}", "transactional_id", "replay.", "write", "describe", prefixed=True)
        yield cluster


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades") / "in", ROWS)


@pytest.fixture
def through_the_door(
    cluster: SecuredKafka, trades: Trades, topic: str, tmp_path: Path, jobs: Jobs
) -> Callable[..., list[Scenario]]:
    """Makes the replay in either delivery, into a topic each."""
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    login = ["--security", "scram", "--ca", str(cluster.authority.certificate), "--user", USER]
    login += ["--password-file", str(password), "--progress-topic", PROGRESS]

    def make(*options: str) -> list[Scenario]:
        made = []
        for delivery, isolation in ISOLATION.items():
            name = f"{topic}-{delivery}"
            create_topic(cluster.bootstrap_servers, name, PARTITIONS, 1, {"retention.ms": "-1"})
            cluster.allow(f"User:{USER}", "topic", name, *RIGHTS[delivery])
            chosen = (*login, "--delivery", delivery, *options)
            file, way_in = tmp_path / f"{name}.json", cluster.address("SASL")
            made.append(
                Scenario(
                    trades, cluster.bootstrap_servers, name, file, jobs, chosen, isolation=isolation, way_in=way_in
                )
            )
        return made

    return make


def run_all(replays: Sequence[Scenario], code: int, crash: str | None = None) -> None:
    """Both deliveries at once: each to its end, which must be `code`."""
    for job in [replay.start(crash=crash) for replay in replays]:
        assert job.wait() == code, f"exit {job.exit_code} instead of {code}:\n{job.log}"
        assert PASSWORD not in job.log


def test_killed_at_one_exact_place_after_the_other(through_the_door: Callable[..., list[Scenario]]) -> None:
    """Broken: a resume needs a right that the documents do not name, or rows are lost or doubled behind TLS."""
    replays = through_the_door("--rate", "max", "--checkpoint-interval", "30s")
    run_all(replays, KILLED, "after send 1")
    run_all(replays, KILLED, "after report 5000")
    for replay in replays:
        replay.add_foreign()
    run_all(replays, KILLED, "amid read 1")
    run_all(replays, 0)
    for replay in replays:
        replay.assert_exact()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 20))])
def test_job_and_broker_killed_at_random(
    node: SecuredKafka, through_the_door: Callable[..., list[Scenario]], seed: int
) -> None:
    """Broken: connections over TLS end in other words, and a lost one goes unnoticed: rows are sent twice."""
    rng = random.Random(seed)
    replays = through_the_door(*SLOWER)
    jobs = under_way(replays, rng.randrange(200, 3_000))
    node.kill_node(0)
    time.sleep(rng.uniform(0.2, 1.5))
    rng.choice(jobs).kill()
    node.start()
    for job in jobs:
        assert job.wait(120) in (0, KILLED), job.log
    run_all(replays, 0)
    for replay in replays:
        replay.assert_exact()
