"""One producer's life: rows out, acknowledgements in, checkpoints down.

A burst is decided, handed over, and the reports that have come are served; every 0.1 s the checkpoint, the broker
and the progress display are looked after. All waiting is done in `_turn`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from replay.checkpoint.content import JobState
from replay.delivery import pace
from replay.delivery.acks import Chunk, Frontier
from replay.delivery.options import RunOptions
from replay.delivery.snapshot import Display
from replay.delivery.tally import Tally
from replay.errors import (
    BrokerUnavailable,
    CheckpointUnwritable,
    InputError,
    ProducerFatal,
    StateConflict,
    Stopped,
    UsageError,
)
from replay.kafka.broker_news import in_words
from replay.kafka.outage import RUN_AGAIN, Outage
from replay.kafka.producer import UNKNOWN_OUTCOMES, KafkaSink
from replay.kafka.topic_watch import TopicWatch
from replay.kafka.trouble import UNREACHABLE, Telling
from replay.model import Batch, Bools, Clock, Encoded, Fate, Ints, Progress, Resync, fates_of, reasons
from replay.record.encoder import Encoder, refuse_records
from replay.signals import Stop
from replay.source.options import SourceOptions
from replay.source.source import Source
from replay.units import duration

CHUNK_ROWS = 4_096
"""Rows handed over between two looks at reports and signals when unpaced: about 5 ms of work."""

ENCODE_ROWS = 16_384
"""Rows encoded at once: their lists stay in the cache, and the cost per call still vanishes."""

ENCODE_S, ENCODE_ROWS_PACED = 0.5, 4_096
"""A paced replay encodes this much of its time at once (a call costs as much as 1,000 rows), but no more rows than can
be encoded between two bursts."""

LEAD_ROWS_MIN = 1_000_000
"""How far rows may be sent beyond the older checkpoint on disk: more than two intervals at full speed need, and
on a resume the bound on rows kept in memory while the tail is matched."""

TICK_S = 0.1  # how often checkpoint, outage and progress are looked after
SLEEP_MAX_S = 0.05  # how long a signal or a report may wait while nothing is due
FULL_WAIT_S = 0.01  # how long to wait for a report while the queue is full; a report ends it
DRAIN_LOST_S = 1.0  # how long to drain when the broker was away until the deadline anyway


def lead_rows_max(in_flight_rows_max: int) -> int:
    """Twice what can be in flight, for each of the two generations on disk, or more."""
    return max(LEAD_ROWS_MIN, 4 * in_flight_rows_max)


def refuse_bad_rows(options: SourceOptions, bad: Counter[Fate], rows: int) -> None:
    """Raises `InputError` where most is rubbish: a wrong column or unit would pass for a replay otherwise."""
    found = sum(bad.values())
    allowed = options.bad_rows_max if options.bad_rows_max is not None else int(rows * options.bad_share_max)
    if found > allowed:
        raise InputError(
            f"{found:,} rows are bad, and {allowed:,} are allowed: {reasons(bad)}",
            where=", ".join(options.inputs),
            todo="check --map and --time-unit; or allow more with --bad-rows-max",
        )


def _in_partitions(partitions: Sequence[int]) -> str:
    if not partitions:
        return ""
    return f" (partition{'s' * (len(partitions) > 1)} {', '.join(map(str, sorted(partitions)))})"


def slices(rows: int, rows_max: int) -> Iterator[tuple[int, int]]:
    for start in range(0, rows, rows_max):
        yield start, min(rows, start + rows_max)


class Session:
    """Sends everything from `start` on. `save` writes a checkpoint; `tally` is kept up to date for the display."""

    def __init__(
        self,
        options: RunOptions,
        source: Source,
        encoder: Encoder,
        sink: KafkaSink,
        start: Progress,
        save: Callable[[Progress, JobState], None],
        stop: Stop,
        report: Display,
        tally: Tally,
        clock: Clock,
        watch: TopicWatch,
    ) -> None:
        self._options, self._source, self._encoder, self._sink = options, source, encoder, sink
        self._save_to, self._stop, self._report, self._tally, self._clock = save, stop, report, tally, clock
        self._watch = watch
        self._start, self._frontier = start, Frontier(start)
        self._ahead: Ints = np.array([mark.ahead_rows for mark in start.marks], dtype=np.int64)
        self._sent_row = start.position.row
        self._newest = start  # the progress of the newest generation on disk
        self._on_disk = (start.position.row, start.position.row)  # rows of the two generations: older, newest
        self._lead_rows_max = lead_rows_max(options.kafka.in_flight_rows_max)
        self._timeline = pace.Timeline()
        self._anchor_s: float | None = None
        self._outage = Outage(options.kafka.linger_ms / 1_000, options.kafka.broker_timeout_s)
        self._telling = Telling(report, clock)
        self._outages_before = (tally.outages, tally.outages_s)
        self._errors_seen = 0
        self._failure = ""
        self._begun_s = self._saved_at_s = self._ticked_at_s = clock.monotonic()
        if tally.sending_since_s is None:
            tally.sending_since_s = self._begun_s
        self._event_ns, self._event_sent_s = 0, 0.0  # of the newest row that was handed over
        self._warmed_up = False
        self._finished: Progress | None = None
        tally.symbol_names = source.symbols.names
        self._chunk_rows = CHUNK_ROWS

    def run(self) -> None:
        """Returns once every row is acknowledged and the checkpoint says so; whatever else ends it, what is proven
        by then is saved. Raises `Resync` when a new producer has to take over."""
        try:
            self._send_all()
        except CheckpointUnwritable:  # nothing can be saved: the next run finds out what this one sent
            self._sink.close()
            self._show()
            raise
        except BrokerUnavailable:
            self._end(DRAIN_LOST_S)
            self._tell_unconfirmed()
            raise
        except Stopped as error:
            self._tell_stopping()
            error.is_clean = self._end(self._options.drain_timeout_s)
            self._tell_unconfirmed()
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
        for batch in self._source.batches(self._start.position):
            for first, last in slices(len(batch), self._encode_rows()):
                self._send_slice(batch, first, self._encoder.encode(batch, first, last))
        self._finish()

    def _finish(self) -> None:
        """Every row was handed over: see each acknowledged, then say so on disk."""
        while self._frontier.oldest is not None:
            self._turn(FULL_WAIT_S)
        self._watch.confirm()
        self._finished = self._frontier.finished(self._source.finished(self._frontier.position))
        self._save(self._finished, JobState.DONE)

    def _tell_stopping(self) -> None:
        """At once: the wait that follows may be long."""
        if rows := self._frontier.in_flight_rows:
            self._report.info(
                f"Stopping: waiting up to {duration(self._options.drain_timeout_s)} for {rows:,} acknowledgements"
                f"{self._stop.sooner}."
            )

    def _tell_unconfirmed(self) -> None:
        if rows := self._frontier.in_flight_rows:
            self._report.warning(
                f"{rows:,} rows were sent and are not acknowledged: the next run looks for them in the topic, and sends"
                " again what is not there"
            )

    def _end(self, drain_s: float, *, may_be_clean: bool = True) -> bool:
        """Drain what can be drained, let go of the producer, save what is proven. True if that is all there is."""
        drained = self._sink.drain(drain_s, self._stop.impatient)
        self._sink.close()
        self._frontier.advance()
        self._show()
        saved = self._frontier.saved
        clean = drained and may_be_clean and not self._failure and saved.position.row == self._sent_row
        self._save(saved, JobState.CLEAN if clean else JobState.RUNNING)
        return clean

    # -- rows out ------------------------------------------------------------------------------------------

    def _send_slice(self, batch: Batch, first: int, encoded: Encoded) -> None:
        """Rows `first` and following of the batch, encoded: what is not in the topic yet goes out when it is due."""
        refuse_records(
            encoded,
            self._options.kafka.record_bytes_max,
            len(self._ahead),
            lambda row: self._source.where(batch, first + row),
        )
        if batch.fates is not None and (bad := batch.position_after(first + encoded.slice_rows).bad):
            refuse_bad_rows(self._options.source, fates_of(bad), self._source.rows)
        missing = self._not_there_yet(encoded.partitions)
        records = encoded if missing is None else encoded.only(np.flatnonzero(missing))
        there = None if missing is None else encoded.only(np.flatnonzero(~missing))
        due_s, self._timeline = self._timeline.deadlines(self._options.pace, records.event_times_ns)
        bytes_before = np.concatenate([[0], np.cumsum(records.record_bytes)])
        sent = covered = 0
        while sent < len(records):
            stop = min(self._due(due_s, sent), self._room(bytes_before, sent))
            if stop <= sent:
                self._turn(FULL_WAIT_S)
                continue
            self._before_chunk(records.rows_through(stop) - covered, stop - sent)
            chunk = self._hand_over(records, sent, stop, int(bytes_before[stop] - bytes_before[sent]))
            if not chunk.records:
                self._turn(FULL_WAIT_S)
                continue
            if due_s is not None and self._anchor_s is not None:
                self._tally.lateness.add(chunk.sent_at_s - self._anchor_s - due_s[sent : sent + chunk.records])
            sent += chunk.records
            through = records.rows_through(sent)
            self._register(chunk, batch, first, covered, through, there)
            covered = through
            if due_s is None:  # else `_due` does, while it waits
                self._turn()
        if covered < encoded.slice_rows:  # nothing to send: the slice is in the topic, or left out
            nothing = self._hand_over(records, 0, 0, 0)
            self._register(nothing, batch, first, covered, encoded.slice_rows, there)
            self._turn()

    def _not_there_yet(self, partitions: Ints) -> Bools | None:
        """The records to send; None for all of them. The first `ahead` records of each partition are in the topic."""
        if not self._ahead.any():
            return None
        missing = np.ones(len(partitions), dtype=bool)
        for partition in np.flatnonzero(self._ahead):
            records = np.flatnonzero(partitions == partition)[: self._ahead[partition]]
            missing[records] = False
            self._ahead[partition] -= len(records)
        return missing

    def _due(self, due_s: Any, sent: int) -> int:
        """Waits until rows are due; the row to stop before."""
        if due_s is None:
            return sent + self._chunk_rows
        if self._anchor_s is None and not self._warm_up(due_s, sent):
            return sent + 1
        assert self._anchor_s is not None
        waited = False
        while True:
            while self._outage.since_s is not None:  # rows that pile up now would go out in one burst later
                self._turn(sleep_s=SLEEP_MAX_S)
            now_s = self._clock.monotonic()
            late_s = now_s - self._anchor_s - float(due_s[sent])
            shift_s = pace.shift_s(late_s)
            if shift_s:
                self._anchor_s += shift_s
                self._tally.shifted_s += shift_s
                self._report.warning(f"{late_s:.1f} s behind the schedule: it is shifted, nothing is rushed")
            step = pace.decide(due_s, sent, now_s - self._anchor_s)
            if isinstance(step, pace.Send):
                if not waited:
                    self._turn()
                return min(step.stop, sent + self._chunk_rows)
            self._turn(sleep_s=min(step.seconds, SLEEP_MAX_S))
            waited = True

    def _warm_up(self, due_s: Any, sent: int) -> bool:
        """Whether the schedule has begun. The first row goes alone, and its acknowledgement sets the anchor: a fresh
        producer is held up for about a second (coordinator load, metadata), which the schedule would then make up for
        with a burst."""
        if not self._warmed_up:
            self._warmed_up = True
            return False
        while self._frontier.oldest is not None:
            self._turn(FULL_WAIT_S)
        self._anchor_s = self._clock.monotonic() - float(due_s[sent])
        return True

    def _room(self, bytes_before: Any, sent: int) -> int:
        """The row to stop before, so that what is in flight stays within bounds in rows and bytes."""
        kafka, frontier = self._options.kafka, self._frontier
        rows = kafka.in_flight_rows_max - frontier.in_flight_rows
        left = kafka.in_flight_bytes_max - frontier.in_flight_bytes
        by_bytes = bisect_right(bytes_before, bytes_before[sent] + left, lo=sent) - 1
        if not frontier.in_flight_rows:
            by_bytes = max(by_bytes, sent + 1)  # one record may be larger than the bound
        return min(sent + rows, by_bytes)

    def _hand_over(self, records: Encoded, sent: int, stop: int, size: int) -> Chunk:
        chunk = Chunk(bytes=size, sent_at_s=self._clock.monotonic())
        if stop > sent:
            callbacks = chunk.callbacks(records.partitions[sent:stop])
            chunk.records = self._sink.send(records, slice(sent, stop), callbacks)
            self._tally.sent_rows += chunk.records
            out = slice(sent, sent + chunk.records)
            self._tally.sent.add(records.symbols[out], records.partitions[out], records.event_times_ns[out])
            if chunk.records:
                self._event_ns, self._event_sent_s = int(records.event_times_ns[out][-1]), chunk.sent_at_s
        return chunk

    def _register(
        self, chunk: Chunk, batch: Batch, first: int, covered: int, through: int, there: Encoded | None
    ) -> None:
        """Tell the frontier which rows the chunk stands for: those sent, and those before them that were there or
        are left out."""
        chunk.first_row = self._sent_row
        chunk.rows = through - covered
        chunk.end = lambda: batch.position_after(first + through)
        if there is not None:
            assert there.rows is not None
            inside = (there.rows >= covered) & (there.rows < through)
            skipped = np.bincount(there.partitions[inside], minlength=len(self._ahead))
            chunk.skipped = {int(p): int(skipped[p]) for p in np.flatnonzero(skipped)}
        self._sent_row += chunk.rows
        self._frontier.sent(chunk)

    def _before_chunk(self, rows: int, _records: int) -> None:
        """Save first, where the last save is too old for what these rows (skipped and left out ones too) need of it."""
        while self._sent_row + rows - self._on_disk[0] > self._lead_rows_max:  # a resume would not look that far
            if self._frontier.saved.position.row > self._on_disk[0]:
                self._save(self._frontier.saved, JobState.RUNNING)
            elif self._frontier.oldest is None:
                raise Resync("the broker did not tell the offsets of rows that it had acknowledged")
            else:
                self._turn(FULL_WAIT_S)
        if self._clock.monotonic() - self._saved_at_s >= self._options.checkpoint_interval_s:
            self._save(self._frontier.saved, JobState.RUNNING)  # a resume takes the process for dead an interval later

    def _encode_rows(self) -> int:
        plan = self._options.pace
        if plan.rows_per_s is not None:
            return max(64, min(ENCODE_ROWS_PACED, int(plan.rows_per_s * ENCODE_S)))
        return ENCODE_ROWS if plan.speed is None else ENCODE_ROWS // 8

    # -- acknowledgements in -------------------------------------------------------------------------------

    def _failed(self, error: Any, chunk: Chunk) -> None:
        if error.code() not in UNKNOWN_OUTCOMES and not self._failure:
            self._sink.news.note_denied(error)
            self._failure = (
                f"a record among rows {chunk.first_row:,} to {chunk.first_row + chunk.rows - 1:,}"
                f"{_in_partitions(chunk.failed_partitions)} failed for good: {error.str()}"
            )

    def _turn(self, poll_s: float = 0.0, sleep_s: float = 0.0) -> None:
        """Serve reports and signals; the only place where anything waits. `poll_s` ends with the first report."""
        if sleep_s > 0:
            self._clock.sleep(sleep_s)
        self._sink.poll(poll_s)
        oldest = self._frontier.oldest
        if self._frontier.advance():
            if oldest is not None and oldest.records:
                self._tally.ack_latency.add_one(self._clock.monotonic() - oldest.sent_at_s)
            self._errors_seen = self._sink.news.errors
        if self._frontier.is_held_up:
            self._look_for_failures()
        self._stop.check()
        now_s = self._clock.monotonic()
        if now_s - self._ticked_at_s >= TICK_S:
            self._ticked_at_s = now_s
            self._tick(now_s)

    def _look_for_failures(self) -> None:
        """One record that failed ends this producer: for what the broker said of it, or, where nobody said anything
        (librdkafka purges what waits behind a failure of its own), to be found out from the topic."""
        failures = list(self._frontier.failures())
        for chunk, error in failures:
            self._failed(error, chunk)
        if self._failure:
            self._give_up()
        if failures:
            raise Resync("rows were given up before the broker had answered for them")

    def _give_up(self) -> None:
        """A record failed: for good, since librdkafka retries everything else by itself."""
        self._sink.news.raise_denied()
        raise ProducerFatal(
            self._failure,
            where=self._options.kafka.topic,
            todo="mend what the broker complains about, then run again: it resumes at the first missing row",
        )

    def _tick(self, now_s: float) -> None:
        self._look_for_failures()
        self._watch_broker(now_s)
        self._watch.look()
        self._keep(now_s)
        self._show()

    def _keep(self, now_s: float) -> None:
        """Save what is proven, every checkpoint interval."""
        due = now_s - self._saved_at_s >= self._options.checkpoint_interval_s
        if due and (self._frontier.oldest is not None or self._frontier.saved is not self._newest):
            # Also without progress while rows are out: the time since the last save tells a resume how long ago this
            # process lived.
            self._save(self._frontier.saved, JobState.RUNNING)

    def _watch_broker(self, now_s: float) -> None:
        outage, oldest, news = self._outage, self._frontier.oldest, self._sink.news
        began_s = outage.since_s
        outage.observe(now_s, oldest.sent_at_s if oldest else None, news.errors > self._errors_seen)
        if outage.since_s is not None:
            news.raise_denied()
            waited_s, left_s = now_s - outage.since_s, outage.left_s(now_s)
            if left_s <= 0:
                raise BrokerUnavailable(
                    f"no acknowledgement for {waited_s:.0f} s ({self._outage_reason()})",
                    where=self._options.kafka.bootstrap_servers,
                    todo=RUN_AGAIN,
                )
            waiting = f"{self._outage_reason()}; {self._frontier.in_flight_rows:,} rows wait"
            self._telling.lasts(UNREACHABLE, waiting, waited_s, left_s)
        elif began_s is not None:
            self._telling.over(now_s - began_s, self._frontier.row)

    def _outage_reason(self) -> str:
        news = self._sink.news
        return (
            in_words(news.last_error) if news.errors > self._errors_seen and news.last_error else "it does not answer"
        )

    def _show(self) -> None:
        tally, outage, now_s = self._tally, self._outage, self._clock.monotonic()
        assert tally.sending_since_s is not None
        tally.sending_s = now_s - tally.sending_since_s
        proven = self._proven()
        tally.done_rows = max(self._frontier.row, proven.position.row)
        tally.proven(proven)
        tally.in_flight_rows = self._frontier.in_flight_rows
        tally.statistics = self._sink.statistics
        tally.outage_since_s = self._clock.now() - (now_s - outage.since_s) if outage.since_s is not None else None
        tally.outage_left_s = outage.left_s(now_s)
        tally.outage_reason = self._outage_reason() if outage.since_s is not None else ""
        tally.outages = self._outages_before[0] + outage.count
        tally.outages_s = self._outages_before[1] + outage.all_s(now_s)
        speed = self._options.pace.speed
        if speed is not None and tally.schedule_end_ns is not None and self._event_ns:
            left_s = (tally.schedule_end_ns - self._event_ns) / 1e9 / speed - (now_s - self._event_sent_s)
            tally.schedule_left_s = max(0.0, left_s)
        self._report.progress(tally.view())

    def _proven(self) -> Progress:
        """What is in the topic for certain, as it is shown."""
        return self._finished or Progress(self._frontier.position, self._frontier.marks)

    # -- checkpoints down ----------------------------------------------------------------------------------

    def _save(self, progress: Progress, state: JobState) -> None:
        self._save_to(progress, state)
        self._on_disk = (self._on_disk[1], progress.position.row)
        self._newest = progress
        self._saved_at_s = self._clock.monotonic()
