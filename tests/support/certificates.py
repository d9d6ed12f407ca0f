"""An authority and a broker's certificate, made anew for each test run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


class Certificates(NamedTuple):
    """PEM files: the authority's certificate, and the broker's key with its certificate behind it."""

    authority: Path
    broker: Path


def make_certificates(
    folder: Path, host: str = "127.0.0.1", *, days: int = 1, self_signed: bool = False
) -> Certificates:
    """Good for so many days (expired yesterday with -1), and for that address. `self_signed`: by nobody else."""
    made = Certificates(folder / "ca.pem", folder / "broker.pem")
    authority_key, broker_key = _key(), _key()
    authority = _named("test authority", authority_key.public_key()).issuer_name(_name("test authority"))
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    issuer, signing_key = ("broker", broker_key) if self_signed else ("test authority", authority_key)
    broker = _named("broker", broker_key.public_key(), days).issuer_name(_name(issuer))
    broker = broker.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
    made.authority.write_bytes(_pem(authority.sign(authority_key, hashes.SHA256())))
    key = broker_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made.broker.write_bytes(key + _pem(broker.sign(signing_key, hashes.SHA256())))
    return made


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _named(text: str, key: rsa.RSAPublicKey, days: int = 1) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    begin = min(now, now + timedelta(days=days)) - timedelta(hours=1)
    builder = x509.CertificateBuilder().subject_name(_name(text)).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(begin).not_valid_after(now + timedelta(days=days))


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
