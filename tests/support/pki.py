"""Authorities of tests, and what they sign: certificates of brokers and clients with every fault that one can have."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Issued:
    """PEM files: a certificate, its key (with a password, where one was asked for), and both in one file."""

    certificate: Path
    key: Path
    both: Path


@dataclass
class Authority:
    """Signs certificates. `certificate` is its own, PEM; `folder` holds all that it makes."""

    folder: Path
    name: str = "test-ca"
    certificate: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._revoked: list[int] = []
        builder = _builder(self.name, self._key, self.name, timedelta(hours=-1), timedelta(days=30))
        own = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = self.folder / "ca.pem"
        self.certificate.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        hosts: tuple[str, ...] = (),
        begins: timedelta = timedelta(hours=-1),
        ends: timedelta = timedelta(days=30),
        password: str = "",
        file: str = "",
        revoked_at: str = "",
    ) -> Issued:
        """A certificate for CN=`name` and these host names, good from `begins` to `ends` as seen from now. `file` names
        its files; else `name` does. `revoked_at`: a URL, where a broker looks for the list of revoked certificates."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, key, self.name, begins, ends)
        if hosts:
            names = [x509.DNSName(host) for host in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if revoked_at:
            point = x509.DistributionPoint([x509.UniformResourceIdentifier(revoked_at)], None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        how: KeySerializationEncryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
        stem = file or name
        issued = Issued(*(self.folder / f"{stem}{end}" for end in (".crt", ".key", ".pem")))
        issued.certificate.write_bytes(certificate)
        for path, text in ((issued.key, secret), (issued.both, secret + certificate)):
            path.write_bytes(text)
            path.chmod(0o600)
        return issued

    def revoke(self, issued: Issued) -> Path:
        """The authority's list of revoked certificates (CRL, PEM) with this one on it, too."""
        self._revoked.append(x509.load_pem_x509_certificate(issued.certificate.read_bytes()).serial_number)
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(_name(self.name))
        builder = builder.last_update(now - timedelta(hours=1)).next_update(now + timedelta(days=1))
        for serial in self._revoked:
            one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - timedelta(hours=1))
            builder = builder.add_revoked_certificate(one.build())
        path = self.folder / "revoked.crl"
        path.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, begins: timedelta, ends: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now + begins).not_valid_after(now + ends)
