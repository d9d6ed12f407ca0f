"""Signals that ask a command to end: Ctrl-C, SIGTERM, and SIGHUP, which a shell sends when its terminal goes."""

from __future__ import annotations

import signal
from collections.abc import Callable

ASKING_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

TOGETHER_S = 2.0
"""Signals so close to the first one are the same request: a service manager, or a terminal, tells every process of a
group at once, and a parent passes on to its children what they have heard already."""


def is_another_request(first_s: float, now_s: float) -> bool:
    """Whether a further signal was sent on purpose; both are seconds of one clock."""
    return now_s - first_s >= TOGETHER_S


def listen(handler: Callable[[int], object]) -> None:
    """Call this for each such signal from now on. Where SIGHUP is ignored (nohup) it stays so, in children as well."""
    for number in ASKING_TO_STOP:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda signal_number, _: handler(signal_number))


def leave() -> None:
    """Until somebody listens nothing is under way that is to be brought to an end: leave with the signal's exit code,
    also in the middle of an import."""
    listen(_leave)


def _leave(number: int) -> None:
    raise SystemExit(128 + number)
