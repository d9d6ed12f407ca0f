"""A look at somebody who speaks TLS: each fault of a certificate is told apart, and only faults are told."""

from __future__ import annotations

import socket
import ssl
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from replay.kafka.tls.look import Handshake, look
from tests.support.certificates import make_certificates
from tests.support.pki import Authority, Issued
from tests.support.tls_server import server_context, serving

if TYPE_CHECKING:
    from collections.abc import Callable

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "night-ca")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"), "day-ca")


def settings(authority: Authority | None = None, own: Issued | None = None) -> dict[str, Any]:
    made = {"security.protocol": "SSL"}
    if authority is not None:
        made["ssl.ca.location"] = str(authority.certificate)
    if own is not None:
        made |= {"ssl.certificate.location": str(own.certificate), "ssl.key.location": str(own.key)}
    return made


def problem(seen: Handshake) -> str:
    assert seen.problem is not None
    return str(seen.problem)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_good_broker_shows(version: ssl.TLSVersion, ours: Authority) -> None:
    """Broken: `replay check` says nothing of the certificate that will expire next week."""
    broker = ours.issue("broker", hosts=("localhost",))
    with serving(server_context(broker, version=version)) as address:
        seen = look(address, settings(ours))
    assert seen.problem is None
    assert seen.version == {VERSIONS[0]: "TLSv1.2", VERSIONS[1]: "TLSv1.3"}[version]
    assert seen.cipher
    assert seen.certificate is not None
    assert (seen.certificate.subject, seen.certificate.names) == ("CN=broker", ("localhost",))


def expired(ours: Authority, _: Authority) -> tuple[Issued, dict[str, str]]:
    return ours.issue("b", hosts=("localhost",), begins=timedelta(days=-9), ends=timedelta(days=-3)), {}


def not_yet(ours: Authority, _: Authority) -> tuple[Issued, dict[str, str]]:
    return ours.issue("b", hosts=("localhost",), begins=timedelta(days=3)), {}


def named(ours: Authority, _: Authority) -> tuple[Issued, dict[str, str]]:
    return ours.issue("b", hosts=("kafka.example.com",)), {}


def other(_: Authority, theirs: Authority) -> tuple[Issued, dict[str, str]]:
    return theirs.issue("b", hosts=("localhost",)), {}


def namesake(ours: Authority, theirs: Authority) -> tuple[Issued, dict[str, str]]:
    return Authority(theirs.folder / "same", ours.name).issue("b", hosts=("localhost",)), {}


def itself(_: Authority, theirs: Authority) -> tuple[Issued, dict[str, str]]:
    both = make_certificates(theirs.folder, self_signed=True).broker
    return Issued(both, both, both), {}


def revoked(ours: Authority, _: Authority) -> tuple[Issued, dict[str, str]]:
    issued = ours.issue("b", hosts=("localhost",))
    return issued, {"ssl.crl.location": str(ours.revoke(issued))}


def no_list(ours: Authority, theirs: Authority) -> tuple[Issued, dict[str, str]]:
    return ours.issue("b", hosts=("localhost",)), {"ssl.crl.location": str(theirs.revoke(theirs.issue("x")))}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (expired, "has expired 3 days ago"),
        (not_yet, "is not valid yet"),
        (named, "is for kafka.example.com, not for localhost"),
        (other, "is signed by none of the authorities in"),
        (namesake, "is signed with another key than that of CN=night-ca"),
        (itself, "is signed by itself"),
        (revoked, "is revoked: it is on the list"),
        (no_list, "is revoked is not known: unable to get certificate CRL"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_each_fault_of_a_certificate_is_told_apart(
    made: Callable[[Authority, Authority], tuple[Issued, dict[str, str]]], words: str, version: ssl.TLSVersion,
    ours: Authority, theirs: Authority,
) -> None:  # fmt: skip
    """Broken: three faults have the same text, and the operator tries three cures. And without verification, which the
    user may choose, each is no fault at all."""
    shown, more = made(ours, theirs)
    with serving(server_context(shown, version=version)) as address:
        seen = look(address, settings(ours) | more)
        unverified = look(address, settings(ours) | more | {"enable.ssl.certificate.verification": "false"})
        any_name = look(address, settings(ours) | more | {"ssl.endpoint.identification.algorithm": "none"})
    assert words in problem(seen)
    assert seen.certificate is not None
    assert unverified.problem is None
    assert (any_name.problem is None) == (made is named)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_of_ours_that_is_missing_or_not_taken(
    version: ssl.TLSVersion, ours: Authority, theirs: Authority
) -> None:
    """Broken: with TLS 1.3 a client's certificate is refused after the handshake, and nobody hears it."""
    broker = ours.issue("broker", hosts=("localhost",))
    with serving(server_context(broker, ours.certificate, version)) as address:
        assert look(address, settings(ours, ours.issue("alice"))).problem is None
        missing = look(address, settings(ours))
        foreign = look(address, settings(ours, theirs.issue("mallory")))
        same = look(address, settings(ours, Authority(theirs.folder / "again", ours.name).issue("eve")))
        old = look(address, settings(ours, ours.issue("old", begins=timedelta(days=-9), ends=timedelta(days=-3))))
    assert "wants a client certificate, and none is given" in problem(missing)
    assert "other authorities only: our certificate (CN=mallory, issued by CN=day-ca)" in problem(foreign)
    assert "refuses our certificate (CN=eve, issued by CN=night-ca)" in problem(same)
    assert "our certificate (CN=old, issued by CN=night-ca) has expired 3 days ago" in problem(old)


def test_nobody_and_no_tls_are_no_problem_of_tls(ours: Authority) -> None:
    """Broken: a broker that restarts is told to have a bad certificate."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = ("localhost", listener.getsockname()[1])
        assert look(address, {"security.protocol": "PLAINTEXT"}) == Handshake()
    assert look(address, settings(ours)) == Handshake()
    assert look(("no such host", 1), settings(ours)) == Handshake()


def test_a_file_that_is_being_written_is_a_problem_and_no_traceback(ours: Authority, tmp_path: Path) -> None:
    """Broken: a rotation that is looked at half-way ends the run with a traceback."""
    half = tmp_path / "half.pem"
    half.write_bytes(ours.certificate.read_bytes()[:99])
    with serving(server_context(ours.issue("broker", hosts=("localhost",)))) as address:
        seen = look(address, settings() | {"ssl.ca.location": str(half)})
    assert str(half) in problem(seen)
