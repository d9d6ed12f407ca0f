"""What the fault tests share: trades made once, jobs that never outlive their test, scenarios."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.conftest import _without_kafka
from tests.support.java import JavaUnavailable, free_ports
from tests.support.kafka_cluster import KafkaCluster, jars
from tests.support.process import Jobs
from tests.support.proxy import Proxy
from tests.support.scenario import Scenario, Trades, make_trades
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from _pytest.mark import ParameterSet

    from tests.support.process import Job

PARTITIONS = 6
RATE_ROWS_PER_S = 16_000
"""A replay of `trades` takes 1.0 s at this rate."""

ISOLATION = {"idempotent": "read_uncommitted", "transactional": "read_committed"}
"""Each delivery, and the reader whom it promises every row once."""


FAULT_TABLE = "fault | delivery | faults | topics | rows | lost | duplicated | out of order"
BREAK_TABLE = "break | what it breaks | caught by"


class Tell(Protocol):
    def __call__(self, what: str, delivery: str, faults: int, topics: int, rows: int) -> None: ...


class MakeScenario(Protocol):
    def __call__(
        self, trades: Trades, bootstrap_servers: str, *options: str, partitions: int = ..., replication: int = ...
    ) -> Scenario: ...


class MakeBoth(Protocol):
    def __call__(
        self, trades: Trades, bootstrap_servers: str, *options: str, partitions: int = ..., replication: int = ...
    ) -> list[Scenario]: ...


def need_kafka() -> None:
    """Without Java or Maven: as the fixtures of tests/conftest.py do."""
    try:
        jars()
    except JavaUnavailable as reason:
        _without_kafka(f"no Kafka to kill: {reason}")


KEPT_WHILE_IT_HANGS = {"broker.session.timeout.ms": "60000"}
"""Of a cluster that does not let go of a node which is frozen for seconds: else its clients lose it when it thaws, and
no stop in between is a clean one."""


@contextmanager
def own_cluster(folder: Path, nodes: int = 1, config: dict[str, str] | None = None) -> Iterator[KafkaCluster]:
    """A cluster for one module to kill."""
    need_kafka()
    with KafkaCluster(folder, nodes, config) as cluster:
        yield cluster


@contextmanager
def proxied_node(folder: Path, config: dict[str, str] | None = None) -> Iterator[tuple[KafkaCluster, Proxy, str]]:
    """One node that clients reach through a proxy only, the proxy, and the proxy's address."""
    need_kafka()
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    cluster = KafkaCluster(folder, 1, {"advertised.listeners": f"PLAINTEXT://{address}", **(config or {})})
    with Proxy(port, int(cluster.bootstrap_servers.rpartition(":")[2])) as proxy, cluster:
        yield cluster, proxy, address


@pytest.fixture
def node(cluster: KafkaCluster) -> Iterator[KafkaCluster]:
    """The node of the module's `cluster`. A test may kill, freeze and rob it; the next test finds it up again."""
    yield cluster
    cluster.thaw_node(0)
    cluster.start()


@pytest.fixture(scope="session")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades") / "in", 16_000)


@pytest.fixture(scope="session")
def many_trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    """For replays at full speed."""
    return make_trades(tmp_path_factory.mktemp("many-trades") / "in", 80_000)


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


@pytest.fixture
def both(topic: str, tmp_path: Path, jobs: Jobs) -> MakeBoth:
    """The same replay in either delivery, into a topic each: what happens then happens to both at once.
    Each call makes new ones."""
    numbers = count()

    def make(
        trades: Trades, bootstrap_servers: str, *options: str, partitions: int = PARTITIONS, replication: int = 1
    ) -> list[Scenario]:
        made, number = [], next(numbers)
        for delivery, isolation in ISOLATION.items():
            name = f"{topic}-{number}-{delivery}"
            create_topic(bootstrap_servers, name, partitions, replication, {"retention.ms": "-1"})
            # Of its own: what a job that dies leaves open holds up whoever reads the same progress topic, for a minute.
            progress = ("--progress-topic", f"{name}-progress")
            file, all_options = tmp_path / f"{name}.json", (*progress, *options, "--delivery", delivery)
            made.append(Scenario(trades, bootstrap_servers, name, file, jobs, all_options, isolation=isolation))
        return made

    return make


def under_way(replays: Sequence[Scenario], row: int, *options: str) -> list[Job]:
    """The jobs, started, once each has saved that it is at `row` or beyond, and is not through."""
    jobs = [replay.start(*options) for replay in replays]
    for replay, job in zip(replays, jobs, strict=True):
        job.wait_row(replay.checkpoint, row)
    assert all(job.exit_code is None for job in jobs), "too late: a replay has ended"
    return jobs


def quick_and_soak(quick: Sequence[Callable[..., Any]], faults: Sequence[Callable[..., Any]]) -> list[ParameterSet]:
    """All faults as parameters, by name; those that are not quick take their turn with `-m soak`."""
    return [pytest.param(each, id=each.__name__, marks=() if each in quick else pytest.mark.soak) for each in faults]


def seeds(count: int, quick: Sequence[int]) -> list[ParameterSet]:
    """So many seeds of a random fault as parameters; those that are not quick take their turn with `-m soak`."""
    return [pytest.param(seed, marks=() if seed in quick else pytest.mark.soak) for seed in range(count)]


def again_and_again(
    tell: Tell, what: str, faults: int, fresh: Callable[[], list[Scenario]], fault: Callable[[], bool]
) -> None:
    """Fault after fault, replays after replays, until so many happened; every topic is compared."""
    done = topics = 0
    while done < faults:
        replays = fresh()
        jobs = under_way(replays, 0)
        while done < faults and all(job.exit_code is None for job in jobs):
            done += fault()
        for replay, job in zip(replays, jobs, strict=True):
            assert job.wait(300) == 0, job.log
            replay.assert_exact()
        topics += 1
    for delivery in ISOLATION:
        tell(what, delivery, done, topics, len(replays[0].trades.rows))


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Puts a row into the table of faults that is shown in the end; lost, duplicated, out of order were compared."""

    def row(what: str, delivery: str, faults: int, topics: int, rows: int) -> None:
        record_property(FAULT_TABLE, f"{what} | {delivery} | {faults} | {topics} | {topics * rows:,} | 0 | 0 | 0")

    return row


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The tables as the README has them, whichever process the rows come from."""
    reports = [report for report in terminalreporter.stats.get("passed", []) if report.when == "call"]
    for table in (FAULT_TABLE, BREAK_TABLE):
        rows = sorted(row for report in reports for name, row in report.user_properties if name == table)
        for row in [table, " | ".join(["---"] * (table.count("|") + 1)), *rows] if rows else []:
            terminalreporter.write_line(f"| {row} |")
