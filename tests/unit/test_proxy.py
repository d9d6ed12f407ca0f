"""The fault tests' proxy does to connections what it says: a fault that does not happen would prove nothing."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress

import pytest

from tests.support.proxy import END_TXN, HOST, LIE_S, OUT_OF_ORDER_SEQUENCE, PRODUCE, Proxy

NAME = b"trades"
BODY = b"rows" * 10_000


def request(kind: int, correlation: int) -> bytes:
    frame = struct.pack(">hhi", kind, 10, correlation) + BODY
    return struct.pack(">i", len(frame)) + frame


def produced(correlation: int, error: int = 0) -> bytes:
    """A ProduceResponse of version 10 for one partition."""
    frame = struct.pack(">ibbb", correlation, 0, 2, len(NAME) + 1) + NAME + struct.pack(">bihq", 2, 3, error, 77)
    return struct.pack(">i", len(frame)) + frame


class FakeBroker:
    """Answers each request with success, and remembers all bytes that came."""

    def __init__(self) -> None:
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.got = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=(self.listener.accept()[0],), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        held = b""
        with suppress(OSError):
            while data := connection.recv(1 << 16):
                self.got += data
                held += data
                while len(held) >= 12 and len(held) >= 4 + int.from_bytes(held[:4], "big"):
                    connection.sendall(produced(int.from_bytes(held[8:12], "big")))
                    held = held[4 + int.from_bytes(held[:4], "big") :]


@pytest.fixture
def broker():
    broker = FakeBroker()
    yield broker
    broker.listener.close()


@pytest.fixture
def proxy(broker):
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    with Proxy(port, broker.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy):
    with socket.create_connection((HOST, proxy.port), timeout=5) as client:
        yield client


def answer(client: socket.socket) -> bytes:
    return client.recv(len(produced(0)), socket.MSG_WAITALL)


def silent(client: socket.socket, seconds: float = 0.2) -> bool:
    client.settimeout(seconds)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)
    return False


def test_all_is_passed_on_both_ways(client, broker):
    for number in range(5):
        client.sendall(request(PRODUCE, number))
    assert [answer(client) for _ in range(5)] == [produced(number) for number in range(5)]
    assert broker.got == b"".join(request(PRODUCE, number) for number in range(5))


def test_a_reset_comes_half_way_through_the_request_that_was_named(client, broker, proxy):
    proxy.reset_in(END_TXN)
    client.sendall(request(PRODUCE, 1))
    assert answer(client) == produced(1)
    client.sendall(request(END_TXN, 2))
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert proxy.met.is_set()
    assert len(broker.got) < len(request(PRODUCE, 1)) * 2


def test_answers_are_swallowed_and_requests_arrive(client, broker, proxy):
    proxy.swallow_answers()
    client.sendall(request(PRODUCE, 1))
    deadline = time.monotonic() + 5
    while len(broker.got) < len(request(PRODUCE, 1)) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert broker.got == request(PRODUCE, 1)
    assert silent(client)


def test_silence_is_both_ways_and_ends(client, broker, proxy):
    proxy.go_silent()
    client.sendall(request(PRODUCE, 1))
    assert silent(client)
    assert broker.got == b""
    proxy.heal()
    assert answer(client) == produced(1)


def test_only_the_named_request_is_held(client, broker, proxy):
    proxy.hold(END_TXN)
    client.sendall(request(PRODUCE, 1) + request(END_TXN, 2))
    assert answer(client) == produced(1)
    deadline = time.monotonic() + 5
    while len(broker.got) < len(request(PRODUCE, 1)) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert broker.got == request(PRODUCE, 1)
    assert silent(client)
    proxy.heal()
    assert answer(client) == produced(2)


def test_a_delay_takes_time_and_keeps_order(client, proxy):
    proxy.delay(0.05, 0.1)
    begun_s = time.monotonic()
    for number in range(3):
        client.sendall(request(PRODUCE, number))
    assert [answer(client) for _ in range(3)] == [produced(number) for number in range(3)]
    assert time.monotonic() - begun_s > 4 * 0.05


def test_a_cut_is_an_end_and_a_new_connection_works(client, proxy):
    client.sendall(request(PRODUCE, 1))
    answer(client)
    proxy.cut()
    assert client.recv(1) == b""
    with socket.create_connection((HOST, proxy.port), timeout=5) as again:
        again.sendall(request(PRODUCE, 2))
        assert answer(again) == produced(2)


def test_a_lie_is_about_errors_only_and_ends(client, broker, proxy):
    client.sendall(request(END_TXN, 1))
    answer(client)
    proxy.lie()
    for number in range(2, 5):
        client.sendall(request(PRODUCE, number))
    assert [answer(client) for _ in range(3)] == [
        produced(2, 19),
        *(produced(n, OUT_OF_ORDER_SEQUENCE) for n in (3, 4)),
    ]
    assert len(broker.got) == 4 * len(request(PRODUCE, 1))
    time.sleep(LIE_S)
    client.sendall(request(PRODUCE, 5))
    assert answer(client) == produced(5)
