"""Kafka's own protocol, as far as librdkafka does not ask it: what a broker is, which logins it takes, and whether a
transactional id may be written. One connection, one question at a time, and nothing that changes anything.

Messages and their fields: kafka.apache.org/protocol, and the JSON files in Kafka's
clients/src/main/resources/common/message. Numbers are big-endian; a message begins with its length in four bytes.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

TIMEOUT_S = 5.0
"""Of a connection and of each answer: a healthy broker answers within milliseconds."""

_ANSWER_BYTES_MAX = 1 << 20  # the longest, the list of a broker's requests, has some hundred bytes

_SASL_HANDSHAKE, _API_VERSIONS, _END_TXN, _SASL_AUTHENTICATE = 17, 18, 26, 36

_NO_ERROR, _UNSUPPORTED_VERSION, _UNSUPPORTED_MECHANISM = 0, 35, 33
_ID_DENIED = 53  # TRANSACTIONAL_ID_AUTHORIZATION_FAILED
_ID_ALLOWED = (15, 16, 49)
"""Answers of who has looked at the right: COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, INVALID_PRODUCER_ID_MAPPING."""

_NOBODY = struct.pack(">qh?", -1, -1, False)
"""Producer id and epoch that no producer has, and: abort."""


class WireError(Exception):
    """What answers is no Kafka broker, or closes the connection, or says nothing in time. The text says which."""


class LoginRefused(Exception):
    """The broker refuses the login, with its reason."""


class Answer:
    """The bytes of an answer, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, form: str) -> int:
        """By a letter of `struct`: h for two bytes, i for four, q for eight."""
        form = f">{form}"
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def text(self) -> str | None:
        size = self.number("h")
        return None if size < 0 else self.take(size).decode("utf-8", "replace")

    def texts(self) -> tuple[str, ...]:
        return tuple(self.text() or "" for _ in range(self._count(self.number("i"))))

    def raw(self) -> bytes:
        return self.take(max(0, self.number("i")))

    def varint(self) -> int:
        """Seven bits a byte, the lowest first (unsigned)."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def compact_count(self) -> int:
        """Of a list of the newer form: one more is sent, and 0 means none."""
        return self._count(self.varint() - 1)

    def compact_text(self) -> str:
        return self.take(self.compact_count()).decode("utf-8", "replace")

    def tags(self) -> dict[int, Answer]:
        """Fields that came later, by number."""
        found = {}
        for _ in range(self._count(self.varint())):
            number, size = self.varint(), self.varint()
            found[number] = Answer(self.take(size))
        return found

    def take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise WireError("an answer ends early: this is no Kafka broker, or a newer protocol")
        self._at += size
        return part

    def _count(self, number: int) -> int:
        return min(max(0, number), len(self._data))  # every element has a byte at least


@dataclass(frozen=True, slots=True)
class Features:
    """What a broker says of itself. `requests` holds the newest version of each request that it takes, by number;
    `levels` the highest level of each feature that its software has."""

    requests: Mapping[int, int] = field(default_factory=dict)
    levels: Mapping[str, int] = field(default_factory=dict)


_RELEASES = (
    (1, "3.0"), (2, "3.1"), (3, "3.2"), (4, "3.3"), (8, "3.4"), (9, "3.5"), (12, "3.6"), (15, "3.7"), (20, "3.8"),
    (21, "3.9"), (22, "4.0"), (26, "4.1"),
)  # fmt: skip
"""The first level of metadata.version that each release has (Kafka's MetadataVersion)."""

_LEVEL_KNOWN_MAX = 27


def release(features: Features) -> str:
    """Which Kafka it is. A broker does not say so itself; the newest metadata.version of its software does, from 3.3 on
    and without ZooKeeper."""
    level = features.levels.get("metadata.version", 0)
    if level > _LEVEL_KNOWN_MAX:
        return f"newer than Kafka {_RELEASES[-1][1]} (metadata.version {level})"
    found = [name for first, name in _RELEASES if first <= level]
    return f"Kafka {found[-1]}" if found else "Kafka of a version that it does not tell"


class Connection:
    """To one broker, over a socket that is connected, and has shaken hands where that is TLS. Raises `WireError`."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket, self._asked = connected, 0
        connected.settimeout(TIMEOUT_S)  # of each step

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._socket.close()

    def features(self) -> Features:
        """Asked before a login, too."""
        asked = struct.pack(">B6sB1sB", 7, b"replay", 2, b"1", 0)  # our name and version (compact), no tags
        answer = self._ask(_API_VERSIONS, 3, asked, flexible=True)
        error = answer.number("h")
        if error == _UNSUPPORTED_VERSION:  # before Kafka 2.4; the list comes in the oldest form
            answer = self._ask(_API_VERSIONS, 0, b"")
            answer.number("h")
            return Features({key: top for key, _, top in _triples(answer, answer.number("i"))})
        requests = {}
        for _ in range(answer.compact_count()):
            key, _, top = (answer.number("h") for _ in range(3))
            answer.tags()
            requests[key] = top
        answer.number("i")  # how long we are throttled
        return Features(requests, _levels(answer.tags().get(0)))

    def mechanisms(self, wanted: str) -> tuple[str, ...]:
        """The SASL mechanisms of this listener. The login goes on with `wanted`, if that is one of them."""
        answer = self._ask(_SASL_HANDSHAKE, 1, _text(wanted))
        error = answer.number("h")
        if error not in (_NO_ERROR, _UNSUPPORTED_MECHANISM):
            raise WireError(f"this listener has no login (error {error})")
        return answer.texts()

    def authenticate(self, said: bytes) -> bytes:
        """One step of the login that `mechanisms` began. Raises `LoginRefused`."""
        answer = self._ask(_SASL_AUTHENTICATE, 0, struct.pack(">i", len(said)) + said)
        error, reason = answer.number("h"), answer.text()
        if error:
            raise LoginRefused(reason or f"error {error}")
        return answer.raw()

    def may_write_id(self, transactional_id: str) -> bool | None:
        """Whether this client may use the transactional id (Write on it); None where the broker does not tell.

        It is asked to abort a transaction of a producer that cannot be (id -1). Kafka looks at the right first
        (KafkaApis.handleEndTxnRequest), and then finds no such producer (TransactionCoordinator.endTransaction),
        whichever transactions there are: it writes nothing, and fences nobody. Unlike a search for the coordinator
        it also makes no __transaction_state where that is not there yet.
        """
        answer = self._ask(_END_TXN, 1, _text(transactional_id) + _NOBODY)
        answer.number("i")  # how long we are throttled
        error = answer.number("h")
        return False if error == _ID_DENIED else True if error in _ID_ALLOWED else None

    def _ask(self, api: int, version: int, body: bytes, *, flexible: bool = False) -> Answer:
        self._asked += 1
        request = struct.pack(">hhi", api, version, self._asked) + _text("replay") + (b"\0" if flexible else b"") + body
        try:
            self._socket.sendall(struct.pack(">i", len(request)) + request)
            size = struct.unpack(">i", self._received(4))[0]
            if not 4 <= size <= _ANSWER_BYTES_MAX:
                raise WireError("the answer is not Kafka's protocol")
            answer = Answer(self._received(size))
        except TimeoutError:
            raise WireError(f"no answer within {TIMEOUT_S:g} s") from None
        except OSError as error:
            raise WireError((error.strerror or str(error)).lower()) from None
        if answer.number("i") != self._asked:
            raise WireError("the answer is not Kafka's protocol")
        return answer

    def _received(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = self._socket.recv(size - len(parts))
            if not part:
                raise WireError("the broker closes the connection")
            parts += part
        return bytes(parts)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def _triples(answer: Answer, count: int) -> list[tuple[int, int, int]]:
    return [(answer.number("h"), answer.number("h"), answer.number("h")) for _ in range(count)]


def _levels(features: Answer | None) -> dict[str, int]:
    levels: dict[str, int] = {}
    if features is None:
        return levels
    for _ in range(features.compact_count()):
        name = features.compact_text()
        _, levels[name] = features.number("h"), features.number("h")
        features.tags()
    return levels
