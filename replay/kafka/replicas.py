"""Whether a replica may hide rows: the in-sync sets of a topic, and whether those in them answer."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from replay.kafka.topic import Topic

_LAG_MAX_MS = 30_000
"""Kafka's default for replica.lag.time.max.ms."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """Consumers see what every replica in a partition's in-sync set has. What its leader has beyond is hidden.

    With fewer than `min.insync.replicas` in sync, a leader hides all that it appends, for as long as that lasts
    (KIP-966). A replica that hangs stays in sync for 1 to 1.5 `replica.lag.time.max.ms`. It stays longer where it is
    the controller itself: the leader has to ask a controller, so first another one is elected, and found.

    `call_s`: how long one attempt waits for an answer.
    """

    admin: AdminClient
    call_s: float

    def are_in_sync(self, topic: Topic, *, ask_each: bool = True) -> bool | None:
        """True if enough are, and each of those answers (unless `ask_each` is False); None for no answer at all.

        Raises `KafkaException` with the reason if one may hide rows.
        """
        config = self.topic_config(topic.name)
        if topic.config and not config:
            return None
        found = self.admin.list_topics(topic.name, self.call_s).topics[topic.name].partitions
        if not found:
            return None
        # Without the right to read the configuration: the usual value, all replicas but one.
        needed = int(config.get("min.insync.replicas", max(1, topic.replication - 1)))
        for number, partition in found.items():
            if len(partition.isrs) < min(needed, len(partition.replicas)):
                raise _hiding(
                    f"partition {number} has {len(partition.isrs)} of {len(partition.replicas)} replicas in sync;"
                    f" min.insync.replicas is {needed}"
                )
        in_sync = sorted({broker for partition in found.values() for broker in partition.isrs}) if ask_each else []
        silent = [str(broker) for broker, config in self._broker_configs(in_sync).items() if config is None]
        if silent:
            raise _hiding(f"broker {', '.join(silent)} counts as in sync, but does not answer")
        return True

    def lag_max_s(self, leaders: Iterable[int]) -> float:
        """replica.lag.time.max.ms of these brokers: the longest that one of them says."""
        said = [config.get("replica.lag.time.max.ms") for config in self._broker_configs(leaders).values() if config]
        return max((int(each) for each in said if each), default=_LAG_MAX_MS) / 1_000

    def topic_config(self, name: str) -> dict[str, str]:
        """Best effort: to read configurations is a right of its own, which a replay can do without."""
        return self._answer(self._ask(ResourceType.TOPIC, name)) or {}

    def _broker_configs(self, brokers: Iterable[int]) -> dict[int, dict[str, str] | None]:
        """By broker, all asked at once, each itself; None for one that does not answer."""
        asked = {broker: self._ask(ResourceType.BROKER, str(broker)) for broker in brokers}
        return {broker: self._answer(future) for broker, future in asked.items()}

    def _ask(self, kind: ResourceType, name: str) -> Any:
        resource = ConfigResource(kind, name)
        return self.admin.describe_configs([resource], request_timeout=self.call_s)[resource]

    def _answer(self, future: Any) -> dict[str, str] | None:
        """Empty without the right to know; None for no answer."""
        try:
            entries = future.result(self.call_s)
        except FutureTimeoutError:
            return None
        except KafkaException as error:
            return {} if error.args[0].code() > 0 else None  # below 0 are the client's own codes
        return {key: entry.value for key, entry in entries.items() if entry.value is not None}


def _hiding(reason: str) -> KafkaException:
    return KafkaException(KafkaError(KafkaError.REPLICA_NOT_AVAILABLE, reason))
