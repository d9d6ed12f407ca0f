"""Which topic a name stands for, and what this client may do with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from replay.errors import RightMissing
from replay.kafka.access import Account, Refused, Resource, Right, Use, lacking, missing, needed, refused, right
from replay.kafka.broker_news import BrokerNews
from replay.kafka.topic import TopicIdentity

T = TypeVar("T")

_FIRST_WAIT_S = 0.1

_IN_MID_RUN = frozenset({"Describe", "Write"})
"""Whoever is sending needs no more. That it may not read any more does not end it: a resume says so."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What a client of this account needs of a topic: for `use`, as what `resource` says that the topic is to it."""

    account: Account
    use: Use
    resource: Resource = Resource.TOPIC

    @property
    def rights(self) -> tuple[Right, ...]:
        return needed(self.use, self.resource)

    def lacks(self, found: TopicIdentity) -> tuple[Right, ...]:
        """What the cluster says is missing, of what whoever sends needs. Nothing where it does not say."""
        return self._missing(found, (each for each in self.rights if each.operation in _IN_MID_RUN))

    def refuse(self, name: str, found: TopicIdentity) -> None:
        """Raises `RightMissing` where something is missing at the start."""
        if lost := self._missing(found, self.rights):
            raise lacking(self.account, lost, name)

    def refuse_in_mid_run(self, name: str, found: TopicIdentity) -> None:
        if lost := self.lacks(found):
            raise lacking(self.account, lost, name)

    def hidden(self, name: str, said: str) -> RightMissing:
        """The error for a topic that may not even be described: any other right on it would allow that."""
        return lacking(self.account, self.rights or (right("Describe", self.resource),), name, said)

    def _missing(self, found: TopicIdentity, rights: Iterable[Right]) -> tuple[Right, ...]:
        return () if found.allowed is None else missing(rights, found.allowed)


@dataclass(frozen=True, slots=True)
class Description:
    """A topic's description that was asked for, and comes some time later."""

    future: Any
    demands: Demands

    def done(self) -> bool:
        return bool(self.future.done())

    def answer(self) -> TopicIdentity | None:
        """Once it is done; None where the cluster could not say. A topic that this client may not use any more is as
        good as none: `Cluster.identity` tells why."""
        try:
            found = identity(self.future, 0)
        except KafkaException as error:
            return TopicIdentity() if refused(error.args[0].code()) is Refused.RIGHT else None
        return TopicIdentity() if self.demands.lacks(found) else found


def identity(described: Any, seconds: float) -> TopicIdentity:
    """Of the answer to a description. Raises `KafkaException`, or `TimeoutError` without an answer."""
    try:
        found = described.result(seconds)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return TopicIdentity()
        raise
    # None, or empty, where a broker does not say (before Kafka 2.3): whoever may describe a topic may do something.
    allowed = frozenset(map(_operation, found.authorized_operations or ())) or None
    return TopicIdentity(str(found.topic_id), len(found.partitions), allowed)


def _operation(operation: Any) -> str:
    """`DescribeConfigs`, as ACLs have it, of the client's `DESCRIBE_CONFIGS`."""
    return "".join(map(str.capitalize, operation.name.split("_")))


def meet(admin: AdminClient, news: BrokerNews, topic: str, seconds: float) -> Any:
    """A first answer: the topic's metadata. A refused login is heard soon: librdkafka itself would try again until the
    time is up. So each wait is twice as long as the one before it. (A question about the cluster is no answer from the
    embedded broker.)

    Raises `AccessDenied`, and `KafkaException` without an answer."""
    wait_s, end_s = _FIRST_WAIT_S, time.monotonic() + seconds
    while True:
        try:
            return admin.list_topics(topic, min(wait_s, max(_FIRST_WAIT_S, end_s - time.monotonic())))
        except KafkaException:
            admin.poll(0)
            news.raise_refused()
            if time.monotonic() >= end_s:
                raise
        wait_s *= 2


def explaining(attempt: Callable[[], T], why: Callable[[str], Exception]) -> T:
    """What `attempt` returns. A right that it says is missing is told as `why` makes it of the cluster's words."""
    try:
        return attempt()
    except KafkaException as error:
        if refused(error.args[0].code()) is Refused.RIGHT:
            raise why(error.args[0].str()) from None
        raise
