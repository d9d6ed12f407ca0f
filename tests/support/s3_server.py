"""A real HTTP server that speaks S3 (moto's), in a thread: counts what is asked of it, and misbehaves on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

HOST = "127.0.0.1"
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: str
    bytes_range: str
    status: int


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Says nothing: a connection that breaks off is what some tests are about."""


@dataclass
class S3Server:
    """`requests` is what was asked since `forget()`. Faults: see the attributes; `heal()` ends them."""

    requests: list[Request] = field(default_factory=list)
    answers_503: int = 0
    """So many requests from now on are told to slow down."""
    silence_s: float = 0.0
    """Every answer comes so much later."""
    cut_bodies: int = 0
    """So many answers to GET from now on end half-way."""

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way = 0  # requests that are not noted yet
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(HOST, 0, self._answer, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def heal(self) -> None:
        """Returns once the requests of before are noted, also those that nobody waits for any more."""
        with self._changed:
            self.answers_503, self.silence_s, self.cut_bodies = 0, 0.0, 0
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: not self._under_way, 20)

    def forget(self) -> None:
        self.requests.clear()

    def client(self, service: str = "s3", **credentials: str) -> Any:
        keys = credentials or {"aws_access_key_id": "writer", "aws_secret_access_key": "secret-of-writer"}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, **keys)

    def demand_credentials(self, yes: bool) -> None:
        """Whether requests need the access key of a user that exists, and a signature that fits."""
        count = b"0" if yes else b"inf"
        asked = HttpRequest(f"{self.endpoint}/moto-api/reset-auth", count, {"Content-Type": "text/plain"})
        urlopen(asked, timeout=5).close()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._changed:
            self._under_way += 1
            self._changed.wait_for(lambda: not self.silence_s, self.silence_s)
        try:
            return self._answered(environ, start_response)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _answered(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self.answers_503:
            self.answers_503 -= 1
            self._note(environ, 503)
            start_response("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", "0")])
            return []

        def started(status: str, *rest: Any) -> Any:
            self._note(environ, int(status[:3]))
            return start_response(status, *rest)

        body: Iterable[bytes] = self._app(environ, started)
        if self.cut_bodies and environ["REQUEST_METHOD"] == "GET":
            self.cut_bodies -= 1
            return _half(body)
        return body

    def _note(self, environ: dict[str, Any], status: int) -> None:
        method, path, query, asked = (
            environ.get(name, "") for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_RANGE")
        )
        self.requests.append(Request(method, path, query, asked, status))


def _half(body: Iterable[bytes]) -> Iterator[bytes]:
    whole = b"".join(body)
    yield whole[: len(whole) // 2]
    raise ConnectionAbortedError
