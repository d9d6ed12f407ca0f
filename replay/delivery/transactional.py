"""Transactional delivery: rows and the progress record that counts them are committed together.

Kafka says where to go on, the local file is a cache of it. `init_transactions()` comes before progress is read: it
fences every older instance of the job and ends what that left open, so that what is read is final.
Any outcome that is not proven success ends the producer: abort if possible, start over from `init_transactions()`.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Container, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from replay.checkpoint.content import Checkpoint, JobPrint, JobState, count, counts, text
from replay.checkpoint.file import this_instance
from replay.checkpoint.progress import fresh_start
from replay.delivery.acks import Chunk
from replay.delivery.changed import check_appended
from replay.delivery.options import WhenChanged
from replay.delivery.preflight import Ready
from replay.delivery.session import FULL_WAIT_S, Session
from replay.delivery.snapshot import STARTING_OVER
from replay.errors import Locked, ProducerFatal, StateConflict, UsageError
from replay.identity import without_tables
from replay.kafka.options import TopicSpec
from replay.kafka.outage import Standstill
from replay.kafka.producer import FENCED, PERMANENT_FAILURES, TransactionalSink
from replay.kafka.topic import Topic
from replay.model import Fenced, Position, Progress, Resync

BACKOFF_S = 0.5  # before a new producer: the coordinator may be moving
BACKOFF_MAX_S = 5.0
CLAIM_S = 5.0  # from fencing another instance to the claim it takes a look at the progress topic and a commit
CLAIM_LOOK_S = 0.2
_PROGRESS_CONFIG = {"cleanup.policy": "compact", "retention.ms": "-1"}


@dataclass(frozen=True, slots=True)
class ProgressRecord:
    """What a committed transaction says: rows before `next_row` are in the topic, and nothing else of this job."""

    job: str
    next_row: int
    left_out: int
    bad: Mapping[str, int]
    cursors: tuple[int, ...]
    fingerprint: str
    instance: str
    topic_id: str
    first_offsets: tuple[int, ...]


def dumps(record: ProgressRecord) -> bytes:
    return json.dumps(asdict(record)).encode()


def loads(value: bytes, where: str) -> ProgressRecord:
    """Raises `StateConflict` for a record that somebody else wrote under our key."""
    try:
        body = {"bad": {}, **json.loads(value)}  # which was added later
        if set(body) != {field.name for field in fields(ProgressRecord)}:
            raise ValueError("its fields are others")
        record = ProgressRecord(
            job=text(body["job"]),
            next_row=count(body["next_row"]),
            left_out=count(body["left_out"]),
            bad=counts(body["bad"]),
            cursors=tuple(map(count, body["cursors"])),
            fingerprint=text(body["fingerprint"]),
            instance=text(body["instance"]),
            topic_id=text(body["topic_id"]),
            first_offsets=tuple(map(count, body["first_offsets"])),
        )
        if record.next_row != sum(record.cursors):
            raise ValueError("the next row does not fit the cursors of the inputs")
        return record
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StateConflict(
            f"the progress record is not one of replay's ({error})",
            where=where,
            todo="give this job a name of its own with --job, or another --progress-topic",
        ) from None


def fingerprint(job: JobPrint) -> str:
    """Everything that decides which bytes go where, as one hash; the topic's id stands in the record itself. Of a
    table it is its files, however it has moved on."""
    parts = json.dumps(
        asdict(replace(job, topic_id="", options=without_tables(job.options))), sort_keys=True, default=dict
    )
    return hashlib.sha256(parts.encode()).hexdigest()


def decide(
    saved: Checkpoint | None,
    record: ProgressRecord | None,
    job: JobPrint,
    start: Position,
    where: str,
    *,
    allow_appended: bool = False,
) -> Position:
    """Where to go on: where Kafka says. Raises `StateConflict` if Kafka knows less than the local file."""
    if record is None:
        if saved is not None:  # even at row 0: a record is committed before the first checkpoint is written
            raise StateConflict(
                "there is a local checkpoint of this job, and Kafka's progress topic has no record of it",
                where=where,
                todo="check --job and --progress-topic (was it deleted?); start over on purpose with --restart",
            )
        return start
    known = replace(job, inputs=job.inputs[: len(record.cursors)]) if allow_appended else job
    if record.topic_id != job.topic_id or record.fingerprint != fingerprint(known):
        if saved is None and record.next_row and record.next_row == record.left_out:
            return start  # of whatever it was, not a single row is in the topic
        what = "topic id" if record.topic_id != job.topic_id else "inputs, options, partitions or encoder"
        raise StateConflict(
            f"Kafka's progress record of job {record.job!r} belongs to another replay: {what} differ"
            f" (it is at row {record.next_row:,}, written by {record.instance})",
            where=where,
            todo="put back what changed, give this replay a name of its own with --job, or start over with --restart",
        )
    if saved is not None and saved.progress.position.row > record.next_row:
        raise StateConflict(
            f"the local checkpoint knows {saved.progress.position.row:,} committed rows, Kafka's progress record only"
            f" {record.next_row:,}",
            where=where,
            todo="the progress topic lost data: find out what the topic holds, then start over with --restart",
        )
    cursors = record.cursors + (0,) * (len(job.inputs) - len(record.cursors))
    return Position(record.next_row, cursors, record.left_out, record.bad)


def deliver(ready: Ready, saved: Checkpoint | None) -> None:
    """Send what is missing; Kafka's progress record and the checkpoint say done when it returns."""
    progress_topic = _find_progress_topic(ready)
    me = f"{this_instance()}:{uuid.uuid4().hex[:8]}"
    start: Position | None = ready.source.start if ready.options.restart else None  # None: where Kafka says
    mine = {me}  # instances that are no news: this one, and whoever was at work before it
    claimed = False
    standstill = Standstill(ready.options.kafka.broker_timeout_s, ready.clock.monotonic())
    backoff_s = BACKOFF_S
    while True:
        try:
            with closing(TransactionalSink(ready.options.kafka, _transactional_id(ready))) as sink:
                ready.cluster.patiently("begin transactions", sink.init, sink.news)
                ready.watch.confirm()
                record = _read_progress(ready, progress_topic)
                if claimed:
                    _check_owner(record, mine, progress_topic)
                elif record is not None:
                    mine.add(record.instance)
                place = f"{progress_topic.name}, key {ready.options.transactions.job}"
                at = start or decide(
                    saved,
                    record,
                    ready.job,
                    ready.source.start,
                    place,
                    allow_appended=ready.options.when_changed is WhenChanged.APPEND,
                )
                if record is not None and start is None and at.row:
                    check_appended(ready, range(len(record.cursors), len(ready.job.inputs)), at)
                    ready = replace(ready, first_offsets=record.first_offsets)
                session = TransactionalSession(ready, sink, progress_topic.name, me, at)
                session.claim()
                claimed, start = True, None
                session.run()
                return
        except Resync as reason:
            now_s, servers = ready.clock.monotonic(), ready.options.kafka.bootstrap_servers
            if standstill.check(now_s, ready.tally.done_rows, "no transaction could be committed", reason, servers):
                backoff_s = BACKOFF_S
            ready.report.warning(f"{reason}: {STARTING_OVER}")
            ready.report.phase(STARTING_OVER, ready.tally.committed_row or ready.tally.done_rows, ready.source.rows)
            if isinstance(reason, Fenced):
                _await_owner(ready, progress_topic, mine)
            ready.sleep(backoff_s)
            backoff_s = min(BACKOFF_MAX_S, backoff_s * 2)
        except ProducerFatal:
            ready.watch.confirm()  # a topic that is gone refuses records, too
            raise


def _transactional_id(ready: Ready) -> str:
    return f"replay.{ready.topic.name}.{ready.options.transactions.job}"


def _await_owner(ready: Ready, topic: Topic, mine: Container[str]) -> None:
    """Raises `Locked` if another instance claims the job: a new producer of this one would fence it in turn, and two
    instances could go on like that for long."""
    end_s = ready.clock.monotonic() + CLAIM_S
    while ready.clock.monotonic() < end_s:
        _check_owner(_read_progress(ready, topic), mine, topic)
        ready.sleep(CLAIM_LOOK_S)


def _check_owner(record: ProgressRecord | None, mine: Container[str], topic: Topic) -> None:
    """After this instance lost its producer: did a time-out take it, or another instance?"""
    if record is not None and record.instance not in mine:
        raise Locked(
            f"another instance of job {record.job!r} took over: {record.instance}",
            where=topic.name,
            todo="let it finish; this one has stopped, and nothing of it is left uncommitted",
        )


def _find_progress_topic(ready: Ready) -> Topic:
    """One partition, compacted, as safely replicated as the topic itself; made where it is missing."""
    name, cluster = ready.options.transactions.progress_topic, ready.cluster
    topic = cluster.topic(name)
    if topic is None:
        topic = cluster.create_topic(name, TopicSpec(1, ready.topic.replication), _PROGRESS_CONFIG)
        ready.report.info(f"created progress topic {name} with {_PROGRESS_CONFIG}")
    if topic.partitions != 1:
        raise UsageError(
            "a progress topic has exactly one partition",
            where=f"--progress-topic {name}",
            todo="name another one; replay creates it if it is missing",
        )
    if topic.config.get("cleanup.policy", "compact") != "compact":
        raise UsageError(
            f"its cleanup.policy is {topic.config['cleanup.policy']}: progress records would be deleted in time",
            where=f"--progress-topic {name}",
            todo="set cleanup.policy=compact, or name another one; replay creates it if it is missing",
        )
    return topic


def _read_progress(ready: Ready, topic: Topic) -> ProgressRecord | None:
    """The job's newest committed record. Reads to the end as `read_uncommitted` sees it: a record of a transaction
    whose commit is still being written must not be missed."""
    key = ready.options.transactions.job.encode()
    newest: bytes | None = None
    for records in ready.cluster.read(topic, *ready.cluster.watermarks(topic), isolation="read_committed"):
        for run in records:
            for its_key, value in zip(run.keys, run.values, strict=True):
                if its_key == key:
                    newest = value
    return None if newest is None else loads(newest, f"{topic.name}, key {key.decode()}")


class TransactionalSession(Session):
    """A session whose rows go out in transactions, each with a progress record as its last word."""

    def __init__(self, ready: Ready, sink: TransactionalSink, progress_topic: str, me: str, at: Position) -> None:
        start = fresh_start(at, ready.cluster.high_watermarks(ready.topic))
        super().__init__(
            ready.options, ready.source, ready.encoder, sink, start, ready.save,
            ready.stop, ready.report, ready.tally, ready.clock, ready.watch,
        )  # fmt: skip
        self._transactions, self._job, self._bounds = sink, ready.job, ready.options.transactions
        self._first_offsets = ready.first_offsets
        self._progress_topic, self._me = progress_topic, me
        self._committed = start
        self._committed_rows = ready.tally.sent_rows  # how many this run had sent then
        ready.tally.begins(start)
        self._opened_s: float | None = None  # of the open transaction
        self._committing = False
        self._permanent = self._fenced = False
        self._chunk_rows = min(self._chunk_rows, self._bounds.rows_max)

    def claim(self) -> None:
        """Say in Kafka who is at work, so that an instance that this one fenced can tell by whom."""
        self._commit_alone(self._committed)
        self._save(self._committed, JobState.RUNNING)

    def _commit_alone(self, progress: Progress) -> None:
        """A transaction that holds nothing but the progress record."""
        self._transactions.begin()
        self._send_progress(progress.position)
        self._transactions.commit()
        self._committed = progress

    def _before_chunk(self, _rows: int, records: int) -> None:
        if self._tally.sent_rows - self._committed_rows + records > self._bounds.rows_max:
            self._commit()
        if self._opened_s is None:
            self._transactions.begin()
            self._opened_s = self._clock.monotonic()

    def _keep(self, now_s: float) -> None:
        if self._opened_s is not None and (now_s - self._opened_s) * 1_000 >= self._bounds.open_ms_max:
            self._commit()

    def _finish(self) -> None:
        self._commit()
        end = self._source.finished(self._frontier.position)
        if self._committed.position != end:  # the last rows are left out, so that no transaction was opened for them
            self._commit_alone(Progress(end, self._committed.marks))
        self._watch.confirm()
        self._save(self._committed, JobState.DONE)

    def _commit(self) -> None:
        """Every row acknowledged, then the progress record, then the commit, then the file."""
        if self._committing or self._opened_s is None:
            return
        self._committing = True
        try:
            while self._frontier.oldest is not None:
                self._sink.drain(FULL_WAIT_S, self._stop.impatient)  # flush: batches do not linger at the end
                self._turn()
            self._end_transaction()
        finally:
            self._committing = False
        if self._clock.monotonic() - self._saved_at_s >= self._options.checkpoint_interval_s:
            self._save(self._committed, JobState.RUNNING)

    def _end_transaction(self) -> None:
        progress = Progress(self._frontier.position, self._frontier.marks)
        self._send_progress(progress.position)
        self._transactions.commit()
        self._committed, self._committed_rows, self._opened_s = progress, self._tally.sent_rows, None

    def _send_progress(self, position: Position) -> None:
        record = ProgressRecord(
            job=self._bounds.job,
            next_row=position.row,
            left_out=position.left_out,
            bad=dict(position.bad),
            cursors=position.cursors,
            fingerprint=fingerprint(self._job),
            instance=self._me,
            topic_id=self._job.topic_id,
            first_offsets=self._first_offsets,
        )
        self._transactions.send_progress(self._progress_topic, self._bounds.job.encode(), dumps(record))

    def _end(self, drain_s: float, *, may_be_clean: bool = True) -> bool:
        """Commit what is complete, or take it back; either way Kafka knows."""
        if self._opened_s is not None:
            drained = may_be_clean and self._sink.drain(drain_s, self._stop.impatient)
            self._frontier.advance()
            try:
                if drained and not self._failure and self._frontier.row == self._sent_row:
                    self._end_transaction()
                else:
                    self._transactions.abort()
            except Resync as reason:  # neither: the next `init_transactions()` decides
                self._report.warning(f"the open transaction is left to Kafka: {reason}")
        self._sink.close()
        self._show()
        clean = self._committed.position.row == self._sent_row
        self._save(self._committed, JobState.CLEAN if clean else JobState.RUNNING)
        return clean

    def _tell_unconfirmed(self) -> None:
        """Nothing is: what was not committed is taken back."""

    def _failed(self, error: Any, chunk: Chunk) -> None:
        super()._failed(error, chunk)
        self._permanent = self._permanent or error.code() in PERMANENT_FAILURES
        self._fenced = self._fenced or error.code() in FENCED

    def _give_up(self) -> None:
        if self._permanent:
            super()._give_up()
        raise (Fenced if self._fenced else Resync)(self._failure)

    def _proven(self) -> Progress:
        return self._committed

    def _show(self) -> None:
        self._tally.committed_row = self._committed.position.row
        super()._show()
