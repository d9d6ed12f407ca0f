"""The tool as a user runs it: a process of its own, that a test may kill, signal and look over the shoulder of.

The checkpoint is read here as any operator would, as JSON: nothing of the tool is imported.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.warm import Forked, fork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

ROOT = Path(__file__).parents[2]
"""The checkout under test: the working folder of each job, so that `-m replay` means this one."""

KILLED = -signal.SIGKILL
"""The exit code of whoever got a SIGKILL."""

BREAK = "REPLAY_TEST_BREAK"
"""Names the break of tests/support/broken_builds.py that every job has; see tests/fault/test_broken_builds.py."""


def replay_command(
    inputs: Sequence[str | Path],
    topic: str,
    bootstrap_servers: str,
    checkpoint: Path,
    *options: str,
) -> list[str]:
    """The arguments of `replay run`."""
    where = ["--topic", topic, "--bootstrap-servers", bootstrap_servers, "--checkpoint", str(checkpoint)]
    return ["run", *map(str, inputs), *where, *options]


def checkpoint(path: Path) -> dict[str, Any]:
    """What the checkpoint says; empty while there is none."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return content


def checkpoint_row(path: Path) -> int:
    """The next row to send; -1 while there is no checkpoint."""
    return int(checkpoint(path).get("next_row", -1))


class Job:
    """One process of the tool, running or ended."""

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str], *, forked: bool = False) -> None:
        """`forked`: the command is a module and its arguments, see tests/support/warm.py."""
        folder.mkdir(parents=True)
        self._stdout, self._stderr = folder / "stdout", folder / "stderr"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._process: Forked | subprocess.Popen[bytes]
            if forked:
                self._process = fork(command, ROOT, (stdout, stderr), env)
            else:
                self._process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,  # Ctrl-C reaches the test alone
                )
        self.started_s = time.monotonic()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number for whoever was killed."""
        return self._process.poll()

    @property
    def log(self) -> str:
        """Standard error so far."""
        return self._stderr.read_text(errors="replace")

    @property
    def output(self) -> str:
        """Standard output so far: the summary."""
        return self._stdout.read_text(errors="replace")

    def wait(self, timeout_s: float = 60) -> int:
        """The exit code. Whoever runs longer fails the test, with its log."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {timeout_s} s:\n{self.log}") from None

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait_log(self, text: str, timeout_s: float = 30) -> None:
        """Until the log says `text`."""
        self._wait_until(lambda: text in self.log, f"no {text!r} in the log", timeout_s)

    def wait_stopped(self, timeout_s: float = 30) -> None:
        """Until it has sent itself a SIGSTOP (`stop` in tests/support/crashing.py)."""
        self._wait_until(lambda: self._state() == "T", "it does not stop itself", timeout_s)

    def _state(self) -> str:
        """Linux's letter for it; Z once it has ended."""
        if self.exit_code is not None:
            return "Z"
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:  # meanwhile
            return "Z"

    def wait_row(self, path: Path, row: int, timeout_s: float = 30) -> None:
        """Until the checkpoint is at `row` or beyond."""
        self._wait_until(lambda: checkpoint_row(path) >= row, f"row {row} not reached", timeout_s)

    def _wait_until(self, reached: Any, otherwise: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not reached():
            ended = self.exit_code
            if (ended is not None and not reached()) or time.monotonic() > deadline:
                state = "still running" if ended is None else f"exit {ended}"
                raise AssertionError(f"{otherwise} ({state}):\n{self.log}")
            time.sleep(0.01)


class Jobs:
    """Starts jobs, each with a folder for its output; none outlives the `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: list[Job] = []

    def __enter__(self) -> Jobs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for job in self._jobs:
            job.kill()

    def logs(self) -> str:
        """All jobs so far, for the message of a failed comparison."""
        return "\n".join(f"job {i} (exit {job.exit_code}):\n{job.log}" for i, job in enumerate(self._jobs))

    def start(self, args: Sequence[str], crash: str | None = None, env: Mapping[str, str] | None = None) -> Job:
        """`replay ARGS`; with `crash`, it dies by itself where tests/support/crashing.py says.

        Where the test wants another environment, Python starts anew: some of it is read before anything else.
        """
        settings = {name: value for name, value in os.environ.items() if not name.startswith("REPLAY_")}
        tool = ["replay"] if crash is None else ["tests.support.crashing", crash, "--"]
        if broken := os.environ.get(BREAK):
            settings[BREAK] = broken
            tool = ["tests.support.crashing", crash or "", "--"]
        command = [*tool, *args] if env is None else [sys.executable, "-m", *tool, *args]
        folder = self._folder / f"job-{len(self._jobs)}"
        job = Job(command, folder, settings | dict(env or {}), forked=env is None)
        self._jobs.append(job)
        return job
