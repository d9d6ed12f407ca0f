"""Idempotent delivery: the checkpoint says what is acknowledged, a resume looks for the rest in the topic's tail."""

from __future__ import annotations

from collections.abc import Collection

from replay.checkpoint.content import JobState
from replay.delivery.context import Ready
from replay.delivery.flight import Flight, OnDisk, lead_rows_max
from replay.delivery.guarantee import ACK_WAIT_S, Wait
from replay.kafka.producer import KafkaSink
from replay.model import Progress, Resync


class ByCheckpoint:
    """The `Guarantee` of one producer without transactions."""

    committed_row = None

    def __init__(self, ready: Ready, sink: KafkaSink, flight: Flight) -> None:
        self._ready, self._sink, self._flight = ready, sink, flight
        options = ready.options
        rows_max = lead_rows_max(options.kafka.in_flight_rows_max)
        self._disk = OnDisk(flight.frontier.saved, ready.clock.monotonic(), rows_max, options.checkpoint_interval_s)
        self._finished: Progress | None = None

    @property
    def proven(self) -> Progress:
        return self._finished or self._flight.progress

    @property
    def unconfirmed_rows(self) -> int:
        return self._flight.frontier.in_flight_rows

    def before_chunk(self, rows: int, records: int, wait: Wait) -> None:  # noqa: ARG002
        """Save first, where the last save is too old for what these rows need of it."""
        frontier = self._flight.frontier
        while self._disk.is_out_of_reach(self._flight.sent_row + rows):
            if self._disk.is_passed_by(frontier.saved):
                self._save(frontier.saved, JobState.RUNNING)
            elif self._flight.has_landed:
                raise Resync("the broker did not tell the offsets of rows that it had acknowledged")
            else:
                wait(ACK_WAIT_S)
        if self._disk.is_due(self._ready.clock.monotonic()):
            self._save(frontier.saved, JobState.RUNNING)  # a resume takes the process for dead an interval later

    def tick(self, now_s: float, wait: Wait) -> None:  # noqa: ARG002
        """Save what is proven, every checkpoint interval."""
        saved = self._flight.frontier.saved
        if self._disk.is_due(now_s) and (not self._flight.has_landed or saved is not self._disk.newest):
            # Also without progress while rows are out: the time since the last save tells a resume how long ago this
            # process lived.
            self._save(saved, JobState.RUNNING)

    def start_over_after(self, codes: Collection[int]) -> None:
        """Never: librdkafka retries by itself whatever another attempt can heal."""

    def finish(self, wait: Wait) -> None:
        while not self._flight.has_landed:
            wait(ACK_WAIT_S)
        self._ready.watch.confirm()
        frontier = self._flight.frontier
        self._finished = frontier.finished(self._ready.source.finished(frontier.position))
        self._ready.saving.save_end(self._finished)

    def end(self, drain_s: float, *, may_be_clean: bool) -> bool:
        flight = self._flight
        drained = self._sink.drain(drain_s, self._ready.stop.impatient)
        self._sink.close()
        flight.frontier.advance()
        saved = flight.frontier.saved
        clean = drained and may_be_clean and not flight.failure and saved.position.row == flight.sent_row
        self._save(saved, JobState.CLEAN if clean else JobState.RUNNING)
        return clean

    def _save(self, progress: Progress, state: JobState) -> None:
        self._ready.saving.save(progress, state)
        self._disk.saved(progress, self._ready.clock.monotonic())
