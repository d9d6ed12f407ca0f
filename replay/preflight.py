"""Before the first row: the topic, what the job is made of, every row looked at, and warnings about the topic.

Nothing here sends or saves anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from replay.checkpoint import Checkpoint, CheckpointFile, JobPrint, State, this_instance
from replay.cluster import Cluster, Topic
from replay.config import ENCODER_VERSION, PARTITIONER, Delivery, Order, RunOptions
from replay.encode import Encoder, refuse_large
from replay.errors import StateConflict, UsageError
from replay.model import Batch, Clock, Position, Progress, SymbolTable
from replay.report import Reporter, Snapshot, Stop
from replay.session import SLEEP_MAX_S, lead_rows_max
from replay.source import Source

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
        cluster.create_topic(kafka.topic, kafka.create_topic, kafka.topic_config)
        context.report.info(f"created topic {kafka.topic} with {dict(kafka.topic_config)}")
        topic = cluster.topic()
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
    options, columns = context.options, context.options.columns
    return JobPrint(
        cluster_id=topic.cluster_id,
        topic=topic.name,
        topic_id=topic.topic_id,
        partitions=topic.partitions,
        partitioner=PARTITIONER,
        encoder=ENCODER_VERSION,
        options={
            "--delivery": str(options.delivery),
            "--order": str(options.order),
            "--map": f"symbol={columns.symbol},price={columns.price},event_time={columns.event_time}",
            "--fields": ",".join(columns.fields),
            "--symbol": columns.constant_symbol or "",
        },
        inputs=tuple(file.print for file in context.source.files),
    )


def check_appended(context: Context, known: int, position: Position) -> None:
    """Raises `StateConflict` if one of the files behind the `known` ones begins before the position."""
    if context.options.order is not Order.EVENT_TIME or known == len(context.source.files):
        return
    last_ns = context.source.last_event_ns(position)
    for file in context.source.files[known:]:
        if file.rows and last_ns is not None and context.source.event_ns(file, 0) < last_ns:
            raise StateConflict(
                f"the added file begins before rows that were or may have been sent (before row {position.row:,})",
                where=file.path,
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
    return replace(
        saved,
        job=replace(saved.job, inputs=job.inputs),
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


def check_new(ready: Ready) -> None:
    """Whatever can be found out before a new replay sends its first row."""
    if ready.options.restart:
        ready.report.warning(
            f"--restart: rows that an earlier run left in topic {ready.topic.name} stay there, and all"
            f" {ready.source.rows:,} rows are sent (again)"
        )
    _warn_about_topic(ready)
    if ready.options.check:
        _check_rows(ready)


def _check_rows(ready: Ready) -> None:
    source, bytes_max = ready.source, ready.options.kafka.record_bytes_max
    for batch in source.checked():
        if _may_be_large(batch, source.symbols, bytes_max):
            refuse_large(ready.encoder.encode(batch), bytes_max, partial(source.where, batch))
        ready.stop.check()
        ready.report.phase("checking", batch.start.row + len(batch), source.rows)


def _may_be_large(batch: Batch, symbols: SymbolTable, bytes_max: int) -> bool:
    """Whether a record of this batch could be too large, by the longest text of each column: no need to encode it."""
    texts = [column for column in batch.table.columns if pa.types.is_string(column.type)]
    longest = [pc.max(pc.binary_length(column)).as_py() or 0 for column in texts]
    symbol = max((len(name) for name in symbols.names), default=0) * _UTF8_BYTES_MAX
    return symbol + _ESCAPED_MAX * (symbol + sum(longest)) + _OTHER_BYTES * len(batch.table.columns) > bytes_max


def _warn_about_topic(ready: Ready) -> None:
    topic, config, first_ns = ready.topic, ready.topic.config, ready.source.first_event_ns
    retention_ms = int(config.get("retention.ms", -1))
    by_delete = "delete" in config.get("cleanup.policy", "delete")
    if by_delete and retention_ms >= 0 and first_ns is not None:
        age_ms = ready.clock.now() * 1_000 - first_ns / 1e6
        if age_ms > retention_ms:
            ready.report.warning(
                f"topic {topic.name} keeps records for {retention_ms / 86_400_000:g} days by event time, and the first"
                f" trade is {age_ms / 86_400_000:,.0f} days old: Kafka will delete it within minutes;"
                " set the topic's retention.ms=-1"
            )
    if "compact" in config.get("cleanup.policy", ""):
        ready.report.warning(f"topic {topic.name} is compacted: only the last trade of each symbol will be kept")
    if config.get("message.timestamp.type") == "LogAppendTime":
        ready.report.warning(f"topic {topic.name} replaces event times by the broker's time (LogAppendTime)")
