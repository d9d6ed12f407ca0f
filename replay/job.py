"""The whole journey of a replay, top to bottom: file -> batches -> encode -> pace -> produce -> ack -> checkpoint.

`run` looks at everything that can be wrong before a row is sent, finds out where to start, and hands over to the
delivery that was chosen. One thread does it all: delivery reports are served between bursts, so nothing is shared.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import fields, replace

from replay import idempotent, transactional
from replay.checkpoint import Checkpoint, CheckpointFile, State
from replay.cluster import Cluster, partitioner
from replay.config import Delivery, RunOptions
from replay.deliver import check_producer_settings
from replay.errors import Stopped
from replay.input import trust
from replay.input.source import Source
from replay.known_tables import as_known
from replay.model import Clock, SystemClock
from replay.patience import Patience
from replay.preflight import Context, Ready, accept_appended, check_before, check_left_out, find_topic, job_print
from replay.report import Reporter, Snapshot, Stop, utc
from replay.resume import check_same_job, check_watermarks
from replay.self_test import SelfTest
from replay.topic_watch import Identity, TopicWatch
from replay.trouble import Trouble

_DELIVER = {Delivery.IDEMPOTENT: idempotent.deliver, Delivery.TRANSACTIONAL: transactional.deliver}


def run(options: RunOptions, stop: Stop, report: Reporter, clock: Clock | None = None) -> Snapshot:
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


def _run(options: RunOptions, stop: Stop, report: Reporter, clock: Clock) -> Snapshot:
    """The same, as long as the statistics of the files are right; `StatisticsWrong` comes before all else is done."""
    source = Source(options.source)
    report.info(
        f"{source.rows:,} rows in {len(source.files)} file(s), order {options.source.order}, pace {options.pace}"
    )
    source.left_out.tell(source.files_all, report)
    if options.source.selection is not None and (picked := options.source.selection.told_by_date):
        report.info(f"there is no {{date}} in INPUT: picked are {picked}")
    if source.tables:
        report.info(f"tables are read as of {source.tables}")
    file = CheckpointFile(options.checkpoint)
    with file.locked():
        if options.restart:
            file.check_replaceable()
        saved = None if options.restart else file.load()
        file.check_writable()
        if saved is not None:
            decided = trust.as_decided(options.source, saved.job.options)
            source = source if decided == options.source else Source(decided)
        # Before anybody asks whether a row is selected at all: wrong statistics may say that none is.
        check_left_out(options, source, saved, stop, report)
        pruned_rows = source.rows_all - source.rows
        shown = Snapshot(source.rows, pruned_rows, inputs=tuple(file.shown for file in source.files))
        shown.schedule_end_ns, shown.is_end_at_most = _schedule_end(options, source)
        if saved is not None and _fits(saved, options, source):
            shown.knows(saved.progress, transactional=options.delivery is Delivery.TRANSACTIONAL)
        patience = Patience(
            clock, options.kafka.broker_timeout_s, stop.check, Trouble(report, clock, shown), resumes=True
        )
        unfinished = saved is None or saved.state is not State.DONE
        self_test = SelfTest() if unfinished and options.delivery is Delivery.IDEMPOTENT else None
        with closing(Cluster(options.kafka, patience)) as cluster:
            ready, saved = _get_ready(Context(options, source, file, cluster, stop, report, clock, shown), saved)
            if saved is not None and saved.state is State.DONE:
                _nothing_to_do(ready, saved)
            else:
                check_before(ready, saved)
                if self_test is not None:
                    self_test.judge(report)
                try:
                    _DELIVER[options.delivery](ready, saved)
                except Stopped as error:  # maybe while it was being found out which row comes next
                    left = file.load()
                    error.is_clean = left is None or left.state is not State.RUNNING
                    raise
            return shown


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
    context.shown.cluster_id = topic.cluster_id
    job = job_print(context, topic)
    if saved is not None:
        saved = accept_appended(context, saved, job)
        check_same_job(saved, job, str(context.file.path))
        low, high = context.cluster.watermarks(topic)
        tail_matters = context.options.delivery is Delivery.IDEMPOTENT
        check_watermarks(saved, low if tail_matters else [0] * len(low), high, topic.name)
    encoder = context.source.encoder(partitioner(context.options.source.records.partitioner, topic.partitions))
    parts = {field.name: getattr(context, field.name) for field in fields(context)}
    first_offsets = saved.first_offsets if saved is not None else tuple(context.cluster.high_watermarks(topic))
    identity = Identity(topic.topic_id, topic.partitions)
    watch = TopicWatch(identity, topic.name, context.cluster, context.report, context.clock)
    return Ready(**parts, topic=topic, job=job, encoder=encoder, first_offsets=first_offsets, watch=watch), saved


def _nothing_to_do(ready: Ready, saved: Checkpoint) -> None:
    ready.shown.knows(saved.progress)
    ready.shown.counts = saved.counts
    ready.report.progress(ready.shown)
    ready.report.info(
        f"nothing to do: done since {utc(saved.saved_at_s)}, topic {ready.topic.name}: {saved.counts.told()};"
        " --restart sends them again"
    )


def _fits(saved: Checkpoint, options: RunOptions, source: Source) -> bool:
    """Whether what the checkpoint says may be told of this replay as long as no broker was asked."""
    known = len(saved.job.inputs)
    return saved.job.topic == options.kafka.topic and saved.job.inputs == tuple(
        file.print for file in source.files[:known]
    )
