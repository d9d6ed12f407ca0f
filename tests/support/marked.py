"""Marked secrets, and whether anybody wrote them down: into a file, an answer, or a command line of another process."""

from __future__ import annotations

import base64
import json
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MARK = "Qz7hush"
"""In each secret. Letters and digits: no encoding of URLs or JSON changes it."""


def secret(place: str) -> str:
    """One for this place, so that a leak says where it came from."""
    return f"{MARK}.{place}.9f"


def _forms() -> tuple[bytes, ...]:
    """The mark as it is, and inside Base64 at each of three places (RFC 4648, section 4), less the letters at both
    ends that what stands beside it decides."""
    inside = [base64.b64encode(b"x" * at + MARK.encode())[(0, 2, 3)[at] :].rstrip(b"=")[:-1] for at in range(3)]
    return (MARK.encode(), *inside)


FORMS = _forms()


def found_in(data: bytes) -> str:
    """What stands around a mark; empty where there is none."""
    for form in FORMS:
        if (at := data.find(form)) >= 0:
            return data[max(0, at - 150) : at + 80].decode(errors="replace")
    return ""


def found_below(folder: Path) -> dict[str, str]:
    """Of each file below the folder that has a mark, or whose name has: what stands around it."""
    found = {}
    for path in folder.rglob("*"):
        if text := found_in(bytes(path)) or (found_in(path.read_bytes()) if path.is_file() else ""):
            found[str(path.relative_to(folder))] = text
    return found


@dataclass
class Processes:
    """Looks at what the processes that this one starts start themselves. As a context manager: looks all the time. A
    process that lives for less than 10 ms may be missed."""

    commands: set[bytes] = field(default_factory=set)
    environments: set[bytes] = field(default_factory=set)

    def __enter__(self) -> Processes:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.01):
            for started in _children(os.getpid()):
                self._look_below(started)

    def _look_below(self, pid: int) -> None:
        before = b""
        with suppress(OSError):  # it may be gone by now
            before = Path(f"/proc/{pid}/cmdline").read_bytes()
        for child in _children(pid):
            with suppress(OSError):
                command = Path(f"/proc/{child}/cmdline").read_bytes()
                if command != before:  # else it is about to become another program
                    self.commands.add(command)
                    self.environments.add(Path(f"/proc/{child}/environ").read_bytes())
            self._look_below(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


@dataclass(frozen=True)
class Heard:
    """A request as it came."""

    method: str
    path: str
    body: bytes


class Echo:
    """An HTTP server that lets nobody in, and repeats in its answer what it was told: a registry, a server of tokens or
    an object store whose errors say too much. What is sent with POST or PUT to a path with `hook` or `metrics` in it is
    taken. As a context manager: gone outside."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                heard.append(Heard(self.command, self.path, body))
                takes = self.command != "GET" and ("hook" in self.path or "metrics" in self.path)
                self.send_response(200 if takes else 401)
                answer = json.dumps(
                    {"error_code": 401, "message": f"I do not know {self._told()}", "error": body.decode()}
                )
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

            do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 - so the base class calls them

            def _told(self) -> str:
                kind, _, told = (self.headers.get("Authorization") or "").partition(" ")
                if kind == "Basic":
                    told = f"{told}, which is {base64.b64decode(told).decode(errors='replace')}"
                return f"{told} at {self.path}"

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Echo:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
