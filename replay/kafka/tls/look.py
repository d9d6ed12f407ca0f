"""A look at a broker through TLS: what it shows of itself, and what is wrong where librdkafka would not connect.

librdkafka says the same of a wrong authority, a missing one and a wrong host name. So this machine shakes hands itself,
as librdkafka would: with the same files and settings, read anew each time.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from replay.errors import UsageError
from replay.kafka import listener
from replay.kafka.listener import Address
from replay.kafka.tls import own_certificate
from replay.kafka.tls.certificates import Certificate, from_der
from replay.kafka.tls.own_certificate import Own
from replay.kafka.tls.reasons import Wanted, accepted_authorities, spoken
from replay.kafka.tls.settings import Settings, trust, uses_tls, verifies
from replay.kafka.tls.verdicts import refused, untrusted

_ALERT_S = 0.2
"""How soon a broker refuses a certificate of ours."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What was seen of a broker. `version` and `cipher` (`TLSv1.3`, `TLS_AES_256_GCM_SHA384`) are empty where no
    handshake was completed, `certificate` is the broker's where it showed one. `problem` is why a client with these
    settings cannot work there; None also where nothing was found out, since nobody answered."""

    version: str = ""
    cipher: str = ""
    certificate: Certificate | None = None
    problem: UsageError | None = None


def look(address: Address, settings: Settings) -> Handshake:
    """One handshake, and a question that every broker answers; a second handshake where the first fails, to read the
    certificate. `settings` are librdkafka's, as a client gets them; without TLS among them there is nothing to see.
    Takes `listener.TIMEOUT_S` a step at most. Raises nothing."""
    if not uses_tls(settings):
        return Handshake()
    wanted = Wanted()
    own: Own | None = None
    try:
        own = own_certificate.read(settings)
        context = _context(settings, own, verify=verifies(settings))
        _overhear(context, wanted)
        with _shaken(address, context) as connection:
            handshake = _described(connection)
            if wanted.asked:
                _hear_of_ours(connection)
            listener.ask_versions(connection)
            return handshake
    except UsageError as error:
        return Handshake(problem=error)
    except ssl.SSLCertVerificationError as error:
        shown = _unverified(address, settings, own)
        return Handshake(certificate=shown, problem=untrusted(address, settings, error, shown))
    except ssl.SSLError as error:
        return Handshake(problem=refused(address, error, own, wanted))
    except (OSError, ValueError):  # nobody there; or a name that is none
        return Handshake()


@contextmanager
def connected(address: Address, settings: Settings) -> Iterator[socket.socket]:
    """A connection as a client with these settings makes it. Raises `OSError`, and `UsageError` for the settings."""
    if uses_tls(settings):
        with _shaken(address, _context(settings, own_certificate.read(settings), verify=verifies(settings))) as secure:
            yield secure
    else:
        with socket.create_connection(address, listener.TIMEOUT_S) as plain:
            yield plain


def wants_login(address: Address, settings: Settings) -> bool | None:
    """Whether the listener there is one with SASL; None where that cannot be seen. Raises nothing."""
    try:
        if uses_tls(settings):
            with _shaken(address, _context(settings, own_certificate.read(settings), verify=False)) as connection:
                return listener.wants_login(connection)
        with socket.create_connection(address, listener.TIMEOUT_S) as plain:
            return listener.wants_login(plain)
    except (OSError, ValueError, UsageError):
        return None


def _context(settings: Settings, own: Own | None, *, verify: bool) -> ssl.SSLContext:
    """Raises `UsageError` for what the settings cannot be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    identified = str(settings.get("ssl.endpoint.identification.algorithm", "https")).lower() != "none"
    context.check_hostname = verify and identified
    if verify:
        trust(context, settings)
    else:
        context.verify_mode = ssl.CERT_NONE
    ciphers = str(settings.get("ssl.cipher.suites", "DEFAULT"))
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError:
        raise UsageError(
            f"OpenSSL knows no cipher of this list: {ciphers}", where="-X ssl.cipher.suites", todo="see ciphers(1)"
        ) from None
    if own is not None:
        _show(context, own)
    return context


def _show(context: ssl.SSLContext, own: Own) -> None:
    """Python takes a certificate and its key from files only. This one is in memory, and gone with its descriptor."""
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, own.key + b"\n" + own.chain)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except ssl.SSLError as error:
        raise UsageError(f"OpenSSL refuses our certificate: {spoken(error)}", where=own.path, todo="") from None
    finally:
        os.close(descriptor)


@contextmanager
def _shaken(address: Address, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    host = address[0].rstrip(".")  # as librdkafka does: a certificate has no trailing dot
    with (
        socket.create_connection(address, listener.TIMEOUT_S) as raw,
        context.wrap_socket(raw, server_hostname=host) as connection,
    ):
        yield connection


def _hear_of_ours(connection: ssl.SSLSocket) -> None:
    """With TLS 1.3 a certificate of ours is refused after the handshake (RFC 8446, 4.4.2.4). If something is sent by
    then, the alert may be lost with the connection. Raises `ssl.SSLError` with the alert."""
    connection.settimeout(_ALERT_S)
    with suppress(TimeoutError):
        connection.recv(1)
    connection.settimeout(listener.TIMEOUT_S)


def _described(connection: ssl.SSLSocket) -> Handshake:
    cipher, der = connection.cipher(), connection.getpeercert(binary_form=True)
    certificate = from_der(der) if der else None
    return Handshake(connection.version() or "", cipher[0] if cipher else "", certificate)


def _unverified(address: Address, settings: Settings, own: Own | None) -> Certificate | None:
    """The certificate that the broker shows, whoever it is: nothing is said to it."""
    try:
        with _shaken(address, _context(settings, own, verify=False)) as connection:
            return _described(connection).certificate
    except (OSError, ValueError, UsageError):
        return None


def _overhear(context: ssl.SSLContext, wanted: Wanted) -> None:
    """Take down whose certificates the broker accepts. Python's ssl tells only its hook for debugging; without that
    hook, less is said."""

    def on_message(_: object, direction: str, version: object, __: object, kind: object, data: bytes) -> None:
        if direction == "read" and getattr(kind, "name", "") == "CERTIFICATE_REQUEST":
            wanted.asked = True
            wanted.authorities[:] = accepted_authorities(data, getattr(version, "name", "") == "TLSv1_3")

    if hasattr(context, "_msg_callback"):
        context._msg_callback = on_message
