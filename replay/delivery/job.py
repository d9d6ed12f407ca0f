"""The front door: one replay, from its files to the last acknowledgement.

A row goes one way: `source.batches` reads and judges it, `encoder.encode` makes it a record, `schedule.decide` says
when it is due, `sink.send` produces it, `frontier.advance` takes in that it is acknowledged, `saving.save` writes down
how far that has come. One thread does it all: delivery reports are served between bursts, so nothing is shared.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import fields, replace

from replay.checkpoint.content import Checkpoint, JobState
from replay.checkpoint.differences import check_same_job
from replay.checkpoint.file import CheckpointFile
from replay.checkpoint.resume import check_watermarks
from replay.delivery import done, idempotent, schemas, transactional
from replay.delivery.changed import accept_changed
from replay.delivery.context import Context, Ready
from replay.delivery.emptiness import check_by_footers
from replay.delivery.endings import nothing_to_do, save_empty
from replay.delivery.job_print import as_it_matters, as_known, is_forgotten, job_print
from replay.delivery.opening import opening_tally, tell_inputs
from replay.delivery.options import Delivery, RunOptions
from replay.delivery.outages import ClusterOutages
from replay.delivery.preflight import check_before, check_left_out, look_at_new_topic
from replay.delivery.saving import Saving
from replay.delivery.slices import encoder_for
from replay.delivery.snapshot import BEGINNING, Display, Snapshot
from replay.delivery.topic import create_topic, find_topic, is_planned
from replay.delivery.translation import Translating, translated
from replay.errors import BrokerUnavailable, Stopped
from replay.kafka.access import Use
from replay.kafka.cluster import Cluster
from replay.kafka.patience import Patience
from replay.kafka.producer import check_producer_settings
from replay.kafka.self_test import SelfTest
from replay.kafka.topic import Topic, TopicIdentity
from replay.kafka.topic_watch import TopicWatch
from replay.kafka.trouble import Trouble
from replay.model import SystemClock
from replay.signals import Stop
from replay.source.files import trust
from replay.source.source import Source

USES = {Delivery.IDEMPOTENT: Use.IDEMPOTENT, Delivery.TRANSACTIONAL: Use.TRANSACTIONAL}
"""What each delivery is to the cluster: which rights it needs there."""

_DELIVER = {Delivery.IDEMPOTENT: idempotent.deliver, Delivery.TRANSACTIONAL: transactional.deliver}


def run(options: RunOptions, stop: Stop, report: Display) -> Snapshot:
    """Start or resume one replay and see it to its end.

    Raises a `ReplayError` for every other end; progress is saved first, unless saving is what failed.
    """
    check_producer_settings(options.kafka)
    if not options.restart:
        options = replace(options, source=as_known(options.source, options.checkpoint))
    ask = schemas.asking(options.registry, options.kafka.broker_timeout_s, report, stop.check)
    options = replace(options, source=schemas.with_schema(options.source, ask))
    return trust.until_true(
        options.source, lambda source: _run(replace(options, source=source), stop, report), report.warning
    )


def _run(options: RunOptions, stop: Stop, report: Display) -> Snapshot:
    """The same, as long as the statistics of the files are right; `StatisticsWrong` comes before all else is done."""
    source, clock = Source(options.source), SystemClock()
    looked = done.look_at(source)
    tell_inputs(options, source, report)
    file = CheckpointFile(options.checkpoint)
    with file.locked():
        source, saved = _load(options, source, file, report, stop)
        if saved is None:
            source = translated(source, Translating.of(options.kafka, options.registry, report, stop.check))
        # Before anybody asks whether a row is selected at all: wrong statistics may say that none is.
        check_left_out(options, source, saved, stop, report)
        tally = opening_tally(options, source, saved)
        settled = saved is not None and done.is_settled(options, source, saved)
        self_test = _begin_self_test(options, saved)
        trouble = Trouble(report, clock, None if settled else ClusterOutages(tally, report, clock))
        timeout_s = min(options.kafka.broker_timeout_s, done.WAIT_S) if settled else options.kafka.broker_timeout_s
        patience = Patience(clock, timeout_s, stop.check, trouble, resumes=True)
        with closing(Cluster(options.kafka, patience, USES[options.delivery])) as cluster:
            context = Context(options, source, file, cluster, stop, report, clock, tally)
            try:
                _replay(context, saved, self_test)
            except BrokerUnavailable as error:
                if saved is None or not settled:
                    raise
                nothing_to_do(context, saved, f"the topic was not re-checked ({error.what})")
            finally:
                if tally.has_unseen_outage:  # it was over, and something else ended the run
                    report.progress(tally.view())
        done.remember(file, looked, report)
        return tally.view()


def _load(
    options: RunOptions, source: Source, file: CheckpointFile, report: Display, stop: Stop
) -> tuple[Source, Checkpoint | None]:
    """The checkpoint, if one counts, and the source as it was decided on when the replay began."""
    if options.restart:
        file.check_replaceable()
    saved = None if options.restart else file.load()
    file.check_writable()
    if saved is None:
        return source, None
    if is_forgotten(options, source, saved):  # what it said of schemas, too
        ask = schemas.asking(options.registry, options.kafka.broker_timeout_s, report, stop.check)
        return Source(schemas.asked_anew(options.source, ask)), None
    decided = trust.as_decided(options.source, saved.job.options)
    return source if decided == options.source else Source(decided), saved


def _begin_self_test(options: RunOptions, saved: Checkpoint | None) -> SelfTest | None:
    """It goes on beside the checks; transactions do without what it tests."""
    is_done = saved is not None and saved.state is JobState.DONE
    return SelfTest() if options.delivery is Delivery.IDEMPOTENT and not is_done else None


def _replay(context: Context, saved: Checkpoint | None, self_test: SelfTest | None) -> None:
    """From the topic on, to the end: whether there is anything to do, whether it can be done, then the rows."""
    options, source = context.options, context.source
    if saved is None and not check_by_footers(source):
        return save_empty(context)
    if saved is not None and done.has_lost_its_files(options, source, saved):
        return nothing_to_do(context, saved, "the files are gone since, and were not compared")
    topic = find_topic(context, saved)
    if saved is not None:
        saved = _checked(context, saved, topic)
    else:
        context = schemas.looked_up(context, topic)
    ready = _ready(context if saved is not None else schemas.with_placeholders(context), topic, saved)
    if saved is not None and saved.state is JobState.DONE:
        return nothing_to_do(ready, saved)
    if not check_before(ready, saved):
        return save_empty(context)
    if self_test is not None:
        self_test.judge(context.report)
    if saved is None:  # now it is known that there is something to send, and that all of it can be
        ready = _begin(context, topic)
    return _deliver(ready, saved)


def _begin(context: Context, topic: Topic) -> Ready:
    """What only a replay that is sure to begin may leave behind: a schema that is registered, a topic."""
    context = schemas.registered(context, topic)
    ready = _ready(context, topic, None)  # raises where an id cannot be sent: the registry gave no GUID for a header
    if not is_planned(topic):
        return ready
    ready = _ready(context, create_topic(context), None)
    look_at_new_topic(ready)
    return ready


def _checked(context: Context, saved: Checkpoint, topic: Topic) -> Checkpoint:
    """Proof that the checkpoint belongs to the topic and to these inputs and options."""
    job = as_it_matters(job_print(context.options, context.source, topic), saved)
    saved = accept_changed(context, saved, job, topic)
    check_same_job(saved, job, str(context.file.path))
    low, high = context.cluster.watermarks(topic)
    tail_matters = context.options.delivery is Delivery.IDEMPOTENT
    check_watermarks(saved, low if tail_matters else [0] * len(low), high, topic.name)
    return saved


def _ready(context: Context, topic: Topic, saved: Checkpoint | None) -> Ready:
    source, cluster = context.source, context.cluster
    context.tally.cluster_id = topic.cluster_id
    job = job_print(context.options, source, topic)
    if saved is not None:
        saving = Saving(context, job, saved.first_offsets, saved.appended, saved.checked)
    else:
        first_offsets = [0] * topic.partitions if is_planned(topic) else cluster.high_watermarks(topic)
        saving = Saving(context, job, tuple(first_offsets), checked=context.options.check)
    identity = TopicIdentity(topic.topic_id, topic.partitions)
    watch = TopicWatch(identity, topic.name, cluster, context.report, context.clock)
    parts = {field.name: getattr(context, field.name) for field in fields(Context)}
    return Ready(**parts, topic=topic, encoder=encoder_for(source, topic.partitions), saving=saving, watch=watch)


def _deliver(ready: Ready, saved: Checkpoint | None) -> None:
    """Row by row, until the checkpoint says that it is done."""
    row = saved.progress.position.row if saved is not None else 0
    ready.report.phase(BEGINNING, row, ready.source.rows)
    try:
        _DELIVER[ready.options.delivery](ready, saved)
    except Stopped as error:  # maybe while it was being found out which row comes next
        left = ready.file.load()
        error.is_clean = left is None or left.state is not JobState.RUNNING
        raise
