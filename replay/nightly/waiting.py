"""Waiting that a stop ends: for some seconds, or until something holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.model import Clock

LOOK_S = 0.1  # how often a child, or a stop, is looked for


class Sleeper:
    """Sleeps in short steps: signal handlers run between them, and `stopped` is asked before each."""

    def __init__(self, clock: Clock, stopped: Callable[[], bool]) -> None:
        self._clock, self._stopped = clock, stopped

    @property
    def is_stopped(self) -> bool:
        return self._stopped()

    def sleep(self, seconds: float) -> None:
        """Ends early once it is stopped."""
        end_s = self._clock.monotonic() + seconds
        while not self.is_stopped and (left_s := end_s - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left_s, LOOK_S))


def until(holds: Callable[[], bool], every_s: float, for_s: float | None, sleeper: Sleeper) -> bool:
    """Wait until it holds, looking every `every_s` seconds, and once more after `for_s` seconds (None: for ever).
    False: it was given up, or stopped."""
    waited_s = 0.0
    while for_s is None or waited_s < for_s:
        step_s = every_s if for_s is None else min(every_s, for_s - waited_s)
        sleeper.sleep(step_s)
        waited_s += step_s
        if sleeper.is_stopped:
            return False
        if holds():
            return True
    return False
