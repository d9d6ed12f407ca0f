"""A TCP proxy before a broker that can swallow its answers: requests arrive, acknowledgements never do."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

HOST = "127.0.0.1"


class Proxy:
    """Listens on `port` and passes everything on to `target`; as a context manager: gone outside."""

    def __init__(self, port: int, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((HOST, port))
        self._sockets: list[socket.socket] = []
        self._swallowing = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.cut()

    def swallow_answers(self) -> None:
        """From now on, what the broker says is lost; what it is told still reaches it."""
        self._swallowing.set()

    def cut(self) -> None:
        """Closes all connections; new ones work as before."""
        closing, self._sockets = self._sockets, []
        for each in closing:
            with suppress(OSError):
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
            threading.Thread(target=self._pass_on, args=(client, broker, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(broker, client, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not (answers and self._swallowing.is_set()):
                    sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
