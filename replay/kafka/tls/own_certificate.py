"""The certificate that this client shows of itself, and its key: read from their files, and whether they fit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from replay.errors import UsageError
from replay.kafka.tls.certificates import Certificate, from_pem
from replay.kafka.tls.settings import CERT, KEY, OPTIONS, STORE, Settings, no_pem, read_file


class Own(NamedTuple):
    """Our certificate and its key, in memory: `chain` is PEM, ours first; `key` is PEM, without a password."""

    path: str
    chain: bytes
    key: bytes
    certificate: Certificate
    issuers: frozenset[bytes]  # of all certificates in the chain, DER


def read(settings: Settings) -> Own | None:
    """What this client shows of itself; None where nothing is set. Raises `UsageError` where that cannot work."""
    if path := str(settings.get(STORE, "")):
        return _from_store(path, str(settings.get("ssl.keystore.password", "")))
    cert, key = str(settings.get(CERT, "")), str(settings.get(KEY, ""))
    chain = read_file(cert, CERT) if cert else str(settings.get("ssl.certificate.pem", "")).encode()
    secret = read_file(key, KEY) if key else str(settings.get("ssl.key.pem", "")).encode()
    cert, key = cert or "ssl.certificate.pem", key or "ssl.key.pem"
    if not chain and not secret:
        return None
    if not chain or not secret:
        missing, given = (CERT, KEY) if not chain else (KEY, CERT)
        raise UsageError(
            f"{OPTIONS[given]} without {OPTIONS[missing]}: a certificate and its key belong together",
            where=OPTIONS[given].split()[0],
            todo=f"add {OPTIONS[missing]}; both may be in one file",
        )
    return _paired(cert, chain, key, secret, str(settings.get("ssl.key.password", "")))


def _paired(cert: str, chain: bytes, key: str, secret: bytes, password: str) -> Own:
    try:
        certificates, described = x509.load_pem_x509_certificates(chain), from_pem(chain)
    except ValueError:
        raise no_pem(cert, CERT, "certificate") from None
    private = _private_key(key, secret, password)
    spki = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*spki) != certificates[0].public_key().public_bytes(*spki):
        raise UsageError(
            f"this key does not belong to the certificate in {cert} ({described[0].subject}, issued by"
            f" {described[0].issuer})",
            where=key,
            todo=f"name the key that the certificate was made with: {OPTIONS[KEY]}; in a file of several certificates"
            " ours comes first",
        )
    plain = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Own(cert, chain, plain, described[0], frozenset(each.issuer.public_bytes() for each in certificates))


def _private_key(path: str, secret: bytes, password: str) -> Any:
    needs_password = b"ENCRYPTED" in secret
    if needs_password and not password:
        raise UsageError(
            "this key is encrypted, and no password is given",
            where=path,
            todo="name the file that holds its password: --cert-key-password-file FILE (ssl.key.password)",
        )
    try:
        return load_pem_private_key(secret, password.encode() if needs_password else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if needs_password and "password" in str(error).lower():
            raise UsageError(
                "the password does not open this key",
                where=path,
                todo="check --cert-key-password-file (ssl.key.password): an end of line is no part of a password",
            ) from None
        raise no_pem(path, KEY, "private key") from None


def _from_store(path: str, password: str) -> Own:
    content = read_file(path, STORE)
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(content, password.encode() or None)
    except ValueError as error:
        is_password = "password" in str(error).lower()
        raise UsageError(
            "the password does not open this keystore" if is_password else "this is no keystore (PKCS#12)",
            where=path,
            todo="check -X ssl.keystore.password"
            if is_password
            else "Java's own format (JKS) is not read: keytool -importkeystore -deststoretype PKCS12 converts it",
        ) from None
    if key is None or certificate is None:
        raise UsageError("this keystore holds no certificate with its key", where=path, todo=f"check {OPTIONS[STORE]}")
    pem = serialization.Encoding.PEM
    chain = [certificate, *others]
    text = b"".join(each.public_bytes(pem) for each in chain)
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Own(path, text, plain, from_pem(text)[0], frozenset(each.issuer.public_bytes() for each in chain))


def good_now(settings: Settings, now: datetime) -> Own | None:
    """The same as `read`; raises `UsageError` for a certificate that is not valid now, too."""
    own = read(settings)
    if own is not None and (fault := own.certificate.fault_of_dates(now)):
        raise ours_not_now(own, fault)
    return own


def ours_not_now(own: Own, fault: str) -> UsageError:
    return UsageError(
        f"our certificate ({own.certificate.subject}, issued by {own.certificate.issuer}) {fault}",
        where=own.path,
        todo="check the clock of this machine; if it is right, have our certificate renewed",
    )
