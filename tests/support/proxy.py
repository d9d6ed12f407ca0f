"""A TCP proxy before a broker, for what a network can do to a connection: nothing, or half a request, or no answer, too
late, or never. It knows Kafka's frames, so that a test can name the request that something happens to."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

HOST = "127.0.0.1"

PRODUCE, END_TXN = 0, 26
"""Kafka's numbers for the requests that tests name."""

NOT_ENOUGH_REPLICAS, OUT_OF_ORDER_SEQUENCE = 19, 45
"""And for errors."""

LIE_S = 1.5
"""Longer than an answer takes that is on its way, shorter than a producer of replay's waits before it tries again."""


class Proxy:
    """Listens on `port` and passes everything on to `target`; as a context manager: gone outside.

    Each method says what goes wrong from now on; `heal` ends it all.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self._listener = socket.create_server((HOST, port))
        self._sockets: list[socket.socket] = []
        self._swallowing = threading.Event()
        self._passing = threading.Event()
        self._delay_s = (0.0, 0.0)
        self._reset_in: int | None = None
        self._hold: int | None = None
        self._lying = False
        self.met = threading.Event()
        """Set once a request came that something was to happen to."""
        self.heal()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.heal()
        self.cut()

    def heal(self) -> None:
        """As new, for the connections that are left; what was held is passed on."""
        self._swallowing.clear()
        self._delay_s, self._reset_in, self._hold = (0.0, 0.0), None, None
        self._lying = False
        self.met.clear()
        self._passing.set()

    def swallow_answers(self) -> None:
        """What the broker says is lost; what it is told still reaches it."""
        self._swallowing.set()

    def go_silent(self) -> None:
        """Half-open: the connections stay, and nothing is passed on any more, either way."""
        self._passing.clear()

    def delay(self, least_s: float, most_s: float) -> None:
        """Each request and each portion of answers takes so long, at random; none overtakes another."""
        self._delay_s = (least_s, most_s)

    def reset_in(self, request: int) -> None:
        """The next such request gets half-way to the broker, and all connections are reset (RST)."""
        self._reset_in = request

    def hold(self, request: int) -> None:
        """Such a request stays here, and whatever its connection is told after it."""
        self._passing.clear()
        self._hold = request

    def lie(self) -> None:
        """The next answer to a Produce request says that the rows were refused, and those behind it in the same
        connection that their numbers are out of order. The broker has appended them all."""
        self._lying = True

    def cut(self, *, reset: bool = False) -> None:
        """Closes all connections, in good order or with a reset; new ones work, and are answered."""
        closing, self._sockets = self._sockets, []
        for each in closing:
            with suppress(OSError):
                if reset:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._swallowing.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection((HOST, self._target), timeout=5)
            except OSError:
                client.close()
                continue
            broker.settimeout(None)
            self._sockets += [client, broker]
            asked: deque[tuple[int, int]] = deque()  # Kafka answers a connection's requests in their order
            threading.Thread(target=self._pass_requests, args=(client, broker, asked), daemon=True).start()
            threading.Thread(target=self._pass_answers, args=(broker, client, asked), daemon=True).start()

    def _pass_requests(self, client: socket.socket, broker: socket.socket, asked: deque[tuple[int, int]]) -> None:
        with suppress(OSError):
            for frame in _frames(client):
                request, version = struct.unpack_from(">hh", frame, 4)
                asked.append((request, version))
                if request == self._reset_in:
                    self._reset_in = None
                    broker.sendall(frame[: len(frame) // 2])
                    self.met.set()
                    self.cut(reset=True)
                    return
                self._wait(request)
                broker.sendall(frame)
        _shut(client, broker)

    def _pass_answers(self, broker: socket.socket, client: socket.socket, asked: deque[tuple[int, int]]) -> None:
        lied_s = float("-inf")
        with suppress(OSError):
            for frame in _frames(broker):
                self._wait()
                answer = frame
                if asked.popleft() == (PRODUCE, 10) and (self._lying or time.monotonic() - lied_s < LIE_S):
                    if self._lying:
                        self._lying, lied_s = False, time.monotonic()
                        answer = _refusal(frame, NOT_ENOUGH_REPLICAS)
                    else:
                        answer = _refusal(frame, OUT_OF_ORDER_SEQUENCE)
                        self.met.set()
                if not self._swallowing.is_set():
                    client.sendall(answer)
        _shut(client, broker)

    def _wait(self, request: int | None = None) -> None:
        time.sleep(random.uniform(*self._delay_s))
        if self._hold is not None and request != self._hold:
            return
        if not self._passing.is_set():
            self.met.set()
            self._passing.wait()


def _frames(source: socket.socket) -> Iterator[bytes]:
    """Requests, each with the four bytes of length before it."""
    held = b""
    while data := source.recv(1 << 16):
        held += data
        while len(held) >= 4 and len(held) >= (whole := 4 + int.from_bytes(held[:4], "big")):
            yield held[:whole]
            held = held[whole:]


def _refusal(answer: bytes, error: int) -> bytes:
    """A ProduceResponse (version 10, of one partition, as librdkafka asks for) with another error code: behind length,
    correlation id, tags, number of topics, the topic's name, number of partitions, and the partition."""
    place = 4 + 4 + 1 + 1 + answer[10] + 1 + 4  # a compact string of n bytes begins with n + 1
    return answer[:place] + error.to_bytes(2, "big") + answer[place + 2 :]


def _shut(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
