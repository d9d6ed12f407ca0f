"""Examples of what differs, with what was expected and what is there: looked up again, and only where there are any.

One pass over the source, as far as the examples reach. Each record is read again at its place. Of rows and records one
pair at a time is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from replay.errors import BrokerUnavailable, StateConflict
from replay.kafka.access import Account
from replay.kafka.broker_news import BrokerNews
from replay.kafka.options import KafkaOptions
from replay.kafka.patience import Attempt, Patience
from replay.kafka.reader import Purpose, TopicReader
from replay.model import Batch
from replay.record.encoder import Encoder
from replay.source.source import Source
from replay.verify.decoding import Decoder, Record
from replay.verify.kinds import NONE, Example
from replay.verify.verdict import Finding

T = TypeVar("T")

GONE = "the record has been deleted since it was compared"

Again = Callable[[int, int], Record | str]
"""The record at a partition and offset, or why it cannot be shown."""


@dataclass(frozen=True, slots=True)
class Look:
    """What finds out about examples. `with_times`: timestamps were compared."""

    source: Source
    encoder: Encoder
    again: Again
    decoder: Decoder
    with_times: bool

    def findings(self, examples: Sequence[tuple[str, Example]]) -> tuple[Finding, ...]:
        """Of each example with its kind, in their order."""
        made: dict[int, Finding] = {}
        at_rows = sorted((example.row, at) for at, (_, example) in enumerate(examples) if example.row != NONE)
        batches = self.source.batches(self.source.start)
        batch: Batch | None = None
        for row, at in at_rows:
            while batch is None or row >= batch.start.row + len(batch):
                batch = next(batches)
            made[at] = self._finding(*examples[at], *self._of_row(batch, row))
        for at, (kind, example) in enumerate(examples):
            if at not in made:
                made[at] = self._finding(kind, example, Finding(kind), None)
        return tuple(made[at] for at in range(len(examples)))

    def _of_row(self, batch: Batch, row: int) -> tuple[Finding, Record]:
        """Where a row comes from and belongs, and its record."""
        at = row - batch.start.row
        file = batch.files if isinstance(batch.files, int) else int(batch.files[at])
        symbol = self.source.symbols.names[batch.table.column("symbol")[at].as_py()]
        path = self.source.files[file].shown
        file_row = self.source.files[file].file_row(batch.position_after(at).cursors[file])
        encoded = self.encoder.encode(batch, at, at + 1)
        headers = encoded.headers[0] if encoded.headers else []
        record = self._timed(Record(encoded.keys[0], encoded.values[0], encoded.timestamps_ms[0], headers))
        return Finding("", row, path, file_row, symbol, int(encoded.partitions[0])), record

    def _finding(self, kind: str, example: Example, place: Finding, expected: Record | None) -> Finding:
        made = replace(place, kind=kind)
        if expected is not None:
            made = replace(made, expected=self.decoder.shown(expected))
        if example.offset == NONE:
            return made
        made = replace(made, partition=example.partition, offset=example.offset)
        found = self.again(example.partition, example.offset)
        if isinstance(found, str):
            return replace(made, differs=(found,))
        found = self._timed(found)
        differs: tuple[str, ...] = ()
        if expected is None:
            differs = self.decoder.of_another_schema(found)
        elif kind == "changed":
            differs = self.decoder.differences(found, expected)
        return replace(made, found=self.decoder.shown(found), differs=differs)

    def _timed(self, record: Record) -> Record:
        return record if self.with_times else replace(record, time_ms=None)


class RecordsAgain:
    """Reads single records at their places. Connects when it is first asked.

    A broker that is away by now takes nothing from the verdict: the record is not shown, and no other is waited for.
    """

    def __init__(self, kafka: KafkaOptions, purpose: Purpose, patience: Patience) -> None:
        self._kafka, self._purpose, self._patience = kafka, purpose, patience
        self._news = BrokerNews(Account.of(kafka), met=True)
        self._reader: TopicReader | None = None
        self._lost = ""

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def __call__(self, partition: int, offset: int) -> Record | str:
        if self._lost:
            return self._lost
        if self._reader is None:
            self._reader = TopicReader(
                self._kafka, self._kafka.topic, {}, self._purpose, self._retry, self._news.on_error
            )
        reader = self._reader
        reader.only(partition, offset, offset + 1)
        try:
            while reader.left:
                for each in reader.read(f"read partition {partition} at offset {offset:,} again"):
                    headers = (each.headers[0] if each.headers else None) or []
                    return Record(each.keys[0], each.values[0], each.times_ms[0], headers)
        except StateConflict:
            return GONE
        except BrokerUnavailable:
            self._lost = "the record could not be read again: the broker was away"
            return self._lost
        return GONE

    def _retry(self, what: str, attempt: Attempt[T]) -> T:
        return self._patience(what, self._news, attempt)
