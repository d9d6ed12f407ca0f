"""Brokers for the tests: a real one where Java and Maven allow it, librdkafka's embedded one everywhere."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from hypothesis import settings

from tests.support.java import JavaUnavailable, cache_folder
from tests.support.kafka_cluster import KafkaCluster, jars
from tests.support.process import BREAK, Jobs
from tests.support.registry import Registry, program
from tests.support.registry_front import Front
from tests.support.secured import SecuredKafka

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# How long an example takes says how busy the machine is: no test fails by that. What lands is judged by the same
# examples each time; whoever develops gets new ones with each run.
settings.register_profile("new", deadline=None)
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("same" if os.environ.get("REPLAY_TEST_EXAMPLES") == "same" else "new")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds",
        type=int,
        default=int(os.environ.get("REPLAY_TEST_ROUNDS", "200")),
        help="with -m soak: how many kills of the job, and shares of that of all else [REPLAY_TEST_ROUNDS, or 200]",
    )


_LONGEST_FIRST = ("fault", "integration", "unit")
"""Folders of the tests. What takes long begins early, so that no worker waits for another one in the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Soak tests, broken builds and benchmarks run when asked for: `pytest -m soak`, `-m broken`, `-m bench`."""
    rank = {folder: place for place, folder in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: min((rank[part] for part in item.path.parts if part in rank), default=len(rank)))
    unasked = [marker for marker in ("soak", "broken", "bench") if marker not in config.option.markexpr]
    left_out = [item for item in items if any(map(item.get_closest_marker, unasked))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def rounds(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--rounds"))


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker the tests use but do not own: there is only an address."""

    bootstrap_servers: str


@pytest.fixture(autouse=True)
def _no_secrets_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that runs the tests hides what one of them says is a secret; not from the texts of the others."""
    monkeypatch.setattr("replay.secrets._known", {})


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home folder for these tests alone: state, caches and browser profiles are not left in anybody's real one."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("REPLAY_TEST_CACHE", str(cache_folder()))
        changed.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            changed.delenv(name, raising=False)
        yield


def _without_kafka(reason: str) -> None:
    """Skip, but fail where somebody counts on these tests (CI): a run that skips them proves nothing."""
    if os.environ.get("REPLAY_TEST_KAFKA") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_configure() -> None:
    """Where tests/fault/test_broken_builds.py asks for it, the tool is broken in this process, too."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        # Under nohup. Children inherit what is ignored, but not a handler: those of the tests answer to signals again.
        signal.signal(signal.SIGHUP, lambda *_: None)
    if name := os.environ.get(BREAK):
        from tests.support.broken_builds import break_build

        break_build(name)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster | Broker]:
    """One node for all: never stop it. Without Java or Maven, the broker of REPLAY_TEST_BOOTSTRAP."""
    try:
        jars()
    except JavaUnavailable as reason:
        if bootstrap := os.environ.get("REPLAY_TEST_BOOTSTRAP"):
            yield Broker(bootstrap)
            return
        _without_kafka(f"no Kafka: {reason}; REPLAY_TEST_BOOTSTRAP can name a broker instead")
    with KafkaCluster(tmp_path_factory.mktemp("kafka")) as cluster:
        yield cluster


@pytest.fixture
def kafka_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """One node for one test, which may kill it."""
    yield from _own_cluster(tmp_path_factory, nodes=1)


@pytest.fixture(scope="module")
def kafka3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Three nodes for one module. A test that harms a node brings it back."""
    yield from _own_cluster(tmp_path_factory, nodes=3)


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """One secured node for all: never stop it, and take users and topics that no other test has (as `topic`)."""
    try:
        jars()
    except JavaUnavailable as reason:
        _without_kafka(f"no Kafka: {reason}")
    with SecuredKafka(tmp_path_factory.mktemp("secured")) as cluster:
        yield cluster


def _own_cluster(tmp_path_factory: pytest.TempPathFactory, nodes: int) -> Iterator[KafkaCluster]:
    try:
        jars()
    except JavaUnavailable as reason:
        _without_kafka(f"no Kafka to kill: {reason}")
    with KafkaCluster(tmp_path_factory.mktemp("kafka"), nodes) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One schema registry for all: never stop it, and take subjects that no other test has (as `topic` makes them)."""
    yield from _own_registry(tmp_path_factory)


@pytest.fixture
def own_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One schema registry for one test, which may kill, freeze and wipe it."""
    yield from _own_registry(tmp_path_factory)


def _own_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    try:
        program()
    except JavaUnavailable as reason:
        _without_kafka(f"no schema registry: {reason}")
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def front(registry: Registry) -> Iterator[Front]:
    """A front before the registry, for one test: it can be told to fail."""
    with Front(registry.address) as front:
        yield front


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    """Processes of the tool. Those that still run end with the test."""
    with Jobs(tmp_path / "jobs") as jobs:
        yield jobs


@pytest.fixture
def topic() -> str:
    """A name no other test has. The topic is made by `create_topic`, or by first use (embedded)."""
    return f"trades-{uuid4().hex[:12]}"


@pytest.fixture
def embedded() -> Iterator[Broker]:
    """librdkafka's embedded broker, alive as long as the producer that holds it.

    It makes any topic it is asked about, with 4 partitions, keeps a few MB of each, and knows neither
    CreateTopics nor DescribeTopics nor DescribeConfigs.
    """
    holder = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    brokers = holder.list_topics(timeout=10).brokers.values()
    yield Broker(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    holder.flush(0)
