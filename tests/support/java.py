"""What programs of tests that run on Java have in common: where they are kept, ports that stay theirs, their end."""

from __future__ import annotations

import atexit
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import subprocess
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HOST = "127.0.0.1"
NOTHING_IN_TMP = "-XX:-UsePerfData"  # or a JVM leaves a folder in /tmp, whatever TMPDIR says


class JavaUnavailable(Exception):
    """This machine cannot run the program: no Java 17, no Maven, or no way to fetch it."""


def cache_folder() -> Path:
    """Where programs are kept for the next test run."""
    return Path(os.environ.get("REPLAY_TEST_CACHE") or Path.home() / ".cache" / "parquet-replay")


def fetched(name: str, fetch: Callable[[Path, int], None]) -> Path:
    """The folder of that name in the cache, filled once per machine by `fetch(folder, lock)`.

    A lock keeps two test runs from fetching at once, and the final rename keeps a half-filled folder from ever being
    taken for a whole one. What `fetch` starts is handed the lock: when only this process is killed, nobody else may
    write to the folder yet.
    """
    java_version()
    cache = cache_folder()
    target = cache / name
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{name}.lock") as lock:
        if not target.is_dir():
            partial = cache / f"{name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            fetch(partial, lock)
            partial.rename(target)
    return target


def maven(pom: Path, lock: int, *arguments: str) -> None:
    """Runs Maven on this file. Raises `JavaUnavailable` where it is missing or fails."""
    if shutil.which("mvn") is None:
        raise JavaUnavailable(f"mvn is not on PATH, and what {pom.name} names is not in the cache folder")
    command = ["mvn", "-q", "-B", "-f", str(pom), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, pass_fds=[lock])
    if done.returncode != 0:
        raise JavaUnavailable(
            f"Maven could not fetch what {pom.name} names: {(done.stdout + done.stderr)[-1000:].strip()}"
        )


@cache
def java_version() -> str:
    """As Java tells it. Raises `JavaUnavailable` where there is none, or one older than 17."""
    if shutil.which("java") is None:
        raise JavaUnavailable("java is not on PATH (17 or newer is needed)")
    text = subprocess.run(["java", NOTHING_IN_TMP, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "((\d+)[\w.+-]*)"', text)
    if found is None or int(found[2]) < 17:
        raise JavaUnavailable(f"Java 17 or newer is needed, found: {text.strip() or 'nothing'}")
    return found[1]


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


class Program:
    """One process that may be killed and frozen; it can be started again."""

    def __init__(self, log_file: Path) -> None:
        self.log_file = log_file
        self.frozen = False
        self._process: subprocess.Popen[bytes] | None = None
        log_file.parent.mkdir(parents=True, exist_ok=True)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def died(self) -> bool:
        """Whether it ended without being told to."""
        return self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.alive else None

    def launch(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        self._process = self.spawn(command, variables)
        self.frozen = False

    def spawn(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """In a session of its own, so that Ctrl-C reaches the test and not the process; without a fork hook,
        because the test process may hold librdkafka clients."""
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(variables or {})},
            )

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.alive:
            self._process.send_signal(number)

    def terminate(self) -> None:
        self.thaw()
        self.signal(signal.SIGTERM)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)
        self.frozen = False

    def wait_gone(self, grace_s: float) -> None:
        """Waits for the end; kills after the grace."""
        if self._process is None:
            return
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process, self.frozen = None, False

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])


class Guard:
    """Kills processes when the test process is gone, however it went: SIGTERM and SIGKILL skip atexit.

    A shell knows the current process ids and waits for the end of its input: the end of the test process.
    """

    SCRIPT = 'while read -r line; do pids=$line; done; [ -z "$pids" ] || kill -9 $pids'

    def __init__(self) -> None:
        command = ["sh", "-c", self.SCRIPT]
        self._shell = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        atexit.register(self.close)

    def watch(self, pids: Sequence[int]) -> None:
        pipe = self._shell.stdin
        if pipe is not None and not pipe.closed:
            pipe.write(" ".join(map(str, pids)).encode() + b"\n")
            pipe.flush()

    def close(self) -> None:
        """Ends the shell, and with it whatever was being watched."""
        pipe = self._shell.stdin
        if pipe is not None and not pipe.closed:
            pipe.close()
            self._shell.wait()
        atexit.unregister(self.close)


def free_ports(count: int) -> list[int]:
    """Ports that are free now and that no outgoing connection will take while their program is down.

    Ports of the ephemeral range (what binding to port 0 gives) would not do: a client that keeps trying to
    reach a killed program can be given that very port as its own, and then the program cannot come back.
    """
    ports: list[int] = []
    for port in random.SystemRandom().sample(range(15_000, _first_ephemeral_port()), 500):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            ports.append(port)
        if len(ports) == count:
            return ports
    raise JavaUnavailable("no free ports below the ephemeral range")


def _first_ephemeral_port() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        first = 32_768
    return first if first > 16_000 else 32_768
