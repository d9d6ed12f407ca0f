"""Transactional delivery: rows and the progress record that counts them are committed together.

Kafka says where to go on, the local file is a cache of it. `init_transactions()` comes before progress is read: it
fences every older instance of the job and ends what that left open, so that what is read is final.
Any outcome that is not proven success ends the producer: abort if possible, start over from `init_transactions()`.
"""

from __future__ import annotations

import uuid
from collections.abc import Container
from contextlib import closing
from dataclasses import replace

from replay.checkpoint.content import Checkpoint
from replay.checkpoint.file import this_instance
from replay.checkpoint.progress import fresh_start
from replay.delivery.by_transaction import ByTransaction
from replay.delivery.changed import check_appended
from replay.delivery.context import Ready
from replay.delivery.flight import Flight
from replay.delivery.options import WhenChanged
from replay.delivery.progress_record import ProgressRecord, decide, loads
from replay.delivery.progress_topic import PROGRESS_CONFIG, check_progress_topic, progress_spec
from replay.delivery.session import Session
from replay.delivery.snapshot import STARTING_OVER
from replay.delivery.transaction_states import TransactionSteps
from replay.errors import Locked, ProducerFatal, RightMissing
from replay.kafka.access import Resource
from replay.kafka.outage import Standstill
from replay.kafka.producer import TransactionalSink
from replay.kafka.reader import READ_COMMITTED
from replay.kafka.topic import Topic
from replay.model import Fenced, Position, Resync

BACKOFF_S = (0.5, 1.0, 2.0, 4.0, 5.0)
"""Before each new producer that got no further than the one before: the coordinator may be moving."""

CLAIM_S = 5.0  # from fencing another instance to the claim it takes a look at the progress topic and a commit
CLAIM_LOOK_S = 0.2


def deliver(ready: Ready, saved: Checkpoint | None) -> None:
    """Send what is missing; Kafka's progress record and the checkpoint say done when it returns."""
    progress_topic = _find_progress_topic(ready)
    me = f"{this_instance()}:{uuid.uuid4().hex[:8]}"
    known = {me}  # instances that are no news: this one, and the one before it
    transactions = TransactionSteps()
    standstill = Standstill(ready.options.kafka.broker_timeout_s, ready.clock.monotonic())
    tries = 0
    while True:
        try:
            ready.cluster.log_in()
            with closing(TransactionalSink(ready.options.kafka, _transactional_id(ready))) as sink:
                ready.cluster.patiently("begin transactions", sink.init, sink.news, sink.made_with)
                ready.watch.confirm()
                if progress_topic.topic_id:  # the embedded broker's has none
                    ready.cluster.identity(progress_topic.name)
                record = _read_progress(ready, progress_topic)
                if transactions.has_claimed:
                    _check_owner(record, known, progress_topic)
                elif record is not None:
                    known.add(record.instance)
                position, first_offsets = _begin(ready, saved, record, progress_topic, transactions)
                ready = replace(ready, saving=replace(ready.saving, first_offsets=first_offsets))
                start = fresh_start(position, ready.cluster.high_watermarks(ready.topic))
                flight = Flight(start, ready.options.kafka.in_flight_rows_max, ready.options.kafka.in_flight_bytes_max)
                by_transaction = ByTransaction(ready, sink, flight, transactions, progress_topic.name, me)
                session = Session(ready, sink, flight, by_transaction, ready.options.transactions.rows_max)
                ready.tally.begins(start)
                by_transaction.claim()
                session.run()
                return
        except Resync as reason:
            transactions.lost(fenced=isinstance(reason, Fenced))
            now_s, servers = ready.clock.monotonic(), ready.options.kafka.bootstrap_servers
            if standstill.check(now_s, ready.tally.done_rows, "no transaction could be committed", reason, servers):
                tries = 0
            ready.report.warning(f"{reason}: {STARTING_OVER}")
            ready.report.phase(STARTING_OVER, ready.tally.committed_row or ready.tally.done_rows, ready.source.rows)
            if isinstance(reason, Fenced):
                _await_owner(ready, progress_topic, known)
            ready.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])
            tries += 1
        except (ProducerFatal, RightMissing):
            ready.watch.confirm()  # a topic that is gone refuses records, too
            raise


def _begin(
    ready: Ready, saved: Checkpoint | None, record: ProgressRecord | None, topic: Topic, transactions: TransactionSteps
) -> tuple[Position, tuple[int, ...]]:
    """The next row, and where the replay began in each partition: as Kafka says, unless it is to start over on purpose,
    which counts until that is claimed."""
    first_offsets = ready.saving.first_offsets
    if ready.options.restart and not transactions.has_claimed:
        return ready.source.start, first_offsets
    where = f"{topic.name}, key {ready.options.transactions.job}"
    may_grow = ready.options.when_changed is WhenChanged.APPEND
    position = decide(saved, record, ready.saving.job, ready.source.start, where, allow_appended=may_grow)
    if record is not None and position.row:
        check_appended(ready, range(len(record.cursors), len(ready.saving.job.inputs)), position)
        first_offsets = record.first_offsets
    return position, first_offsets


def _transactional_id(ready: Ready) -> str:
    return ready.options.transactions.id_for(ready.topic.name)


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
    """Made where it is missing."""
    name, cluster = ready.options.transactions.progress_topic, ready.cluster
    topic = cluster.topic(name, Resource.PROGRESS_TOPIC)
    if topic is None:
        topic = cluster.create_topic(name, progress_spec(ready.topic), PROGRESS_CONFIG)
        ready.report.info(f"created progress topic {name} with {PROGRESS_CONFIG}")
    return check_progress_topic(topic)


def _read_progress(ready: Ready, topic: Topic) -> ProgressRecord | None:
    """The job's newest committed record. Reads to the end as `read_uncommitted` sees it: a record of a transaction
    whose commit is still being written must not be missed."""
    key = ready.options.transactions.job.encode()
    newest: bytes | None = None
    for records in ready.cluster.read(topic, *ready.cluster.watermarks(topic), isolation=READ_COMMITTED):
        for run in records:
            for its_key, value in zip(run.keys, run.values, strict=True):
                if its_key == key:
                    newest = value
    return None if newest is None else loads(newest, f"{topic.name}, key {key.decode()}")
