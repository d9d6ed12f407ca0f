"""Whether a replica may hide rows: the in-sync sets of a topic, and whether those in them answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from replay.kafka.topic import REPLICA_LAG_MAX_S, Topic

_ANSWERS = (KafkaError.UNKNOWN, KafkaError._UNSUPPORTED_FEATURE)
"""Below 0 like the client's own codes, but no silence: an error without a name, and a broker without this question."""


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

    def are_in_sync(self, topic: Topic, *, ask_each: bool) -> bool | None:
        """True if enough are, and with `ask_each`, each of those answers; None for no answer at all.

        Raises `KafkaException` with the reason if one may hide rows.
        """
        config = self.topic_config(topic.name)
        if topic.config and not config:
            return None
        found = self.admin.list_topics(topic.name, self.call_s).topics[topic.name].partitions
        if not found:
            return None
        # Without the right to read the configuration: the usual value, all replicas but one.
        said = config.get("min.insync.replicas")
        needed = max(1, topic.replication - 1) if said is None else int(said)
        why = (
            f"min.insync.replicas is {needed}" if said else f"{needed} are taken to be needed (the topic does not say)"
        )
        for number, partition in found.items():
            if len(partition.isrs) < min(needed, len(partition.replicas)):
                raise _hiding(
                    f"partition {number} has {len(partition.isrs)} of {len(partition.replicas)} replicas in sync; {why}"
                )
        in_sync = sorted({broker for partition in found.values() for broker in partition.isrs}) if ask_each else []
        silent = [str(broker) for broker, config in self._broker_configs(in_sync).items() if config is None]
        if silent:
            raise _hiding(
                f"no answer from broker {', '.join(silent)}, in sync as the cluster says; --settle waits without asking"
            )
        return True

    def lag_max_s(self, leaders: Iterable[int]) -> float:
        """replica.lag.time.max.ms of these brokers: the longest that one of them says."""
        name, configs = "replica.lag.time.max.ms", self._broker_configs(leaders).values()
        return max((int(each[name]) / 1_000 for each in configs if each and name in each), default=REPLICA_LAG_MAX_S)

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
        """Empty where the broker may not tell or cannot; None for no answer."""
        try:
            entries = future.result(self.call_s)
        except TimeoutError:
            return None
        except KafkaException as error:
            code = error.args[0].code()
            return {} if code > 0 or code in _ANSWERS else None
        return {key: entry.value for key, entry in entries.items() if entry.value is not None}


def _hiding(reason: str) -> KafkaException:
    return KafkaException(KafkaError(KafkaError.REPLICA_NOT_AVAILABLE, reason))
