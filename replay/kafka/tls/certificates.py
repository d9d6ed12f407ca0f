"""X.509 certificates in words, from the bytes of files or of a handshake.

`cryptography` takes 100 ms to import. So whoever may do without certificates imports this module only with one at hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

from replay.units import duration, utc


@dataclass(frozen=True, slots=True)
class Certificate:
    """`subject` and `issuer` as RFC 4514 writes them (`CN=alice,O=Example`); `names` are the hosts and addresses that
    it is for; it is valid from `not_before` to `not_after` (UTC), both included."""

    subject: str
    names: tuple[str, ...]
    issuer: str
    not_before: datetime
    not_after: datetime

    def days_left(self, now: datetime) -> float:
        """Negative once it has expired."""
        return (self.not_after - now).total_seconds() / 86_400

    def fault_of_dates(self, now: datetime) -> str:
        """Why it does not count now, with its dates and this machine's clock; empty while it does."""
        if self.not_before <= now <= self.not_after:
            return ""
        if now > self.not_after:
            what = f"has expired {_long(now - self.not_after)} ago"
        else:
            what = f"is not valid yet: it begins in {_long(self.not_before - now)}"
        begin, end, here = (utc(at.timestamp()) for at in (self.not_before, self.not_after, now))
        return f"{what} (valid from {begin} to {end}; the clock of this machine says {here})"


def _long(span: timedelta) -> str:
    return f"{span.days} days" if span.days > 1 else duration(span.total_seconds())


def from_der(der: bytes) -> Certificate | None:
    """None where it is none that can be read: nobody promises that what a stranger sends is one."""
    try:
        return described(x509.load_der_x509_certificate(der))
    except ValueError:
        return None


def from_pem(pem: bytes) -> list[Certificate]:
    """All certificates in it, in their order. Raises `ValueError` without any, or with one that cannot be read."""
    return [described(each) for each in x509.load_pem_x509_certificates(pem)]


def described(certificate: x509.Certificate) -> Certificate:
    """Raises `ValueError` where a part of it cannot be read."""
    return Certificate(
        subject=certificate.subject.rfc4514_string(),
        names=_names(certificate),
        issuer=certificate.issuer.rfc4514_string(),
        not_before=certificate.not_valid_before_utc.astimezone(UTC),
        not_after=certificate.not_valid_after_utc.astimezone(UTC),
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Of the extension that is there for it; the common name counts only without one (RFC 6125, 6.4.4)."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(each.value) for each in common)
    hosts: Iterable[str] = found.get_values_for_type(x509.DNSName)
    addresses = found.get_values_for_type(x509.IPAddress)
    return (*hosts, *map(str, addresses))
