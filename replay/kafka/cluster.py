"""The cluster around a replay: topic metadata, watermarks, the topic's tail, the embedded broker.

With `deliver.py`, the only place where confluent_kafka is used. Every read retries until the broker deadline: with
a leader failing over, a healthy cluster answers a watermark query with an error or not at all for seconds.
"""

from __future__ import annotations

import logging
import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from confluent_kafka import (
    TIMESTAMP_CREATE_TIME,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from replay.errors import BrokerUnavailable, ReplayError, StateConflict, UsageError, as_told
from replay.kafka.broker_news import BrokerNews
from replay.kafka.options import KafkaOptions, TopicSpec
from replay.kafka.patience import Patience
from replay.kafka.reachable import FIRST_CALL_S, Prospects
from replay.kafka.settings import client_settings
from replay.kafka.topic_watch import Identity

T = TypeVar("T")

kafka_log = logging.getLogger("librdkafka")
"""librdkafka's own lines; the command line sends them on to where all logs go."""

_CALL_TIMEOUT_S = 5.0  # of one attempt; a healthy broker answers within milliseconds
_READ_S = 0.2  # until a read that got nothing lets signals and the deadline have a look
_BATCH_S = 0.02  # how long a batch may take to get full: at full speed it does within that
_MOCK_CLUSTER_ID = "mockCluster"  # rdkafka_mock.c; it answers neither DescribeTopics nor DescribeConfigs


@dataclass(frozen=True, slots=True)
class Topic:
    """What a replay needs to know about its topic. `config` is empty where the broker does not tell."""

    cluster_id: str
    name: str
    topic_id: str
    partitions: int
    replication: int
    brokers: int = 1  # of the cluster
    config: Mapping[str, str] = field(default_factory=dict)
    replica_lag_max_s: float = 30.0  # Kafka's default for replica.lag.time.max.ms


@dataclass(frozen=True, slots=True)
class Found:
    """Records of a partition in order, as columns. A time is None where the broker wrote its own into the record."""

    partition: int
    offsets: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    times_ms: list[int | None]


@dataclass(frozen=True, slots=True)
class Description:
    """A topic's description that was asked for; see `topic_watch.Question`."""

    future: Any

    def done(self) -> bool:
        return bool(self.future.done())

    def answer(self) -> Identity | None:
        with suppress(KafkaException):
            return _identity(self.future, 0)
        return None


class Cluster:
    """A connection for everything but producing."""

    def __init__(self, options: KafkaOptions, patience: Patience) -> None:
        self._options, self._patience = options, patience
        # A part of the deadline: whoever waits is told in between.
        self._call_s = min(_CALL_TIMEOUT_S, max(1.0, options.broker_timeout_s / 4))
        self.news = BrokerNews()
        protocol = options.settings.get("security.protocol", "PLAINTEXT")
        self._prospects = Prospects(options.bootstrap_servers, protocol, options.broker_timeout_s)
        try:
            self._admin = self._client("admin", error_cb=self.news.on_error)
        except KafkaException as error:
            raise bad_setting(error) from None

    def topic(self, name: str = "") -> Topic | None:
        """The topic (of the replay, unless named) as it is now; None where the cluster does not have it."""
        name = name or self._options.topic
        metadata = self._retry("read the cluster's metadata", lambda: self._metadata(name))
        found = metadata.topics[name]
        if found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        is_mock = metadata.cluster_id.startswith(_MOCK_CLUSTER_ID)
        ready = self._retry(f"find the leaders of topic {name}", lambda: self._all_led(name))
        return Topic(
            cluster_id=metadata.cluster_id or "",
            name=name,
            topic_id="" if is_mock else self._topic_id(name),
            partitions=len(ready),
            replication=max(len(partition.replicas) for partition in ready.values()),
            brokers=len(metadata.brokers),
            config={} if is_mock else self._config(ResourceType.TOPIC, name),
            replica_lag_max_s=30.0 if is_mock else self._replica_lag_max_s(metadata),
        )

    def create_topic(self, name: str, spec: TopicSpec, config: Mapping[str, str]) -> Topic:
        """Create a topic, and wait until it is there: a node that is asked next may not have heard of it yet."""
        new = NewTopic(
            name,
            num_partitions=spec.partitions,
            replication_factor=spec.replication or -1,
            config=dict(config),
        )

        def attempt() -> bool | None:
            try:
                self._admin.create_topics([new], request_timeout=self._call_s)[name].result(self._call_s * 2)
                self._prospects.reached = True
            except KafkaException as error:
                code = error.args[0].code()
                if code == KafkaError.TOPIC_ALREADY_EXISTS:
                    return True
                if code in (
                    KafkaError.INVALID_REPLICATION_FACTOR,
                    KafkaError.INVALID_PARTITIONS,
                    KafkaError.INVALID_CONFIG,
                    KafkaError.POLICY_VIOLATION,
                    KafkaError.INVALID_REQUEST,
                ):
                    raise UsageError(
                        f"the broker refuses to create topic {name}: {error.args[0].str()}",
                        where="--create-topic",
                        todo="choose partitions, replication and --topic-config that the cluster allows",
                    ) from None
                raise
            return True

        self._retry(f"create topic {name}", attempt)
        self._retry(f"find the new topic {name}", lambda: self._all_led(name))
        return self._retry(f"find the new topic {name}", lambda: self.topic(name))

    def ask(self, topic: str) -> Description:
        """Asks which topic the name stands for, and does not wait for the answer."""
        asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=self._call_s)
        return Description(asked[topic])

    def identity(self, topic: str) -> Identity:
        """Which topic the name stands for now."""
        return self._retry(f"describe topic {topic}", lambda: _identity(self.ask(topic).future, self._call_s))

    def watermarks(self, topic: Topic) -> tuple[list[int], list[int]]:
        """Low and high watermark of each partition (read_uncommitted: all that consumers could ever see)."""
        return self._offsets(topic, OffsetSpec.earliest()), self._offsets(topic, OffsetSpec.latest())

    def high_watermarks(self, topic: Topic) -> list[int]:
        return self._offsets(topic, OffsetSpec.latest())

    def is_in_sync(self, topic: Topic) -> bool | None:
        """Whether each partition has `min.insync.replicas` in sync; None while the cluster does not tell. With fewer, a
        leader keeps what it has appended above the high watermark, for as long as that lasts (KIP-966)."""
        config = self._config(ResourceType.TOPIC, topic.name)
        if topic.config and not config:
            return None
        found = self._admin.list_topics(topic.name, self._call_s).topics[topic.name].partitions
        if not found:
            return None
        # Who may not read the configuration gets what is usual: all replicas but one.
        needed = int(config.get("min.insync.replicas", max(1, topic.replication - 1)))
        return all(len(each.isrs) >= min(needed, len(each.replicas)) for each in found.values())

    def wait_in_sync(self, topic: Topic) -> bool:
        """Waits for that; False if it did not have to."""
        looks = 0

        def attempt() -> bool | None:
            nonlocal looks
            looks += 1
            return self.is_in_sync(topic) or None

        self._retry("find as many replicas in sync as min.insync.replicas says; rows may be hidden till then", attempt)
        return looks > 1

    def read(
        self, topic: Topic, starts: list[int], ends: list[int], isolation: str = "read_uncommitted"
    ) -> Iterator[list[Found]]:
        """Every record from `starts` up to (not including) `ends`, each partition in order.

        A time-out is never the end; the end is an offset, or the broker's word that a partition has no more.
        At `read_committed` this waits for transactions that are open below the ends.
        """
        left = {p: ends[p] for p in range(topic.partitions) if starts[p] < ends[p]}
        if not left:
            return
        try:
            consumer = Consumer(
                {
                    **client_settings(self._options),
                    "error_cb": self.news.on_error,
                    "group.id": f"replay-tail-{os.getpid()}",  # required by the client; nothing is ever committed to it
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "isolation.level": isolation,
                    "auto.offset.reset": "error",
                    "enable.partition.eof": True,
                    "queued.max.messages.kbytes": 16_384,  # memory of the tail read, whatever its length
                    "fetch.queue.backoff.ms": 5,  # the default of 1 s would be the tail's speed limit
                    "fetch.wait.max.ms": 20,  # what a read that ends behind the last record waits for
                },
                logger=kafka_log,
            )
        except KafkaException as error:
            raise bad_setting(error) from None
        try:
            consumer.assign([TopicPartition(topic.name, p, starts[p]) for p in left])
            while left:
                yield self._retry("read the topic's tail", lambda: _consume(consumer, left))
        finally:
            consumer.close()

    def close(self) -> None:
        self._admin.poll(0)

    def patiently(self, what: str, attempt: Callable[[], T | None], news: BrokerNews) -> T:
        """Another client's call with this cluster's patience: `news` is what that client says."""
        return self._patience(what, news, attempt)

    def _retry(self, what: str, attempt: Callable[[], T | None]) -> T:
        def polled() -> T | None:
            self._admin.poll(0)  # serves its log and error callbacks
            try:
                return attempt()
            finally:
                self._admin.poll(0)  # what it said meanwhile is the reason of a failure

        return self._patience(what, self.news, polled, self._give_up)

    def _client(self, name: str, **more: Any) -> AdminClient:
        return AdminClient({**client_settings(self._options), **more}, logger=kafka_log.getChild(f"{name}.admin"))

    def _metadata(self, name: str) -> Any:
        seconds = self._call_s if self._prospects.answered else min(FIRST_CALL_S, self._call_s)
        found = self._admin.list_topics(name, seconds)
        self._prospects.answered = True
        return found

    def _give_up(self, waited_s: float) -> None:
        """Raises `UsageError` if waiting cannot help."""
        self._prospects.give_up(waited_s, self.news.last_error, self._advertised)

    def _advertised(self) -> list[tuple[str, int]]:
        """As a broker says that answers now; empty if none does. A client that has met its cluster asks at advertised
        addresses only: this takes another one."""
        with suppress(KafkaException):
            brokers = self._client("advertised").list_topics(timeout=self._call_s).brokers
            return [(broker.host, broker.port) for broker in brokers.values()]
        return []

    def _all_led(self, name: str) -> dict[int, Any] | None:
        found = self._admin.list_topics(name, self._call_s).topics[name]
        led = found.partitions and all(partition.leader >= 0 for partition in found.partitions.values())
        return found.partitions if led else None

    def _topic_id(self, name: str) -> str:
        def attempt() -> str | None:  # a topic just created may be unknown for a moment
            found = _identity(self.ask(name).future, self._call_s)
            self._prospects.reached = True
            return found.topic_id or None

        return self._retry(f"describe topic {name}", attempt)

    def _config(self, kind: ResourceType, name: str) -> dict[str, str]:
        """Best effort: describing configurations is a right of its own, which a replay can do without."""
        with suppress(KafkaException, FutureTimeoutError):
            resource = ConfigResource(kind, name)
            answer = self._admin.describe_configs([resource], request_timeout=self._call_s)
            entries = answer[resource].result(self._call_s)
            return {key: entry.value for key, entry in entries.items() if entry.value is not None}
        return {}

    def _replica_lag_max_s(self, metadata: Any) -> float:
        broker = str(next(iter(metadata.brokers)))
        return int(self._config(ResourceType.BROKER, broker).get("replica.lag.time.max.ms", 30_000)) / 1_000

    def _offsets(self, topic: Topic, spec: Any) -> list[int]:
        wanted = {TopicPartition(topic.name, p): spec for p in range(topic.partitions)}

        def attempt() -> list[int] | None:
            answer = self._admin.list_offsets(
                wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=self._call_s
            )
            found = {tp.partition: future.result(self._call_s * 2).offset for tp, future in answer.items()}
            self._prospects.reached = True
            offsets = [int(found[p]) for p in range(topic.partitions)]
            return None if min(offsets) < 0 else offsets  # -1001 (OFFSET_INVALID) is no answer: a node hangs

        return self._retry("read the topic's watermarks", attempt)


def _identity(described: Any, seconds: float) -> Identity:
    try:
        found = described.result(seconds)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return Identity()
        raise
    return Identity(str(found.topic_id), len(found.partitions))


def _consume(consumer: Any, left: dict[int, int]) -> list[Found] | None:
    """Some records, and `left` without the partitions that are through; None where nothing came."""
    messages = _next_messages(consumer)
    before, trouble, troubles = len(left), None, []
    if any(map(Message.error, messages)):
        troubles = [message for message in messages if message.error() is not None]
        messages = [message for message in messages if message.error() is None]
    found = []
    for partition, start, stop in _runs(list(map(Message.partition, messages))):
        if partition in left:
            records = _records(partition, messages[start:stop], left[partition])
            if records.offsets:
                found.append(records)
            if messages[stop - 1].offset() >= left[partition] - 1:
                del left[partition]
    for message in troubles:
        partition, error = message.partition(), message.error()
        if error.code() != KafkaError._PARTITION_EOF:
            trouble = error  # raised only if nothing else came: what is in this batch is not given again
        elif partition in left and message.offset() >= left[partition]:
            del left[partition]
    if trouble is not None and not found and len(left) == before:
        raise _read_error(trouble)
    return found if found or len(left) < before else None


def _next_messages(consumer: Consumer) -> list[Message]:
    """A batch as soon as there is one: consume() itself would wait until it is full. Empty where nothing came."""
    end_s = time.monotonic() + _READ_S
    while time.monotonic() < end_s:
        messages: list[Message] = consumer.consume(10_000, timeout=_BATCH_S)
        if messages:
            return messages
    return []


def _records(partition: int, messages: list[Any], end: int) -> Found:
    """Those before the end. Column by column: a call from C for each, and no Python."""
    offsets = list(map(Message.offset, messages))
    if offsets[-1] >= end:
        messages = messages[: bisect_left(offsets, end)]
        offsets = offsets[: len(messages)]
    kinds, times = zip(*map(Message.timestamp, messages), strict=True) if messages else ((), ())
    if kinds.count(TIMESTAMP_CREATE_TIME) < len(kinds):
        times = tuple(time if kind == TIMESTAMP_CREATE_TIME else None for kind, time in zip(kinds, times, strict=True))
    return Found(partition, offsets, list(map(Message.key, messages)), list(map(Message.value, messages)), list(times))


def _runs(partitions: list[int]) -> Iterator[tuple[int, int, int]]:
    """Each stretch of one partition, and where it starts and stops."""
    ends = [*(np.flatnonzero(np.diff(partitions)) + 1).tolist(), len(partitions)] if partitions else []
    for start, stop in pairwise([0, *ends]):
        yield partitions[start], start, stop


def _read_error(error: Any) -> StateConflict | KafkaException:
    """What reading on would not mend is a conflict; the rest is worth another try."""
    if error.code() == KafkaError._AUTO_OFFSET_RESET:
        return StateConflict(
            f"records that a resume needs are gone: {error.str()}",
            where="Kafka",
            todo="retention or a truncation removed them; start over on purpose with --restart",
        )
    refused: KafkaException = KafkaException(error)
    return refused


def bad_setting(error: Exception) -> ReplayError:
    """librdkafka's refusal of a setting; it names the property, never its value. Or a client that cannot be made for
    want of memory or threads, whatever its settings."""
    text = error.args[0].str() if isinstance(error, KafkaException) else str(error)
    if isinstance(error, KafkaException) and error.args[0].code() == KafkaError._CRIT_SYS_RESOURCE:
        return as_told(MemoryError(text))
    return UsageError(
        f"librdkafka refuses a setting: {text}",
        where="-X",
        todo="see librdkafka's CONFIGURATION.md for names and ranges",
    )


class EmbeddedBroker:
    """librdkafka's mock cluster: a broker inside this process, gone with it. It has 4 partitions a topic."""

    def __init__(self, topic: str) -> None:
        quiet = {"log_level": 0, "bootstrap.servers": "embedded", "test.mock.num.brokers": 1}
        self._holder = Producer({**quiet, "allow.auto.create.topics": True})
        deadline = time.monotonic() + 10
        metadata = self._holder.list_topics(timeout=10)
        self.bootstrap_servers = ",".join(f"{b.host}:{b.port}" for b in metadata.brokers.values())
        while not self._holder.list_topics(topic, timeout=10).topics[topic].partitions:
            if time.monotonic() > deadline:
                raise BrokerUnavailable("the embedded broker does not create its topic", where="--embedded")

    def __enter__(self) -> EmbeddedBroker:
        return self

    def __exit__(self, *_: object) -> None:
        del self._holder
