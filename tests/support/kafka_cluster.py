"""A real Apache Kafka on loopback, without Docker, that a test may kill, freeze, wipe and restart.

Kafka runs from its Maven artifacts on Java 17. Nodes are combined brokers and controllers (KRaft), keep their
ports and data over restarts, and never outlive the test process.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4
from xml.etree import ElementTree

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.support.java import (
    HOST,
    NOTHING_IN_TMP,
    Guard,
    JavaUnavailable,
    Program,
    fetched,
    free_ports,
    java_version,
    maven,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

POM = Path(__file__).with_name("kafka-pom.xml")
JVM = (
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    NOTHING_IN_TMP,
)
LOG4J = """\
status=warn
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %m (%c)%n
rootLogger=INFO, out
"""


class KafkaNodeError(Exception):
    """A node that should run does not. Carries the end of its log."""


def jars() -> Path:
    """The folder with Kafka's jars, fetched once per machine."""
    return fetched(f"kafka-{_kafka_version()}", _fetch)


def _kafka_version() -> str:
    version = ElementTree.parse(POM).findtext(".//{*}kafka.version")
    assert version, f"{POM.name} names no kafka.version"
    return version


def _fetch(folder: Path, lock: int) -> None:
    maven(POM, lock, "dependency:copy-dependencies", f"-DoutputDirectory={folder}", "-DincludeScope=runtime")
    if not any(folder.glob("kafka-server-*.jar")):
        raise JavaUnavailable("Maven has fetched no kafka-server-*.jar")


def classes() -> Path:
    """An archive of the classes that a node loads. Java maps it instead of reading the jars, which saves a third of a
    start's CPU time. Made once per machine and Java, by a node that starts and stops. A Java that cannot take it reads
    the jars as before. (Application class-data sharing, JEP 350.)"""
    return fetched(f"kafka-{_kafka_version()}-java-{java_version()}", _archive) / "classes.jsa"


def _archive(folder: Path, _lock: int) -> None:
    with (
        TemporaryDirectory(prefix="kafka-classes-") as node,
        KafkaCluster(Path(node), jvm=[f"-XX:ArchiveClassesAtExit={node}/classes.jsa"], archived=False) as cluster,
    ):
        cluster.stop(grace_s=60)
        folder.mkdir(parents=True)
        shutil.move(f"{node}/classes.jsa", folder)


@dataclass(frozen=True)
class Listener:
    """One more way into a node. `advertised` is what the cluster says of it (`{port}` in it is the port); empty: where
    it really is. With the broker's key and certificate in `tls` (PEM), it speaks TLS. `host` is the name under which it
    listens and is known, `sasl` whether it wants a login, `config` settings of this listener alone."""

    name: str
    advertised: str = ""
    tls: Path | None = None
    host: str = HOST
    sasl: bool = False
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def protocol(self) -> str:
        secured = "SSL" if self.tls else "PLAINTEXT"
        return f"SASL_{secured}" if self.sasl else secured


class KafkaCluster:
    """`nodes` Kafka nodes in `folder`; as a context manager: ready inside, gone outside. `more` are further listeners
    of each node; `address` says where they are. `jvm` are further arguments of Java; `archived`: its classes come from
    the archive (see `classes`)."""

    def __init__(
        self,
        folder: Path,
        nodes: int = 1,
        config: dict[str, str] | None = None,
        more: Sequence[Listener] = (),
        jvm: Sequence[str] = (),
        archived: bool = True,
    ) -> None:
        self._guard = Guard()
        if archived:
            jvm = (f"-XX:SharedArchiveFile={classes()}", *jvm)
        ports = free_ports((2 + len(more)) * nodes)
        brokers, controllers, others = ports[:nodes], ports[nodes : 2 * nodes], ports[2 * nodes :]
        self._others = {
            listener.name: [f"{listener.host}:{port}" for port in others[i * nodes : (i + 1) * nodes]]
            for i, listener in enumerate(more)
        }
        self.bootstrap_servers = ",".join(f"{HOST}:{port}" for port in brokers)
        cluster_id = _new_id()
        voters = ",".join(f"{i + 1}@{HOST}:{port}" for i, port in enumerate(controllers))
        settings = _defaults(nodes) | {"controller.quorum.voters": voters} | (config or {})
        self._nodes = [
            _Node(
                folder / f"node{i}",
                i + 1,
                pair,
                cluster_id,
                _listening(*pair, [(each, self._others[each.name][i]) for each in more]) | settings,
                jvm,
            )
            for i, pair in enumerate(zip(brokers, controllers, strict=True))
        ]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kills: nobody needs the data any more, and a clean stop without a quorum would wait for minutes."""
        self.kill_all()
        self._guard.close()

    def start(self, timeout_s: float = 60) -> None:
        """Starts every node that is down, all at once; returns when they answer."""
        self.start_all()
        self.wait_ready(timeout_s)

    def stop(self, grace_s: float = 15) -> None:
        """A clean stop of every node; whoever is not gone after `grace_s` is killed."""
        for node in self._nodes:
            node.terminate()
        deadline = time.monotonic() + grace_s
        for node in self._nodes:
            node.wait_gone(max(0.0, deadline - time.monotonic()))
        self._watch()

    def start_all(self) -> None:
        """Formats (the first time) and starts every node that is down, without waiting for readiness."""
        down = [node for node in self._nodes if not node.alive]
        for node in [node for node in down if not node.formatted]:
            node.format_begin()
        for node in down:
            node.format_end()
            node.start()
        self._watch()

    def kill_all(self) -> None:
        """SIGKILL to every node at once, as in a power cut; returns when all are gone."""
        for node in self._nodes:
            node.signal(signal.SIGKILL)
        for node in self._nodes:
            node.wait_gone(0)
        self._watch()

    def start_node(self, i: int) -> None:
        """Starts node `i` on its old ports with its old data, without waiting for readiness."""
        node = self._nodes[i]
        assert not node.alive, f"node {i} is running already"
        if not node.formatted:
            node.format_begin()
            node.format_end()
        node.start()
        self._watch()

    def stop_node(self, i: int, grace_s: float = 30) -> None:
        """A clean stop (SIGTERM: leadership is handed over); killed if it takes longer than `grace_s`."""
        self._nodes[i].terminate()
        self._nodes[i].wait_gone(grace_s)
        self._watch()

    def kill_node(self, i: int) -> None:
        """SIGKILL; returns when the process is gone, so that its ports and files are free."""
        self._nodes[i].signal(signal.SIGKILL)
        self._nodes[i].wait_gone(0)
        self._watch()

    def freeze_node(self, i: int) -> None:
        """SIGSTOP: connections stay open and nobody answers, as in a long pause or a hung disk."""
        self._nodes[i].freeze()

    def thaw_node(self, i: int) -> None:
        """SIGCONT: the node goes on and believes that no time has passed."""
        self._nodes[i].thaw()

    def wipe_node(self, i: int) -> None:
        """Throws away what node `i` has on disk, as after a lost disk. Only when it is down."""
        self._nodes[i].wipe()

    def alive(self, i: int) -> bool:
        """Whether the process of node `i` exists (frozen or not)."""
        return self._nodes[i].alive

    def pid(self, i: int) -> int | None:
        """The process of node `i`; None while it is down."""
        return self._nodes[i].pid

    def log(self, i: int) -> str:
        """The log of node `i`, all starts together."""
        return self._nodes[i].log_file.read_text(errors="replace")

    def address(self, listener: str) -> str:
        """Where the nodes have the listener of that name."""
        return ",".join(self._others[listener])

    def broker_id(self, i: int) -> int:
        """What Kafka's metadata calls node `i`; see also `node_of`."""
        return self._nodes[i].id

    def node_of(self, broker_id: int) -> int:
        """The index of the node that Kafka's metadata calls `broker_id`, for killing a partition's leader."""
        return [node.id for node in self._nodes].index(broker_id)

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Until each running node answers a metadata request with all of them. Frozen ones do not count."""
        deadline = time.monotonic() + timeout_s
        running = [node for node in self._nodes if node.alive and not node.frozen]
        wanted = {node.id for node in running}
        dead = [node for node in self._nodes if node.died]
        if dead:
            raise KafkaNodeError(f"node {dead[0].id} ended by itself:\n{dead[0].log_tail()}")
        for node in running:
            _wait_answers(node, wanted, deadline)

    def _watch(self) -> None:
        self._guard.watch([node.pid for node in self._nodes if node.pid is not None])


_BOOTSTRAP = "bootstrap.checkpoint"
_WHERE = ("listeners", "advertised.listeners", "controller.quorum.voters")
_FORMATTED: dict[frozenset[tuple[str, str]], bytes] = {}
"""What Kafka's own tool wrote for settings like these: it takes a second, and says the same each time (the features of
a new cluster). The names of cluster, node and folder are in another file."""


def _new_id() -> str:
    """As Kafka writes them."""
    return urlsafe_b64encode(uuid4().bytes).decode().rstrip("=").replace("-", "_")


class _Node(Program):
    """One process and its folder."""

    def __init__(
        self,
        folder: Path,
        broker_id: int,
        ports: tuple[int, int],
        cluster_id: str,
        settings: dict[str, str],
        jvm: Sequence[str],
    ) -> None:
        super().__init__(folder / "node.log")
        port, _ = ports
        self.id = broker_id
        self.address = f"{HOST}:{port}"
        self._data = folder / "data"
        self._properties = folder / "server.properties"
        self._cluster_id = cluster_id
        self._java = [
            "java",
            *JVM,
            *jvm,
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={folder}",  # libraries are unpacked there, and a kill leaves them
            f"-Dlog4j2.configurationFile={folder}/log4j2.properties",
            "-cp",
            f"{jars()}/*",
        ]
        self._formatting: subprocess.Popen[bytes] | None = None
        self._like = frozenset((name, value) for name, value in settings.items() if name not in _WHERE)
        (folder / "log4j2.properties").write_text(LOG4J)
        own = {
            "node.id": str(broker_id),
            "log.dirs": str(self._data),
        }
        self._properties.write_text("".join(f"{k}={v}\n" for k, v in sorted((own | settings).items())))

    @property
    def formatted(self) -> bool:
        return (self._data / "meta.properties").exists()

    def format_begin(self) -> None:
        if (known := _FORMATTED.get(self._like)) is not None:
            self._data.mkdir(parents=True, exist_ok=True)
            (self._data / _BOOTSTRAP).write_bytes(known)
            names = {"cluster.id": self._cluster_id, "node.id": self.id, "directory.id": _new_id(), "version": 1}
            (self._data / "meta.properties").write_text("".join(f"{name}={value}\n" for name, value in names.items()))
            return
        arguments = ["format", "-t", self._cluster_id, "-c", str(self._properties)]
        self._formatting = self.spawn([*self._java, "kafka.tools.StorageTool", *arguments])

    def format_end(self) -> None:
        if self._formatting is None:
            return
        code, self._formatting = self._formatting.wait(), None
        if code != 0:
            raise KafkaNodeError(f"node {self.id} could not format its folder:\n{self.log_tail()}")
        _FORMATTED[self._like] = (self._data / _BOOTSTRAP).read_bytes()

    def start(self) -> None:
        self.launch([*self._java, "kafka.Kafka", str(self._properties)])

    def wipe(self) -> None:
        assert not self.alive, f"node {self.id} is running: stop or kill it before wiping it"
        shutil.rmtree(self._data, ignore_errors=True)


def _wait_answers(node: _Node, wanted: set[int], deadline: float) -> None:
    quiet = {"log_level": 0, "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200}
    client = AdminClient({"bootstrap.servers": node.address, **quiet})
    answer: set[int] | KafkaException | None = None
    while time.monotonic() < deadline:
        if not node.alive:
            raise KafkaNodeError(f"node {node.id} ended:\n{node.log_tail()}")
        try:
            answer = set(client.list_topics(timeout=1).brokers)
            if wanted <= answer:
                return
        except KafkaException as error:
            answer = error
        time.sleep(0.05)
    raise KafkaNodeError(f"node {node.id} is not ready, its last answer is {answer}:\n{node.log_tail()}")


def _listening(port: int, controller_port: int, more: Sequence[tuple[Listener, str]]) -> dict[str, str]:
    """A node's settings on where it listens, what it says about that, and how it speaks there."""
    places = {"PLAINTEXT": f"{HOST}:{port}"} | {listener.name: place for listener, place in more}
    said = places | {
        listener.name: listener.advertised.replace("{port}", place.rpartition(":")[2])
        for listener, place in more
        if listener.advertised
    }
    protocols = dict.fromkeys(("CONTROLLER", "PLAINTEXT"), "PLAINTEXT")
    settings: dict[str, str] = {}
    for listener, _ in more:
        protocols[listener.name] = listener.protocol
        own = dict(listener.config)
        if listener.tls:
            own |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(listener.tls)}
        settings |= {f"listener.name.{listener.name.lower()}.{name}": value for name, value in own.items()}
    return settings | {
        "listeners": _listed(places | {"CONTROLLER": f"{HOST}:{controller_port}"}),
        "advertised.listeners": _listed(said),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "inter.broker.listener.name": "PLAINTEXT",
    }


def _listed(places: dict[str, str]) -> str:
    return ",".join(f"{name}://{place}" for name, place in places.items())


def _defaults(nodes: int) -> dict[str, str]:
    """Small, quick to start, quick to elect, and keeping old event times."""
    copies, in_sync = min(nodes, 3), max(1, min(nodes, 3) - 1)
    return {
        "process.roles": "broker,controller",
        "controller.listener.names": "CONTROLLER",
        "auto.create.topics.enable": "false",
        "num.partitions": "6",
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(in_sync),
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": str(copies),
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": str(copies),
        "share.coordinator.state.topic.min.isr": str(in_sync),
        "log.retention.ms": "-1",
        "group.initial.rebalance.delay.ms": "0",
        "broker.heartbeat.interval.ms": "250",
        "broker.session.timeout.ms": "2000",
        "replica.lag.time.max.ms": "5000",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": "16777216",
    }
