"""How long a date's file is waited for, and that a stop ends the wait."""

from __future__ import annotations

from replay.nightly.waiting import Sleeper, until
from tests.unit.fakes import FakeClock


def looks_s(for_s: float | None, last: int) -> list[float]:
    """After how many seconds it is looked, every 60 s; the look of this number finds what it is looked for."""
    clock, looks = FakeClock(), list[float]()
    began_s = clock.monotonic()

    def holds() -> bool:
        looks.append(round(clock.monotonic() - began_s))
        return len(looks) == last

    assert until(holds, 60, for_s, Sleeper(clock, lambda: False)) is (len(looks) == last)
    return looks


def test_the_last_look_is_when_the_time_is_over() -> None:
    """Broken: a file that comes in the last minute of the wait is not seen, or the wait goes on for an hour more."""
    assert looks_s(150, 9) == [60, 120, 150]
    assert looks_s(0, 9) == []


def test_without_an_end_it_is_waited_for_ever() -> None:
    assert looks_s(None, 20)[-1] == 20 * 60


def test_a_stop_ends_the_wait_at_once() -> None:
    """Broken: a service manager kills the process, as it sits out the minute until the next look."""
    clock = FakeClock()
    stopped_at_s = clock.monotonic() + 7

    sleeper = Sleeper(clock, lambda: clock.monotonic() >= stopped_at_s)
    assert not until(lambda: True, 60, None, sleeper)
    assert clock.monotonic() < stopped_at_s + 1


def test_what_comes_meanwhile_is_seen_at_the_next_look() -> None:
    clock = FakeClock()
    began_s = clock.monotonic()
    assert until(lambda: clock.monotonic() > began_s + 65, 60, 600, Sleeper(clock, lambda: False))
    assert 120 <= clock.monotonic() - began_s < 121
