"""Messages about an outage: when it begins, then each minute, and at its end."""

from __future__ import annotations

from typing import Protocol

from replay.model import Clock
from replay.reporter import Reporter
from replay.units import clock_time, duration

REPEAT_S = 60.0
"""How often what lasts is said again: a night's log can still be read then."""

PATIENT_S = 1.0
"""Nothing is said before: a leader election or a topic just created is over by then."""

UNREACHABLE = "Broker unreachable"

UNUSABLE = "Broker cannot be used"
"""It is there, and something is wrong with its certificate or ours, or with what it speaks."""


class Telling:
    """One outage after the other. `who` is away, as the log calls it."""

    def __init__(self, report: Reporter, clock: Clock, who: str = "Broker") -> None:
        self._report, self._clock, self._who = report, clock, who
        self._told_s: float | None = None
        self._told: set[str] = set()

    def lasts(self, what: str, reason: str, waited_s: float, left_s: float) -> None:
        """`what` is the first half of a sentence: who or what has not been there for so long."""
        now_s = self._clock.monotonic()
        if self._told_s is not None and now_s - self._told_s < REPEAT_S and what in self._told:
            return  # what is new is told at once: a broker that came back may not be trusted
        self._told.add(what)
        since, until = (clock_time(self._clock.now() + seconds) for seconds in (-waited_s, left_s))
        so_far = "Nothing is lost" if self._told_s is None else f"That is {duration(waited_s)} so far"
        self._told_s = now_s
        self._report.warning(f"{what} since {since} ({reason}). {so_far}; retrying until {until}.")

    def over(self, waited_s: float, row: int) -> None:
        """`row` is the next one; 0 says nothing."""
        if self._told_s is None:
            return
        self._told_s, self._told = None, set()
        self._report.info(
            f"{self._who} back after {duration(waited_s)}" + (f"; continuing at row {row:,}." if row else ".")
        )


class Throttling:
    """A quota that slows this client down: told when it begins, then each minute while there is more of it."""

    def __init__(self, report: Reporter, clock: Clock) -> None:
        self._report, self._clock = report, clock
        self._told_at_s: float | None = None
        self._told_s = 0.0

    def look(self, throttled_s: float) -> None:
        """`throttled_s` is all of it so far."""
        now_s = self._clock.monotonic()
        is_due = self._told_at_s is None or now_s - self._told_at_s >= REPEAT_S
        if throttled_s > self._told_s and is_due:
            self._told_at_s, self._told_s = now_s, throttled_s
            self._report.warning(
                f"The cluster slows this client down (quota): {duration(throttled_s)} of throttle so far."
            )


class OutageListener(Protocol):
    """Who counts outages and displays them, beside what is logged of them."""

    @property
    def next_row(self) -> int:
        """At which the replay goes on; 0 says nothing."""

    def lasts(self, reason: str, waited_s: float, left_s: float) -> None: ...

    def over(self, waited_s: float) -> None: ...

    def ends_the_run(self, reason: str, waited_s: float) -> None:
        """The deadline passed: an outage like any other, but its end is not seen."""


class Trouble:
    """A retry loop's trouble: says what lasts, and passes it to the listener."""

    def __init__(
        self, report: Reporter, clock: Clock, listener: OutageListener | None = None, who: str = "Broker"
    ) -> None:
        self._report, self._clock = report, clock
        self._telling, self._listener = Telling(report, clock, who), listener

    def of(self, who: str) -> Trouble:
        """The same with somebody else, for the same listener."""
        return Trouble(self._report, self._clock, self._listener, who)

    def lasts(self, what: str, reason: str, waited_s: float, left_s: float) -> None:
        if waited_s < PATIENT_S:
            return
        if self._listener is not None:
            self._listener.lasts(reason, waited_s, left_s)
        self._telling.lasts(what, reason, waited_s, left_s)

    def ends_the_run(self, reason: str, waited_s: float) -> None:
        if self._listener is not None:
            self._listener.ends_the_run(reason, waited_s)

    def over(self, waited_s: float) -> None:
        """It worked, after so long."""
        self._telling.over(waited_s, self._listener.next_row if self._listener is not None else 0)
        if self._listener is not None:
            self._listener.over(waited_s)
