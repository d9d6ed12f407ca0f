"""A topic as the cluster describes it, and what it would do to a replay's rows: what it refuses, and what needs a
warning. Pure.

Light: no client is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replay.errors import UsageError

if TYPE_CHECKING:
    from replay.model import SpanNs

_NO_LIMIT = 2**63 - 1  # Kafka's "none" for a limit in milliseconds
_DAY_MS = 86_400_000
_BEFORE, _AFTER = "message.timestamp.before.max.ms", "message.timestamp.after.max.ms"


REPLICA_LAG_MAX_S = 30.0
"""Kafka's default for replica.lag.time.max.ms."""


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
    replica_lag_max_s: float = REPLICA_LAG_MAX_S

    def number(self, name: str, otherwise: int) -> int:
        """A number of the configuration; `otherwise` where the broker does not say or does not know it."""
        return int(self.config.get(name, otherwise))

    def limit_ms(self, name: str) -> int:
        """A limit of event times; before Kafka 4 one for both directions counts where this is not set."""
        limit_ms = self.number(name, _NO_LIMIT)
        return limit_ms if limit_ms != _NO_LIMIT else self.number("message.timestamp.difference.max.ms", _NO_LIMIT)

    @property
    def keeps_event_times(self) -> bool:
        return self.config.get("message.timestamp.type") != "LogAppendTime"

    @property
    def is_compacted(self) -> bool:
        return "compact" in self.config.get("cleanup.policy", "")

    @property
    def limits_times(self) -> bool:
        """Whether there are event times that the topic refuses."""
        return self.keeps_event_times and any(self.limit_ms(name) != _NO_LIMIT for name in (_BEFORE, _AFTER))


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """Which topic a name stands for. No id: there is no such topic. `allowed` are the operations that this client may
    do with it, as ACLs name them; None where the cluster does not say."""

    topic_id: str = ""
    partitions: int = 0
    allowed: frozenset[str] | None = field(default=None, compare=False)


def topic_problems(topic: Topic, span_ns: SpanNs, now_s: float) -> list[str]:
    """All that is known without the batches, as sentences. `span_ns` are the smallest and the largest event time, where
    they are known."""
    return [*topic_refusals(topic, span_ns, now_s), *topic_warnings(topic, span_ns, now_s, 0)]


def check_topic(topic: Topic, span_ns: SpanNs, now_s: float) -> None:
    """Raises `UsageError` where the broker is sure to refuse a trade that is going to be sent: with a warning instead,
    the run would end half-way, with a code that does not name the setting."""
    for problem in topic_refusals(topic, span_ns, now_s):
        raise UsageError(problem, where="--topic", todo="change the topic's configuration, or choose another topic")


def topic_refusals(topic: Topic, span_ns: SpanNs, now_s: float) -> Iterator[str]:
    """Why the broker is sure to refuse these trades."""
    age_ms, ahead_ms = _age_and_ahead_ms(span_ns, now_s)
    before_ms, after_ms = topic.limit_ms(_BEFORE), topic.limit_ms(_AFTER)
    if topic.keeps_event_times and age_ms > before_ms:
        yield (
            f"topic {topic.name} refuses records older than {_days(before_ms)}, and the oldest trade is"
            f" {_days(age_ms)} old: set its message.timestamp.before.max.ms (before Kafka 3.6:"
            " message.timestamp.difference.max.ms) to more"
        )
    if topic.keeps_event_times and ahead_ms > after_ms:
        yield (
            f"topic {topic.name} refuses records more than {_days(after_ms)} in the future, and the newest trade is"
            f" {_days(ahead_ms)} ahead: set its message.timestamp.after.max.ms (before Kafka 3.6:"
            " message.timestamp.difference.max.ms) to more"
        )
    needed, replicas = topic.number("min.insync.replicas", 1), topic.replication
    if needed > replicas:
        yield (
            f"topic {topic.name} wants {needed} replicas in sync (min.insync.replicas) and has {replicas}: it takes no"
            f" record; set its min.insync.replicas to {replicas} at most, or give it more replicas"
        )


def topic_warnings(topic: Topic, span_ns: SpanNs, now_s: float, batch_bytes: int) -> Iterator[str]:
    """What a replay can go on with."""
    age_ms, _ = _age_and_ahead_ms(span_ns, now_s)
    retention_ms, policy = topic.number("retention.ms", -1), topic.config.get("cleanup.policy", "delete")
    if "delete" in policy and 0 <= retention_ms < age_ms:
        yield (
            f"topic {topic.name} keeps records for {retention_ms / _DAY_MS:g} days by event time, and the oldest trade"
            f" is {age_ms / _DAY_MS:,.0f} days old: Kafka will delete it within minutes; set the topic's"
            " retention.ms=-1"
        )
    if topic.is_compacted:
        yield f"topic {topic.name} is compacted: only the last record of each key will be kept"
    if not topic.keeps_event_times:
        yield f"topic {topic.name} replaces event times by the broker's time (LogAppendTime)"
    if topic.replication <= 1 < topic.brokers:
        yield (
            f"topic {topic.name} has one replica, and the cluster {topic.brokers} brokers: rows are gone with the disk"
            " of one of them, acknowledged or not; give the topic more replicas"
        )
    if topic.replication != 1 and topic.config.get("min.insync.replicas") == "1":
        yield (
            f"topic {topic.name} has {topic.replication} replicas and min.insync.replicas=1: rows can be acknowledged"
            " that only a partition's leader has, and be gone if that dies; set the topic's min.insync.replicas=2"
        )
    limit = topic.number("max.message.bytes", batch_bytes)
    if limit < batch_bytes:
        yield (
            f"topic {topic.name} refuses batches over {limit:,} bytes (max.message.bytes), and --batch-size is"
            f" {batch_bytes:,}: a fuller batch may end the run with exit 7; set --batch-size {limit}, or the topic's"
            " max.message.bytes to more"
        )


def _age_and_ahead_ms(span_ns: SpanNs, now_s: float) -> tuple[float, float]:
    """How old the oldest trade is, and how far the newest one is in the future; both are below any limit where their
    times are not known."""
    if span_ns is None:
        return float("-inf"), float("-inf")
    return now_s * 1_000 - span_ns[0] / 1e6, span_ns[1] / 1e6 - now_s * 1_000


def _days(ms: float) -> str:
    return f"{ms / _DAY_MS:,.1f}".removesuffix(".0") + " days"
