"""Waiting that a stop ends: how long to wait is decided by a pure function, and one loop does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from replay.model import Clock

LOOK_S = 0.1  # how often a child, or a stop, is looked for


class Sleeper(Protocol):
    """Whoever can wait, and be stopped."""

    @property
    def is_stopped(self) -> bool: ...

    def sleep(self, seconds: float) -> None:
        """Ends early once it is stopped."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Sleeps in short steps: signal handlers run between them, and `stopped` is asked before each."""

    clock: Clock
    stopped: Callable[[], bool]

    @property
    def is_stopped(self) -> bool:
        return self.stopped()

    def sleep(self, seconds: float) -> None:
        end_s = self.clock.monotonic() + seconds
        while not self.stopped() and (left_s := end_s - self.clock.monotonic()) > 0:
            self.clock.sleep(min(left_s, LOOK_S))


def next_wait_s(waited_s: float, every_s: float, for_s: float | None) -> float | None:
    """Seconds until the next look, after `waited_s` seconds of waiting; None: it was waited for `for_s`, give up.
    `for_s` None stands for ever."""
    if for_s is None:
        return every_s
    return min(every_s, for_s - waited_s) if waited_s < for_s else None


def until(holds: Callable[[], bool], every_s: float, for_s: float | None, sleeper: Sleeper) -> bool:
    """Wait until it holds, looking every `every_s` seconds. False: it was given up, or stopped."""
    waited_s = 0.0
    while (step_s := next_wait_s(waited_s, every_s, for_s)) is not None:
        sleeper.sleep(step_s)
        waited_s += step_s
        if sleeper.is_stopped:
            return False
        if holds():
            return True
    return False
