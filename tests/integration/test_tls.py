"""What a broker's TLS refuses, or a client's: exit 2 within seconds, and the text says which of all it is.

Some commands run side by side: each waits two seconds for its broker, and then looks.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

import pytest

from tests.support.certificates import make_certificates
from tests.support.kafka_cluster import KafkaCluster, Listener
from tests.support.pki import Authority, Issued
from tests.support.process import Job, Jobs
from tests.support.readback import compare, read_topic
from tests.support.scenario import Trades, make_trades
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.secured import SecuredKafka

SECONDS = 10.0
"""From the first line of the log to the last. It takes 2 to 3; other tests run beside these."""

AT_ONCE = 5

HOST = "localhost"
NOBODY = "127.0.0.1:1"


class Dates(TypedDict, total=False):
    begins: timedelta
    ends: timedelta


GOOD: Dates = {}
OLD: Dates = {"begins": timedelta(days=-9), "ends": timedelta(days=-2)}
YOUNG: Dates = {"begins": timedelta(days=3), "ends": timedelta(days=60)}


@dataclass(frozen=True)
class Case:
    """Where a command connects to, how, and what it has to say."""

    address: str
    options: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """A broker with a fault at each listener, whose authority also signs for clients."""

    cluster: KafkaCluster
    authority: Authority
    revoked_here: Path
    revoked_there: Issued


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, secured: SecuredKafka) -> Iterator[Made]:
    del secured  # starts first: the two would be in each other's way
    folder = tmp_path_factory.mktemp("faulty")
    authority = Authority(folder / "pki", "night-ca")
    weak = folder / "weak.properties"
    weak.write_text("jdk.tls.disabledAlgorithms=SSLv3\n")  # Java's own list has TLS 1.1 on it

    def shown(file: str, hosts: tuple[str, ...] = (HOST,), dates: Dates = GOOD) -> Path:
        return authority.issue("broker", hosts=hosts, file=file, **dates).both

    revoked = authority.issue("broker", hosts=(HOST,), file="withdrawn")
    list_here = authority.revoke(revoked)
    theirs = Authority(folder / "theirs", "client-ca")
    list_there = (folder / "theirs" / "revoked.crl").as_uri()
    bob = theirs.issue("bob", revoked_at=list_there)
    theirs.revoke(bob)
    wants = {"ssl.client.auth": "required", "ssl.truststore.type": "PEM"}
    wants["ssl.truststore.location"] = str(theirs.certificate)
    protocols = "ssl.enabled.protocols"
    good = shown("good")
    more = (
        Listener("EXPIRED", tls=shown("old", dates=OLD), host=HOST),
        Listener("YOUNG", tls=shown("young", dates=YOUNG), host=HOST),
        Listener("NAMED", tls=shown("named", ("kafka-1.example.com", "10.0.0.7.example.com")), host=HOST),
        Listener("SELF", tls=make_certificates(folder, self_signed=True).broker),
        Listener("REVOKED", tls=revoked.both, host=HOST),
        Listener("TLS12", tls=good, host=HOST, config={protocols: "TLSv1.2"}),
        Listener("TLS11", tls=good, host=HOST, config={protocols: "TLSv1.1"}),
        Listener("MOVED", "127.0.0.1:{port}", tls=good, host=HOST),
        Listener("CHECKS", tls=good, host=HOST, config=wants),
    )
    jvm = (f"-Djava.security.properties={weak}", "-Dcom.sun.net.ssl.checkRevocation=true")
    with KafkaCluster(folder / "kafka", more=more, jvm=(*jvm, "-Dcom.sun.security.enableCRLDP=true")) as cluster:
        yield Made(cluster, authority, list_here, bob)


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades"), 500)


def of_the_broker(made: Made) -> dict[str, Case]:
    """What is wrong with what the broker shows."""
    cluster, trusted = made.cluster, ("--security", "tls", "--ca", str(made.authority.certificate))
    whose = "the broker's certificate (CN=broker, issued by CN=night-ca)"

    def case(listener: str, *words: str, more: tuple[str, ...] = ()) -> Case:
        return Case(cluster.address(listener), (*trusted, *more), words)

    return {
        "expired": case("EXPIRED", f"{whose} has expired 2 days ago (valid from ", "the clock of this machine says"),
        "not yet valid": case("YOUNG", f"{whose} is not valid yet: it begins in 2 days (valid ", "check the clock"),
        "other names": case(
            "NAMED", f"{whose} is for kafka-1.example.com, 10.0.0.7.example.com, not for localhost", "subjectAltName"
        ),
        "signed by itself": case("SELF", "signed by itself, and is not among", "CN=night-ca"),
        "revoked": case(
            "REVOKED", f"{whose} is revoked", more=("-X", f"ssl.crl.location={made.revoked_here}")
        ),
        "no cipher in common": case(
            "TLS12", "no cipher, in common", more=("-X", "ssl.cipher.suites=ECDHE-RSA-AES128-SHA256")
        ),
        "no version in common": case("TLS11", "no version of TLS", "ssl.enabled.protocols", "TLS 1.2 and 1.3"),
        "advertised under another name": case(
            "MOVED", f"{whose} is for localhost, not for 127.0.0.1", f"answers at {cluster.address('MOVED')}",
            "advertised.listeners",
        ),
        "ours is revoked there": Case(
            cluster.address("CHECKS"),
            (*trusted, "--cert", str(made.revoked_there.both)),
            ("the broker refuses our certificate (CN=bob, issued by CN=client-ca)", "it is revoked there"),
        ),
    }  # fmt: skip


def of_the_client(secured: SecuredKafka, folder: Path) -> dict[str, Case]:
    """What is wrong with what the client has, or asks."""
    ours, other = secured.authority, Authority(folder / "other", "other-ca")
    same_name = Authority(folder / "same", ours.name)
    tls, mtls, sasl, plain = (secured.address(each) for each in ("TLS", "MTLS", "SASL", "OPEN"))
    trusted = ("--security", "tls", "--ca", str(ours.certificate))
    whose = "the broker's certificate (CN=broker, issued by CN=test-ca)"

    def showing(issued: Issued, *more: str) -> tuple[str, ...]:
        return (*trusted, "--cert", str(issued.certificate), "--cert-key", str(issued.key), *more)

    locked = ours.issue("locked", password="open sesame")
    password = folder / "password"
    password.write_text("open barley\n")
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "bob"}
    login["sasl.password"] = "open barley"
    (folder / "empty").mkdir()
    return {
        "other authority": Case(
            tls,
            ("--security", "tls", "--ca", str(other.certificate)),
            (f"{whose} is signed by none of the authorities in {other.certificate} (CN=other-ca)", "--ca"),
        ),
        "authority of the same name": Case(
            tls,
            ("--security", "tls", "--ca", str(same_name.certificate)),
            (f"{whose} is signed with another key than that of CN=test-ca", str(same_name.certificate)),
        ),
        "no authority named": Case(
            tls, ("--security", "tls"), (f"{whose} is signed by none of the system's authorities", "no other is named")
        ),
        "no certificate of ours": Case(mtls, trusted, ("wants a client certificate, and none is given", "--cert")),
        "ours of another authority": Case(
            mtls,
            showing(other.issue("mallory")),
            ("accepts client certificates of other authorities only", "CN=mallory, issued by CN=other-ca"),
        ),
        "ours has expired": Case(
            NOBODY,
            showing(ours.issue("old", **OLD)),
            ("our certificate (CN=old, ", "has expired 2 days ago (valid from"),
        ),
        "ours is not valid yet": Case(
            NOBODY, showing(ours.issue("young", **YOUNG)), ("our certificate (CN=young, ", "begins in 2 days")
        ),
        "key of another": Case(
            NOBODY,
            (*trusted, "--cert", str(locked.certificate), "--cert-key", str(secured.broker.key)),
            (f"{secured.broker.key}: this key does not belong to the certificate in {locked.certificate}", "CN=locked"),
        ),
        "locked key": Case(
            NOBODY,
            showing(locked),
            (f"{locked.key}: this key is encrypted, and no password is given", "-password-file"),
        ),
        "wrong password": Case(
            NOBODY,
            showing(locked, "--cert-key-password-file", str(password)),
            (f"{locked.key}: the password does not open this key",),
        ),
        "no such file": Case(
            NOBODY, ("--security", "tls", "--ca", "/nix/ca.pem"), ("/nix/ca.pem: --ca", "this file does not exist")
        ),
        "folder without hashes": Case(
            NOBODY, ("--security", "tls", "--ca", str(folder / "empty")), ("folder of authorities", "openssl rehash")
        ),
        "no TLS to TLS": Case(tls, (), ("speaks TLS, but security.protocol is PLAINTEXT", "--security")),
        "TLS to none": Case(
            secured.bootstrap_servers, trusted, ("speaks Kafka's protocol without TLS, but security.protocol is SSL",)
        ),
        "no login, over TLS": Case(sasl, trusted, ("wants a login (SASL), but security.protocol is SSL", "SASL_SSL")),
        "a login where there is none, over TLS": Case(
            tls,
            ("--security", "plain", "--ca", str(ours.certificate), "--user", "bob", "--password-file", str(password)),
            ("this listener has no login (SASL), and user bob, PLAIN wants to log in", "--security tls"),
        ),
        "a login where there is none": Case(
            secured.bootstrap_servers,
            tuple(f"-X{name}={value}" for name, value in login.items()),
            ("this listener has no login (SASL), and user bob, PLAIN wants to log in",),
        ),
        "no login": Case(plain, (), ("wants a login (SASL), but security.protocol is PLAINTEXT", "SASL_PLAINTEXT")),
    }


NAMES = (
    "expired", "not yet valid", "other names", "signed by itself", "revoked", "no cipher in common",
    "no version in common", "advertised under another name", "ours is revoked there", "other authority",
    "authority of the same name", "no authority named", "no certificate of ours", "ours of another authority",
    "ours has expired", "ours is not valid yet", "key of another", "locked key", "wrong password", "no such file",
    "folder without hashes", "no TLS to TLS", "TLS to none", "no login, over TLS", "no login",
    "a login where there is none, over TLS", "a login where there is none",
)  # fmt: skip


@pytest.fixture(scope="module")
def started(
    faulty: Made, secured: SecuredKafka, trades: Trades, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, tuple[Job, Case]]]:
    folder = tmp_path_factory.mktemp("tls")
    cases = of_the_broker(faulty) | of_the_client(secured, folder)
    assert set(cases) == set(NAMES)
    with Jobs(folder / "jobs") as jobs:

        def start(i: int, case: Case) -> Job:
            where = ("--bootstrap-servers", case.address, "--topic", f"tls{i}", "--create-topic", "1")
            state = ("--state-dir", str(folder / f"state{i}"))
            return jobs.start(["run", str(trades.folder), *where, *state, *case.options])

        made: dict[str, tuple[Job, Case]] = {}
        for i, (name, case) in enumerate(cases.items()):
            while sum(job.exit_code is None for job, _ in made.values()) >= AT_ONCE:
                time.sleep(0.02)
            made[name] = start(i, case), case
        yield made


@pytest.mark.parametrize("name", NAMES)
def test_what_tls_refuses(name: str, started: Mapping[str, tuple[Job, Case]]) -> None:
    """Broken: a nightly job with an expired certificate retries for ever, and its text would fit ten other faults."""
    job, case = started[name]
    assert job.wait() == 2, job.log
    for word in case.words:
        assert word in job.log
    assert "Traceback" not in job.log
    assert seconds_of(job.log) < SECONDS, job.log


def seconds_of(log: str) -> float:
    """Between the first and the last line with a time."""
    found = [datetime.fromisoformat(each) for each in re.findall(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", log, re.M)]
    return (found[-1] - found[0]).total_seconds()


@pytest.mark.parametrize(
    ("listener", "setting"),
    [
        ("SELF", "enable.ssl.certificate.verification=false"),
        ("NAMED", "ssl.endpoint.identification.algorithm=none"),
    ],
)
def test_what_the_user_does_not_want_checked_is_no_fault(
    listener: str, setting: str, faulty: Made, topic: str, trades: Trades, jobs: Jobs, tmp_path: Path
) -> None:
    """Broken: what librdkafka was told to accept is refused here."""
    create_topic(faulty.cluster.bootstrap_servers, topic, 2)
    security = ("--security", "tls", "--ca", str(faulty.authority.certificate), "-X", setting)
    where = ("--bootstrap-servers", faulty.cluster.address(listener), "--topic", topic)
    job = jobs.start(["run", str(trades.folder), *where, "--state-dir", str(tmp_path / "state"), *security])
    assert job.wait() == 0, job.log
    assert compare(trades.rows, read_topic(faulty.cluster.bootstrap_servers, topic)).exact
