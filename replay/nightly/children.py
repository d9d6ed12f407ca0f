"""Replays as child processes: a crash of one harms no other, and each has its own exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import date

from replay import secrets
from replay.model import SystemClock
from replay.nightly.waiting import Sleeper


def arguments(day: date, *options: str) -> list[str]:
    """Of the replay of a date. Its files were looked for, and waited for, by then."""
    return ["run", "--date", str(day), "--missing", "fail", *options]


class Children(Sleeper):
    """Runs replays one or several at a time; a stop is passed on to all of them, and no new one begins."""

    def __init__(self) -> None:
        super().__init__(SystemClock(), lambda: self.stopped_by is not None)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.stopped_by: int | None = None

    def run(self, args: Sequence[str]) -> int:
        """`replay ARGS`, to its end: its exit code. The summary on its standard output is not shown.

        Every user of the machine can read a command line. Where an argument may not be seen, the command line has the
        arguments masked, and the process reads the real ones from its standard input (`__main__.py`).
        """
        shown = secrets.shown_arguments(args)
        are_hidden = shown != list(args)
        with self._lock:
            if self.stopped_by is not None:
                return 128 + self.stopped_by
            child = subprocess.Popen(
                [sys.executable, "-m", "replay", *shown],
                stdin=subprocess.PIPE if are_hidden else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, secrets.ARGUMENTS: secrets.ON_STDIN} if are_hidden else None,
                start_new_session=True,  # Ctrl-C reaches us, and we pass it on: once
            )
            self._running.add(child)
        if self.stopped_by is not None:  # it came while the child was made: the handler did not know of it yet
            child.send_signal(self.stopped_by)
        if child.stdin is not None:
            with suppress(BrokenPipeError), child.stdin as pipe:  # it has ended already: its exit code says why
                pipe.write(json.dumps(list(args)).encode(errors="surrogateescape"))
        try:
            code = child.wait()
        finally:
            with self._lock:
                self._running.discard(child)
        return code if code >= 0 else 128 - code

    def stop(self, number: int) -> None:
        """Pass a signal on. Safe in a signal handler, also one that interrupts `run`: a child that is not among the
        running yet gets it there. A child that gets it twice takes it for one (`signals.TOGETHER_S`)."""
        self.stopped_by = self.stopped_by or number
        for child in list(self._running):
            child.send_signal(number)  # one that has ended is left alone
