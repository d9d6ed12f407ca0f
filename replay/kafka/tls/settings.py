"""librdkafka's settings of TLS: which files they name, and whom the client trusts.

What librdkafka takes is in its `rdkafka_ssl.c`: `ssl.ca.location` may be a folder of certificates named by hashes,
all else are files. Of most faults it says no more than "BIO lib", so the files are read here first.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from replay.errors import UsageError

Settings = Mapping[str, Any]
"""librdkafka's settings, as a client of it gets them."""

CA, CERT, KEY, CRL, STORE = (
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.crl.location",
    "ssl.keystore.location",
)

OPTIONS = {
    CA: f"--ca ({CA})",
    CERT: f"--cert ({CERT})",
    KEY: f"--cert-key ({KEY})",
    CRL: f"-X {CRL}",
    STORE: f"-X {STORE}",
}
"""How each is given: our option, with librdkafka's name of it."""

OURS = (CERT, KEY, STORE, "ssl.certificate.pem", "ssl.key.pem")
"""Any of these, and this client has a certificate of its own."""

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
"""How OpenSSL names the certificates in a folder (openssl-rehash(1))."""

SYSTEM_PATHS = (
    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-bundle.crt", "/etc/pki/tls/certs/ca-bundle.trust.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem", "/etc/ssl/cacert.pem", "/etc/certs/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs", "/usr/local/etc/ssl/cert.pem", "/usr/local/etc/ssl/cacert.pem",
    "/usr/local/etc/ssl/certs/cert.pem", "/usr/local/etc/ssl/certs/cacert.pem",
    "/usr/local/share/certs/ca-root-nss.crt", "/etc/openssl/certs/ca-certificates.crt",
)  # fmt: skip
"""Where librdkafka looks for the system's authorities, in this order: the first that is there counts."""


def uses_tls(settings: Settings) -> bool:
    return str(settings.get("security.protocol", "")).upper().endswith("SSL")


def verifies(settings: Settings) -> bool:
    """Whether the broker's certificate has to be a good one."""
    return str(settings.get("enable.ssl.certificate.verification", "true")).lower() not in ("false", "0", "f")


def stamp(settings: Settings) -> tuple[object, ...]:
    """What a client is made of. With another one a new client may be let in where an old one is not: a client reads its
    files only once. Keep it in memory: it holds secrets."""
    said = sorted((name, str(value)) for name, value in settings.items() if not callable(value))
    files = (str(settings.get(name, "")) for name in (CA, CERT, KEY, CRL, STORE))
    return (*said, *map(_state, files))


def stamp_of_tls(settings: Settings) -> tuple[object, ...]:
    """The same of TLS alone: a password of a login that changes is taken up by clients as they are (`renewal.py`)."""
    return stamp({name: value for name, value in settings.items() if name.startswith("ssl.")})


def _state(path: str) -> tuple[int, ...]:
    """Which file it is, and its content as far as size and time tell; nothing where there is none."""
    try:
        found = Path(path).stat() if path else None
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found is not None else ()


def system_path() -> str:
    """Where the system's authorities are; empty where there are none."""
    for path in map(Path, SYSTEM_PATHS):
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            return str(path)
    return ""


def named_path(settings: Settings) -> str:
    """The file or folder of authorities that the user has named; empty where it is the system's."""
    path = str(settings.get(CA, ""))
    return "" if path == "probe" else path


def trust(context: ssl.SSLContext, settings: Settings) -> None:
    """Let the context trust whom librdkafka does. Raises `UsageError` where that cannot be read."""
    named, text = named_path(settings), str(settings.get("ssl.ca.pem", ""))
    if text:
        _load("--ca (ssl.ca.pem)", lambda: context.load_verify_locations(cadata=text))
    if named:
        _trust_named(context, Path(named), settings)
    elif not text and (path := system_path()):
        is_folder = Path(path).is_dir()
        context.load_verify_locations(None if is_folder else path, path if is_folder else None)
    elif not text:
        context.set_default_verify_paths()
    if path := str(settings.get(CRL, "")):
        if b"-----BEGIN X509 CRL-----" not in read_file(path, CRL):
            raise no_pem(path, CRL, "list of revoked certificates (X509 CRL)")
        _load(path, lambda: context.load_verify_locations(cafile=path))
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF


def _trust_named(context: ssl.SSLContext, path: Path, settings: Settings) -> None:
    if path.is_dir():
        if verifies(settings) and not any(_HASHED.fullmatch(each.name) for each in _listed(path)):
            raise UsageError(
                f"this folder of authorities ({OPTIONS[CA]}) has no certificate that OpenSSL would find",
                where=str(path),
                todo=f"name a file of certificates, or run: openssl rehash {path}",
            )
        context.load_verify_locations(capath=str(path))
        return
    if b"-----BEGIN" not in read_file(str(path), CA):
        raise no_pem(str(path), CA, "certificate")
    _load(str(path), lambda: context.load_verify_locations(cafile=str(path)))


def _load(where: str, load: Callable[[], None]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        raise UsageError(
            f"this cannot be read as certificates: {(error.reason or str(error)).replace('_', ' ').lower()}",
            where=where,
            todo="it has to be PEM (-----BEGIN CERTIFICATE-----); openssl x509 -inform DER -in FILE converts DER",
        ) from None


def read_file(path: str, setting: str) -> bytes:
    file = Path(path)
    try:
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise UsageError(
                f"{OPTIONS[setting]}: this is no regular file", where=path, todo="name one: it is read more than once"
            )
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(path, setting, error) from None


def _listed(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError as error:
        raise _unreadable(str(path), CA, error) from None


def _unreadable(path: str, setting: str, error: OSError) -> UsageError:
    if isinstance(error, FileNotFoundError):
        reason, todo = "this file does not exist", f"check {OPTIONS[setting]}"
    elif isinstance(error, PermissionError):
        reason, todo = "this file may not be read by this user", "let the user that runs this read it"
    else:
        reason, todo = (error.strerror or str(error)).lower(), f"check {OPTIONS[setting]}"
    return UsageError(f"{OPTIONS[setting]}: {reason}", where=path, todo=todo)


def no_pem(path: str, setting: str, wanted: str) -> UsageError:
    return UsageError(
        f"{OPTIONS[setting]}: there is no {wanted} in it that can be read as PEM",
        where=path,
        todo="PEM begins with -----BEGIN …; openssl converts other forms",
    )
