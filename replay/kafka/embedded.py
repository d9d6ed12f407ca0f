"""librdkafka's mock cluster as a broker inside this process."""

from __future__ import annotations

import time

from confluent_kafka import Producer

from replay.errors import BrokerUnavailable

_MOCK_CLUSTER_ID = "mockCluster"  # rdkafka_mock.c


def is_embedded(cluster_id: str) -> bool:
    """Whether this is a mock cluster. It answers neither DescribeTopics nor DescribeConfigs."""
    return cluster_id.startswith(_MOCK_CLUSTER_ID)


class EmbeddedBroker:
    """Gone with this process. It has 4 partitions a topic."""

    def __init__(self, topic: str, timeout_s: float = 10.0) -> None:
        quiet = {"log_level": 0, "bootstrap.servers": "embedded", "test.mock.num.brokers": 1}
        self._holder = Producer({**quiet, "allow.auto.create.topics": True})
        deadline = time.monotonic() + timeout_s
        metadata = self._holder.list_topics(timeout=timeout_s)
        self.bootstrap_servers = ",".join(f"{b.host}:{b.port}" for b in metadata.brokers.values())
        while not self._holder.list_topics(topic, timeout=timeout_s).topics[topic].partitions:
            if time.monotonic() > deadline:
                raise BrokerUnavailable("the embedded broker does not create its topic", where="--embedded")

    def __enter__(self) -> EmbeddedBroker:
        return self

    def __exit__(self, *_: object) -> None:
        del self._holder
