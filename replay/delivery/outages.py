"""Outages as a run counts and displays them: those of calls to the cluster, before and between its producers."""

from __future__ import annotations

from replay.delivery.snapshot import Display
from replay.delivery.tally import Tally
from replay.model import Clock


class ClusterOutages:
    """Listens to the `Trouble` of calls to the cluster."""

    def __init__(self, tally: Tally, report: Display, clock: Clock) -> None:
        self._tally, self._report, self._clock = tally, report, clock

    @property
    def next_row(self) -> int:
        return self._tally.done_rows

    def lasts(self, reason: str, waited_s: float, left_s: float) -> None:
        tally = self._tally
        tally.outage_since_s = self._clock.now() - waited_s
        tally.outage_reason, tally.outage_left_s = reason, left_s
        self._report.progress(tally.view())

    def ends_the_run(self, reason: str, waited_s: float) -> None:
        self._count(waited_s)
        self.lasts(reason, waited_s, 0.0)

    def over(self, waited_s: float) -> None:
        if self._tally.outage_since_s is not None:
            self._tally.outage_since_s = None
            self._count(waited_s)

    def _count(self, waited_s: float) -> None:
        self._tally.outages += 1
        self._tally.outages_s += waited_s
