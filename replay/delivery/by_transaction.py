"""Transactional delivery: rows go out in transactions, each with a progress record as its last word."""

from __future__ import annotations

from collections.abc import Collection

from replay.checkpoint.content import JobState
from replay.delivery.context import Ready
from replay.delivery.flight import Flight
from replay.delivery.guarantee import ACK_WAIT_S, Wait
from replay.delivery.progress_record import ProgressRecord, dumps, fingerprint
from replay.delivery.transaction_states import TransactionState, TransactionSteps
from replay.errors import AccessDenied
from replay.kafka.producer import FENCED, PERMANENT_FAILURES, TransactionalSink
from replay.kafka.trouble import Telling
from replay.model import Fenced, Position, Progress, Resync


class ByTransaction:
    """The `Guarantee` of one transactional producer. `instance` is who writes to the progress topic."""

    unconfirmed_rows = 0  # what was not committed is taken back

    def __init__(
        self,
        ready: Ready,
        sink: TransactionalSink,
        flight: Flight,
        transactions: TransactionSteps,
        progress_topic: str,
        instance: str,
    ) -> None:
        self._ready, self._sink, self._flight = ready, sink, flight
        self._progress_topic, self._instance = progress_topic, instance
        self._transactions, self._bounds = transactions, ready.options.transactions
        self._committed = flight.progress
        self._committed_records = 0  # how many of this producer's are
        self._opened_s = self._saved_at_s = ready.clock.monotonic()
        self._telling = Telling(ready.report, ready.clock)

    @property
    def proven(self) -> Progress:
        return self._committed

    @property
    def committed_row(self) -> int:
        return self._committed.position.row

    def claim(self) -> None:
        """Say in Kafka who is at work, so that an instance that this one fenced can tell by whom."""
        self._commit_alone(self._committed)
        self._transactions.to(TransactionState.CLAIMED)
        self._save(JobState.RUNNING)

    def before_chunk(self, rows: int, records: int, wait: Wait) -> None:  # noqa: ARG002
        if self._flight.sent_records - self._committed_records + records > self._bounds.rows_max:
            self._commit(wait)
        if self._transactions.state is not TransactionState.OPEN:
            self._sink.begin()
            self._transactions.to(TransactionState.OPEN)
            self._opened_s = self._ready.clock.monotonic()

    def tick(self, now_s: float, wait: Wait) -> None:
        if (now_s - self._opened_s) * 1_000 >= self._bounds.open_ms_max:
            self._commit(wait)

    def start_over_after(self, codes: Collection[int]) -> type[Resync] | None:
        if not PERMANENT_FAILURES.isdisjoint(codes):
            return None
        return Resync if FENCED.isdisjoint(codes) else Fenced

    def finish(self, wait: Wait) -> None:
        self._commit(wait)
        end = self._ready.source.finished(self._flight.frontier.position)
        if self._committed.position != end:  # the last rows are left out, so that no transaction was opened for them
            self._commit_alone(Progress(end, self._committed.marks))
        self._ready.watch.confirm()
        self._ready.saving.save_end(self._committed)
        self._transactions.to(TransactionState.DONE)

    def end(self, drain_s: float, *, may_be_clean: bool) -> bool:
        """Commit what is complete, or take it back; either way Kafka knows."""
        flight = self._flight
        if self._transactions.is_open:
            drained = may_be_clean and self._sink.drain(drain_s, self._ready.stop.impatient)
            flight.frontier.advance()
            try:
                if drained and not flight.failure and flight.frontier.row == flight.sent_row:
                    self._end_transaction()
                else:
                    self._sink.abort()
            except (Resync, AccessDenied) as reason:  # neither: the next `init_transactions()` decides
                self._ready.report.warning(f"the open transaction is left to Kafka: {reason}")
            if self._transactions.is_open:
                self._transactions.to(TransactionState.ABORTED)
        self._sink.close()
        clean = self._committed.position.row == flight.sent_row
        self._save(JobState.CLEAN if clean else JobState.RUNNING)
        return clean

    def _commit(self, wait: Wait) -> None:
        """Every row acknowledged, then the progress record, then the commit, then the file."""
        if self._transactions.state is not TransactionState.OPEN:
            return
        self._transactions.to(TransactionState.COMMITTING)
        while not self._flight.has_landed:
            self._sink.drain(ACK_WAIT_S, self._ready.stop.impatient)  # flush: batches do not linger at the end
            wait(0.0)
        self._end_transaction()
        if self._ready.clock.monotonic() - self._saved_at_s >= self._ready.options.checkpoint_interval_s:
            self._save(JobState.RUNNING)

    def _end_transaction(self) -> None:
        if self._transactions.state is TransactionState.OPEN:
            self._transactions.to(TransactionState.COMMITTING)
        progress = self._flight.progress
        self._send_progress(progress.position)
        begun_s = self._ready.clock.monotonic()
        self._sink.commit(self._still_commits)
        self._telling.over(self._ready.clock.monotonic() - begun_s, progress.position.row)
        self._transactions.to(TransactionState.CLAIMED)
        self._committed, self._committed_records = progress, self._flight.sent_records

    def _still_commits(self, waited_s: float) -> None:
        """Rows do not wait for their acknowledgements meanwhile: nobody else tells of a login that is refused, or hears
        that the replay is to stop."""
        stop, drain_s = self._ready.stop, self._ready.options.drain_timeout_s
        if stop.is_asked and (stop.impatient() or waited_s >= drain_s):
            raise Resync("told to stop, and a commit is not answered")
        news, left_s = self._sink.news, self._ready.options.kafka.broker_timeout_s - waited_s
        if news.refused is None:
            return
        if left_s <= 0:
            raise news.refused
        self._telling.lasts(*news.waits_for, waited_s, left_s)

    def _commit_alone(self, progress: Progress) -> None:
        """A transaction that holds nothing but the progress record."""
        self._sink.begin()
        self._send_progress(progress.position)
        self._sink.commit()
        self._committed = progress

    def _send_progress(self, position: Position) -> None:
        saving = self._ready.saving
        record = ProgressRecord(
            job=self._bounds.job,
            next_row=position.row,
            left_out=position.left_out,
            bad=dict(position.bad),
            cursors=position.cursors,
            fingerprint=fingerprint(saving.job),
            instance=self._instance,
            topic_id=saving.job.topic_id,
            first_offsets=saving.first_offsets,
        )
        self._sink.send_progress(self._progress_topic, self._bounds.job.encode(), dumps(record))

    def _save(self, state: JobState) -> None:
        self._ready.saving.save(self._committed, state)
        self._saved_at_s = self._ready.clock.monotonic()
