"""Reading a topic: every record within the bounds once, in order; a time-out is no end, and what is gone is said."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException

from replay.errors import StateConflict
from replay.kafka import reader as reader_module
from replay.kafka.options import KafkaOptions
from replay.kafka.patience import Attempt, NotYet
from replay.kafka.reader import READ_UNCOMMITTED, Fetched, Purpose, TopicReader
from replay.model import Headers

T = TypeVar("T")


class FakeMessage:
    """A record, or the word that a partition has no more, or an error."""

    def __init__(
        self, partition: int, offset: int, error: int | None = None, kind: int = TIMESTAMP_CREATE_TIME
    ) -> None:
        self._partition, self._offset, self._kind = partition, offset, kind
        self._error = None if error is None else KafkaError(error)

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def error(self) -> KafkaError | None:
        return self._error

    def key(self) -> bytes:
        return b"S%d" % self._partition

    def value(self) -> bytes:
        return b"%d" % self._offset

    def headers(self) -> Headers | None:
        return [("a", b"%d" % self._offset), ("row", b"x:1")] if self._offset else None

    def timestamp(self) -> tuple[int, int]:
        return self._kind, 1_000 + self._offset


def records(partition: int, *offsets: int, kind: int = TIMESTAMP_CREATE_TIME) -> list[FakeMessage]:
    return [FakeMessage(partition, offset, kind=kind) for offset in offsets]


def end(partition: int, offset: int) -> FakeMessage:
    return FakeMessage(partition, offset, KafkaError._PARTITION_EOF)


@dataclass
class FakeConsumer:
    """Answers with one batch after the other; nothing once they are used up."""

    batches: deque[list[FakeMessage]] = field(default_factory=deque)
    assigned: dict[int, int] = field(default_factory=dict)
    calls: list[tuple[str, list[int]]] = field(default_factory=list)

    def incremental_assign(self, places: list[Any]) -> None:
        self.assigned |= {each.partition: each.offset for each in places}
        self.calls.append(("assign", [each.partition for each in places]))

    def incremental_unassign(self, places: list[Any]) -> None:
        for each in places:
            del self.assigned[each.partition]
        self.calls.append(("unassign", [each.partition for each in places]))

    def consume(self, *_: Any, **__: Any) -> list[FakeMessage]:
        return self.batches.popleft() if self.batches else []

    def close(self) -> None:
        self.calls.append(("close", []))


class GaveUp(Exception):
    """Nothing came."""


def once(what: str, attempt: Attempt[T]) -> T:
    result = attempt()
    if result is None or isinstance(result, NotYet):
        raise GaveUp(what)
    return result


def gone(_: str, partition: int) -> StateConflict:
    return StateConflict(f"gone from partition {partition}", where="t")


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> FakeConsumer:
    made = FakeConsumer()
    monkeypatch.setattr(reader_module, "Consumer", lambda *_, **__: made)
    monkeypatch.setattr(reader_module, "Message", FakeMessage)
    monkeypatch.setattr(reader_module, "_READ_S", 0.01)
    return made


def reading(
    consumer: FakeConsumer,
    ranges: dict[int, tuple[int, int]],
    *batches: list[FakeMessage],
    headers: slice | None = None,
) -> TopicReader:
    consumer.batches += batches
    options, purpose = KafkaOptions("127.0.0.1:1", "t"), Purpose("test", READ_UNCOMMITTED, gone, headers)
    return TopicReader(options, "t", ranges, purpose, once, lambda _: None)


def offsets(fetched: list[Fetched]) -> list[tuple[int, list[int]]]:
    return [(each.partition, list(each.offsets)) for each in fetched]


def test_records_come_by_partition_and_nothing_from_beyond_the_end(consumer):
    """Broken: what others append meanwhile counts, or a partition with offsets beyond its end is never through."""
    reader = reading(consumer, {0: (5, 8), 1: (0, 2)}, [*records(0, 5, 6), *records(1, 0), *records(0, 7, 8, 9)])
    assert consumer.assigned == {0: 5, 1: 0}
    assert offsets(reader.read("read")) == [(0, [5, 6]), (1, [0]), (0, [7])]
    assert reader.left == {1}
    assert consumer.assigned == {1: 0}


def test_nothing_is_assigned_of_what_has_no_records(consumer):
    reader = reading(consumer, {0: (5, 5), 1: (0, 1)})
    assert (reader.left, set(consumer.assigned)) == ({1}, {1})


def test_a_time_out_is_no_end(consumer):
    """Broken: a broker that hangs ends the read, and rows that are there are sent again."""
    reader = reading(consumer, {0: (0, 2)})
    with pytest.raises(GaveUp, match="read"):
        reader.read("read")
    assert reader.left == {0}


def test_the_end_is_the_brokers_word_at_or_behind_it(consumer):
    """Broken: transaction markers before the end are waited for in vain; or an end before it cuts records off."""
    reader = reading(consumer, {0: (0, 4)}, [*records(0, 0, 1), end(0, 2)], [end(0, 4)])
    assert offsets(reader.read("read")) == [(0, [0, 1])]
    assert reader.left == {0}
    assert reader.read("read") == []
    assert reader.left == set()


def test_a_jump_over_the_end_is_an_end(consumer):
    """Broken: where markers lie before the end, a topic that others write to is read for as long as they do."""
    reader = reading(consumer, {0: (0, 4)}, [*records(0, 0, 1, 6)])
    assert offsets(reader.read("read")) == [(0, [0, 1])]
    assert reader.left == set()


def test_trouble_is_raised_only_where_nothing_else_came(consumer):
    """Broken: records that came with an error are lost, as nobody is given them again."""
    down = FakeMessage(-1, -1, KafkaError._ALL_BROKERS_DOWN)
    reader = reading(consumer, {0: (0, 4)}, [down, *records(0, 0)], [down])
    assert offsets(reader.read("read")) == [(0, [0])]
    with pytest.raises(KafkaException):
        reader.read("read")


def test_records_that_were_deleted_are_said_at_once(consumer):
    """Broken: librdkafka says so only once, with the records of another partition, and the read waits until the
    deadline for what is gone."""
    deleted = FakeMessage(1, 3, KafkaError._AUTO_OFFSET_RESET)
    reader = reading(consumer, {0: (0, 4), 1: (0, 4)}, [*records(0, 0), deleted])
    with pytest.raises(StateConflict, match="gone from partition 1"):
        reader.read("read")


def test_what_is_deleted_behind_the_end_does_not_matter(consumer):
    """Broken: a read that has all it wanted fails for what retention did to the rest."""
    deleted = FakeMessage(0, 2, KafkaError._AUTO_OFFSET_RESET)
    reader = reading(consumer, {0: (0, 2), 1: (0, 1)}, [*records(0, 0, 1), deleted])
    assert offsets(reader.read("read")) == [(0, [0, 1])]


def test_a_partition_that_was_let_go_goes_on_where_it_was_left(consumer):
    """Broken: records that librdkafka had read ahead are skipped, or come twice."""
    reader = reading(
        consumer,
        {0: (0, 9), 1: (0, 9)},
        records(0, 0, 1),
        [*records(0, 2, 3), *records(1, 0), end(0, 9)],  # of the time before it was let go
        records(0, 1, 2, 3),
    )
    reader.read("read")
    reader.let_go([0])
    assert set(consumer.assigned) == {1}
    assert offsets(reader.read("read")) == [(1, [0])]
    assert 0 in reader.left
    reader.take_up([0, 1])
    assert consumer.assigned == {0: 2, 1: 0}
    assert offsets(reader.read("read")) == [(0, [2, 3])]


def test_a_time_of_the_brokers_is_none(consumer):
    """Broken: with LogAppendTime no record of the tail is taken for its row, and all are sent again."""
    mixed = [*records(0, 0), *records(0, 1, kind=TIMESTAMP_LOG_APPEND_TIME)]
    (fetched,) = reading(consumer, {0: (0, 2)}, mixed).read("read")
    assert (fetched.times_ms, fetched.keys, fetched.values) == ([1_000, None], [b"S0", b"S0"], [b"0", b"1"])


def test_headers_are_read_where_they_are_compared_and_only_there(consumer):
    """Broken: `replay verify` does not see that a header is gone; or reads headers of all trades for nothing."""
    (fetched,) = reading(consumer, {0: (0, 2)}, records(0, 0, 1)).read("read")
    assert (fetched.contents, fetched.headers) == ([b"0", b"1"], [])
    (fetched,) = reading(consumer, {0: (0, 2)}, records(0, 0, 1), headers=slice(0, -1)).read("read")
    assert fetched.contents == [(b"0", ()), (b"1", (("a", b"1"),))]


def test_headers_that_cannot_be_read_are_asked_for_once(consumer, monkeypatch):
    """Broken: the client answers a second time with what it could not read, and the process dies of it."""
    asked = []

    def headers(message: FakeMessage) -> Headers:
        asked.append(message.offset())
        if message.offset() % 2:
            raise SystemError("returned a result with an exception set")
        return [("a", b"1")]

    monkeypatch.setattr(FakeMessage, "headers", headers)
    (fetched,) = reading(consumer, {0: (0, 4)}, records(0, 0, 1, 2, 3), headers=slice(None)).read("read")
    read = [(b"0", (("a", b"1"),)), (b"1", (("\0", None),)), (b"2", (("a", b"1"),)), (b"3", (("\0", None),))]
    assert (fetched.contents, asked) == (read, [0, 1, 2, 3])
