"""A real Apicurio Registry on loopback, without Docker, that a test may stop, kill, freeze and restart.

It speaks Confluent's API. It keeps its port over restarts, and what is registered as well, until it is wiped; it never
outlives the test process.
"""

from __future__ import annotations

import json
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen
from xml.etree import ElementTree

from tests.support.java import HOST, NOTHING_IN_TMP, Guard, JavaUnavailable, Program, fetched, free_ports, maven

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

POM = Path(__file__).with_name("registry-pom.xml")
API = "/apis/ccompat/v7"
"""Where Apicurio has Confluent's API."""

TYPE = "application/vnd.schemaregistry.v1+json"
JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", NOTHING_IN_TMP)


class RegistryError(Exception):
    """The registry does not run as it should. Carries the end of its log."""


def program() -> Path:
    """The folder with the registry's program, fetched once per machine."""
    return fetched(f"apicurio-{pinned_version()}", _fetch)


def pinned_version() -> str:
    """Of the registry that the tests run on."""
    version = ElementTree.parse(POM).findtext(".//{*}apicurio.version")
    assert version, f"{POM.name} names no apicurio.version"
    return version


def _fetch(folder: Path, lock: int) -> None:
    maven(POM, lock, "dependency:copy", f"-DoutputDirectory={folder}")
    for archive in folder.glob("*.tar.gz"):
        shutil.unpack_archive(archive, folder, filter="data")
        archive.unlink()
    if not any(folder.glob("*-runner.jar")):
        raise JavaUnavailable("Maven has fetched no *-runner.jar of the registry")


class Registry:
    """A registry in `folder`; as a context manager: ready inside, gone outside. `variables` say where it keeps what it
    has; without any, in that folder."""

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._guard = Guard()
        self._folder = folder
        self._data = folder / "data"
        self._program = Program(folder / "registry.log")
        self.port, management = free_ports(2)
        self.address = f"{HOST}:{self.port}"
        self.url = f"http://{self.address}{API}"
        (jar,) = program().glob("*-runner.jar")
        self._command = ["java", *JVM, f"-Djava.io.tmpdir={folder}", "-jar", str(jar)]
        self._variables = {
            "QUARKUS_HTTP_HOST": HOST,
            "QUARKUS_HTTP_PORT": str(self.port),
            "QUARKUS_MANAGEMENT_HOST": HOST,
            "QUARKUS_MANAGEMENT_PORT": str(management),
            **(variables or {"APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{self._data}/registry;WRITE_DELAY=0"}),
        }

    def __enter__(self) -> Registry:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kills it: nobody needs what it has."""
        self.kill()
        self._guard.close()

    def start(self, timeout_s: float = 60) -> None:
        """Starts it where it was; returns when it answers."""
        self.start_without_waiting()
        self.wait_ready(timeout_s)

    def start_without_waiting(self) -> None:
        assert not self._program.alive, "the registry is running already"
        self._program.launch(self._command, self._variables)
        self._watch()

    def stop(self, grace_s: float = 15) -> None:
        """A clean stop."""
        self._program.terminate()
        self._program.wait_gone(grace_s)
        self._watch()

    def kill(self) -> None:
        """SIGKILL; returns when the process is gone, so that its port is free."""
        self._program.signal(signal.SIGKILL)
        self._program.wait_gone(0)
        self._watch()

    def freeze(self) -> None:
        """SIGSTOP: it takes connections and answers nobody."""
        self._program.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        self._program.thaw()

    def wipe(self) -> None:
        """Throws away what was registered, only when it is down: the next one gives the same ids to other schemas."""
        assert not self._program.alive, "the registry is running: stop or kill it before wiping it"
        shutil.rmtree(self._data, ignore_errors=True)

    def wait_ready(self, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not self._program.alive:
                raise RegistryError(f"the registry ended:\n{self._program.log_tail()}")
            with suppress(OSError):
                self.ask("GET", "/subjects")
                return
            time.sleep(0.1)
        raise RegistryError(f"the registry is not ready:\n{self._program.log_tail()}")

    def ask(self, method: str, path: str, body: Any = None, timeout_s: float = 10) -> Any:
        """What its API answers, behind the client's back. Raises `HTTPError` where it refuses."""
        return ask(self.url, method, path, body, timeout_s)

    def register(self, subject: str, text: str, kind: str = "AVRO", references: Any = ()) -> int:
        """The id of the schema."""
        body = {"schema": text, "schemaType": kind, "references": list(references)}
        return int(self.ask("POST", f"/subjects/{quote(subject, safe='')}/versions", body)["id"])

    def demand(self, subject: str, level: str = "BACKWARD") -> None:
        """A schema under that subject must be compatible with those before it from now on (by default: not)."""
        self.ask("PUT", f"/config/{quote(subject, safe='')}", {"compatibility": level})

    def versions(self, subject: str) -> list[int]:
        """Those of the subject; none where there is no such subject."""
        try:
            return list(self.ask("GET", f"/subjects/{quote(subject, safe='')}/versions"))
        except HTTPError as error:
            if error.code == 404:
                return []
            raise

    def _watch(self) -> None:
        self._guard.watch([] if self._program.pid is None else [self._program.pid])


def ask(url: str, method: str, path: str, body: Any = None, timeout_s: float = 10) -> Any:
    """One question to the API at that URL."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url + path, data, {"Content-Type": TYPE}, method=method)
    with urlopen(request, timeout=timeout_s) as answer:
        return json.load(answer)
