"""The tool, broken on purpose: what the tests are there to notice, each in a few lines.

REPLAY_TEST_BREAK=no-tail-read in the environment of pytest gives every job this break, and the process of the tests
themselves (tests/conftest.py). tests/fault/test_broken_builds.py runs those tests that have to notice.

A break is a function of this module with the name of `BREAKS`; its docstring says what it breaks. It replaces
what tests/support/crashing.py then wraps: a break and a crash can be there together.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from replay import counts
from replay.checkpoint import content, tail
from replay.checkpoint import file as checkpoint
from replay.checkpoint.content import Checkpoint, JobState, dumps
from replay.checkpoint.file import CheckpointFile
from replay.checkpoint.progress import behind
from replay.counts import RowCounts
from replay.delivery import by_transaction, idempotent, job, preflight, progress_record, tally, transactional
from replay.delivery.acks import Chunk, Frontier
from replay.delivery.by_checkpoint import ByCheckpoint
from replay.delivery.by_transaction import ByTransaction
from replay.delivery.context import Ready
from replay.delivery.job_print import job_print
from replay.delivery.outages import ProducerOutages
from replay.delivery.saving import Saving
from replay.delivery.session import Session
from replay.delivery.tally import Tally
from replay.delivery.topic import find_topic
from replay.errors import (
    BrokerUnavailable,
    CheckpointUnwritable,
    ExitCode,
    Locked,
    ProducerFatal,
    RightMissing,
    StateConflict,
    UsageError,
    exit_code,
)
from replay.kafka import broker_news, cluster, connection, described, partitioner
from replay.kafka import producer as deliver
from replay.kafka import settings as kafka_settings
from replay.kafka.broker_news import BrokerNews
from replay.kafka.cluster import Cluster
from replay.kafka.described import Demands
from replay.kafka.login import credentials, renewal
from replay.kafka.login.token_source import tokens_of
from replay.kafka.login.tokens import Away, Tokens
from replay.kafka.options import KafkaOptions
from replay.kafka.outage import Outage
from replay.kafka.patience import NotYet, Patience
from replay.kafka.producer import UNKNOWN_OUTCOMES, KafkaSink, TransactionalSink
from replay.kafka.reachable import Prospects
from replay.kafka.reader import READ_UNCOMMITTED, TopicReader
from replay.kafka.replicas import Replicas
from replay.kafka.topic import TopicIdentity
from replay.kafka.topic_watch import TopicWatch
from replay.model import Position, Progress, Resync
from replay.record.options import Records
from replay.registry import address, lookup
from replay.registry.address import Address
from replay.signals import Stop
from replay.source.files import unreadable
from replay.verify import job as verify
from replay.verify.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Break = Callable[[pytest.MonkeyPatch], None]


def break_build(name: str) -> None:
    """For the rest of this process."""
    BREAKS[name](pytest.MonkeyPatch())


class Module:
    """A module with some functions replaced, for one of its users only."""

    def __init__(self, real: Any, **instead: Callable[..., Any]) -> None:
        self._real = real
        vars(self).update(instead)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


# -- resume ----------------------------------------------------------------------------------------------------


def no_tail_read(patch: pytest.MonkeyPatch) -> None:
    """a resume trusts the checkpoint and does not look at the topic's tail"""
    patch.setattr(
        idempotent,
        "_reconcile",
        lambda ready, saved: behind(saved.progress, ready.cluster.high_watermarks(ready.topic)),
    )


def tail_by_count(patch: pytest.MonkeyPatch) -> None:
    """a resume counts the records of the tail instead of comparing them"""

    patch.setattr(tail, "same_records", lambda _expected, stretch, *_: stretch)


def headers_not_compared(patch: pytest.MonkeyPatch) -> None:
    """records that differ in their headers alone count as the same"""
    patch.setattr(Records, "compared_headers", None)


def timeout_is_end(patch: pytest.MonkeyPatch) -> None:
    """a read of the topic that got nothing in time counts as having reached the end"""
    real = TopicReader._attempt

    def attempt(self: TopicReader) -> list[Any]:
        fetched = real(self)
        if isinstance(fetched, NotYet):
            self.left.clear()
            return []
        return fetched

    patch.setattr(TopicReader, "_attempt", attempt)


def no_settle_wait(patch: pytest.MonkeyPatch) -> None:
    """a resume does not wait for what may still surface"""
    patch.setattr(idempotent, "_settled_watermarks", lambda ready, _: ready.cluster.high_watermarks(ready.topic))


def no_start_save(patch: pytest.MonkeyPatch) -> None:
    """no checkpoint is saved before the first row is sent"""
    patch.setattr(idempotent, "_save_start", lambda *_: None)


def one_start_save(patch: pytest.MonkeyPatch) -> None:
    """the start is saved once: the generation kept behind it may say "clean" """
    patch.setattr(idempotent, "_save_start", lambda ready, progress: ready.saving.save(progress, JobState.RUNNING))


def lead_unbounded(patch: pytest.MonkeyPatch) -> None:
    """rows go further beyond the checkpoint than a resume would look"""
    patch.setattr(ByCheckpoint, "before_chunk", lambda *_: None)


def no_patience(patch: pytest.MonkeyPatch) -> None:
    """a read of the cluster gives up on the first error"""
    _set_patience(patch, 0.0)


def _set_patience(patch: pytest.MonkeyPatch, seconds: float) -> None:
    real = Patience.__init__
    patch.setattr(
        Patience, "__init__", lambda self, clock, _, *more, **named: real(self, clock, seconds, *more, **named)
    )


def sync_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    """a resume does not look whether enough replicas are in sync"""
    patch.setattr(Cluster, "wait_in_sync", lambda *_, **__: False)


def silent_replica_ignored(patch: pytest.MonkeyPatch) -> None:
    """a resume does not ask the brokers that count as in sync whether they are there"""
    real = Replicas.are_in_sync
    patch.setattr(Replicas, "are_in_sync", lambda self, topic, **_: real(self, topic, ask_each=False))


def save_before_tail_read(patch: pytest.MonkeyPatch) -> None:
    """a resume saves where it would go on before it has read the topic's tail"""
    real = idempotent._reconcile

    def reconcile(ready: Ready, saved: Checkpoint) -> Progress:
        ready.saving.save(behind(saved.progress, ready.cluster.high_watermarks(ready.topic)), JobState.RUNNING)
        return real(ready, saved)

    patch.setattr(idempotent, "_reconcile", reconcile)


def done_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """a replay that is done begins again when it is run again"""
    patch.setattr(job, "nothing_to_do", lambda ready, _: idempotent.deliver(ready, None))


def verify_is_blind(patch: pytest.MonkeyPatch) -> None:
    """`replay verify` finds everything in order"""
    patch.setattr(Verdict, "exact", property(lambda _: True))


def statistics_believed(patch: pytest.MonkeyPatch) -> None:
    """a run leaves out what statistics rule out, without a look at it"""
    patch.setattr(preflight, "look_at_ruled_out", lambda *_: None)


def verify_believes_statistics(patch: pytest.MonkeyPatch) -> None:
    """`replay verify` leaves out what statistics rule out, as a run that trusts them"""
    patch.setattr(verify, "look_at_ruled_out", lambda *_: None)


# -- what must be refused ----------------------------------------------------------------------------------------


def watermark_not_checked(patch: pytest.MonkeyPatch) -> None:
    """nobody looks whether acknowledged rows are still in the topic"""
    for module in (idempotent, job):
        patch.setattr(module, "check_watermarks", lambda *_: None)


def topic_id_not_checked(patch: pytest.MonkeyPatch) -> None:
    """a topic is known by its name alone"""
    real = job_print
    patch.setattr(job, "job_print", lambda *args: replace(real(*args), topic_id=""))


def deleted_is_a_typing_error(patch: pytest.MonkeyPatch) -> None:
    """a topic that is not there any more is taken for one that never was"""
    real = find_topic
    patch.setattr(job, "find_topic", lambda context, _: real(context, None))


def topic_not_watched(patch: pytest.MonkeyPatch) -> None:
    """nobody asks during a run whether the topic is still the same"""
    patch.setattr(TopicWatch, "look", lambda _: None)
    patch.setattr(TopicWatch, "confirm", lambda _: None)


def job_not_compared(patch: pytest.MonkeyPatch) -> None:
    """a checkpoint is taken for this job's, whatever it says"""
    patch.setattr(job, "check_same_job", lambda *_: None)


def damaged_is_new(patch: pytest.MonkeyPatch) -> None:
    """an unreadable checkpoint counts as none: start at row 0"""
    real = CheckpointFile.load

    def load(self: CheckpointFile) -> Any:
        with suppress(StateConflict):
            return real(self)

    patch.setattr(CheckpointFile, "load", load)


def plain_partitioner(patch: pytest.MonkeyPatch) -> None:
    """partitions by CRC32, librdkafka's own way, not by murmur2"""
    patch.setattr(partitioner, "murmur2", lambda key, partitions: zlib.crc32(key) % partitions)


def out_of_memory_is_a_bug(patch: pytest.MonkeyPatch) -> None:
    """too little memory is told as a damaged file, or as a bug in replay"""
    patch.setattr(unreadable, "_is_absurd", lambda _: True)
    patch.setattr("replay.cli.talk.as_told", lambda error: error)
    patch.setattr(
        "replay.cli.call.exit_code", lambda error: ExitCode.BUG if isinstance(error, MemoryError) else exit_code(error)
    )


# -- acknowledgements --------------------------------------------------------------------------------------------


def save_before_ack(patch: pytest.MonkeyPatch) -> None:
    """the checkpoint says what was handed over, not what was acknowledged"""
    real = Frontier.sent

    def sent(self: Frontier, chunk: Chunk) -> None:
        real(self, chunk)
        self.saved = Progress(chunk.end(), self.marks)

    patch.setattr(Frontier, "sent", sent)


def ignore_failed_report(patch: pytest.MonkeyPatch) -> None:
    """a delivery report that tells of a failure counts like any other, and so does librdkafka's fatal error"""
    real = Chunk.callbacks

    def deaf(report: Any) -> Any:
        return lambda _, message: report(None, message)

    patch.setattr(Chunk, "callbacks", lambda self, partitions: [deaf(report) for report in real(self, partitions)])
    patch.setattr(KafkaSink, "_lost", lambda *_: Resync("nothing happened"))


def gaps_allowed(patch: pytest.MonkeyPatch) -> None:
    """where a batch fails for good, librdkafka goes on with those behind it"""
    epoch_bump_ignored(patch)
    real = kafka_settings.producer_settings
    patch.setattr(deliver, "producer_settings", lambda options: {**real(options), "enable.gapless.guarantee": False})


def failures_of_whole_chunks(patch: pytest.MonkeyPatch) -> None:
    """a record that failed is noticed once all that were handed over with it have been reported"""
    real = Frontier.failures
    patch.setattr(Frontier, "failures", lambda self: real(self) if self.is_held_up else iter(()))


def purged_is_delivered(patch: pytest.MonkeyPatch) -> None:
    """rows that nobody looked after any longer count as acknowledged"""
    real_callbacks, real_place = Chunk.callbacks, Frontier._place

    def hopeful(report: Any) -> Any:
        return lambda error, message: report(
            None if error is not None and error.code() in UNKNOWN_OUTCOMES else error, message
        )

    def place(self: Frontier, chunk: Chunk) -> None:
        real_place(self, chunk)
        self._unplaced.clear()

    patch.setattr(Chunk, "callbacks", lambda self, partitions: list(map(hopeful, real_callbacks(self, partitions))))
    patch.setattr(Frontier, "_place", place)


def outage_not_told(patch: pytest.MonkeyPatch) -> None:
    """a broker that does not answer passes for ordinary waiting"""
    patch.setattr(Outage, "observe", lambda *_: False)


def slow_is_an_outage(patch: pytest.MonkeyPatch) -> None:
    """every acknowledgement that takes longer than a burst counts as a lost connection"""
    real = KafkaSink.poll

    def poll(self: KafkaSink, seconds: float = 0.0) -> None:
        before = len(self._producer)
        real(self, seconds)
        if before and len(self._producer) == before:
            raise Resync("no acknowledgement came")

    patch.setattr(KafkaSink, "poll", poll)


def outage_is_a_crash(patch: pytest.MonkeyPatch) -> None:
    """rows that a broker has not acknowledged for seconds are taken for lost, and sent again unseen"""
    no_tail_read(patch)
    stop_without_drain(patch)
    real = ProducerOutages.look

    def look(self: ProducerOutages, now_s: float) -> None:
        real(self, now_s)
        if self.is_down:
            raise Resync("no acknowledgement for seconds")

    patch.setattr(ProducerOutages, "look", look)


def stall_is_a_crash(patch: pytest.MonkeyPatch) -> None:
    """a process that stood still for a second takes its rows in flight for lost, and sends them again unseen"""
    no_tail_read(patch)
    stop_without_drain(patch)
    real, polled_s = KafkaSink.poll, [time.monotonic()]

    def poll(self: KafkaSink, seconds: float = 0.0) -> None:
        before_s, polled_s[0] = polled_s[0], time.monotonic()
        if polled_s[0] - before_s > 1 and len(self._producer):
            raise Resync("it stood still")
        real(self, seconds)

    patch.setattr(KafkaSink, "poll", poll)


def stop_without_drain(patch: pytest.MonkeyPatch) -> None:
    """a stop does not wait for what is on its way"""
    patch.setattr(KafkaSink, "drain", lambda *_: True)


def retry_on_lost_connection(patch: pytest.MonkeyPatch) -> None:
    """when a connection breaks, the retry is left to librdkafka"""
    real = KafkaSink.__init__

    def init(self: KafkaSink, *args: Any) -> None:
        real(self, *args)
        self._retries_unsafe = False

    patch.setattr(KafkaSink, "__init__", init)


def lost_connection_is_the_end(patch: pytest.MonkeyPatch) -> None:
    """a lost connection ends the job instead of a producer"""
    _end_with_resync(patch, KafkaSink, "poll")


def _end_with_resync(patch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    """A method that asks for a new producer ends the job."""
    real = getattr(owner, name)

    def method(self: Any, *args: Any) -> None:
        try:
            real(self, *args)
        except Resync as reason:
            raise ProducerFatal(str(reason)) from None

    patch.setattr(owner, name, method)


def epoch_bump_ignored(patch: pytest.MonkeyPatch) -> None:
    """nobody looks whether the producer's epoch changed inside a run"""
    patch.setattr(KafkaSink, "_epoch_changes", lambda _: False)


def no_deadline(patch: pytest.MonkeyPatch) -> None:
    """an outage is waited for without end"""
    patch.setattr(Outage, "left_s", lambda self, _: self.timeout_s)
    _set_patience(patch, 86_400.0)


def flush_without_limit(patch: pytest.MonkeyPatch) -> None:
    """a producer is let go by flushing it, however long that takes"""
    patch.setattr(KafkaSink, "close", lambda self: self._producer.flush())


def second_signal_ignored(patch: pytest.MonkeyPatch) -> None:
    """pressing Ctrl-C twice is no more than once"""
    patch.setattr(Stop, "impatient", lambda _: False)


def signals_counted_singly(patch: pytest.MonkeyPatch) -> None:
    """two signals at the same moment are two requests"""
    patch.setattr("replay.signals.TOGETHER_S", 0.0)


# -- the checkpoint on disk --------------------------------------------------------------------------------------


def no_lock(patch: pytest.MonkeyPatch) -> None:
    """nobody locks the checkpoint"""
    patch.setattr(checkpoint, "fcntl", Module(fcntl, flock=lambda *_: None))


def no_fsync(patch: pytest.MonkeyPatch) -> None:
    """a checkpoint gets its name before its bytes are on disk"""

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.fsync(descriptor)

    patch.setattr(checkpoint, "os", Module(os, fsync=fsync))


def no_folder_fsync(patch: pytest.MonkeyPatch) -> None:
    """a checkpoint's name may not be on disk when rows are sent"""

    def fsync(descriptor: int) -> None:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.fsync(descriptor)

    patch.setattr(checkpoint, "os", Module(os, fsync=fsync))


def not_atomic_save(patch: pytest.MonkeyPatch) -> None:
    """a checkpoint is overwritten where it is"""

    def save(self: CheckpointFile, saved: Any) -> None:
        try:
            descriptor = os.open(self._target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                os.write(descriptor, dumps(saved))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._unwritable("progress cannot be saved", error) from None

    patch.setattr(CheckpointFile, "save", save)


def leftovers_in_the_way(patch: pytest.MonkeyPatch) -> None:
    """what a save left behind when it was killed stands in the way of the next one"""
    real_save, real_keep = CheckpointFile.save, CheckpointFile._keep_previous

    def save(self: CheckpointFile, saved: Any) -> None:
        if self._temporary.exists():
            raise CheckpointUnwritable(f"{self._temporary} is there", where="", todo="")
        real_save(self, saved)

    def keep_previous(self: CheckpointFile) -> None:
        if self._link.exists():
            raise CheckpointUnwritable(f"{self._link} is there", where="", todo="")
        real_keep(self)

    patch.setattr(CheckpointFile, "check_writable", lambda _: None)
    patch.setattr(CheckpointFile, "save", save)
    patch.setattr(CheckpointFile, "_keep_previous", keep_previous)


def moved_away_first(patch: pytest.MonkeyPatch) -> None:
    """the older generation is moved out of the way, so that for a moment there is no checkpoint"""

    def keep_previous(self: CheckpointFile) -> None:
        if self._target.exists():
            os.replace(self._target, self.previous)

    patch.setattr(CheckpointFile, "_keep_previous", keep_previous)


def always_clean(patch: pytest.MonkeyPatch) -> None:
    """a running replay's checkpoint says "clean": nothing of ours is behind it"""
    real = Saving.save

    def save(self: Saving, progress: Progress, state: JobState) -> None:
        real(self, progress, JobState.CLEAN if state is JobState.RUNNING else state)

    patch.setattr(Saving, "save", save)


def save_errors_ignored(patch: pytest.MonkeyPatch) -> None:
    """a checkpoint that cannot be written is no reason to stop"""
    real = CheckpointFile.save

    def save(self: CheckpointFile, saved: Any) -> None:
        with suppress(CheckpointUnwritable):
            real(self, saved)

    patch.setattr(CheckpointFile, "save", save)


# -- transactional -----------------------------------------------------------------------------------------------


def init_after_read(patch: pytest.MonkeyPatch) -> None:
    """progress is read before init_transactions() has fenced the others"""
    real_find, real_read, real_patience = (
        transactional._find_progress_topic, transactional._read_progress, Cluster.patiently,
    )  # fmt: skip
    known: list[Any] = []

    def find(ready: Ready) -> Any:
        topic = real_find(ready)
        known[:] = [ready, topic, None]
        return topic

    def patiently(self: Cluster, what: str, *more: Any) -> Any:
        if what == "begin transactions":
            known[2] = real_read(known[0], known[1])
        return real_patience(self, what, *more)

    patch.setattr(transactional, "_find_progress_topic", find)
    patch.setattr(transactional, "_read_progress", lambda *_: known[2])
    patch.setattr(Cluster, "patiently", patiently)


def progress_uncommitted(patch: pytest.MonkeyPatch) -> None:
    """progress records of transactions that were aborted count"""
    real = Cluster.read

    def read(self: Cluster, *args: Any, **options: Any) -> Iterator[Any]:
        return real(self, *args, **options | {"isolation": READ_UNCOMMITTED})

    patch.setattr(Cluster, "read", read)


def progress_unread(patch: pytest.MonkeyPatch) -> None:
    """nobody reads Kafka's progress"""
    patch.setattr(transactional, "_read_progress", lambda *_: None)


def file_over_kafka(patch: pytest.MonkeyPatch) -> None:
    """the local file says where to go on, not Kafka"""
    real = progress_record.decide

    def decide(saved: Any, *args: Any, **options: Any) -> Position:
        position = real(saved, *args, **options)
        return position if saved is None else saved.progress.position

    patch.setattr(transactional, "decide", decide)


def no_owner_check(patch: pytest.MonkeyPatch) -> None:
    """an instance that was fenced starts over as if nothing had happened"""
    patch.setattr(transactional, "_check_owner", lambda *_: None)


def commit_not_checked(patch: pytest.MonkeyPatch) -> None:
    """a commit that failed counts as done"""
    real = TransactionalSink.commit

    def commit(self: TransactionalSink, *told: Any) -> None:
        with suppress(Resync):
            real(self, *told)

    patch.setattr(TransactionalSink, "commit", commit)


def save_before_commit(patch: pytest.MonkeyPatch) -> None:
    """the local file is written before the commit"""
    real = ByTransaction._end_transaction

    def end_transaction(self: ByTransaction) -> None:
        self._ready.saving.save(self._flight.progress, JobState.RUNNING)
        real(self)

    patch.setattr(ByTransaction, "_end_transaction", end_transaction)


def progress_in_another_transaction(patch: pytest.MonkeyPatch) -> None:
    """rows and progress record are committed one after the other, not together"""
    real = ByTransaction._end_transaction

    def end_transaction(self: ByTransaction) -> None:
        self._sink.commit()
        self._sink.begin()
        real(self)

    patch.setattr(ByTransaction, "_end_transaction", end_transaction)


def own_transactional_id(patch: pytest.MonkeyPatch) -> None:
    """every instance has a transactional.id of its own"""
    real = transactional._transactional_id
    patch.setattr(transactional, "_transactional_id", lambda ready: f"{real(ready)}.{os.getpid()}")


def save_before_claim(patch: pytest.MonkeyPatch) -> None:
    """the first local file is written before Kafka knows of the replay"""
    real = ByTransaction.claim

    def claim(self: ByTransaction) -> None:
        self._save(JobState.RUNNING)
        real(self)

    patch.setattr(ByTransaction, "claim", claim)


def file_needed(patch: pytest.MonkeyPatch) -> None:
    """Kafka's progress counts only beside a local file"""
    real = progress_record.decide

    def decide(saved: Any, record: Any, *args: Any, **options: Any) -> Position:
        if saved is None and record is not None:
            raise StateConflict("there is no local file", where="", todo="")
        return real(saved, record, *args, **options)

    patch.setattr(transactional, "decide", decide)


def file_not_compared(patch: pytest.MonkeyPatch) -> None:
    """nobody looks whether the local file knows more than Kafka"""
    real = progress_record.decide
    patch.setattr(transactional, "decide", lambda _, *args, **options: real(None, *args, **options))


def fenced_is_the_end(patch: pytest.MonkeyPatch) -> None:
    """a transaction that timed out is told as an instance that took over"""

    def await_owner(*_: Any) -> None:
        raise Locked("another instance took over", where="", todo="")

    patch.setattr(transactional, "_await_owner", await_owner)


def resync_is_the_end(patch: pytest.MonkeyPatch) -> None:
    """a transaction that failed ends the job instead of a producer"""
    real = Session.run

    def run(self: Session) -> None:
        try:
            real(self)
        except Resync as reason:
            if isinstance(self._guarantee, ByTransaction):
                raise ProducerFatal(str(reason)) from None
            raise

    patch.setattr(Session, "run", run)


def transaction_rows_ignored(patch: pytest.MonkeyPatch) -> None:
    """--transaction-rows is ignored"""
    real = ByTransaction.before_chunk
    patch.setattr(ByTransaction, "before_chunk", lambda self, rows, _, wait: real(self, rows, -1_000_000_000, wait))


def transaction_ms_ignored(patch: pytest.MonkeyPatch) -> None:
    """--transaction-ms is ignored"""
    patch.setattr(ByTransaction, "tick", lambda *_: None)


def appended_not_compared(patch: pytest.MonkeyPatch) -> None:
    """nobody looks where appended files begin"""
    patch.setattr(transactional, "check_appended", lambda *_: None)


def fingerprint_not_compared(patch: pytest.MonkeyPatch) -> None:
    """a progress record is taken for this job's, whatever it was made with"""
    for module in (progress_record, by_transaction):
        patch.setattr(module, "fingerprint", lambda _: "")


def first_offsets_forgotten(patch: pytest.MonkeyPatch) -> None:
    """where a replay began is not taken over from Kafka's progress"""
    patch.setattr(transactional, "replace", lambda old, **new: old if "first_offsets" in new else replace(old, **new))


def progress_topic_not_checked(patch: pytest.MonkeyPatch) -> None:
    """any topic will do for progress records"""
    real = transactional._find_progress_topic

    def find(ready: Ready) -> Any:
        return ready.cluster.topic(ready.options.transactions.progress_topic) or real(ready)

    patch.setattr(transactional, "_find_progress_topic", find)


# -- what is told ------------------------------------------------------------------------------------------------


def positions_told_as_rows(patch: pytest.MonkeyPatch) -> None:
    """rows before the position count as in the topic, also those that were never sent"""
    real = counts.row_counts

    def row_counts(progress: Progress, rows: int, pruned_rows: int) -> RowCounts:
        return replace(real(progress, rows, pruned_rows), in_topic=progress.position.row)

    for module in (tally, content):
        patch.setattr(module, "row_counts", row_counts)


def reasons_forgotten(patch: pytest.MonkeyPatch) -> None:
    """a resume does not know why rows before it were left out"""
    for module in (content, progress_record):
        patch.setattr(module, "counts", lambda _: {})


def checkpoint_not_told(patch: pytest.MonkeyPatch) -> None:
    """as long as no broker was reached, nothing is told of what the checkpoint knows"""
    patch.setattr(Tally, "knows", lambda *_, **__: None)


def id_not_proven(patch: pytest.MonkeyPatch) -> None:
    """the id that the registry gives is not looked up again"""
    patch.setattr(lookup, "prove", lambda _, found, __: found)


def registered_unasked(patch: pytest.MonkeyPatch) -> None:
    """a schema that the registry does not have is registered without --schema-register"""
    real = lookup.settle

    def settle(registry: Any, options: Any, *more: Any) -> Any:
        return real(registry, replace(options, register=True), *more)

    patch.setattr(lookup, "settle", settle)


def no_hope_is_waited_for(patch: pytest.MonkeyPatch) -> None:
    """what waiting does not cure counts as an outage of the registry"""
    real = Address.ask

    def ask(self: Address, *more: Any) -> Any:
        answer = real(self, *more)
        return str(answer) if isinstance(answer, UsageError) else answer

    patch.setattr(Address, "ask", ask)


def registry_call_unbounded(patch: pytest.MonkeyPatch) -> None:
    """a question to the registry takes as long as its answer trickles in"""
    patch.setattr(address, "within", lambda _, call, __: call())


# -- a cluster that lets in whom it knows --------------------------------------------------------------------------


def login_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    """a login that is refused in mid-run ends it, also where a new password or token may come"""
    patch.setattr(broker_news, "is_waited_for", lambda *_, **__: False)


def refusal_is_an_outage(patch: pytest.MonkeyPatch) -> None:
    """a login or a right that is refused is waited for, as a broker that is away"""
    for module in (broker_news, deliver):
        patch.setattr(module, "refused", lambda _: None)


def hidden_is_deleted(patch: pytest.MonkeyPatch) -> None:
    """a topic that this client may not see any more is taken for one that was deleted"""
    patch.setattr(Cluster, "_refuse_hidden", lambda *_: None)

    def explaining(attempt: Callable[[], Any], _: Any) -> Any:
        with suppress(RightMissing):
            return described.explaining(attempt, lambda said: RightMissing(said, where="", todo=""))
        return TopicIdentity()

    patch.setattr(cluster, "explaining", explaining)


def rights_not_asked(patch: pytest.MonkeyPatch) -> None:
    """nobody asks the cluster which rights this client still has on a topic"""
    patch.setattr(Demands, "_missing", lambda *_: ())


def secrets_read_once(patch: pytest.MonkeyPatch) -> None:
    """a password is read when the run begins, and never again"""
    once = cache(credentials.secret)
    for module in (credentials, renewal):
        patch.setattr(module, "secret", once)


def tls_files_read_once(patch: pytest.MonkeyPatch) -> None:
    """nobody looks whether the files of certificates are others by now"""
    patch.setattr(connection, "stamp", lambda _: ())
    for module in (connection, deliver):
        patch.setattr(module, "stamp_of_tls", lambda _: ())


def tls_fault_is_the_end(patch: pytest.MonkeyPatch) -> None:
    """a certificate that is wrong in mid-run ends it at once"""
    real = Prospects.give_up

    def give_up(self: Prospects, *args: Any) -> None:
        if (fault := real(self, *args)) is not None:
            raise fault

    patch.setattr(Prospects, "give_up", give_up)


def tls_fault_is_an_outage(patch: pytest.MonkeyPatch) -> None:
    """a certificate that is wrong in mid-run is told as a broker that is away"""
    real = Prospects.give_up

    def give_up(self: Prospects, *args: Any) -> None:
        real(self, *args)

    patch.setattr(Prospects, "give_up", give_up)


def token_never_renewed(patch: pytest.MonkeyPatch) -> None:
    """the first token is used for ever"""
    real = Tokens._good
    patch.setattr(Tokens, "_good", lambda self, until_s: self._token or real(self, until_s))


def token_server_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    """a token server that is away when a token is needed ends the run"""

    def get(options: KafkaOptions, _: Patience) -> None:
        try:
            if (tokens := tokens_of(options)) is not None:
                tokens.get()
        except Away as error:
            raise BrokerUnavailable(str(error), where="", todo="") from None

    patch.setattr(connection, "wait_for_token", get)


def token_refusal_is_the_end(patch: pytest.MonkeyPatch) -> None:
    """a token server that refuses for a moment in mid-run ends it"""
    patch.setattr(Tokens, "had_one", False)


def quota_is_an_outage(patch: pytest.MonkeyPatch) -> None:
    """rows that wait for a quota's sake wait for a broker that is away"""
    real = BrokerNews.on_throttle

    def on_throttle(self: BrokerNews, event: Any) -> None:
        real(self, event)
        self.throttled_until_s = 0.0

    patch.setattr(BrokerNews, "on_throttle", on_throttle)


def quota_not_told(patch: pytest.MonkeyPatch) -> None:
    """a replay is slow for a quota's sake, and nobody hears of it"""
    patch.setattr(BrokerNews, "throttled_s", property(lambda _: 0.0, lambda *_: None))


def _named(*functions: Break) -> Mapping[str, Break]:
    return {function.__name__.replace("_", "-"): function for function in functions}


BREAKS = _named(
    no_tail_read, tail_by_count, headers_not_compared, timeout_is_end, no_settle_wait, sync_not_looked_at,
    silent_replica_ignored, save_before_tail_read, no_start_save, one_start_save, lead_unbounded, no_patience,
    done_is_forgotten,
    verify_is_blind,
    statistics_believed, verify_believes_statistics,
    watermark_not_checked, topic_id_not_checked, deleted_is_a_typing_error, topic_not_watched, job_not_compared,
    damaged_is_new, plain_partitioner, out_of_memory_is_a_bug,
    save_before_ack, ignore_failed_report, gaps_allowed, failures_of_whole_chunks,
    purged_is_delivered, outage_not_told, slow_is_an_outage, outage_is_a_crash, stall_is_a_crash, stop_without_drain,
    retry_on_lost_connection, lost_connection_is_the_end, epoch_bump_ignored, no_deadline, flush_without_limit,
    second_signal_ignored, signals_counted_singly,
    no_lock, no_fsync, no_folder_fsync, not_atomic_save, leftovers_in_the_way, moved_away_first, always_clean,
    save_errors_ignored,
    init_after_read, progress_uncommitted, progress_unread, file_over_kafka, file_needed, file_not_compared,
    no_owner_check, own_transactional_id, fenced_is_the_end, resync_is_the_end, commit_not_checked, save_before_claim,
    save_before_commit, progress_in_another_transaction, transaction_rows_ignored, transaction_ms_ignored,
    appended_not_compared, fingerprint_not_compared, first_offsets_forgotten, progress_topic_not_checked,
    positions_told_as_rows, reasons_forgotten, checkpoint_not_told,
    id_not_proven, registered_unasked, no_hope_is_waited_for, registry_call_unbounded,
    login_not_waited_for, refusal_is_an_outage, hidden_is_deleted, rights_not_asked, secrets_read_once,
    tls_files_read_once, tls_fault_is_the_end, tls_fault_is_an_outage,
    token_never_renewed, token_server_not_waited_for, token_refusal_is_the_end, quota_is_an_outage, quota_not_told,
)  # fmt: skip
"""By name, as REPLAY_TEST_BREAK takes it."""
