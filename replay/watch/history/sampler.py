"""Samples of a run for the history: often at first, then ever more seldom. Arithmetic only."""

from __future__ import annotations

from collections import deque

from replay.delivery.lateness import Lateness
from replay.delivery.snapshot import Snapshot
from replay.watch.figures import Quantiles, done_row, quantiles
from replay.watch.history.records import SampleRecord

RATE_S = 10.0  # the rate kept is over about this long

SAMPLE_S = 0.2
SAMPLE_SHARE = 1 / 500
"""Samples are `SAMPLE_S` apart at first, and never closer than this share of the time gone by: a plot of a minute and
one of a day both have a few thousand points at most."""


class Sampler:
    """Times are seconds since the run began. `rows_per_s` is how fast the position moved in the last seconds."""

    def __init__(self) -> None:
        self.rows_per_s: float | None = None
        self._sampled_s: float | None = None
        self._before = (Lateness(), Lateness())  # of rows and of acknowledgements, at the sample before
        self._window: deque[tuple[float, int]] = deque()

    def is_due(self, now_s: float) -> bool:
        return self._sampled_s is None or now_s - self._sampled_s >= max(SAMPLE_S, now_s * SAMPLE_SHARE)

    def sample(self, now_s: float, phase: str, shown: Snapshot | None, *, is_outage: bool) -> SampleRecord:
        """`shown` is None where the run has not come as far as to be shown."""
        self._sampled_s = now_s
        if shown is None:
            return SampleRecord(now_s, phase, outage=is_outage)
        row, events_ns = done_row(shown), shown.sent.events_ns
        self.rows_per_s = self._rate(now_s, row)
        before, self._before = self._before, (shown.lateness, shown.ack_latency)
        late, latency = (_between(*each) for each in zip(before, self._before, strict=True))
        return SampleRecord(
            at_s=now_s,
            phase=phase,
            done_row=row,
            in_flight_rows=shown.in_flight_rows,
            **late.named("lateness"),
            **latency.named("ack"),
            outage=is_outage,
            delivered_rows=shown.delivered_rows,
            event_s=events_ns[1] / 1e9 if events_ns is not None else None,
        )

    def _rate(self, now_s: float, row: int) -> float | None:
        self._window.append((now_s, row))
        while now_s - self._window[0][0] > RATE_S and len(self._window) > 2:
            self._window.popleft()
        then_s, before = self._window[0]
        return max(0, row - before) / (now_s - then_s) if now_s > then_s else None


def _between(before: Lateness, now: Lateness) -> Quantiles:
    """Of what was measured between the two. Their greatest is known to the bucket, never above the greatest of all."""
    passed = Lateness(now.counts - before.counts, now.max_s)
    return quantiles(Lateness(passed.counts, passed.quantile_s(1.0)))
