"""Which answers of a broker count as one. Real brokers are asked in tests/fault/test_hidden_rows.py."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from replay.kafka.replicas import Replicas
from replay.kafka.topic import Topic

TOPIC = Topic("c", "t", "i", partitions=1, replication=3)


def replicas(code: int) -> Replicas:
    """Of a cluster whose brokers answer, or do not, with this error."""

    def describe_configs(resources: list[Any], **_: Any) -> dict[Any, Future[Any]]:
        future: Future[Any] = Future()
        future.set_exception(KafkaException(KafkaError(code)))
        return {resources[0]: future}

    partition = SimpleNamespace(isrs=[1, 2, 3], replicas=[1, 2, 3])
    found = SimpleNamespace(topics={"t": SimpleNamespace(partitions={0: partition})})
    admin: Any = SimpleNamespace(describe_configs=describe_configs, list_topics=lambda *_: found)
    return Replicas(admin, call_s=1.0)


@pytest.mark.parametrize(
    "code", [KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.UNKNOWN, KafkaError._UNSUPPORTED_FEATURE]
)
def test_an_error_of_a_broker_is_an_answer(code: int) -> None:
    """Broken: a user without rights, or of an older cluster, cannot resume after a crash."""
    assert replicas(code).are_in_sync(TOPIC, ask_each=True)


@pytest.mark.parametrize("code", [KafkaError._TIMED_OUT, KafkaError._TRANSPORT])
def test_silence_is_told_apart_and_need_not_be_asked_for(code: int) -> None:
    """Broken: rows that a hanging broker hides are sent again; or --settle does not help who cannot reach one."""
    with pytest.raises(KafkaException, match="no answer from broker 1, 2, 3"):
        replicas(code).are_in_sync(TOPIC, ask_each=True)
    assert replicas(code).are_in_sync(TOPIC, ask_each=False)
