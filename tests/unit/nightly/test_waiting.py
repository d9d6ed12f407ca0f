"""How long a date's file is waited for, and that a stop ends the wait."""

from __future__ import annotations

from replay.nightly.waiting import Waiting, next_wait_s, until
from tests.unit.fakes import FakeClock


def test_the_last_look_is_when_the_time_is_over() -> None:
    """Broken: a file that comes in the last minute of the wait is not seen, or the wait goes on for an hour more."""
    waited_s, steps = 0.0, []
    while (step_s := next_wait_s(waited_s, 60, 150)) is not None:
        steps.append(step_s)
        waited_s += step_s
    assert steps == [60, 60, 30]
    assert next_wait_s(0, 60, 0) is None


def test_without_an_end_it_is_waited_for_ever() -> None:
    assert next_wait_s(1e9, 60, None) == 60


def test_a_stop_ends_the_wait_at_once() -> None:
    """Broken: a service manager kills the process, as it sits out the minute until the next look."""
    clock = FakeClock()
    stopped_at_s = clock.monotonic() + 7

    sleeper = Waiting(clock, lambda: clock.monotonic() >= stopped_at_s)
    assert not until(lambda: True, 60, None, sleeper)
    assert clock.monotonic() < stopped_at_s + 1


def test_what_comes_meanwhile_is_seen_at_the_next_look() -> None:
    clock = FakeClock()
    began_s = clock.monotonic()
    assert until(lambda: clock.monotonic() > began_s + 65, 60, 600, Waiting(clock, lambda: False))
    assert 120 <= clock.monotonic() - began_s < 121
