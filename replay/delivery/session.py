"""One producer's life: rows go out when they are due, and what comes back is served.

A burst is decided, handed over, and the reports that have come are served; every 0.1 s the guarantee, the broker and
the display are looked after. All waiting is done in `_turn`. What has to be saved, and when, is the `Guarantee`'s.
"""

from __future__ import annotations

from collections.abc import Iterable

from replay.delivery import pace
from replay.delivery.acks import Chunk
from replay.delivery.context import SLEEP_MAX_S, Ready
from replay.delivery.flight import Flight, Slice
from replay.delivery.garbage import rarely_collected
from replay.delivery.guarantee import ACK_WAIT_S, Guarantee
from replay.delivery.outages import ProducerOutages
from replay.delivery.preflight import refuse_bad_rows
from replay.delivery.slices import slice_rows, slices
from replay.errors import (
    AccessDenied,
    BrokerUnavailable,
    CheckpointUnwritable,
    InputError,
    ProducerFatal,
    StateConflict,
    Stopped,
    UsageError,
)
from replay.fate import fates_of
from replay.kafka.access import may_not_write
from replay.kafka.producer import MAY_NOT_WRITE, UNKNOWN_OUTCOMES, KafkaSink
from replay.model import Batch, Encoded, Floats, Resync
from replay.record.encoder import refuse_records
from replay.units import duration

CHUNK_ROWS = 4_096
"""Rows handed over between two looks at reports and signals when unpaced: about 5 ms of work."""

TICK_S = 0.1  # how often guarantee, broker and display are looked after
DRAIN_LOST_S = 1.0  # how long to drain when the broker was away until the deadline anyway


class Session:
    """Sends everything that the flight has before it, with one producer, at most `chunk_rows_max` records at once."""

    def __init__(
        self, ready: Ready, sink: KafkaSink, flight: Flight, guarantee: Guarantee, chunk_rows_max: int = CHUNK_ROWS
    ) -> None:
        self._ready, self._sink, self._flight, self._guarantee = ready, sink, flight, guarantee
        self._options, self._tally, self._clock = ready.options, ready.tally, ready.clock
        self._chunk_rows = min(CHUNK_ROWS, chunk_rows_max)
        self._schedule = pace.Schedule(ready.options.pace)
        self._outages = ProducerOutages(ready, flight, sink.news, sink.made_with)
        self._ticked_at_s = ready.clock.monotonic()
        self._newest_event_ns, self._newest_sent_at_s = 0, 0.0  # of the newest row that was handed over
        if self._tally.sending_since_s is None:
            self._tally.sending_since_s = self._ticked_at_s
        self._tally.symbol_names = ready.source.symbols.names

    def run(self) -> None:
        """Returns once every row is acknowledged, and that is on record; whatever else ends it, what is proven by then
        is. Raises `Resync` when a new producer has to take over."""
        try:
            with rarely_collected():  # headers are lists, and each search looks through all of them
                self._send_all()
        except CheckpointUnwritable:  # nothing can be saved: the next run finds out what this one sent
            self._sink.close()
            self._show()
            raise
        except BrokerUnavailable:
            self._end(DRAIN_LOST_S)
            self._warn_of_unconfirmed()
            raise
        except Stopped as error:
            self._tell_stopping()
            error.is_clean = self._end(self._options.drain_timeout_s)
            self._warn_of_unconfirmed()
            raise
        except AccessDenied:  # nothing that waits will be acknowledged
            self._end(DRAIN_LOST_S)
            self._warn_of_unconfirmed()
            raise
        except (InputError, UsageError):
            self._end(self._options.drain_timeout_s)
            raise
        except BaseException as error:  # also between produce() and the frontier: rows may be out that no chunk knows
            hopeless = isinstance(error, ProducerFatal | StateConflict)  # nothing more will be acknowledged, or count
            self._end(0.0 if hopeless else self._options.drain_timeout_s, may_be_clean=False)
            raise
        self._sink.close()
        self._show()

    def _send_all(self) -> None:
        source, rows_max = self._ready.source, slice_rows(self._options.pace)
        for batch in source.batches(self._flight.frontier.position):
            for first, stop in slices(len(batch), rows_max):
                encoded = self._ready.encoder.encode(batch, first, stop)
                self._refuse_bad(batch, first, encoded)
                self._send_slice(self._flight.slice(batch, first, encoded))
        self._guarantee.finish(self._turn)

    def _end(self, drain_s: float, *, may_be_clean: bool = True) -> bool:
        try:
            return self._guarantee.end(drain_s, may_be_clean=may_be_clean)
        finally:
            self._show()

    def _tell_stopping(self) -> None:
        """At once: the wait that follows may be long."""
        if rows := self._flight.frontier.in_flight_rows:
            self._ready.report.info(
                f"Stopping: waiting up to {duration(self._options.drain_timeout_s)} for {rows:,} acknowledgements"
                f"{self._ready.stop.sooner}."
            )

    def _warn_of_unconfirmed(self) -> None:
        if rows := self._guarantee.unconfirmed_rows:
            self._ready.report.warning(
                f"{rows:,} rows were sent and are not acknowledged: the next run looks for them in the topic, and sends"
                " again what is not there"
            )

    # -- rows out ------------------------------------------------------------------------------------------

    def _refuse_bad(self, batch: Batch, first: int, encoded: Encoded) -> None:
        """Raises `InputError` for a record that the topic would refuse, and where too many rows are bad."""
        source, bytes_max = self._ready.source, self._options.kafka.record_bytes_max
        refuse_records(encoded, bytes_max, self._flight.partitions, lambda row: source.where(batch, first + row))
        if batch.fates is not None and (bad := batch.position_after(first + encoded.slice_rows).bad):
            refuse_bad_rows(self._options.source, fates_of(bad), source.rows)

    def _send_slice(self, part: Slice) -> None:
        """What is not in the topic yet goes out when it is due."""
        due_s = self._schedule.deadlines(part.records.event_times_ns)
        while not part.is_sent:
            stop = min(self._due(due_s, part.sent), self._flight.room(part))
            if stop <= part.sent:
                self._turn(ACK_WAIT_S)
                continue
            self._guarantee.before_chunk(part.rows_until(stop), stop - part.sent, self._turn)
            chunk = self._hand_over(part, stop)
            if not chunk.records:  # the producer's queue is full
                self._turn(ACK_WAIT_S)
                continue
            if due_s is not None and self._schedule.has_begun:
                due_then_s = due_s[part.sent : part.sent + chunk.records]
                self._tally.lateness.add(self._schedule.late_s(chunk.sent_at_s, due_then_s))
            self._flight.sent(part, chunk)
            if due_s is None:  # else `_due` does, while it waits
                self._turn()
        if not part.is_covered:  # nothing to send: the slice is in the topic, or left out
            self._flight.sent(part, Chunk(bytes=0, sent_at_s=self._clock.monotonic()))
            self._turn()

    def _hand_over(self, part: Slice, stop: int) -> Chunk:
        """The records up to this one, as far as the producer takes them."""
        chunk, records, first = Chunk(part.bytes_until(stop), self._clock.monotonic()), part.records, part.sent
        chunk.records = self._sink.send(records, slice(first, stop), chunk.callbacks(records.partitions[first:stop]))
        if chunk.records:
            out = slice(first, first + chunk.records)
            self._tally.sent_rows += chunk.records
            self._tally.sent.add(records.symbols[out], records.partitions[out], records.event_times_ns[out])
            self._newest_event_ns, self._newest_sent_at_s = int(records.event_times_ns[out][-1]), chunk.sent_at_s
        return chunk

    def _due(self, due_s: Floats | None, sent: int) -> int:
        """Waits until rows are due; the row to stop before."""
        if due_s is None:
            return sent + self._chunk_rows
        schedule = self._schedule
        if not schedule.has_begun:
            if not schedule.is_warmed_up:
                schedule.is_warmed_up = True
                return sent + 1
            while not self._flight.has_landed:
                self._turn(ACK_WAIT_S)
            schedule.begin(self._clock.monotonic(), float(due_s[sent]))
        waited = False
        while True:
            while self._outages.is_down:  # rows that pile up now would go out in one burst later
                self._turn(sleep_s=SLEEP_MAX_S)
            now_s = self._clock.monotonic()
            late_s = schedule.late_s(now_s, float(due_s[sent]))
            if by_s := schedule.shift(late_s):
                self._tally.shifted_s += by_s
                self._ready.report.warning(f"{late_s:.1f} s behind the schedule: it is shifted, nothing is rushed")
            step = schedule.decide(due_s, sent, now_s)
            if isinstance(step, pace.Send):
                if not waited:
                    self._turn()
                return min(step.stop, sent + self._chunk_rows)
            self._turn(sleep_s=min(step.seconds, SLEEP_MAX_S))
            waited = True

    # -- acknowledgements in -------------------------------------------------------------------------------

    def _turn(self, poll_s: float = 0.0, sleep_s: float = 0.0) -> None:
        """Serve reports and signals; the only place where anything waits. `poll_s` ends with the first report."""
        if sleep_s > 0:
            self._clock.sleep(sleep_s)
        self._sink.poll(poll_s)
        frontier = self._flight.frontier
        oldest = frontier.oldest
        if frontier.advance():
            if oldest is not None and oldest.records:
                self._tally.ack_latency.add_one(self._clock.monotonic() - oldest.sent_at_s)
            self._outages.acknowledged()
        if frontier.is_held_up:
            self._look_for_failures()
        self._ready.stop.check()
        now_s = self._clock.monotonic()
        if now_s - self._ticked_at_s >= TICK_S:
            self._ticked_at_s = now_s
            self._tick(now_s)

    def _tick(self, now_s: float) -> None:
        self._look_for_failures()
        self._outages.look(now_s)
        self._ready.watch.look()
        self._guarantee.tick(now_s, self._turn)
        self._show()

    def _look_for_failures(self) -> None:
        """One record that failed ends this producer: for what the broker said of it, or, where nobody said anything
        (librdkafka purges what waits behind a failure of its own), to be found out from the topic."""
        failures = list(self._flight.frontier.failures())
        refused = [(chunk, error) for chunk, error in failures if error.code() not in UNKNOWN_OUTCOMES]
        if refused:
            chunk, error = refused[0]
            self._sink.news.note(error)
            self._flight.failure = (
                f"a record among rows {chunk.first_row:,} to {chunk.first_row + chunk.rows - 1:,}"
                f"{_in_partitions(chunk.failed_partitions)} failed for good: {error.str()}"
            )
            self._give_up({error.code() for _, error in failures})
        if failures:
            raise Resync("rows were given up before the broker had answered for them")

    def _give_up(self, codes: set[int]) -> None:
        """A record failed: for good, since librdkafka retries everything else by itself."""
        start_over = self._guarantee.start_over_after(codes)
        if start_over is not None:
            raise start_over(self._flight.failure)
        news = self._sink.news
        if MAY_NOT_WRITE in codes:
            raise may_not_write(news.account, self._options.kafka.topic, self._flight.failure)
        news.raise_refused()
        raise ProducerFatal(
            self._flight.failure,
            where=self._options.kafka.topic,
            todo="correct what the broker complains about, then run again: it resumes at the first missing row",
        )

    def _show(self) -> None:
        tally, now_s = self._tally, self._clock.monotonic()
        assert tally.sending_since_s is not None
        tally.sending_s = now_s - tally.sending_since_s
        proven = self._guarantee.proven
        tally.proven(proven)
        tally.done_rows = max(self._flight.frontier.row, proven.position.row)
        tally.committed_row = self._guarantee.committed_row
        tally.in_flight_rows = self._flight.frontier.in_flight_rows
        tally.statistics = self._sink.statistics
        self._outages.count(now_s)
        speed = self._options.pace.speed
        if speed is not None and tally.schedule_end_ns is not None and self._newest_event_ns:
            left_s = (tally.schedule_end_ns - self._newest_event_ns) / 1e9 / speed - (now_s - self._newest_sent_at_s)
            tally.schedule_left_s = max(0.0, left_s)
        self._ready.report.progress(tally.view())


def _in_partitions(partitions: Iterable[int]) -> str:
    """` (partitions 0, 3)`, or nothing."""
    numbers = sorted(partitions)
    return f" (partition{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))})" if numbers else ""
