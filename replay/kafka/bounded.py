"""A call that may take so long and no longer, whatever it hangs in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")

_LOOK_S = 0.1
"""How soon a signal is noticed."""


def within(seconds: float, call: Callable[[], T], check_stop: Callable[[], None]) -> T:
    """What the call gives or raises. Raises `TimeoutError` past the time, and what `check_stop` raises.

    The client's own timeout is for each wait for some bytes: an answer that trickles in, and a name server that says
    nothing, are not bounded by it. A call that is given up goes on in its thread, which ends with the process.
    """
    outcome: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            outcome.put((call(), None))
        except BaseException as error:
            outcome.put((None, error))

    threading.Thread(target=run, daemon=True, name="bounded call").start()
    deadline = time.monotonic() + seconds
    while True:
        try:
            result, error = outcome.get(timeout=max(0.0, min(_LOOK_S, deadline - time.monotonic())))
        except Empty:
            check_stop()
            if time.monotonic() >= deadline:
                raise TimeoutError from None
            continue
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # without an error there is one
