"""A topic that the cluster is asked to create, and why it does not."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from replay.errors import UsageError
from replay.kafka.options import TopicSpec

_NO_SUCH_TOPIC = frozenset(
    {
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_CONFIG,
        KafkaError.POLICY_VIOLATION,
        KafkaError.INVALID_REQUEST,
    }
)
"""What the cluster answers where it does not take a topic like this one."""


def ask_to_create(
    admin: AdminClient, call_s: float, name: str, spec: TopicSpec, config: Mapping[str, str], *, only_look: bool
) -> None:
    """One attempt; it is well where the topic is there already. With `only_look` nothing is created.

    Raises `UsageError` where the cluster does not allow such a topic, and `KafkaException` for all else.
    """
    new = NewTopic(name, num_partitions=spec.partitions, replication_factor=spec.replication or -1, config=dict(config))
    try:
        asked = admin.create_topics([new], request_timeout=call_s, validate_only=only_look)
        asked[name].result(call_s * 2)
    except KafkaException as error:
        code = error.args[0].code()
        if code in _NO_SUCH_TOPIC:
            raise UsageError(
                f"the broker refuses to create topic {name}: {error.args[0].str()}",
                where="--create-topic",
                todo="choose partitions, replication and --topic-config that the cluster allows",
            ) from None
        if code != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
