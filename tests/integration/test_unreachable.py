"""Addresses of brokers that no waiting mends: refused within seconds, with what is wrong and where. What may come back
is waited for, as before."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import Certificates, make_certificates
from tests.support.java import JavaUnavailable
from tests.support.kafka_cluster import KafkaCluster, Listener, jars
from tests.support.process import Job, Jobs
from tests.support.readback import compare, read_topic
from tests.support.scenario import Trades, make_trades
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[..., Job]

SECONDS = 30
"""Far below --broker-timeout, which is five minutes: an imprecise clock, since other tests run beside this one."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[KafkaCluster]:
    """One node that can be entered in four ways."""
    try:
        jars()
    except JavaUnavailable as reason:
        pytest.skip(f"no Kafka with listeners of its own: {reason}")
    more = (
        Listener("NAMELESS", "no-such-host.invalid:9092"),
        Listener("REFUSING", "127.0.0.1:1"),
        Listener("TLS", tls=certificates.broker),
    )
    with KafkaCluster(tmp_path_factory.mktemp("kafka"), more=more) as made:
        yield made


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades"), 1_000)


@pytest.fixture
def started(tmp_path: Path, topic: str, jobs: Jobs, trades: Trades) -> Start:
    """`replay COMMAND` on a few trades with these brokers and options."""

    def start(servers: str, *options: str, command: tuple[str, ...] = ("run",)) -> Job:
        more = ("--state-dir", str(tmp_path / "state"), "--bootstrap-servers", servers, "--topic", topic)
        return jobs.start([*command, str(trades.folder), *more, *options])

    return start


def refused(job: Job, *words: str) -> None:
    code = job.wait(SECONDS)
    assert code == 2, job.log
    for word in words:
        assert word in job.log
    assert "brokers are down" not in job.log
    assert "No brokers configured" not in job.log


@pytest.mark.parametrize("scheme", ["SASL_SSL", "SSL", "http", "kafka"])
def test_a_scheme_that_does_not_fit_is_refused_at_once(scheme: str, cluster: KafkaCluster, started: Start) -> None:
    """Broken: librdkafka leaves the address out, and the run waits for five minutes for "no brokers configured"."""
    start = time.monotonic()
    address = f"{scheme}://{cluster.bootstrap_servers}"
    refused(started(address, "--create-topic", "1"), "--bootstrap-servers", address)
    assert time.monotonic() - start < SECONDS


def test_a_scheme_that_fits_is_taken(
    cluster: KafkaCluster, topic: str, certificates: Certificates, trades: Trades, started: Start
) -> None:
    """Broken: an address as listeners are written is refused, or its scheme ends up in the name of a host."""
    create_topic(cluster.bootstrap_servers, topic, 2)
    settings = ("-X", "security.protocol=ssl", "-X", f"ssl.ca.location={certificates.authority}")
    job = started(f"SSL://{cluster.address('TLS')}", *settings, "--verify")
    assert job.wait() == 0, job.log
    assert compare(trades.rows, read_topic(cluster.bootstrap_servers, topic)).exact


@pytest.mark.parametrize(
    ("listener", "advertised"),
    [("NAMELESS", "no-such-host.invalid:9092 (this name does not resolve)"), ("REFUSING", "127.0.0.1:1 (connection")],
)
def test_an_advertised_address_that_leads_nowhere(
    listener: str, advertised: str, cluster: KafkaCluster, topic: str, started: Start, tmp_path: Path
) -> None:
    """Broken: the commonest mistake with Kafka in Docker costs the whole --broker-timeout, and "0/3 brokers are down"
    says nothing of advertised.listeners."""
    create_topic(cluster.bootstrap_servers, topic, 2)
    commands = {
        "run": (("run",), ("--topic", f"{topic}-new", "--create-topic", "2")),
        "verify": (("verify",), ()),
        "plan": (("plan",), ()),
        "rebuild": (("checkpoint", "rebuild"), ("--checkpoint", str(tmp_path / "none.json"))),
    }
    at_once = {
        name: started(cluster.address(listener), *options, "--state-dir", str(tmp_path / name), command=command)
        for name, (command, options) in commands.items()
    }
    for name, job in at_once.items():
        refused(job, "advertised.listeners", advertised, cluster.address(listener))
        assert not list((tmp_path / name).rglob("*.json"))
    assert not (tmp_path / "none.json").exists()


def test_a_web_server_is_no_broker(started: Start) -> None:
    """Broken: the port of a registry or a proxy is waited for as if it were a broker."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(1_024)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        refused(started(f"127.0.0.1:{listener.getsockname()[1]}"), "speaks HTTP")
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # ends `accept`


def test_a_broker_that_is_away_is_waited_for(started: Start) -> None:
    """Broken: a broker that restarts, or whose container is not there yet, ends a night with exit 2."""
    told = {"127.0.0.1:1": "connection refused", "no-such-host.invalid:9092": "does not resolve"}
    jobs = [started(servers, "--broker-timeout", "7s", "--job", f"j{at}") for at, servers in enumerate(told)]
    for job, (servers, why) in zip(jobs, told.items(), strict=True):  # both wait at the same time
        assert job.wait() == 5, job.log
        assert servers in job.log
        assert why in job.log
        assert "brokers are down" not in job.log
