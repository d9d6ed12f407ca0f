"""The cluster around a replay: topic metadata, watermarks, the topic's tail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec

from replay.errors import StateConflict, UsageError
from replay.kafka.access import Refused, Resource, Use, lacking, refused, right
from replay.kafka.connection import Connection
from replay.kafka.creation import ask_to_create
from replay.kafka.described import Demands, Description, explaining, identity, meet
from replay.kafka.embedded import is_embedded
from replay.kafka.options import KafkaOptions, TopicSpec
from replay.kafka.patience import Patience
from replay.kafka.reader import READ_UNCOMMITTED, Fetched, Purpose, TopicReader
from replay.kafka.replicas import Replicas
from replay.kafka.topic import Topic, TopicIdentity
from replay.kafka.trouble import Trouble
from replay.model import Clock
from replay.reporter import Reporter


class Cluster(Connection):
    """A connection for everything but producing.

    What asks the cluster tries again until the broker deadline, and raises `BrokerUnavailable` then: with a leader
    failing over, a healthy cluster answers with an error or not at all for seconds. It raises `UsageError` as soon as
    waiting cannot help: wrong credentials, missing rights (for `use`), another protocol, addresses that lead nowhere.
    """

    def __init__(self, options: KafkaOptions, patience: Patience, use: Use = Use.PLAN) -> None:
        super().__init__(options, patience)
        self._use, self._resources = use, dict[str, Resource]()  # what each topic is to this client

    def about(self) -> tuple[str, int]:
        """The cluster's id, and how many brokers it has."""
        metadata = self._retry("read the cluster's metadata", lambda: self._metadata(self._options.topic))
        return metadata.cluster_id or "", len(metadata.brokers)

    def topic(self, name: str = "", resource: Resource = Resource.TOPIC) -> Topic | None:
        """The topic (of the replay, unless named) as it is now; None where the cluster does not have it.

        Raises `RightMissing` where this client may not do with it what it is for.
        """
        name = name or self._options.topic
        self._resources[name] = resource
        metadata = self._retry("read the cluster's metadata", lambda: self._metadata(name))
        found = metadata.topics[name]
        if found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        is_mock = is_embedded(metadata.cluster_id)
        ready = self._retry(f"find the leaders of topic {name}", lambda: self._all_led(name))
        return Topic(
            cluster_id=metadata.cluster_id or "",
            name=name,
            topic_id="" if is_mock else self._topic_id(name),
            partitions=len(ready),
            replication=max(len(partition.replicas) for partition in ready.values()),
            brokers=len(metadata.brokers),
            config={} if is_mock else self._replicas.topic_config(name),
            replica_lag_max_s=self._replicas.lag_max_s(() if is_mock else {each.leader for each in ready.values()}),
        )

    def existing_topic(self, todo: str) -> Topic:
        """The topic of the replay as it is now. Raises `UsageError` with `todo` where there is none."""
        topic = self.topic()
        if topic is None:
            raise UsageError(self.no_topic, where="--topic", todo=todo)
        return topic

    @property
    def no_topic(self) -> str:
        """What is said of a topic that is not there: a cluster may hide one from whoever may not describe it."""
        maybe = ", or this user may not describe it" if self._account.logs_in else ""
        return f"there is no topic {self._options.topic} at {self._options.bootstrap_servers}{maybe}"

    def create_topic(self, name: str, spec: TopicSpec, config: Mapping[str, str]) -> Topic:
        """Create a topic, and wait until it is there: a node that is asked next may not have heard of it yet.

        Raises `UsageError` where the cluster does not allow such a topic.
        """
        self._retry(f"create topic {name}", lambda: self._create(name, spec, config))
        self._retry(f"find the new topic {name}", lambda: self._all_led(name))
        return self._retry(f"find the new topic {name}", lambda: self.topic(name, self._demands(name).resource))

    def check_creation(self, name: str, spec: TopicSpec, config: Mapping[str, str]) -> None:
        """Raises what `create_topic` would raise, of rules and of rights; creates nothing."""
        self._retry(
            f"ask whether topic {name} may be created", lambda: self._create(name, spec, config, only_look=True)
        )

    def _create(self, name: str, spec: TopicSpec, config: Mapping[str, str], *, only_look: bool = False) -> bool:
        may_not = partial(lacking, self._account, [right("Create", self._demands(name).resource)], name)
        ask = partial(ask_to_create, self._admin, self._call_s, name, spec, config, only_look=only_look)
        explaining(ask, may_not)
        self._prospects.reached = True
        return True

    def _described(self, topic: str) -> Any:
        found = self.ask(topic).future.result(self._call_s)
        self._prospects.reached = True
        return found

    def ask(self, topic: str) -> Description:
        """Asks which topic the name stands for, and does not wait for the answer."""
        asked = self._admin.describe_topics(
            TopicCollection([topic]), request_timeout=self._call_s, include_authorized_operations=True
        )
        return Description(asked[topic], self._demands(topic))

    def identity(self, topic: str) -> TopicIdentity:
        """Which topic the name stands for now. Raises `RightMissing` where this client may not send to it any more."""
        found = self._retry(f"describe topic {topic}", lambda: self._identity(topic))
        self._demands(topic).refuse_in_mid_run(topic, found)
        return found

    def watermarks(self, topic: Topic) -> tuple[list[int], list[int]]:
        """Low and high watermark of each partition (read_uncommitted: all that consumers could ever see)."""
        return self._offsets(topic, OffsetSpec.earliest()), self._offsets(topic, OffsetSpec.latest())

    def high_watermarks(self, topic: Topic) -> list[int]:
        """The offset behind the last record of each partition."""
        return self._offsets(topic, OffsetSpec.latest())

    def wait_in_sync(self, topic: Topic, *, ask_each: bool) -> bool:
        """Waits until no replica hides what its leader has appended (see `Replicas`); False if it did not have to."""
        looks = 0

        def attempt() -> bool | None:
            nonlocal looks
            looks += 1
            return self._replicas.are_in_sync(topic, ask_each=ask_each)

        self._retry("be sure that no replica hides rows", attempt)
        return looks > 1

    def read(
        self,
        topic: Topic,
        starts: Sequence[int],
        ends: Sequence[int],
        isolation: str = READ_UNCOMMITTED,
        headers: slice | None = None,
    ) -> Iterator[list[Fetched]]:
        """Every record from `starts` up to (not including) `ends`, offsets of each partition; each partition in order.
        With those of its headers that are compared.

        Raises `StateConflict` where records were deleted before they were read.
        """
        ranges = {p: (starts[p], ends[p]) for p in range(topic.partitions) if starts[p] < ends[p]}
        if not ranges:
            return
        self.log_in()
        purpose = Purpose("tail", isolation, _gone, headers)
        with closing(
            TopicReader(self._options, topic.name, ranges, purpose, self._retry, self.news.on_error)
        ) as reader:
            while reader.left:
                yield reader.read(f"read the end of topic {topic.name}")

    @property
    def _replicas(self) -> Replicas:
        return Replicas(self._admin, self._whole_call_s)

    def _metadata(self, name: str) -> Any:
        if self._prospects.answered:
            found = self._admin.list_topics(name, self._call_s)
        else:
            found = meet(self._admin, self.news, name, self._call_s)
        self._prospects.answered = True
        self._refuse_hidden(name, found)
        self._prospects.known = [(broker.host, broker.port) for broker in found.brokers.values()]
        return found

    def _demands(self, name: str) -> Demands:
        return Demands(self._account, self._use, self._resources.get(name, Resource.TOPIC))

    def _refuse_hidden(self, name: str, metadata: Any) -> None:
        """Raises `RightMissing` for a topic that this client may not describe."""
        error = metadata.topics[name].error
        if error is not None and refused(error.code()) is Refused.RIGHT:
            raise self._demands(name).hidden(name, error.str())

    def _identity(self, name: str) -> TopicIdentity:
        hidden = partial(self._demands(name).hidden, name)
        found = explaining(lambda: identity(self.ask(name).future, self._call_s), hidden)
        self._prospects.reached = True
        return found

    def _all_led(self, name: str) -> dict[int, Any] | None:
        metadata = self._admin.list_topics(name, self._call_s)
        self._refuse_hidden(name, metadata)
        found = metadata.topics[name]
        led = found.partitions and all(partition.leader >= 0 for partition in found.partitions.values())
        return found.partitions if led else None

    def _topic_id(self, name: str) -> str:
        def attempt() -> str | None:  # a topic just created may be unknown for a moment
            found = self._identity(name)
            self._demands(name).refuse(name, found)
            return found.topic_id or None

        return self._retry(f"describe topic {name}", attempt)

    def _offsets(self, topic: Topic, spec: Any) -> list[int]:
        wanted = {TopicPartition(topic.name, p): spec for p in range(topic.partitions)}

        def attempt() -> list[int] | None:
            answer = self._admin.list_offsets(
                wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=self._call_s
            )
            try:
                found = {tp.partition: future.result(self._call_s * 2).offset for tp, future in answer.items()}
            except KafkaException as error:
                if error.args[0].code() == KafkaError._NOENT:  # no leader: or none that this client may know of
                    self._all_led(topic.name)
                raise
            self._prospects.reached = True
            offsets = [int(found[p]) for p in range(topic.partitions)]
            return None if min(offsets) < 0 else offsets  # -1001 (OFFSET_INVALID) is no answer: a node hangs

        return self._retry("read the topic's watermarks", attempt)


def connect(
    options: KafkaOptions, report: Reporter, clock: Clock, check_stop: Callable[[], None], use: Use = Use.PLAN
) -> Cluster:
    """For what is not a run: no outage is counted."""
    return Cluster(options, Patience(clock, options.broker_timeout_s, check_stop, Trouble(report, clock)), use)


def _gone(error: str, _: int) -> StateConflict:
    return StateConflict(
        f"records that a resume needs are gone: {error}",
        where="Kafka",
        todo="retention or a truncation removed them; start over on purpose with --restart",
    )
