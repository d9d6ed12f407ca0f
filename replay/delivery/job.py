"""The whole journey of a replay, top to bottom: file -> batches -> encode -> pace -> produce -> ack -> checkpoint.

`run` looks at everything that can be wrong before a row is sent, finds out where to start, and hands over to the
delivery that was chosen. One thread does it all: delivery reports are served between bursts, so nothing is shared.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import fields, replace

from replay.checkpoint.content import Checkpoint, JobState
from replay.checkpoint.differences import check_same_job
from replay.checkpoint.file import CheckpointFile
from replay.checkpoint.resume import check_watermarks
from replay.delivery import done, idempotent, transactional
from replay.delivery.changed import accept_changed
from replay.delivery.done import look_at
from replay.delivery.emptiness import check_by_footers
from replay.delivery.known_tables import as_known
from replay.delivery.options import Delivery, RunOptions
from replay.delivery.outages import ClusterOutages
from replay.delivery.preflight import (
    PLANNED,
    Context,
    Ready,
    check_before,
    check_left_out,
    create_topic,
    find_topic,
    is_forgotten,
    job_print,
    look_at_new_topic,
    save_empty,
)
from replay.delivery.snapshot import BEGINNING, Display, Snapshot
from replay.delivery.tally import Tally
from replay.errors import BrokerUnavailable, Stopped
from replay.kafka.cluster import Cluster
from replay.kafka.partitioner import partitioner
from replay.kafka.patience import Patience
from replay.kafka.producer import check_producer_settings
from replay.kafka.self_test import SelfTest
from replay.kafka.topic import Identity, Topic
from replay.kafka.topic_watch import TopicWatch
from replay.kafka.trouble import Trouble
from replay.model import Clock, SystemClock
from replay.signals import Stop
from replay.source.files import trust
from replay.source.source import Source
from replay.units import utc

_DELIVER = {Delivery.IDEMPOTENT: idempotent.deliver, Delivery.TRANSACTIONAL: transactional.deliver}


def run(options: RunOptions, stop: Stop, report: Display, clock: Clock | None = None) -> Snapshot:
    """Start or resume one replay and see it to its end.

    Raises a `ReplayError` for every other end; progress is saved first, unless saving is what failed.
    """
    clock = clock or SystemClock()
    check_producer_settings(options.kafka)
    if not options.restart:
        options = replace(options, source=as_known(options.source, options.checkpoint))
    return trust.until_true(
        options.source,
        lambda source: _run(replace(options, source=source), stop, report, clock),
        report.warning,
    )


def _run(options: RunOptions, stop: Stop, report: Display, clock: Clock) -> Snapshot:
    """The same, as long as the statistics of the files are right; `StatisticsWrong` comes before all else is done."""
    source = Source(options.source)
    looked = look_at(source)
    _tell(source, options, report)
    file = CheckpointFile(options.checkpoint)
    with file.locked():
        source, saved = _begun(options, source, file)
        # Before anybody asks whether a row is selected at all: wrong statistics may say that none is.
        check_left_out(options, source, saved, stop, report)
        pruned_rows = source.rows_all - source.rows
        tally = Tally(source.rows, pruned_rows, inputs=tuple(file.shown for file in source.files))
        tally.schedule_end_ns, tally.is_end_at_most = _schedule_end(options, source)
        if saved is not None and _fits(saved, options, source):
            tally.knows(saved.progress, transactional=options.delivery is Delivery.TRANSACTIONAL)
        settled = saved is not None and done.is_settled(options, source, saved)
        timeout_s = min(options.kafka.broker_timeout_s, done.WAIT_S) if settled else options.kafka.broker_timeout_s
        trouble = Trouble(report, clock, None if settled else ClusterOutages(tally, report, clock))
        patience = Patience(clock, timeout_s, stop.check, trouble, resumes=True)
        unfinished = saved is None or saved.state is not JobState.DONE
        self_test = SelfTest() if unfinished and options.delivery is Delivery.IDEMPOTENT else None
        with closing(Cluster(options.kafka, patience)) as cluster:
            context = Context(options, source, file, cluster, stop, report, clock, tally)
            try:
                _see_through(context, saved, self_test)
            except BrokerUnavailable as error:
                if saved is None or not settled:
                    raise
                _nothing_to_do(context, saved, f"the topic was not re-checked ({error.what})")
            finally:
                if tally.has_unseen_outage:  # it was over, and something else ended the run
                    report.progress(tally.view())
        done.remember(file, looked, report)
        return tally.view()


def _tell(source: Source, options: RunOptions, report: Display) -> None:
    report.info(f"{source.rows:,} rows in {_files(source)}, order {options.source.order}, pace {options.pace}")
    source.other_endings.report(source.files_all, report)
    if options.source.selection is not None and (picked := options.source.selection.told_by_date):
        report.info(f"there is no {{date}} in INPUT: picked are {picked}")
    if source.tables:
        report.info(f"tables are read as of {source.tables}")


def _begun(options: RunOptions, source: Source, file: CheckpointFile) -> tuple[Source, Checkpoint | None]:
    """The checkpoint, if one counts, and the source as it was decided on when the replay began."""
    if options.restart:
        file.check_replaceable()
    saved = None if options.restart else file.load()
    file.check_writable()
    if saved is None or is_forgotten(options, source, saved):
        return source, None
    decided = trust.as_decided(options.source, saved.job.options)
    return source if decided == options.source else Source(decided), saved


def _see_through(context: Context, saved: Checkpoint | None, self_test: SelfTest | None) -> None:
    """To the end, whatever there is to do."""
    if saved is None and not check_by_footers(context.source):
        save_empty(context)
        return
    if saved is not None and done.has_lost_its_files(context.options, context.source, saved):
        _nothing_to_do(context, saved, "the files are gone since, and were not compared")
        return
    ready, saved = _get_ready(context, saved)
    if saved is not None and saved.state is JobState.DONE:
        _nothing_to_do(ready, saved)
    elif check_before(ready, saved):
        if self_test is not None:
            self_test.judge(context.report)
        ready = _with_topic(ready)
        row = saved.progress.position.row if saved is not None else 0
        ready.report.phase(BEGINNING, row, ready.source.rows)
        try:
            _DELIVER[context.options.delivery](ready, saved)
        except Stopped as error:  # maybe while it was being found out which row comes next
            left = context.file.load()
            error.is_clean = left is None or left.state is not JobState.RUNNING
            raise
    else:
        save_empty(context)


def _files(source: Source) -> str:
    files, others = len(source.files), source.files_all - len(source.files)
    return f"{files:,} file(s)" + (f" ({others:,} more hold none of them)" if others else "")


def _schedule_end(options: RunOptions, source: Source) -> tuple[int | None, bool]:
    """The event time of the last row, where event times make the schedule and it can be known; and whether the end may
    come sooner than that says: gaps are cut, or the last rows are others'."""
    selection, span_ns = options.source.selection, source.event_span_ns
    if options.pace.speed is None or span_ns is None or (selection is not None and selection.limit is not None):
        return None, False
    end_ns = span_ns[1]
    if selection is None:
        return end_ns, options.pace.gap_max_s is not None
    if selection.to_ns is not None:
        end_ns = min(end_ns, selection.to_ns)
    picks = bool(selection.symbols or selection.exclude or selection.sample or selection.where)
    return end_ns, picks or options.pace.gap_max_s is not None


def _get_ready(context: Context, saved: Checkpoint | None) -> tuple[Ready, Checkpoint | None]:
    """The topic, and proof that the checkpoint belongs to it and to these inputs and options."""
    topic = find_topic(context, saved)
    if saved is not None:
        job = job_print(context, topic)
        saved = accept_changed(context, saved, job, topic)
        check_same_job(saved, job, str(context.file.path))
        low, high = context.cluster.watermarks(topic)
        tail_matters = context.options.delivery is Delivery.IDEMPOTENT
        check_watermarks(saved, low if tail_matters else [0] * len(low), high, topic.name)
    return _ready(context, topic, saved), saved


def _ready(context: Context, topic: Topic, saved: Checkpoint | None) -> Ready:
    context.tally.cluster_id = topic.cluster_id
    encoder = context.source.encoder(partitioner(context.options.source.records.partitioner, topic.partitions))
    parts = {field.name: getattr(context, field.name) for field in fields(Context)}
    planned = topic.cluster_id == PLANNED
    if saved is not None:
        first_offsets = saved.first_offsets
    else:
        first_offsets = (0,) * topic.partitions if planned else tuple(context.cluster.high_watermarks(topic))
    return Ready(
        **parts,
        topic=topic,
        job=job_print(context, topic),
        encoder=encoder,
        first_offsets=first_offsets,
        watch=TopicWatch(
            Identity(topic.topic_id, topic.partitions), topic.name, context.cluster, context.report, context.clock
        ),
        appended=saved is not None and saved.appended,
        planned=planned,
        checked=context.options.check if saved is None else saved.checked,
    )


def _with_topic(ready: Ready) -> Ready:
    """Now that it is known that there is something to send, and all of it can be."""
    if not ready.planned:
        return ready
    made = _ready(ready, create_topic(ready), None)
    look_at_new_topic(made)
    return made


def _nothing_to_do(context: Context, saved: Checkpoint, but: str = "") -> None:
    context.tally.knows(saved.progress)
    context.tally.counts = saved.counts
    context.report.progress(context.tally.view())
    if but:
        context.report.warning(f"nothing to do: done since {utc(saved.saved_at_s)}; {but}")
        return
    context.report.info(
        f"nothing to do: done since {utc(saved.saved_at_s)}, topic {context.options.kafka.topic}:"
        f" {saved.counts.text()}; --restart sends them again"
    )


def _fits(saved: Checkpoint, options: RunOptions, source: Source) -> bool:
    """Whether what the checkpoint says may be told of this replay as long as no broker was asked."""
    known = len(saved.job.inputs)
    return saved.job.topic == options.kafka.topic and saved.job.inputs == tuple(
        file.print for file in source.files[:known]
    )
