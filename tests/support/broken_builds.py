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
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from replay import checkpoint, cluster, idempotent, job, preflight, resume, transactional
from replay.acks import Chunk, Frontier
from replay.checkpoint import CheckpointFile, State
from replay.cluster import Cluster, Patience
from replay.deliver import KafkaSink, TransactionalSink
from replay.errors import CheckpointUnwritable, ExitCode, ProducerFatal, StateConflict, exit_code
from replay.input import files as inputs
from replay.model import Position, Progress, Resync
from replay.outage import Outage
from replay.preflight import Ready
from replay.report import Stop
from replay.resume import behind
from replay.session import Session
from replay.transactional import TransactionalSession

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

    patch.setattr(resume, "same_records", lambda _expected, stretch, *_: stretch)


def timeout_is_end(patch: pytest.MonkeyPatch) -> None:
    """a read of the topic that got nothing in time counts as having reached the end"""
    real = cluster._consume

    def consume(consumer: Any, left: dict[int, int]) -> list[Any]:
        found = real(consumer, left)
        if found is None:
            left.clear()
        return found or []

    patch.setattr(cluster, "_consume", consume)


def no_settle_wait(patch: pytest.MonkeyPatch) -> None:
    """a resume does not wait for what may still surface"""
    patch.setattr(idempotent, "_settled_watermarks", lambda ready, _: ready.cluster.high_watermarks(ready.topic))


def no_start_save(patch: pytest.MonkeyPatch) -> None:
    """no checkpoint is saved before the first row is sent"""
    patch.setattr(idempotent, "_save_start", lambda *_: None)


def one_start_save(patch: pytest.MonkeyPatch) -> None:
    """the start is saved once: the generation kept behind it may say "clean" """
    patch.setattr(idempotent, "_save_start", lambda ready, progress: ready.save(progress, State.RUNNING))


def lead_unbounded(patch: pytest.MonkeyPatch) -> None:
    """rows go further beyond the checkpoint than a resume would look"""
    patch.setattr(Session, "_before_chunk", lambda *_: None)


def no_patience(patch: pytest.MonkeyPatch) -> None:
    """a read of the cluster gives up on the first error"""
    real = Patience.__init__

    def init(self: Patience, clock: Any, timeout_s: float, *more: Any) -> None:  # noqa: ARG001
        real(self, clock, 0.0, *more)

    patch.setattr(Patience, "__init__", init)


# -- what must be refused ----------------------------------------------------------------------------------------


def watermark_not_checked(patch: pytest.MonkeyPatch) -> None:
    """nobody looks whether acknowledged rows are still in the topic"""
    for module in (idempotent, job):
        patch.setattr(module, "check_watermarks", lambda *_: None)


def topic_id_not_checked(patch: pytest.MonkeyPatch) -> None:
    """a topic is known by its name alone"""
    real = preflight.job_print
    patch.setattr(job, "job_print", lambda *args: replace(real(*args), topic_id=""))


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
    patch.setattr(cluster, "murmur2", lambda key, partitions: zlib.crc32(key) % partitions)


def out_of_memory_is_a_bug(patch: pytest.MonkeyPatch) -> None:
    """too little memory is told as a damaged file, or as a bug in replay"""
    patch.setattr(inputs, "_is_absurd", lambda _: True)
    patch.setattr("replay.cli.as_told", lambda error: error)
    patch.setattr(
        "replay.cli.exit_code", lambda error: ExitCode.BUG if isinstance(error, MemoryError) else exit_code(error)
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


def retry_on_lost_connection(patch: pytest.MonkeyPatch) -> None:
    """when a connection breaks, the retry is left to librdkafka"""
    real = KafkaSink.__init__

    def init(self: KafkaSink, *args: Any) -> None:
        real(self, *args)
        self._retries_unsafe = False

    patch.setattr(KafkaSink, "__init__", init)


def lost_connection_is_the_end(patch: pytest.MonkeyPatch) -> None:
    """a lost connection ends the job instead of a producer"""
    real = KafkaSink.poll

    def poll(self: KafkaSink, seconds: float = 0.0) -> None:
        try:
            real(self, seconds)
        except Resync as reason:
            raise ProducerFatal(str(reason)) from None

    patch.setattr(KafkaSink, "poll", poll)


def epoch_bump_ignored(patch: pytest.MonkeyPatch) -> None:
    """nobody looks whether the producer's epoch changed inside a run"""
    patch.setattr(KafkaSink, "_epoch_changes", lambda _: False)


def no_deadline(patch: pytest.MonkeyPatch) -> None:
    """an outage is waited for without end"""
    patch.setattr(Outage, "left_s", lambda self, _: self.timeout_s)


def flush_without_limit(patch: pytest.MonkeyPatch) -> None:
    """a producer is let go by flushing it, however long that takes"""
    patch.setattr(KafkaSink, "close", lambda self: self._producer.flush())


def second_signal_ignored(patch: pytest.MonkeyPatch) -> None:
    """pressing Ctrl-C twice is no more than once"""
    patch.setattr(Stop, "impatient", lambda _: False)


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
                os.write(descriptor, checkpoint.dumps(saved))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._unwritable("progress cannot be saved", error) from None

    patch.setattr(CheckpointFile, "save", save)


def always_clean(patch: pytest.MonkeyPatch) -> None:
    """a running replay's checkpoint says "clean": nothing of ours is behind it"""
    real = Ready.save

    def save(self: Ready, progress: Progress, state: State) -> None:
        real(self, progress, State.CLEAN if state is State.RUNNING else state)

    patch.setattr(Ready, "save", save)


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

    def read(self: Cluster, *args: Any, **_: Any) -> Iterator[Any]:
        return real(self, *args)

    patch.setattr(Cluster, "read", read)


def file_over_kafka(patch: pytest.MonkeyPatch) -> None:
    """the local file says where to go on, not Kafka"""
    real = transactional.decide

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

    def commit(self: TransactionalSink) -> None:
        with suppress(Resync):
            real(self)

    patch.setattr(TransactionalSink, "commit", commit)


def save_before_commit(patch: pytest.MonkeyPatch) -> None:
    """the local file is written before the commit"""
    real = TransactionalSession._end_transaction

    def end_transaction(self: TransactionalSession) -> None:
        self._save(Progress(self._frontier.position, self._frontier.marks), State.RUNNING)
        real(self)

    patch.setattr(TransactionalSession, "_end_transaction", end_transaction)


def progress_in_another_transaction(patch: pytest.MonkeyPatch) -> None:
    """rows and progress record are committed one after the other, not together"""

    def end_transaction(self: TransactionalSession) -> None:
        progress = Progress(self._frontier.position, self._frontier.marks)
        self._transactions.commit()
        self._transactions.begin()
        self._send_progress(progress.position)
        self._transactions.commit()
        self._committed, self._opened_s = progress, None

    patch.setattr(TransactionalSession, "_end_transaction", end_transaction)


def _named(*functions: Break) -> Mapping[str, Break]:
    return {function.__name__.replace("_", "-"): function for function in functions}


BREAKS = _named(
    no_tail_read, tail_by_count, timeout_is_end, no_settle_wait, no_start_save, one_start_save, lead_unbounded,
    no_patience, watermark_not_checked, topic_id_not_checked, job_not_compared, damaged_is_new, plain_partitioner,
    out_of_memory_is_a_bug,
    save_before_ack, ignore_failed_report, retry_on_lost_connection, lost_connection_is_the_end,
    epoch_bump_ignored, no_deadline, flush_without_limit, second_signal_ignored, no_lock, no_fsync, no_folder_fsync,
    not_atomic_save, always_clean, save_errors_ignored, init_after_read, progress_uncommitted, file_over_kafka,
    no_owner_check, commit_not_checked, save_before_commit, progress_in_another_transaction,
)  # fmt: skip
"""By name, as REPLAY_TEST_BREAK takes it."""
