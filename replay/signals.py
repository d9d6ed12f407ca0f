"""Signals that ask a command to end: Ctrl-C, SIGTERM, and SIGHUP, which a shell sends when its terminal goes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from replay.errors import GO_ON, Stopped

ASKING_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

TOGETHER_S = 2.0
"""Signals so close to the first one are the same request: a service manager, or a terminal, tells every process of a
group at once, and a parent passes on to its children what they have heard already."""


_lost: list[int] = []
"""Signals for which a `SystemExit` was raised. Whoever catches all that a callback raises (a C extension among the
imports, a finalizer) swallows it."""


def listen(handler: Callable[[int], object]) -> None:
    """Call this for each such signal from now on, and for those that should have ended the process already. Where
    SIGHUP is ignored (nohup) it stays so, in children as well."""
    for number in ASKING_TO_STOP:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda signal_number, _: handler(signal_number))
    while _lost:
        handler(_lost.pop(0))


def leave() -> None:
    """Until somebody listens nothing is under way that is to be brought to an end: leave with the signal's exit code,
    also in the middle of an import."""
    listen(_leave)


def _leave(number: int) -> None:
    _lost.append(number)
    raise SystemExit(128 + number)


@dataclass(slots=True)
class Stop:
    """Set by signal handlers: the first signal asks for a drain, a second one ends the drain, unless it came with the
    first (`signals.TOGETHER_S`)."""

    signal_number: int = 0
    signals: int = 0  # requests, each of one or more signals
    first_s: float = 0.0
    again: str = GO_ON  # what there is to do afterwards

    def request(self, signal_number: int, now_s: float | None = None) -> None:
        """Safe in a signal handler. `now_s` is the monotonic clock's."""
        now_s = time.monotonic() if now_s is None else now_s
        if not self.signals:
            self.first_s = now_s
        elif now_s - self.first_s < TOGETHER_S:
            return  # one more signal of the same request
        self.signal_number = signal_number
        self.signals += 1

    @property
    def is_asked(self) -> bool:
        return self.signals > 0

    def check(self) -> None:
        if self.is_asked:
            raise Stopped(self.signal_number, f"stopped by {signal.Signals(self.signal_number).name}", self.again)

    @property
    def sooner(self) -> str:
        """What ends the drain at once: `; Ctrl-C again to stop now`."""
        is_key = self.signal_number == signal.SIGINT
        return f"; {'Ctrl-C' if is_key else signal.Signals(self.signal_number).name} again to stop now"

    def impatient(self) -> bool:
        return self.signals > 1
