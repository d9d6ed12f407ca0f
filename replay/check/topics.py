"""The topics of a replay as the cluster has them: whether they are there, or could be made, the rights on them, and
what they would do to the rows.

Each topic is asked about over a connection of its own, so that what is refused of one hides nothing of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from replay.check.finding import Finding, counted, refused, warning
from replay.check.rights import Wants, judged, none_at_all
from replay.check.source import Warnings
from replay.delivery.job import USES
from replay.delivery.options import Delivery, RunOptions
from replay.delivery.progress_topic import PROGRESS_CONFIG, check_progress_topic, progress_spec
from replay.errors import RightMissing
from replay.kafka.access import Account, Resource, Use
from replay.kafka.cluster import Cluster, connect
from replay.kafka.topic import Topic, topic_refusals, topic_warnings
from replay.model import SpanNs, SystemClock
from replay.source.source import Source

LOOK_S = 10.0
"""How long a question may take at most, --broker-timeout where that is less: a check waits for no outage to end."""

_SHOWN = (
    "cleanup.policy", "retention.ms", "retention.bytes", "max.message.bytes", "min.insync.replicas",
    "message.timestamp.type",
)  # fmt: skip


@dataclass
class Topics:
    """`source` gives the times of the rows, where it could be opened. What is looked at raises what a replay would."""

    options: RunOptions
    account: Account
    check_stop: Callable[[], None]
    source: Source | None = None
    may_lack: bool = False
    topic: Topic | None = None  # as it was found, or is going to be

    @property
    def use(self) -> Use:
        return USES[self.options.delivery]

    def look(self) -> Iterator[Finding]:
        """The topic of the replay."""
        kafka = self.options.kafka
        wants = Wants(self.account, self.use, Resource.TOPIC, kafka.topic)
        with self._cluster() as cluster, _named(wants) as denied:
            cluster_id, brokers = cluster.about()
            yield Finding("cluster", f"{cluster_id}, {counted(brokers, 'broker')}")
            self.topic = topic = cluster.topic()
            if topic is None:
                yield from self._not_there(cluster)
                return
            yield Finding(f"topic {topic.name}", _shape(topic))
            if kafka.create_topic is not None and kafka.create_topic.partitions != topic.partitions:
                yield warning(f"topic {topic.name}", "it is there: --create-topic does nothing")
            yield from self._effects(topic)
            yield from judged(wants, cluster.identity(topic.name).allowed)
        yield from denied

    def look_at_progress(self) -> Iterator[Finding]:
        """The progress topic, where the replay has one."""
        if self.options.delivery is not Delivery.TRANSACTIONAL:
            return
        wants = Wants(self.account, self.use, Resource.PROGRESS_TOPIC, self.options.transactions.progress_topic)
        what = f"progress topic {wants.name}"
        with self._cluster() as cluster, _named(wants) as denied:
            topic = cluster.topic(wants.name, Resource.PROGRESS_TOPIC)
            if topic is not None:
                check_progress_topic(topic)
                yield Finding(what, _shape(topic))
                yield from judged(wants, cluster.identity(wants.name).allowed)
            elif self.topic is not None:
                cluster.check_creation(wants.name, progress_spec(self.topic), PROGRESS_CONFIG)
                yield Finding(what, "is not there; it would be created")
        yield from denied

    def _not_there(self, cluster: Cluster) -> Iterator[Finding]:
        kafka = self.options.kafka
        what = f"topic {kafka.topic}"
        if kafka.create_topic is None:
            todo = "check the name, or let replay create it with --create-topic PARTITIONS[:REPLICATION]"
            yield (warning if self.may_lack else refused)(what, cluster.no_topic, todo)
            return
        spec = kafka.create_topic
        cluster.check_creation(kafka.topic, spec, kafka.topic_config)
        self.topic = Topic("", kafka.topic, "", spec.partitions, spec.replication or 1, config=dict(kafka.topic_config))
        yield Finding(what, f"is not there; it would be created: {_shape(self.topic)}")
        yield from self._effects(self.topic)

    def _effects(self, topic: Topic) -> Iterator[Finding]:
        """What it would do to the rows: for sure only where all of them are sent."""
        span_ns, sends_all = self._span_ns()
        now_s, what = SystemClock().now(), f"topic {topic.name}"
        sure = set(topic_refusals(topic, span_ns if sends_all else None, now_s))
        for problem in topic_refusals(topic, span_ns, now_s):
            todo = "change the topic's configuration, or choose another topic"
            yield refused(what, problem, todo) if problem in sure else warning(what, problem, todo)
        for problem in topic_warnings(topic, span_ns, now_s, self.options.kafka.batch_bytes):
            yield warning(what, problem)

    def _span_ns(self) -> tuple[SpanNs, bool]:
        if self.source is None or not self.options.source.records.has_event_times:
            return None, False
        return self.source.record_span_ns, self.options.source.sends_all

    @contextmanager
    def _cluster(self) -> Iterator[Cluster]:
        kafka = self.options.kafka
        brief = replace(kafka, broker_timeout_s=min(LOOK_S, kafka.broker_timeout_s))
        with closing(connect(brief, Warnings(), SystemClock(), self.check_stop)) as cluster:
            yield cluster


@contextmanager
def _named(wants: Wants) -> Iterator[list[Finding]]:
    """A topic that may not be described: the list gets each right that is missing."""
    found: list[Finding] = []
    try:
        yield found
    except RightMissing:
        found += none_at_all(wants)


def _shape(topic: Topic) -> str:
    config = ", ".join(f"{name}={topic.config[name]}" for name in _SHOWN if name in topic.config)
    parts = f"{counted(topic.partitions, 'partition')}, {counted(topic.replication, 'replica')}"
    return f"{parts}; {config}" if config else parts
