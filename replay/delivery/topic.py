"""The topic that a replay goes to: found, or created."""

from __future__ import annotations

from replay.checkpoint.content import Checkpoint
from replay.delivery.context import Context
from replay.errors import StateConflict, UsageError
from replay.kafka.topic import Topic

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
            cluster.no_topic,
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
