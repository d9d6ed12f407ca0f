"""The state of a run at one moment, for other threads to read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from replay.delivery.snapshot import Display, Snapshot
from replay.errors import ExitCode
from replay.model import Clock
from replay.watch.relay import Relay
from replay.watch.run import RunOutcome


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known at one moment, so that its values fit each other. None: nothing yet."""

    running: bool
    shown: Snapshot | None = None
    exit_code: int | None = None
    success_s: float | None = None


class Metrics(Relay):
    """Watches one run. Other threads may look at `reading`."""

    def __init__(self, to: Display, last_success_s: float | None, clock: Clock) -> None:
        super().__init__(to)
        self._clock = clock
        self._done_rows, self._moved_s = -1, float("-inf")
        self.reading = Reading(running=True, success_s=last_success_s)

    def progress(self, snapshot: Snapshot) -> None:
        super().progress(snapshot)
        if snapshot.done_rows != self._done_rows or not snapshot.in_flight_rows:
            self._done_rows, self._moved_s = snapshot.done_rows, self._clock.monotonic()
        self.reading = replace(self.reading, shown=snapshot)

    def close(self, outcome: RunOutcome) -> None:
        """How the run ended."""
        code = outcome.exit_code
        success_s = self.now_s() if code == ExitCode.DONE else self.reading.success_s
        self.reading = replace(self.reading, running=False, exit_code=code, success_s=success_s)

    def now_s(self) -> float:
        return self._clock.now()

    def frontier_age_s(self) -> float | None:
        """How long the oldest row in flight has waited at most, in seconds; 0 where none is."""
        shown = self.reading.shown
        if shown is None:
            return None
        return self._clock.monotonic() - self._moved_s if shown.in_flight_rows else 0.0
