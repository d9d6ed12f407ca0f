"""Certificates are replaced while replays run: by good ones, and by ones that are not trusted until a file is.

One story with all replays at once, since a broker's restart is what costs time.
"""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.pki import Authority
from tests.support.process import checkpoint_row
from tests.support.scenario import Scenario, make_trades
from tests.support.secured import HOST, SecuredKafka
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.pki import Issued
    from tests.support.process import Job, Jobs
    from tests.support.scenario import Trades

RATE, ROWS = 400, 30_000
PATIENT, SHORT = ("--broker-timeout", "120s"), ("--broker-timeout", "15s")
UNKNOWN = "is signed by none of the authorities in"


class Rotating:
    """A secured broker whose files are replaced, and the files that clients read. `own` is the clients' certificate
    with its key, `ca` the authorities that they trust."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.brokers = Authority(folder / "brokers", "broker-ca")
        self.clients = Authority(folder / "clients", "client-ca")
        self.next_brokers = Authority(folder / "next-brokers", "next-broker-ca")
        self.next_clients = Authority(folder / "next-clients", "next-client-ca")
        self._shown = self.brokers.issue("broker", hosts=(HOST,))
        self._trusted = folder / "trusted.pem"
        shutil.copy(self.clients.certificate, self._trusted)
        self.ca, self.own = folder / "ca.pem", folder / "own.pem"
        shutil.copy(self.brokers.certificate, self.ca)
        shutil.copy(self.clients.issue("alice").both, self.own)
        trust = {"listener.name.mtls.ssl.truststore.location": str(self._trusted)}
        self.kafka = SecuredKafka(folder / "kafka", authority=self.brokers, broker=self._shown, config=trust)

    def restart(self, shown: Issued, clients: Authority) -> None:
        """The broker comes back with this certificate, and trusts clients of that authority."""
        shutil.copy(shown.both, self._shown.both)
        shutil.copy(clients.certificate, self._trusted)
        self.kafka.kill_node(0)
        self.kafka.start()


@pytest.fixture
def rotating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotating]:
    made = Rotating(tmp_path_factory.mktemp("rotating") / "here")
    with made.kafka:
        yield made


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades"), ROWS)


def replay(rotating: Rotating, trades: Trades, name: str, folder: Path, jobs: Jobs, *options: str) -> Scenario:
    kafka = rotating.kafka
    create_topic(kafka.bootstrap_servers, name, 2)
    listener = "MTLS" if "--cert" in options else "TLS"
    security = ("--security", "tls", "--ca", str(rotating.ca), "--rate", f"{RATE}/s", "--settle", "1s")
    isolation = "read_committed" if "transactional" in options else "read_uncommitted"
    return Scenario(
        trades, kafka.address(listener), name, folder / f"{name}.json", jobs, (*security, *options), isolation=isolation
    )


def goes_on(scenario: Scenario, job: Job) -> None:
    """Some more rows are acknowledged."""
    job.wait_row(scenario.checkpoint, checkpoint_row(scenario.checkpoint) + RATE, timeout_s=60)


def test_certificates_are_replaced_in_mid_run(rotating: Rotating, trades: Trades, tmp_path: Path, jobs: Jobs) -> None:
    """Broken: a rotation of certificates, which is routine, ends nightly jobs; or a broker with a wrong one is told as
    an outage like any other; or clients never read the files that would let them in; or rows are lost or doubled."""
    transactional = ("--delivery", "transactional", "--progress-topic", "progress")
    plain = replay(rotating, trades, "plain", tmp_path, jobs, *PATIENT)
    in_transactions = replay(rotating, trades, "transactions", tmp_path, jobs, *transactional, *PATIENT)
    shown = replay(rotating, trades, "shown", tmp_path, jobs, "--cert", str(rotating.own), *PATIENT)
    all_of_them = [(each, each.start()) for each in (plain, in_transactions, shown)]
    for each, job in all_of_them:
        job.wait_row(each.checkpoint, RATE)

    # The broker's is a new one of the same authority. Clients are to have certificates of another one.
    rotating.restart(rotating.brokers.issue("broker", hosts=(HOST,), file="renewed"), rotating.next_clients)
    shown_job = all_of_them[2][1]
    shown_job.wait_log("accepts client certificates of other authorities only: our certificate (CN=alice", 60)
    for each, job in all_of_them[:2]:
        goes_on(each, job)
    shutil.copy(rotating.next_clients.issue("alice").both, rotating.own)
    goes_on(shown, shown_job)

    # Now the broker has a certificate of an authority that is not in the clients' file yet.
    hasty = replay(rotating, trades, "hasty", tmp_path, jobs, *SHORT)
    hasty_job = hasty.start()
    hasty_job.wait_row(hasty.checkpoint, RATE)
    rotating.restart(rotating.next_brokers.issue("broker", hosts=(HOST,)), rotating.next_clients)
    for _, job in all_of_them:
        job.wait_log(UNKNOWN, 60)
        assert job.exit_code is None, job.log
    assert hasty_job.wait() == 2, hasty_job.log
    assert UNKNOWN in hasty_job.log
    with rotating.ca.open("ab") as file:
        file.write(rotating.next_brokers.certificate.read_bytes())
    for each, job in all_of_them:
        goes_on(each, job)
        job.signal(signal.SIGTERM)
    for _, job in all_of_them:
        assert job.wait() == 143, job.log
    for each in (plain, in_transactions, shown, hasty):
        each.run("--rate", "max", code=0)
        each.bootstrap_servers = rotating.kafka.bootstrap_servers  # the test itself has no certificate
        each.assert_exact()
