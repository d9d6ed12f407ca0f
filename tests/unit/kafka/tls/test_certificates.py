"""What is read out of a certificate, and how its dates are said."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from replay.kafka.tls.certificates import from_der, from_pem
from tests.support.pki import Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "night-ca")


def test_it_is_for_the_names_of_its_extension(authority: Authority) -> None:
    """Broken: an operator is told a name that no client would take."""
    (found,) = from_pem(authority.issue("broker", hosts=("a.example.com", "b.example.com")).certificate.read_bytes())
    assert (found.subject, found.issuer, found.names) == (
        "CN=broker", "CN=night-ca", ("a.example.com", "b.example.com"),
    )  # fmt: skip


def test_without_the_extension_the_common_name_counts(authority: Authority) -> None:
    """Broken: a certificate of the old kind is said to be for no host, though clients take it."""
    (found,) = from_pem(authority.issue("broker").certificate.read_bytes())
    assert found.names == ("broker",)


@pytest.mark.parametrize(
    ("since", "words"),
    [
        (timedelta(days=31), "has expired 24 h 00 min ago"),
        (timedelta(days=40), "has expired 10 days ago"),
        (timedelta(hours=-2), "is not valid yet: it begins in 2 h 00 min"),
        (timedelta(days=-9), "is not valid yet: it begins in 9 days"),
    ],
)
def test_dates_that_do_not_fit_are_said_beside_this_clock(since: timedelta, words: str, authority: Authority) -> None:
    """Broken: a clock that is wrong is taken for a certificate that is, since nobody says what the clock shows."""
    issued = authority.issue("broker", begins=timedelta(0), ends=timedelta(days=30))
    (found,) = from_pem(issued.certificate.read_bytes())
    now = found.not_before + since
    said = found.fault_of_dates(now)
    assert words in said
    for each in (found.not_before, found.not_after, now):
        assert f"{each:%Y-%m-%d %H:%M:%S} UTC" in said


def test_a_valid_one_has_no_fault_and_some_days_left(authority: Authority) -> None:
    """Broken: a certificate is refused in its last second, or a check warns of the wrong day."""
    (found,) = from_pem(authority.issue("broker", ends=timedelta(days=13)).certificate.read_bytes())
    assert found.fault_of_dates(found.not_before) == found.fault_of_dates(found.not_after) == ""
    assert found.days_left(found.not_after - timedelta(days=13)) == 13
    assert found.days_left(found.not_after + timedelta(hours=12)) == -0.5


def test_what_is_no_certificate_is_none(authority: Authority) -> None:
    """Broken: what a stranger sends instead of a certificate ends the command with a traceback."""
    der = x509.load_pem_x509_certificate(authority.certificate.read_bytes()).public_bytes(Encoding.DER)
    assert from_der(der) == from_pem(authority.certificate.read_bytes())[0]
    assert from_der(b"") is None
    assert from_der(der[:-9]) is None
