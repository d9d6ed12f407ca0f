"""An HTTP front before a schema registry, for what may be between a job and a registry: TLS, a password, faults, lies.

What no fault is asked for passes through to the real registry.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
import threading
import time
from base64 import b64encode
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.support.java import HOST
from tests.support.registry import API, TYPE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HTML = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>It works</body></html>"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came. `path` is without the API's prefix, and has the query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in place of the registry's."""

    status: int
    body: bytes = b""
    kind: str = TYPE
    location: str = ""


def refusal(status: int, code: int, message: str) -> Answer:
    """As registries refuse."""
    return Answer(status, json.dumps({"error_code": code, "message": message}).encode())


class Front:
    """Listens on a port of its own; as a context manager: gone outside. `target` is the registry's host and port.

    With `tls` it speaks TLS (see `tls_context`). With `basic` ("user:password") or `bearer` (a token), who does not
    have that is answered 401.
    """

    def __init__(
        self, target: str, *, tls: ssl.SSLContext | None = None, basic: str | None = None, bearer: str | None = None
    ) -> None:
        self.target = target
        self.asked: list[Asked] = []
        self._wanted = (
            f"Basic {b64encode(basic.encode()).decode()}" if basic else f"Bearer {bearer}" if bearer else None
        )
        self._fault: Callable[[Asked], Answer | None] = lambda _: None
        self._changed: Callable[[Asked, Any], Any] = lambda _, body: body
        self._guids: dict[str, Any] | None = None
        self._silent = threading.Event()
        self._ending = threading.Event()
        self._dripping = self._cutting = False
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                front._answer(self)

            do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - so the base class calls them

            def log_message(self, *_: Any) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> tuple[socket.socket, Any]:
                connection, address = super().get_request()
                if tls is None:
                    return connection, address
                return tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, *_: Any) -> None:
                """Clients that turn away are what is tested."""

        self._server = Server((HOST, 0), Handler)
        self.address = f"{HOST}:{self._server.server_port}"
        self.root = f"http{'s' if tls else ''}://{self.address}"
        self.url = self.root + API

    def __enter__(self) -> Front:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()

    def heal(self) -> None:
        """No fault from now on. What hangs goes on hanging."""
        self._fault = lambda _: None
        self._changed = lambda _, body: body
        self._dripping = self._cutting = False
        self._silent.clear()

    def answer(self, answer: Answer, method: str = "", path: str = "") -> None:
        """This answer to every request of that method whose path has that part (a regular expression)."""

        def fault(asked: Asked) -> Answer | None:
            return answer if asked.method.startswith(method) and re.search(path, asked.path) else None

        self._fault = fault

    def fail(self, times: int, answer: Answer) -> None:
        """This answer so often, and then the registry's."""
        left = iter(range(times))
        self._fault = lambda _: None if next(left, None) is None else answer

    def fail_for(self, seconds: float, answer: Answer) -> None:
        """This answer for so long from the first request on, and then the registry's."""
        began_s: list[float] = []

        def fault(_: Asked) -> Answer | None:
            began_s.append(time.monotonic())
            return answer if began_s[-1] - began_s[0] < seconds else None

        self._fault = fault

    def change(self, change: Callable[[Asked, Any], Any]) -> None:
        """The registry's answers (JSON) are told so."""
        self._changed = change

    def swap(self, schema_id: int, text: str) -> None:
        """Another schema under that id, as after a registry was restored from an old backup."""
        path = re.compile(rf"^/schemas/ids/{schema_id}(\?|$)")
        self._changed = lambda asked, body: {**body, "schema": text} if path.search(asked.path) else body

    def hang(self) -> None:
        """Takes requests and does not answer."""
        self._silent.set()

    def drip(self) -> None:
        """Answers so slowly that no single wait is long and the whole never ends."""
        self._dripping = True

    def cut(self) -> None:
        """Closes the connection instead of answering."""
        self._cutting = True

    def give_guids(self) -> None:
        """Names each schema with a GUID as well, as Confluent's registry does from 8.0 on and Apicurio does not: in
        answers about a schema, and by `/schemas/guids/GUID`."""
        self._guids = {}

    @property
    def writes(self) -> list[Asked]:
        """What would have changed the registry."""
        return [
            each for each in self.asked if each.method == "POST" and re.search(r"^/subjects/.*/versions", each.path)
        ]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = handler.path.removeprefix(API)
        asked = Asked(handler.command, path, dict(handler.headers), body)
        self.asked.append(asked)
        if self._silent.is_set():
            self._ending.wait(60)
        if self._cutting:
            handler.close_connection = True
            return
        answer = self._of(asked, handler.path)
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.kind)
        handler.send_header("Content-Length", str(len(answer.body)))
        if answer.location:
            handler.send_header("Location", answer.location)
        if answer.status == 401:
            handler.send_header("WWW-Authenticate", 'Basic realm="registry"')
        handler.end_headers()
        if self._dripping:
            for byte in answer.body:
                handler.wfile.write(bytes([byte]))
                if self._ending.wait(0.2):
                    return
        handler.wfile.write(answer.body)

    def _of(self, asked: Asked, path: str) -> Answer:
        if self._wanted is not None and asked.headers.get("Authorization") != self._wanted:
            return refusal(401, 401, "Unauthorized")
        if (fault := self._fault(asked)) is not None:
            return fault
        if self._guids is not None and (found := re.fullmatch(r"/schemas/guids/([\w-]+)(\?.*)?", asked.path)):
            known = self._guids.get(found[1])
            return Answer(200, json.dumps(known).encode()) if known else refusal(404, 40403, "Schema not found")
        answer = self._passed_on(asked, path)
        if answer.status != 200 or "json" not in answer.kind:
            return answer
        content = self._changed(asked, json.loads(answer.body))
        if self._guids is not None and isinstance(content, dict) and "schema" in content:
            content = self._with_guid(content)
        return Answer(200, json.dumps(content).encode())

    def _passed_on(self, asked: Asked, path: str) -> Answer:
        registry = HTTPConnection(self.target, timeout=30)
        try:
            kept: dict[str, str] = {
                name: asked.headers[name] for name in ("Content-Type", "Accept") if name in asked.headers
            }
            registry.request(asked.method, path, asked.body or None, kept)
            got = registry.getresponse()
            location = got.headers.get("Location") or ""
            return Answer(got.status, got.read(), got.headers.get("Content-Type") or "", location)
        except OSError:
            return Answer(502, HTML, "text/html")
        finally:
            registry.close()

    def _with_guid(self, content: dict[str, Any]) -> dict[str, Any]:
        assert self._guids is not None
        whole = json.dumps([content["schema"], content.get("references")])
        guid = str(UUID(bytes=hashlib.md5(whole.encode()).digest()))
        self._guids[guid] = {"schemaType": "AVRO", **self._guids.get(guid, {}), **content}
        return {**content, "guid": guid}


def tls_context(certificate: Path, clients_of: Path | None = None) -> ssl.SSLContext:
    """For a front with that certificate (its key in the same file). With `clients_of` it takes only clients that have
    a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if clients_of is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients_of)
    return context
