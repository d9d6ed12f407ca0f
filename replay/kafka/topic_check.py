"""What a topic would do to a replay's rows, by its configuration: refuse them, or what needs a warning. Pure.

Each check looks at one thing and answers with the rest of a sentence that begins with the topic, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replay.errors import UsageError

if TYPE_CHECKING:
    from replay.kafka.topic import Topic
    from replay.model import SpanNs

_NO_LIMIT = 2**63 - 1  # Kafka's "none" for a limit in milliseconds
_DAY_MS = 86_400_000
_BEFORE, _AFTER = "message.timestamp.before.max.ms", "message.timestamp.after.max.ms"


@dataclass(frozen=True, slots=True)
class Look:
    """What the checks go by. `span_ns` are the smallest and the largest event time, where they are known."""

    topic: Topic
    span_ns: SpanNs
    now_s: float
    batch_bytes: int

    def number(self, name: str, otherwise: int) -> int:
        """A number of the topic's configuration; `otherwise` where the broker does not say or does not know it."""
        return int(self.topic.config.get(name, otherwise))

    def limit_ms(self, name: str) -> int:
        """A limit of event times; before Kafka 4 one for both directions counts where this is not set."""
        limit_ms = self.number(name, _NO_LIMIT)
        return limit_ms if limit_ms != _NO_LIMIT else self.number("message.timestamp.difference.max.ms", _NO_LIMIT)

    @property
    def age_ms(self) -> float | None:
        """Of the oldest trade; below zero for one in the future."""
        return None if self.span_ns is None else self.now_s * 1_000 - self.span_ns[0] / 1e6

    @property
    def ahead_ms(self) -> float | None:
        """How far the newest trade is in the future; below zero for one in the past."""
        return None if self.span_ns is None else self.span_ns[1] / 1e6 - self.now_s * 1_000

    @property
    def keeps_event_times(self) -> bool:
        return self.topic.config.get("message.timestamp.type") != "LogAppendTime"


Check = Callable[[Look], str | None]


def _days(ms: float) -> str:
    return f"{ms / _DAY_MS:,.1f}".removesuffix(".0") + " days"


# -- refusals ---------------------------------------------------------------------------------------------


def _too_old(look: Look) -> str | None:
    limit_ms, age_ms = look.limit_ms(_BEFORE), look.age_ms
    if not look.keeps_event_times or age_ms is None or age_ms <= limit_ms:
        return None
    return (
        f"refuses records older than {_days(limit_ms)}, and the oldest trade is {_days(age_ms)} old: set its"
        " message.timestamp.before.max.ms (before Kafka 3.6: message.timestamp.difference.max.ms) to more"
    )


def _too_new(look: Look) -> str | None:
    limit_ms, ahead_ms = look.limit_ms(_AFTER), look.ahead_ms
    if not look.keeps_event_times or ahead_ms is None or ahead_ms <= limit_ms:
        return None
    return (
        f"refuses records more than {_days(limit_ms)} in the future, and the newest trade is {_days(ahead_ms)} ahead:"
        " set its message.timestamp.after.max.ms (before Kafka 3.6: message.timestamp.difference.max.ms) to more"
    )


def _too_few_replicas(look: Look) -> str | None:
    needed, replicas = look.number("min.insync.replicas", 1), look.topic.replication
    if needed <= replicas:
        return None
    return (
        f"wants {needed} replicas in sync (min.insync.replicas) and has {replicas}: it takes no record;"
        f" set its min.insync.replicas to {replicas} at most, or give it more replicas"
    )


# -- what needs a warning ---------------------------------------------------------------------------------


def _retention(look: Look) -> str | None:
    retention_ms, age_ms = look.number("retention.ms", -1), look.age_ms
    by_delete = "delete" in look.topic.config.get("cleanup.policy", "delete")
    if not by_delete or retention_ms < 0 or age_ms is None or age_ms <= retention_ms:
        return None
    return (
        f"keeps records for {retention_ms / _DAY_MS:g} days by event time, and the oldest trade is"
        f" {age_ms / _DAY_MS:,.0f} days old: Kafka will delete it within minutes; set the topic's retention.ms=-1"
    )


def _compaction(look: Look) -> str | None:
    if "compact" not in look.topic.config.get("cleanup.policy", ""):
        return None
    return "is compacted: only the last trade of each symbol will be kept"


def _other_times(look: Look) -> str | None:
    return None if look.keeps_event_times else "replaces event times by the broker's time (LogAppendTime)"


def _one_replica(look: Look) -> str | None:
    if look.topic.replication > 1 or look.topic.brokers <= 1:
        return None
    return (
        f"has one replica, and the cluster {look.topic.brokers} brokers: rows are gone with the disk of one of them,"
        " acknowledged or not; give the topic more replicas"
    )


def _acknowledged_by_one(look: Look) -> str | None:
    replicas, needed = look.topic.replication, look.topic.config.get("min.insync.replicas")
    if replicas == 1 or needed != "1":
        return None
    return (
        f"has {replicas} replicas and min.insync.replicas=1: rows can be acknowledged that only a partition's leader"
        " has, and be gone if that dies; set the topic's min.insync.replicas=2"
    )


def _small_batches(look: Look) -> str | None:
    limit = look.number("max.message.bytes", look.batch_bytes)
    if limit >= look.batch_bytes:
        return None
    return (
        f"refuses batches over {limit:,} bytes (max.message.bytes), and --batch-size is {look.batch_bytes:,}: a fuller"
        f" batch may end the run with exit 7; set --batch-size {limit}, or the topic's max.message.bytes to more"
    )


_REFUSALS: tuple[Check, ...] = (_too_old, _too_new, _too_few_replicas)
_WARNINGS: tuple[Check, ...] = (
    _retention, _compaction, _other_times, _one_replica, _acknowledged_by_one, _small_batches,
)  # fmt: skip


def topic_problems(topic: Topic, span_ns: SpanNs, now_s: float, batch_bytes: int = 0) -> Iterator[str]:
    """All of them, as sentences."""
    return _found(_REFUSALS + _WARNINGS, Look(topic, span_ns, now_s, batch_bytes))


def topic_warnings(topic: Topic, span_ns: SpanNs, now_s: float, batch_bytes: int) -> Iterator[str]:
    """What a replay can go on with."""
    return _found(_WARNINGS, Look(topic, span_ns, now_s, batch_bytes))


def check_topic(topic: Topic, span_ns: SpanNs, now_s: float) -> None:
    """Raises `UsageError` where the broker is sure to refuse a trade that is going to be sent: with a warning instead,
    the run would end half-way, with a code that does not name the setting."""
    for problem in _found(_REFUSALS, Look(topic, span_ns, now_s, 0)):
        raise UsageError(problem, where="--topic", todo="change the topic's configuration, or choose another topic")


def limits_times(topic: Topic) -> bool:
    """Whether there are event times that the topic refuses."""
    look = Look(topic, None, 0.0, 0)
    return look.keeps_event_times and any(look.limit_ms(name) != _NO_LIMIT for name in (_BEFORE, _AFTER))


def _found(checks: tuple[Check, ...], look: Look) -> Iterator[str]:
    answers = (check(look) for check in checks)
    return (f"topic {look.topic.name} {answer}" for answer in answers if answer is not None)
