"""Work beside the replay, on threads of its own.

What is slow there never holds a row up: a full disk, a network folder, a gateway that does not answer.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable


class Beside:
    """Calls `work` at once, then every `every_s`, and a last time at the end. `work` must not raise."""

    def __init__(self, name: str, every_s: float, work: Callable[[], None]) -> None:
        self._every_s, self._work = every_s, work
        self._begun, self._over = threading.Event(), threading.Event()
        # A daemon: the process ends though the work may hang for ever.
        self._thread = _thread(self._run, name)

    def start(self, within_s: float = 0.0) -> bool:
        """True: the first round was done within this time."""
        self._thread.start()
        return self._begun.wait(within_s)

    def finish(self, within_s: float) -> bool:
        """Waits for the last round. False: it takes longer than this, and goes on by itself."""
        self._over.set()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        over = False
        while not over:
            self._work()
            self._begun.set()
            over = self._over.wait(self._every_s)
        self._work()


def within(seconds: float, work: Callable[[], None]) -> bool:
    """Waits for `work` no longer than this. False: it still goes on. `work` must not raise."""
    thread = _thread(work, "within")
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def _thread(work: Callable[[], None], name: str) -> threading.Thread:
    """It logs as the same run as the thread that makes it."""
    return threading.Thread(target=contextvars.copy_context().run, args=(work,), name=name, daemon=True)
