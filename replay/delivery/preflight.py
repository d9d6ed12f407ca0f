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

from replay.checkpoint.content import Checkpoint, JobPrint, JobState
from replay.checkpoint.file import CheckpointFile, this_instance
from replay.counts import RowCounts
from replay.delivery import emptiness, seen
from replay.delivery.options import RunOptions, WhenChanged
from replay.delivery.session import SLEEP_MAX_S, lead_rows_max, refuse_bad_rows
from replay.delivery.snapshot import Display
from replay.delivery.tally import Tally
from replay.errors import StateConflict, UsageError
from replay.kafka.cluster import Cluster
from replay.kafka.topic import Topic
from replay.kafka.topic_check import check_topic, limits_times, topic_warnings
from replay.kafka.topic_watch import TopicWatch
from replay.model import PARTITION, Batch, Clock, Fate, Position, Progress, SpanNs, SymbolTable, count_fates, reasons
from replay.position import InputPrint
from replay.record.encoder import Encoder, refuse_records
from replay.record.options import ENCODER_VERSION
from replay.signals import Stop
from replay.source.options import OnBadRow
from replay.source.rows import quarantine
from replay.source.rows.reader import BadRows
from replay.source.ruled_out import look_at_ruled_out
from replay.source.source import Source

_UTF8_BYTES_MAX = 4  # of one character
_ESCAPED_MAX = 6  # bytes of JSON for one byte of text: \u0000
_OTHER_BYTES = 200  # name and value of a column that is no text


PLANNED = "to be created"
"""Instead of a cluster's id, in a topic that is not there yet."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a replay works with from beginning to end."""

    options: RunOptions
    source: Source
    file: CheckpointFile
    cluster: Cluster
    stop: Stop
    report: Display
    clock: Clock
    tally: Tally


@dataclass(frozen=True, slots=True)
class Ready(Context):
    """The same once the topic is known."""

    topic: Topic
    job: JobPrint
    encoder: Encoder
    first_offsets: tuple[int, ...]
    watch: TopicWatch
    appended: bool = False  # to a replay that was done
    planned: bool = False  # the topic is still to be created
    checked: bool = True  # every row was, or will have been, looked at before the first one is sent

    def save(self, progress: Progress, state: JobState) -> None:
        if state is JobState.DONE and not self._is_as_meant(progress):
            state = JobState.EMPTY
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
                appended=self.appended,
                checked=self.checked,
            )
        )

    def _is_as_meant(self, progress: Progress) -> bool:
        """Before a replay is done whose rows nobody looked at beforehand: whether there was something to send. Raises
        `NothingSelected`."""
        if progress.position.row == progress.position.left_out:
            emptiness.check_nothing(self.source)
            return False
        selection = self.options.source.selection
        if not self.checked and selection is not None and selection.symbols:
            emptiness.check_by_reading(self.source)
        return True

    def sleep(self, seconds: float) -> None:
        """Wait, unless a signal asks for the end."""
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            self.stop.check()
            self.clock.sleep(min(left, SLEEP_MAX_S))


def find_topic(context: Context, saved: Checkpoint | None) -> Topic:
    """The topic to produce to, as it is; or as it is going to be, without an id, where it is to be created: that was
    asked for, and nothing was ever sent to it."""
    kafka, cluster = context.options.kafka, context.cluster
    topic = cluster.topic()
    if topic is None and kafka.create_topic is not None and saved is None:
        spec = kafka.create_topic
        return Topic(PLANNED, kafka.topic, "", spec.partitions, spec.replication or 1, config=dict(kafka.topic_config))
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


def create_topic(context: Context) -> Topic:
    kafka = context.options.kafka
    assert kafka.create_topic is not None
    topic = context.cluster.create_topic(kafka.topic, kafka.create_topic, kafka.topic_config)
    context.report.info(f"created topic {kafka.topic} with {dict(kafka.topic_config)}")
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
        options=_options_print(options, context.source),
        inputs=_inputs_print(context.source),
    )


def check_left_out(options: RunOptions, source: Source, saved: Checkpoint | None, stop: Stop, report: Display) -> None:
    """Raises `StatisticsWrong` if what statistics rule out is part of a new replay, or belongs to one that is done; of
    files added to one the rows that are read are looked at, too."""
    may_grow = saved is not None and options.when_changed is not WhenChanged.FAIL
    if not options.source.trust_statistics and (saved is None or saved.state is JobState.DONE or may_grow):
        not_included = source.rows_all - source.rows
        look_at_ruled_out(source.ruled_out, not_included, stop.check, report, _looked_at(options, source, saved))
    if saved is not None and may_grow and options.check:
        known = saved.job.inputs
        added = (index for index, file in enumerate(source.files) if file.print not in known)
        for batch in source.checked(first=next(added, len(source.files))):
            stop.check()
            report.phase("checking what was added", batch.start.row + len(batch), source.rows)


def _looked_at(options: RunOptions, source: Source, saved: Checkpoint | None) -> set[str]:
    """Footers of files that need no look: those of the replay itself, and those that were there when it was done."""
    if saved is None:
        return set()
    noted = seen.load(options.checkpoint, saved)
    before = {(each.path, each.size_bytes, each.mtime_ns) for each in noted.files} if noted is not None else set()
    found = {each.footer_sha256 for each in saved.job.inputs}
    for file in source.ruled_out.files:
        now = seen.described(file.shown, file.size_bytes, is_local=not file.path.is_remote)
        if (now.path, now.size_bytes, now.mtime_ns) in before:
            found.add(file.footer_sha256)
    return found


def _options_print(options: RunOptions, source: Source) -> dict[str, str]:
    return {"--delivery": str(options.delivery), **source.identity()}


def _inputs_print(source: Source) -> tuple[InputPrint, ...]:
    return tuple(file.print for file in source.files)


def as_now(options: RunOptions, source: Source, saved: Checkpoint) -> JobPrint:
    """What the checkpoint would belong to, as far as that is known before a broker is asked."""
    return replace(
        saved.job,
        topic=options.kafka.topic,
        partitioner=options.source.records.partitioner,
        encoder=ENCODER_VERSION,
        options=_options_print(options, source),
        inputs=_inputs_print(source),
    )


def is_forgotten(options: RunOptions, source: Source, saved: Checkpoint) -> bool:
    """Whether nothing of the checkpoint counts: nothing was sent, and it came to its end like that (so that it is
    looked at again), or options or inputs are others now (a name of a symbol was mended, say)."""
    if not saved.holds_nothing:
        return False
    is_same = (saved.job.options, saved.job.inputs) == (_options_print(options, source), _inputs_print(source))
    return saved.state is not JobState.CLEAN or not is_same


def check_before(ready: Ready, saved: Checkpoint | None) -> bool:
    """Whatever can be found out before the first row is sent: all of it for a new replay; for one that goes on, only
    what somebody asked for meanwhile. False: there is nothing to send."""
    if saved is None:
        return _check_new(ready)
    if ready.options.source.on_bad_row is OnBadRow.QUARANTINE and not quarantine.is_of(
        quarantine.place_beside(ready.options.checkpoint), ready.source.label
    ):
        _check_rows(ready)
    return True


def save_empty(context: Context) -> None:
    """Remember that there was no row to send: the next run looks again."""
    options = context.options
    context.file.save(
        Checkpoint(
            job=JobPrint(
                "", options.kafka.topic, "", 0, options.source.records.partitioner, ENCODER_VERSION,
                _options_print(options, context.source), (),
            ),
            progress=Progress(Position(0, ()), ()),
            first_offsets=(),
            state=JobState.EMPTY,
            lead_rows_max=0,
            interval_s=options.checkpoint_interval_s,
            saved_at_s=context.clock.now(),
            instance=this_instance(),
            pruned_rows=context.source.rows_all,
        )
    )  # fmt: skip
    context.tally.nothing_selected = True
    context.tally.counts = RowCounts(context.source.rows_all, not_selected=context.source.rows_all)
    context.report.progress(context.tally.view())
    picked = options.source.selection.told_by_date if options.source.selection is not None else ""
    context.report.info(
        f"nothing to send: no row is selected{', by ' if picked else ''}{picked}; the next run looks again"
    )


def _check_new(ready: Ready) -> bool:
    if ready.options.restart:
        ready.report.warning(
            f"--restart: rows that an earlier run left in topic {ready.topic.name} stay there, and all"
            f" {ready.source.rows:,} rows are sent (again)"
        )
    if not ready.planned:
        look_at_topic(ready)
    return _check_rows(ready) if ready.options.check else emptiness.check_by_footers(ready.source)


def look_at_topic(ready: Ready) -> None:
    """What the topic would do to the rows, as far as statistics tell of them."""
    span_ns = ready.source.event_span_ns if ready.options.source.records.has_event_times else None
    now_s = ready.clock.now()
    check_topic(ready.topic, span_ns if ready.source.sends_all else None, now_s)
    for warning in topic_warnings(ready.topic, span_ns, now_s, ready.options.kafka.batch_bytes):
        ready.report.warning(warning)


def look_at_new_topic(ready: Ready) -> None:
    """The same for a topic that was not there when the rows were looked at; the cluster may have limits of its own."""
    if ready.options.check and ready.options.source.records.has_event_times and limits_times(ready.topic):
        for batch in ready.source.checked():
            check_topic(ready.topic, _sent_span_ns(ready.source, batch), ready.clock.now())
    look_at_topic(ready)


def _check_rows(ready: Ready) -> bool:
    """Every row once; False if none is to be sent. Bad ones are counted, and put aside where that was asked for."""
    aside = None
    if ready.options.source.on_bad_row is OnBadRow.QUARANTINE:
        place = quarantine.place_beside(ready.options.checkpoint)
        aside = quarantine.Quarantine(place, ready.source.files, ready.source.label)
    try:
        selected = emptiness.Selected(ready.source)
        bad = _look_at_rows(ready, selected, aside.add if aside is not None else None)
        refuse_bad_rows(ready.options.source, bad, ready.source.rows)
        if not selected.check():
            return False
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
    return True


def _look_at_rows(
    ready: Ready, selected: emptiness.Selected, on_bad: Callable[[BadRows], None] | None
) -> Counter[Fate]:
    source, bytes_max = ready.source, ready.options.kafka.record_bytes_max
    told = Counter[Fate]()
    look_at_times = ready.options.source.records.has_event_times and limits_times(ready.topic)
    now_s = ready.clock.now()
    for batch in source.checked(on_bad):
        if look_at_times:
            check_topic(ready.topic, _sent_span_ns(source, batch), now_s)
        selected.add(batch)
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
