"""Examples are looked up only where there are any, and a record that cannot be read takes nothing from the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from replay.errors import BrokerUnavailable, StateConflict
from replay.kafka.options import KafkaOptions
from replay.kafka.reader import Fetched
from replay.record.options import Records
from replay.verify import findings
from replay.verify.decoding import Decoder, Record, Shown
from replay.verify.findings import GONE, Look, RecordsAgain
from replay.verify.kinds import NONE, Example

DECODER = Decoder(Records(), None)


class Untouched:
    """A source that fails whoever reads a batch of it."""

    start = None

    def batches(self, start: Any) -> Iterator[Any]:
        raise AssertionError("the source is read")
        yield start


def look(again: Any, *, with_times: bool = True) -> Look:
    source: Any = Untouched()
    encoder: Any = None
    return Look(source, encoder, again, DECODER, with_times)


def test_nothing_is_read_where_nothing_differs() -> None:
    """Broken: each exact verdict costs another pass over the source, or another connection."""
    asked: list[Any] = []
    assert look(lambda *place: asked.append(place)).findings([]) == ()
    assert asked == []


def test_of_records_without_a_row_the_source_is_not_read() -> None:
    """Broken: one foreign record costs another pass over the source."""
    record = Record(b"k", b"v", 0, [])
    (found,) = look(lambda *_: record).findings([("foreign", Example(NONE, 1, 7))])
    assert (found.partition, found.offset) == (1, 7)
    assert found.found == Shown("k", "v", "1970-01-01T00:00:00.000Z")
    (found,) = look(lambda *_: record, with_times=False).findings([("foreign", Example(NONE, 1, 7))])
    assert found.found == Shown("k", "v"), "the broker's own time says nothing of the record"


def test_a_record_that_cannot_be_shown_is_said() -> None:
    """Broken: an example without contents, and nobody knows why."""
    (found,) = look(lambda *_: GONE).findings([("foreign", Example(NONE, 1, 7))])
    assert (found.found, found.differs) == (None, (GONE,))


class Reader:
    """Answers, or raises, what it is given."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.left, self.closed = list(answers), set[int](), False

    def only(self, partition: int, start: int, end: int) -> None:
        assert end == start + 1
        self.left = {partition}

    def read(self, what: str) -> Any:
        assert what.endswith(" again")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.left = set()
        return answer

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def again_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(reader: Reader) -> RecordsAgain:
        monkeypatch.setattr(findings, "TopicReader", lambda *_: reader)
        anything: Any = None
        return RecordsAgain(KafkaOptions("b", "t"), anything, anything)

    return made


def test_records_are_read_one_by_one_over_one_connection(again_of: Any) -> None:
    """Broken: each example connects anew, or a record that was compacted away is waited for without end."""
    reader = Reader([Fetched(0, [5], [b"k"], [None], [3], [[("a", b"")]])], [], StateConflict("deleted"))
    again = again_of(reader)
    assert again(0, 5) == Record(b"k", None, 3, [("a", b"")])
    assert again(0, 6) == GONE
    assert again(0, 0) == GONE
    again.close()
    assert reader.closed


def test_a_broker_that_is_away_by_then_takes_nothing_from_the_verdict(again_of: Any) -> None:
    """Broken: an hour of comparing is lost, or the deadline passes once for each example."""
    again = again_of(Reader(BrokerUnavailable("away")))
    for _ in range(3):
        assert again(0, 5) == "the record could not be read again: the broker was away"


def test_who_never_asked_never_connected(again_of: Any) -> None:
    """Broken: an exact verdict leaves a consumer behind, or fails at its end."""
    reader = Reader()
    again_of(reader).close()
    assert not reader.closed
