"""What is known of a run at one moment, for other threads to read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from replay.delivery.pace import Lateness
from replay.delivery.snapshot import Display, Snapshot
from replay.errors import ExitCode
from replay.kafka.statistics import BrokerStatistics
from replay.model import Clock
from replay.watch.relay import Relay
from replay.watch.run import Figures, Outcome, figures

READ_S = 0.5  # how old a scraped value may be: scrapes are seconds apart


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known at one moment. It stands still, so that other threads may read it; None: nothing yet."""

    running: bool
    figures: Figures | None = None
    lateness: Lateness | None = None
    ack_latency: Lateness | None = None
    statistics: BrokerStatistics | None = None
    outage: bool = False
    exit_code: int | None = None
    success_s: float | None = None


class Metrics(Relay):
    """Watches one run; `reading` is what others may look at."""

    def __init__(self, to: Display, last_success_s: float | None, clock: Clock) -> None:
        super().__init__(to)
        self._clock = clock
        self._shown: Snapshot | None = None
        self._done_rows = -1
        self._moved_s = self._read_s = float("-inf")
        self.reading = Reading(running=True, success_s=last_success_s)

    def progress(self, snapshot: Snapshot) -> None:
        super().progress(snapshot)
        self._shown, now_s = snapshot, self._clock.monotonic()
        if snapshot.done_rows != self._done_rows or not snapshot.in_flight_rows:
            self._done_rows, self._moved_s = snapshot.done_rows, now_s
        if now_s - self._read_s >= READ_S:
            self._read_s = now_s
            self._read(snapshot)

    def close(self, outcome: Outcome) -> None:
        """The last figures, and how the run ended."""
        if self._shown is not None:
            self._read(self._shown)
        code = outcome.exit_code
        success_s = self.now_s() if code == ExitCode.DONE else self.reading.success_s
        # The producer is gone, and its queues with it.
        self.reading = replace(self.reading, running=False, exit_code=code, success_s=success_s, statistics=None)

    def now_s(self) -> float:
        return self._clock.now()

    def frontier_age_s(self) -> float:
        """How long the oldest row in flight has waited at most; 0 where none is."""
        seen = self.reading.figures
        return self._clock.monotonic() - self._moved_s if seen is not None and seen.in_flight_rows else 0.0

    def _read(self, shown: Snapshot) -> None:
        self.reading = replace(
            self.reading,
            figures=figures(shown),
            lateness=Lateness(shown.lateness.counts.copy(), shown.lateness.max_s),
            ack_latency=Lateness(shown.ack_latency.counts.copy(), shown.ack_latency.max_s),
            statistics=shown.statistics,
            outage=shown.outage_since_s is not None,
        )
