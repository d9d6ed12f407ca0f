"""What listens at a broker's address, found out with a small request: Kafka's protocol, TLS, HTTP; a login or none."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - what the first host name needs; where memory is short by then, it cannot be loaded
import socket
import ssl
import struct
from contextlib import suppress
from enum import Enum

Address = tuple[str, int]

TIMEOUT_S = 1.0
"""Of a connection attempt, and of an answer: a healthy broker takes milliseconds."""

_CORRELATION_ID = struct.pack(">i", 7)
_NO_CLIENT_ID = struct.pack(">h", -1)
_API_VERSIONS = struct.pack(">hh", 18, 0) + _CORRELATION_ID + _NO_CLIENT_ID
_SASL_HANDSHAKE = struct.pack(">hh", 17, 1) + _CORRELATION_ID + _NO_CLIENT_ID  # and a mechanism
_ILLEGAL_SASL_STATE = 34
"""What a listener without a login answers to a SASL handshake (Kafka's protocol, error codes)."""


class Speaks(Enum):
    """What answers at an address."""

    KAFKA = "Kafka's protocol without TLS"
    TLS = "TLS"
    HTTP = "HTTP"


def address_text(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def who_speaks(address: Address) -> Speaks | None:
    """None without an answer, or with one that proves nothing."""
    with suppress(OSError), socket.create_connection(address, TIMEOUT_S) as connection:
        answer = ask(connection, _API_VERSIONS)
        if answer.startswith(b"HTTP"):
            return Speaks.HTTP
        if answer[4:8] == _CORRELATION_ID:
            return Speaks.KAFKA
    return Speaks.TLS if shakes_hands(address) else None


def shakes_hands(address: Address) -> bool:
    """Whether TLS is spoken there, with whomever."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # who it is does not matter: nothing is said
    try:
        with socket.create_connection(address, TIMEOUT_S) as raw, context.wrap_socket(raw, server_hostname=address[0]):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # such as: it wants a certificate of ours
    except (OSError, ValueError):
        return False


def ask_versions(connection: socket.socket) -> bool:
    """Whether a broker answers. Raises `OSError`: with TLS 1.3, a certificate of ours is refused only here."""
    return ask(connection, _API_VERSIONS)[4:8] == _CORRELATION_ID


def wants_login(connection: socket.socket) -> bool | None:
    """Whether the listener is one with SASL; None without an answer. Raises `OSError`.

    It asks for a mechanism that nobody has: the answer is a list of those that there are, or that there is no login.
    """
    mechanism = b"NONE"
    answer = ask(connection, _SASL_HANDSHAKE + struct.pack(">h", len(mechanism)) + mechanism)
    if len(answer) < 10 or answer[4:8] != _CORRELATION_ID:
        return None
    return bool(struct.unpack_from(">h", answer, 8)[0] != _ILLEGAL_SASL_STATE)


def ask(connection: socket.socket, request: bytes) -> bytes:
    """The beginning of the answer: its size (4 bytes), correlation id (4 bytes), and the first of the rest."""
    connection.sendall(struct.pack(">i", len(request)) + request)
    answer = b""
    while len(answer) < 10 and not answer.startswith(b"HTTP") and (more := connection.recv(1_024)):
        answer += more
    return answer
