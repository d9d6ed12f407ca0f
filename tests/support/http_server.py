"""An HTTP server on this machine that remembers what it was sent: a webhook, a push gateway."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: str


class RememberingServer:
    """Answers each POST and PUT with `status`; with `hang` not before that is set, or after 10 s."""

    def __init__(self, status: int = 200, hang: threading.Event | None = None) -> None:
        self.got: list[Request] = []
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                got.append(Request(self.command, self.path, dict(self.headers), body))
                if hang is not None:
                    hang.wait(10)
                self.send_response(status)
                self.end_headers()

            do_POST = do_PUT  # noqa: N815 - so the base class calls it

            def log_message(self, *_: Any) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> RememberingServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
