"""What is understood of brokers, and of what is none. The real one answers in tests/integration/test_check.py."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from replay.kafka import wire
from replay.kafka.wire import Connection, Features, WireError, release

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def answering(*answers: bytes) -> Iterator[Connection]:
    """To somebody who answers one request after the other like this, and then closes."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            for answer in answers:
                theirs.recv(1 << 16)
                theirs.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    with Connection(ours) as connection:
        yield connection
    thread.join()


def framed(body: bytes, number: int = 1) -> bytes:
    return struct.pack(">ii", len(body) + 4, number) + body


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        framed(b"", number=7),
        framed(b"\0"),
        struct.pack(">i", 1 << 30),
        struct.pack(">i", -1),
        framed(struct.pack(">hB", 0, 0xFF) + b"\xff" * 20),
    ],
)
def test_what_is_no_broker_is_said_to_be_none(answer):
    """Broken: a proxy or a port that is somebody else's ends the check with a traceback, or fills the memory."""
    with answering(answer) as connection, pytest.raises(WireError):
        connection.features()


def test_a_broker_that_says_nothing_is_not_waited_for_for_ever(monkeypatch):
    """Broken: a broker that hangs hangs the check."""
    monkeypatch.setattr(wire, "TIMEOUT_S", 0.05)
    ours, theirs = socket.socketpair()
    with theirs, Connection(ours) as connection, pytest.raises(WireError, match="no answer within"):
        connection.features()


def test_a_broker_from_before_the_new_form_is_understood():
    """Broken: no word about brokers before Kafka 2.4, which answer in the oldest form."""
    old = struct.pack(">hihhh", 35, 1, 18, 0, 2)
    with answering(framed(old), framed(struct.pack(">hihhh", 0, 1, 18, 0, 2), number=2)) as connection:
        assert connection.features() == Features({18: 2})


@pytest.mark.parametrize(("error", "may"), [(53, False), (49, True), (16, True), (15, True), (14, None), (29, None)])
def test_a_right_is_there_only_where_the_broker_went_on_to_look_for_the_producer(error, may):
    """Broken: a right is said to be there, or missing, that nobody has looked at."""
    with answering(framed(struct.pack(">ih", 0, error))) as connection:
        assert connection.may_write_id("replay.trades.nightly") is may


@pytest.mark.parametrize(
    ("levels", "text"),
    [
        ({"metadata.version": 27}, "Kafka 4.1"),
        ({"metadata.version": 26}, "Kafka 4.1"),
        ({"metadata.version": 25}, "Kafka 4.0"),
        ({"metadata.version": 21}, "Kafka 3.9"),
        ({"metadata.version": 7}, "Kafka 3.3"),
        ({"metadata.version": 99}, "newer than Kafka 4.1 (metadata.version 99)"),
        ({}, "Kafka of a version that it does not tell"),
    ],
)
def test_the_level_of_its_features_says_which_kafka_it_is(levels, text):
    """Broken: another version is told than the broker has."""
    assert release(Features({}, levels)) == text
