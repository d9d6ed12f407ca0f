"""The topic of progress records: one partition, compacted, as safely replicated as the topic itself. Pure."""

from __future__ import annotations

from replay.errors import UsageError
from replay.kafka.options import TopicSpec
from replay.kafka.topic import Topic

PROGRESS_CONFIG = {"cleanup.policy": "compact", "retention.ms": "-1"}


def progress_spec(topic: Topic) -> TopicSpec:
    """How it is created, beside this topic."""
    return TopicSpec(1, topic.replication)


def check_progress_topic(progress: Topic) -> Topic:
    """Raises `UsageError` for a topic that would lose progress records, or has them in no order."""
    if progress.partitions != 1:
        raise UsageError(
            "a progress topic has exactly one partition",
            where=f"--progress-topic {progress.name}",
            todo="name another one; replay creates it if it is missing",
        )
    if progress.config.get("cleanup.policy", "compact") != "compact":
        raise UsageError(
            f"its cleanup.policy is {progress.config['cleanup.policy']}: progress records would be deleted in time",
            where=f"--progress-topic {progress.name}",
            todo="set cleanup.policy=compact, or name another one; replay creates it if it is missing",
        )
    return progress
