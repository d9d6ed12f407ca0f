"""What the fault tests share: trades made once, jobs that never outlive their test, scenarios."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.conftest import _without_kafka
from tests.support.kafka_cluster import KafkaCluster, KafkaUnavailable, jars
from tests.support.process import Jobs
from tests.support.scenario import Scenario, Trades, make_trades
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTITIONS = 6
RATE_ROWS_PER_S = 16_000
"""A replay of `trades` takes 1.0 s at this rate."""


class MakeScenario(Protocol):
    def __call__(
        self, trades: Trades, bootstrap_servers: str, *options: str, partitions: int = ..., replication: int = ...
    ) -> Scenario: ...


def need_kafka() -> None:
    """Without Java or Maven: as the fixtures of tests/conftest.py do."""
    try:
        jars()
    except KafkaUnavailable as reason:
        _without_kafka(f"no Kafka to kill: {reason}")


@contextmanager
def own_cluster(folder: Path, nodes: int = 1, config: dict[str, str] | None = None) -> Iterator[KafkaCluster]:
    """A cluster for one module to kill."""
    need_kafka()
    with KafkaCluster(folder, nodes, config) as cluster:
        yield cluster


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Soak tests run when asked for: `pytest -m soak`."""
    if "soak" in config.option.markexpr:
        return
    soaks = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=soaks)
    items[:] = [item for item in items if item not in soaks]


@pytest.fixture(scope="session")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades") / "in", 16_000)


@pytest.fixture(scope="session")
def many_trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    """For replays at full speed."""
    return make_trades(tmp_path_factory.mktemp("many-trades") / "in", 80_000)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    with Jobs(tmp_path / "jobs") as jobs:
        yield jobs


@pytest.fixture
def scenario(topic: str, tmp_path: Path, jobs: Jobs) -> MakeScenario:
    """Makes the topic and gives the replay into it; the rate is 16,000/s unless `options` say otherwise."""

    def make(
        trades: Trades, bootstrap_servers: str, *options: str, partitions: int = PARTITIONS, replication: int = 1
    ) -> Scenario:
        create_topic(bootstrap_servers, topic, partitions, replication, {"retention.ms": "-1"})
        paced = options if "--rate" in options else ("--rate", f"{RATE_ROWS_PER_S}/s", *options)
        return Scenario(trades, bootstrap_servers, topic, tmp_path / "checkpoint.json", jobs, paced)

    return make
