"""A topic as the cluster describes it. Light: no client is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Topic:
    """What a replay needs to know about its topic. `config` is empty where the broker does not describe it."""

    cluster_id: str
    name: str
    topic_id: str
    partitions: int
    replication: int
    brokers: int = 1  # of the cluster
    config: Mapping[str, str] = field(default_factory=dict)
    replica_lag_max_s: float = 30.0  # Kafka's default for replica.lag.time.max.ms


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """Which topic a name stands for. No id: there is no such topic."""

    topic_id: str = ""
    partitions: int = 0
