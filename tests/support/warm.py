"""A process that has imported the tool and forks: a job that begins there need not import it again, which takes longer
than most jobs of the tests (0.5 s of a processor).

A forked job is a process like any other: it has a session, signals, a memory and files of its own, and ends as Python
ends. Only what is read before the first line of the tool (PYTHONIOENCODING, LD_PRELOAD, …) is that of the process that
forks. There is one for each process that runs tests; it ends with that.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from importlib import import_module
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import IO

NUMBER = struct.Struct("i")
"""What tells a process id, and later an exit code."""
REQUEST_BYTES_MAX = 1 << 17
USED_BY_A_RUN = (
    "replay.cli.app",
    "replay.cli.build",
    "replay.cli.commands",
    "replay.cli.progress_line",
    "replay.cli.resolve",
    "replay.cli.run_cmd",
    "replay.delivery.job",
    "replay.nightly.night",
    "replay.verify.job",
    "replay.watch.around",
)


class Forked:
    """A job, with what the tests use of `subprocess.Popen`."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._code: int | None = None
        self.pid: int = NUMBER.unpack(os.read(status, NUMBER.size))[0]

    def poll(self) -> int | None:
        """The exit code; minus a signal's number for whoever was killed; None while it runs."""
        if self._code is None and select.select([self._status], [], [], 0)[0]:
            self._code = NUMBER.unpack(os.read(self._status, NUMBER.size))[0]
            os.close(self._status)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises `subprocess.TimeoutExpired` where there is none in time."""
        if self._code is None:
            select.select([self._status], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("a forked job", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def fork(module: Sequence[str], folder: Path, outputs: tuple[IO[bytes], IO[bytes]], env: Mapping[str, str]) -> Forked:
    """`python -m MODULE ARGUMENTS` in that folder, in a session of its own, without input."""
    read, write = os.pipe()
    request = json.dumps([list(module), dict(env)]).encode()
    stdout, stderr = outputs
    socket.send_fds(_forker(folder), [request], [stdout.fileno(), stderr.fileno(), write])
    os.close(write)
    return Forked(read)


def run(
    module: Sequence[str], folder: Path, env: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """`fork`, its end, and what it printed. Raises `subprocess.TimeoutExpired`."""
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        process = fork(module, folder, (stdout, stderr), env)
        try:
            code = process.wait(timeout_s)
        finally:
            process.kill()
        outputs = []
        for output in (stdout, stderr):
            output.seek(0)
            outputs.append(output.read().decode(errors="replace"))
    return subprocess.CompletedProcess(list(module), code, *outputs)


@cache
def _forker(folder: Path) -> socket.socket:
    """Of this process, for jobs in that folder: where it takes requests. It ends with this socket, also by a kill."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", __name__, str(its.fileno())]
    nothing, own = subprocess.DEVNULL, [its.fileno()]
    process = subprocess.Popen(command, cwd=folder, stdin=nothing, stdout=nothing, pass_fds=own, start_new_session=True)
    its.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def serve(requests: socket.socket) -> list[str]:
    """Forks at each request, and tells how the jobs ended. Returns in a job only: what that has to run."""
    with selectors.DefaultSelector() as watched:
        watched.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in watched.select():
                if key.fileobj is not requests:
                    watched.unregister(key.fileobj)
                    _tell_end(int(str(key.fileobj)), key.data)
                    continue
                request, descriptors, *_ = socket.recv_fds(requests, REQUEST_BYTES_MAX, 3)
                if not request:
                    sys.exit()
                module, env = json.loads(request)
                pid = os.fork()
                if pid == 0:
                    _become_a_job(descriptors, env)
                    return list(module)
                *outputs, status = descriptors
                for output in outputs:
                    os.close(output)
                os.write(status, NUMBER.pack(pid))
                watched.register(os.pidfd_open(pid), selectors.EVENT_READ, status)


def _tell_end(job: int, status: int) -> None:
    """The exit code first: as long as nobody knows of its end, a job is to be found in /proc."""
    ended = os.waitid(os.P_PIDFD, job, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
    with suppress(BrokenPipeError):  # nobody waits for it any more
        os.write(status, NUMBER.pack(code))
    os.waitid(os.P_PIDFD, job, os.WEXITED)
    os.close(status)
    os.close(job)


def _become_a_job(descriptors: Sequence[int], env: Mapping[str, str]) -> None:
    os.setsid()
    os.dup2(descriptors[0], 1)
    os.dup2(descriptors[1], 2)
    os.closerange(3, 1024)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()


def _warm_up() -> None:
    """Imports what a run imports, in the same way: without pandas."""
    start = import_module("replay.__main__")
    sys.meta_path.insert(0, start._WithoutPandas())
    for name in USED_BY_A_RUN:
        import_module(name)
    del sys.modules["replay.__main__"]  # `python -m replay` runs it anew
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _warm_up()
    name, *arguments = serve(socket.socket(fileno=int(sys.argv[1])))
    sys.argv = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)
