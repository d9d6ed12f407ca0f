"""The topic that a replay goes to: found or created, and what it would do to the rows."""

from __future__ import annotations

from replay.checkpoint.content import Checkpoint
from replay.delivery.context import Context, Ready
from replay.errors import StateConflict, UsageError
from replay.kafka.topic import Topic, check_topic, topic_warnings
from replay.model import Batch, SpanNs, event_times_ns

_PLANNED = "to be created"
"""Instead of a cluster's id, in a topic that is not there yet."""


def find_topic(context: Context, saved: Checkpoint | None) -> Topic:
    """The topic to produce to, as it is; or as it is going to be, without an id, where it is to be created: that was
    asked for, and nothing was ever sent to it."""
    kafka, cluster = context.options.kafka, context.cluster
    topic = cluster.topic()
    if topic is None and kafka.create_topic is not None and saved is None:
        spec = kafka.create_topic
        return Topic(_PLANNED, kafka.topic, "", spec.partitions, spec.replication or 1, config=dict(kafka.topic_config))
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
        context.report.warning(
            f"topic {topic.name} exists with {topic.partitions} partitions; --create-topic does nothing"
        )
    return topic


def is_planned(topic: Topic) -> bool:
    """Whether it is still to be created."""
    return topic.cluster_id == _PLANNED


def create_topic(context: Context) -> Topic:
    kafka = context.options.kafka
    assert kafka.create_topic is not None
    topic = context.cluster.create_topic(kafka.topic, kafka.create_topic, kafka.topic_config)
    context.report.info(f"created topic {kafka.topic} with {dict(kafka.topic_config)}")
    return topic


def look_at_topic(ready: Ready) -> None:
    """What the topic would do to the rows, as far as statistics tell of them."""
    span_ns = ready.source.event_span_ns if ready.options.source.records.has_event_times else None
    now_s = ready.clock.now()
    check_topic(ready.topic, span_ns if ready.source.sends_all else None, now_s)
    for warning in topic_warnings(ready.topic, span_ns, now_s, ready.options.kafka.batch_bytes):
        ready.report.warning(warning)


def look_at_new_topic(ready: Ready) -> None:
    """The same for a topic that was not there when the rows were looked at; the cluster may have limits of its own."""
    if ready.options.check and ready.options.source.records.has_event_times and ready.topic.limits_times:
        for batch in ready.source.checked():
            check_topic(ready.topic, sent_span_ns(batch), ready.clock.now())
    look_at_topic(ready)


def sent_span_ns(batch: Batch) -> SpanNs:
    times_ns = event_times_ns(batch.table)[batch.sent]
    return (int(times_ns.min()), int(times_ns.max())) if len(times_ns) else None
