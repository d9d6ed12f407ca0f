"""Before the first row: the topic, what the job is made of, every row looked at, and warnings about the topic.

Nothing here sends or saves anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from replay.checkpoint import Checkpoint, CheckpointFile, JobPrint, State, this_instance
from replay.cluster import Cluster, Topic
from replay.config import ENCODER_VERSION, Delivery, OnBadRow, Order, RunOptions
from replay.encode import Encoder, refuse_records
from replay.errors import StateConflict, UsageError
from replay.input import quarantine
from replay.input.reader import BadRows
from replay.input.source import Source
from replay.input.trust import NOT_USED, look_at_left_out
from replay.model import PARTITION, Batch, Clock, Fate, Position, Progress, SpanNs, SymbolTable
from replay.report import Reporter, Snapshot, Stop, count_fates, reasons
from replay.session import SLEEP_MAX_S, lead_rows_max, refuse_bad_rows
from replay.topic_check import check_topic, limits_times, topic_warnings
from replay.topic_watch import TopicWatch

_UTF8_BYTES_MAX = 4  # of one character
_ESCAPED_MAX = 6  # bytes of JSON for one byte of text: \u0000
_OTHER_BYTES = 200  # name and value of a column that is no text


@dataclass(frozen=True, slots=True)
class Context:
    """What a replay works with from beginning to end."""

    options: RunOptions
    source: Source
    file: CheckpointFile
    cluster: Cluster
    stop: Stop
    report: Reporter
    clock: Clock
    shown: Snapshot


@dataclass(frozen=True, slots=True)
class Ready(Context):
    """The same once the topic is known."""

    topic: Topic
    job: JobPrint
    encoder: Encoder
    first_offsets: tuple[int, ...]
    watch: TopicWatch

    def save(self, progress: Progress, state: State) -> None:
        self.file.save(
            Checkpoint(
                job=self.job,
                progress=progress,
                first_offsets=self.first_offsets,
                state=state,
                lead_rows_max=lead_rows_max(self.options.kafka.in_flight_rows_max),
                interval_s=self.options.checkpoint_interval_s,
                saved_at_s=self.clock.now(),
                instance=this_instance(),
                pruned_rows=self.source.rows_all - self.source.rows,
            )
        )

    def sleep(self, seconds: float) -> None:
        """Wait, unless a signal asks for the end."""
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            self.stop.check()
            self.clock.sleep(min(left, SLEEP_MAX_S))


def find_topic(context: Context, saved: Checkpoint | None) -> Topic:
    """The topic to produce to; created where that was asked for and nothing was ever sent to it."""
    kafka, cluster = context.options.kafka, context.cluster
    topic = cluster.topic()
    if topic is None and kafka.create_topic is not None and saved is None:
        topic = cluster.create_topic(kafka.topic, kafka.create_topic, kafka.topic_config)
        context.report.info(f"created topic {kafka.topic} with {dict(kafka.topic_config)}")
    if topic is None and saved is not None:
        raise StateConflict(
            f"topic {kafka.topic} was deleted: the rows that this checkpoint has sent are gone with it",
            where=str(context.file.path),
            todo="restore the topic; or start over on purpose with --restart (and --create-topic)",
        )
    if topic is None:
        raise UsageError(
            f"there is no topic {kafka.topic} at {kafka.bootstrap_servers}",
            where="--topic",
            todo="check the name, or let replay create it with --create-topic PARTITIONS[:REPLICATION]",
        )
    if kafka.create_topic is not None and kafka.create_topic.partitions != topic.partitions:
        context.report.warning(f"topic {topic.name} exists with {topic.partitions} partitions; --create-topic is moot")
    return topic


def job_print(context: Context, topic: Topic) -> JobPrint:
    """What a checkpoint of this job belongs to."""
    options = context.options
    return JobPrint(
        cluster_id=topic.cluster_id,
        topic=topic.name,
        topic_id=topic.topic_id,
        partitions=topic.partitions,
        partitioner=options.source.records.partitioner,
        encoder=ENCODER_VERSION,
        options={"--delivery": str(options.delivery), **context.source.identity()},
        inputs=tuple(file.print for file in context.source.files),
    )


def check_left_out(options: RunOptions, source: Source, saved: Checkpoint | None, stop: Stop, report: Reporter) -> None:
    """Raises `StatisticsWrong` if what statistics rule out is part of a new replay, or of files added to one; of these
    the rows that are read are looked at, too."""
    if saved is not None and not options.allow_appended:
        return
    known = saved.job.inputs if saved is not None else ()
    if not options.source.trust_statistics:
        look_at_left_out(source, stop.check, report, {each.footer_sha256 for each in known})
    if saved is not None and options.check:
        for batch in source.checked(first=len(known)):
            stop.check()
            report.phase("checking what was added", batch.start.row + len(batch), source.rows)


def check_appended(context: Context, known: int, position: Position) -> None:
    """Raises `StateConflict` if one of the files behind the `known` ones begins before the position."""
    if context.options.source.order is not Order.EVENT_TIME or known == len(context.source.files):
        return
    last_ns = context.source.last_event_ns(position)
    for index in range(known, len(context.source.files)):
        file = context.source.files[index]
        if file.rows and last_ns is not None and context.source.event_ns(index, 0) < last_ns:
            raise StateConflict(
                f"the added file begins before rows that were or may have been sent (before row {position.row:,})",
                where=file.shown,
                todo="take it out and run once more: it resumes and ends; then replay it as a job of its own",
            )


def accept_appended(context: Context, saved: Checkpoint, job: JobPrint) -> Checkpoint:
    """`--allow-appended`: the checkpoint as if the files that were added behind all others had been there all along."""
    known = len(saved.job.inputs)
    added = context.source.files[known:]
    if not context.options.allow_appended or not added or saved.job.inputs != job.inputs[:known]:
        return saved
    position = saved.progress.position
    check_appended(context, known, position if _is_exact(context, saved) else _end_of(context, known))
    context.report.info(f"--allow-appended: {len(added)} file(s) were added since the last run")
    extended = replace(position, cursors=position.cursors + (0,) * len(added))
    state = State.CLEAN if saved.state is State.DONE else saved.state
    decided = {**saved.job.options, NOT_USED: job.options.get(NOT_USED, "")}  # of the added files, too
    return replace(
        saved,
        job=replace(saved.job, inputs=job.inputs, options=decided),
        progress=replace(saved.progress, position=extended),
        state=state,
    )


def _is_exact(context: Context, saved: Checkpoint) -> bool:
    """Whether nothing behind the position is in the topic, or somebody else will say (Kafka's progress record)."""
    return saved.state is not State.RUNNING or context.options.delivery is Delivery.TRANSACTIONAL


def _end_of(context: Context, known: int) -> Position:
    """The end of the first files: behind an unclean checkpoint, rows may be in the topic in the order of those."""
    cursors = tuple(file.rows if number < known else 0 for number, file in enumerate(context.source.files))
    return Position(sum(cursors), cursors)


def check_before(ready: Ready, saved: Checkpoint | None) -> None:
    """Whatever can be found out before the first row is sent: all of it for a new replay; for one that goes on, only
    what somebody asked for meanwhile."""
    if saved is None:
        _check_new(ready)
    elif ready.options.source.on_bad_row is OnBadRow.QUARANTINE and not quarantine.is_of(
        quarantine.place_beside(ready.options.checkpoint), ready.source.label
    ):
        _check_rows(ready)


def _check_new(ready: Ready) -> None:
    if ready.options.restart:
        ready.report.warning(
            f"--restart: rows that an earlier run left in topic {ready.topic.name} stay there, and all"
            f" {ready.source.rows:,} rows are sent (again)"
        )
    span_ns = ready.source.event_span_ns if ready.options.source.records.has_event_times else None
    now_s = ready.clock.now()
    check_topic(ready.topic, span_ns if ready.source.sends_all else None, now_s)
    for warning in topic_warnings(ready.topic, span_ns, now_s, ready.options.kafka.batch_bytes):
        ready.report.warning(warning)
    if ready.options.check:
        _check_rows(ready)


def _check_rows(ready: Ready) -> None:
    """Every row once. Bad ones are counted, and put aside where that was asked for."""
    aside = None
    if ready.options.source.on_bad_row is OnBadRow.QUARANTINE:
        place = quarantine.place_beside(ready.options.checkpoint)
        aside = quarantine.Quarantine(place, ready.source.files, ready.source.label)
    try:
        bad = _look_at_rows(ready, aside.add if aside is not None else None)
        refuse_bad_rows(ready.options.source, bad, ready.source.rows)
        if aside is not None:
            aside.finish()
    finally:
        if aside is not None:
            aside.discard()
    for index, (rows, first) in ready.source.unsorted.items():
        ready.report.warning(
            f"{ready.source.files[index].shown}: {rows:,} rows go back in time, the first is row {first:,}"
            f" (the first is 0); --unsorted {ready.options.source.unsorted}"
        )
    if bad:
        where = f"; see {place}" if aside is not None else ""
        ready.report.warning(f"{sum(bad.values()):,} bad rows are left out: {reasons(bad)}{where}")


def _look_at_rows(ready: Ready, on_bad: Callable[[BadRows], None] | None) -> Counter[Fate]:
    source, bytes_max = ready.source, ready.options.kafka.record_bytes_max
    told = Counter[Fate]()
    look_at_times = ready.options.source.records.has_event_times and limits_times(ready.topic)
    now_s = ready.clock.now()
    for batch in source.checked(on_bad):
        if look_at_times:
            check_topic(ready.topic, _sent_span_ns(source, batch), now_s)
        if _may_be_refused(batch, source.symbols, bytes_max):
            refuse_records(ready.encoder.encode(batch), bytes_max, ready.topic.partitions, partial(source.where, batch))
        if batch.fates is not None:
            told.update({fate: rows for fate, rows in count_fates(batch.fates).items() if fate.is_bad})
        ready.stop.check()
        ready.report.phase("checking", batch.start.row + len(batch), source.rows)
    return told


def _sent_span_ns(source: Source, batch: Batch) -> SpanNs:
    times_ns = source.times_ns(batch)
    if batch.fates is not None:
        times_ns = times_ns[batch.fates == Fate.SENT]
    return (int(times_ns.min()), int(times_ns.max())) if len(times_ns) else None


def _may_be_refused(batch: Batch, symbols: SymbolTable, bytes_max: int) -> bool:
    return PARTITION in batch.table.schema.names or _may_be_large(batch, symbols, bytes_max)


def _may_be_large(batch: Batch, symbols: SymbolTable, bytes_max: int) -> bool:
    """Whether a record of this batch could be too large, by the longest text of each column: no need to encode it."""
    longest = [_longest(column) for column in batch.table.columns]
    symbol = max((len(name) for name in symbols.names), default=0) * _UTF8_BYTES_MAX
    return symbol + _ESCAPED_MAX * (symbol + sum(longest)) + _OTHER_BYTES * len(batch.table.columns) > bytes_max


def _longest(column: pa.Array) -> int:
    """Bytes of the longest value, or more; 0 for what is never long."""
    if pa.types.is_string(column.type):
        return pc.max(pc.binary_length(column)).as_py() or 0
    return 0 if pa.types.is_primitive(column.type) else int(column.nbytes)
