"""Records read back: those behind a checkpoint, a replay's progress records, a whole topic."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol, TypeVar

from confluent_kafka import TIMESTAMP_CREATE_TIME, Consumer, KafkaError, KafkaException, Message, TopicPartition

from replay.errors import StateConflict
from replay.kafka.access import Account, Refused, Resource, lacking, refused, right
from replay.kafka.client import bad_setting, kafka_log
from replay.kafka.login.renewal import Renewal
from replay.kafka.options import KafkaOptions
from replay.kafka.patience import Attempt, NotYet
from replay.kafka.settings import client_settings
from replay.model import Content, Headers, contents

READ_UNCOMMITTED, READ_COMMITTED = "read_uncommitted", "read_committed"

_READ_S = 0.2  # until a read that got nothing lets signals and the deadline have a look
_FETCH_S = 0.02  # how long a fetch may take to get full: at full speed it does within that
_FETCH_RECORDS = 10_000

_UNREADABLE: Headers = [("\0", None)]
"""Stands for headers that cannot be read. No record of ours has such a name."""

_NOTHING = NotYet("nothing came", answered=True)
_HELD_BACK = NotYet(
    "nothing came: an open transaction may hold it back; if that is of a job that is gone, the broker ends it",
    answered=True,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records of one partition in order, as columns. A time is None where the broker wrote its own into the record.
    `headers` are read where some are compared."""

    partition: int
    offsets: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    times_ms: Sequence[int | None]
    headers: Sequence[Headers | None] = ()
    compared_headers: slice | None = None

    @property
    def contents(self) -> Sequence[Content]:
        """What each is compared by."""
        return contents(self.values, self.headers, self.compared_headers)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a topic is read for. At `read_committed` a read waits for transactions that are open below its ends.

    `gone` makes the error for records that were deleted before they were read, of librdkafka's text and a partition.
    `headers` are those of each record that are compared; None: none are, and none is read, which would cost time.
    """

    name: str
    isolation: str
    gone: Callable[[str, int], StateConflict]
    headers: slice | None = None


class Retry(Protocol):
    """Calls `attempt` until it returns something, or raises at the broker deadline."""

    def __call__(self, what: str, attempt: Attempt[T]) -> T: ...


class TopicReader:
    """Reads partitions side by side, each from its start up to (not including) its end.

    A time-out is never the end. The end is an offset, or the broker's word that a partition has no more records.
    """

    def __init__(
        self,
        options: KafkaOptions,
        topic: str,
        ranges: Mapping[int, tuple[int, int]],
        purpose: Purpose,
        retry: Retry,
        on_error: Callable[[Any], None],
    ) -> None:
        """`ranges`: first offset and end of each partition that is read. Raises `UsageError` for a bad setting."""
        self._topic, self._purpose, self._retry = topic, purpose, retry
        self._account = Account.of(options)
        self.next = {partition: start for partition, (start, _) in ranges.items()}
        self._ends = {partition: end for partition, (_, end) in ranges.items()}
        self.left = {partition for partition, (start, end) in ranges.items() if start < end}  # not read to the end
        self._assigned: set[int] = set()
        try:
            self._consumer = Consumer(
                {
                    **client_settings(options),
                    "error_cb": on_error,
                    "group.id": f"replay-{purpose.name}-{os.getpid()}",  # required; nothing is ever committed to it
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "isolation.level": purpose.isolation,
                    "auto.offset.reset": "error",
                    "enable.partition.eof": True,
                    "queued.max.messages.kbytes": 16_384,  # memory of the read-ahead, whatever there is to read
                    "fetch.queue.backoff.ms": 5,  # the default of 1 s would be the speed limit
                    "fetch.wait.max.ms": 10,  # what an end, or a partition taken up again, waits for
                },
                logger=kafka_log,
            )
        except KafkaException as error:
            raise bad_setting(error) from None
        self._renewal = Renewal(self._consumer, options)
        self.take_up(self.left)

    def close(self) -> None:
        self._renewal.close()
        self._consumer.close()

    def read(self, what: str) -> list[Fetched]:
        """Some more records; none where only an end was reached. `what` completes "cannot …".

        Raises `BrokerUnavailable` past the deadline, and what `Purpose.gone` makes.
        """
        return self._retry(what, self._attempt)

    def take_up(self, partitions: Iterable[int]) -> None:
        """Read these partitions on where they were left."""
        if new := set(partitions) - self._assigned:
            self._consumer.incremental_assign([TopicPartition(self._topic, p, self.next[p]) for p in sorted(new)])
            self._assigned |= new

    def let_go(self, partitions: Iterable[int]) -> None:
        """Read these partitions no further for now. What librdkafka has read ahead of them is thrown away."""
        if old := set(partitions) & self._assigned:
            self._consumer.incremental_unassign([TopicPartition(self._topic, p) for p in sorted(old)])
            self._assigned -= old

    def only(self, partition: int, start: int, end: int) -> None:
        """Read this range next, and forget what was left."""
        self.let_go(self._assigned)
        self.next[partition], self._ends[partition], self.left = start, end, {partition}
        self.take_up(self.left)

    def _attempt(self) -> list[Fetched] | NotYet:
        """Some records, and `left` without the partitions that are through. Nothing may come yet."""
        messages, others = self._fetch(), []
        if any(map(Message.error, messages)):
            others = [message for message in messages if message.error() is not None]
            messages = [message for message in messages if message.error() is None]
        fetched, through = self._records(messages)
        trouble = self._ends_and_trouble(others, through)
        if not fetched and not through:
            if trouble is not None:  # else it waits: what came with it is not given again
                self._raise(trouble)
            return _HELD_BACK if self._purpose.isolation == READ_COMMITTED else _NOTHING
        self.left -= through
        if self.left:  # else the reader is about to be closed
            self.let_go(through)
        return fetched

    def _records(self, messages: list[Message]) -> tuple[list[Fetched], set[int]]:
        """What is wanted of the records, and the partitions that are through."""
        fetched, through = [], set[int]()
        for partition, stretch in groupby(messages, Message.partition):
            if partition in self._assigned:
                mine = list(stretch)
                records = self._take(partition, mine)
                if records.offsets:
                    fetched.append(records)
                if mine[-1].offset() >= self._ends[partition] - 1:
                    through.add(partition)
        return fetched, through

    def _ends_and_trouble(self, messages: list[Any], through: set[int]) -> Any:
        """Adds partitions to `through` that have no more records; the newest trouble."""
        trouble = None
        for message in messages:
            partition, error = message.partition(), message.error()
            if error.code() == KafkaError._AUTO_OFFSET_RESET:  # librdkafka says so only once
                if partition in self.left - through:
                    raise self._purpose.gone(error.str(), partition)
            elif error.code() != KafkaError._PARTITION_EOF:
                trouble = error
            elif partition in self._assigned and message.offset() >= self._ends[partition]:
                through.add(partition)
        return trouble

    def _raise(self, trouble: Any) -> None:
        """Raises `RightMissing` where this client may not read the topic, and `KafkaException` for what may be over."""
        if refused(trouble.code()) is Refused.RIGHT:
            raise lacking(self._account, [right("Read", Resource.TOPIC)], self._topic, trouble.str())
        if trouble.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:  # said of a coordinator that nobody needs
            raise KafkaException(trouble)

    def _fetch(self) -> list[Message]:
        """A batch as soon as there is one: consume() itself would wait until it is full. Empty where nothing came."""
        end_s = time.monotonic() + _READ_S
        while time.monotonic() < end_s:
            messages: list[Message] = self._consumer.consume(_FETCH_RECORDS, timeout=_FETCH_S)
            if messages:
                return messages
        return []

    def _take(self, partition: int, messages: list[Any]) -> Fetched:
        """Those within bounds. Column by column: a call from C for each, and no Python."""
        offsets = list(map(Message.offset, messages))
        start, stop = bisect_left(offsets, self.next[partition]), bisect_left(offsets, self._ends[partition])
        messages, offsets = messages[start:stop], offsets[start:stop]
        if offsets:
            self.next[partition] = offsets[-1] + 1
        keys, values = list(map(Message.key, messages)), list(map(Message.value, messages))
        compared = self._purpose.headers
        headers: list[Headers | None] = [] if compared is None else _headers(messages)
        return Fetched(partition, offsets, keys, values, _times(messages), headers, compared)


def _headers(messages: list[Any]) -> list[Headers | None]:
    """Of each message, asked once: where a name is no UTF-8, the client raises, and a second answer of it would end the
    process."""
    found: list[Headers | None] = []
    answers = map(Message.headers, messages)
    while len(found) < len(messages):
        try:
            found.extend(answers)
        except (SystemError, UnicodeError):
            found.append(_UNREADABLE)
    return found


def _times(messages: list[Any]) -> list[int | None]:
    kinds, times = zip(*map(Message.timestamp, messages), strict=True) if messages else ((), ())
    if kinds.count(TIMESTAMP_CREATE_TIME) < len(kinds):
        return [time if kind == TIMESTAMP_CREATE_TIME else None for kind, time in zip(kinds, times, strict=True)]
    return list(times)
