"""The two sides of a comparison: the source's rows and the topic's records, each handed to the lanes; and a sample of
the rows.

Memory, whatever the size of source and topic: the source's open batches, one portion of rows, `buffered_records`
(and one fetch more), and 16 MB in librdkafka.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np

from replay.delivery.emptiness import Selected
from replay.delivery.slices import encoder_for, slices
from replay.delivery.snapshot import Display
from replay.errors import StateConflict
from replay.kafka.access import Account
from replay.kafka.broker_news import BrokerNews
from replay.kafka.options import KafkaOptions
from replay.kafka.patience import Attempt, Patience
from replay.kafka.reader import Fetched, Purpose, TopicReader
from replay.model import Encoded, Ints
from replay.source.source import Source
from replay.verify.compare import Lane
from replay.verify.pending import Identity, Stretch
from replay.verify.spill import fingerprints

T = TypeVar("T")

ATLAS_ROWS = 1_000_000  # 16 MB; of 10 G rows every 10,000th is known, and half a window holds several of those

PORTION_ROWS = 65_536  # of the source at a time: divided among a hundred partitions, still worth comparing as lists


class NoEventTimes(Exception):
    """A record has no time of its own: compare without times, from the start."""


class SourceSide:
    """The rows that are to be in the topic, in order."""

    def __init__(
        self, source: Source, partitions: int, with_times: bool, report: Display, check_stop: Callable[[], None]
    ) -> None:
        self._source, self._with_times, self._report, self._check_stop = source, with_times, report, check_stop
        self.encoder = encoder_for(source, partitions)
        self.selected = Selected(source)
        self.rows = 0  # handed over

    def portions(self, phase: str) -> Iterator[tuple[Encoded, int]]:
        """All rows from the beginning; each portion with the number of its first row."""
        for batch in self._source.batches(self._source.start):
            for start, stop in slices(len(batch), PORTION_ROWS):
                yield self.encoder.encode(batch, start, stop), batch.start.row + start
                self._check_stop()
                self._report.phase(phase, batch.start.row + stop, self._source.rows)

    def hand_over(self, encoded: Encoded, first_row: int, lanes: Sequence[Lane]) -> None:
        """Each lane its rows."""
        order = np.argsort(encoded.partitions, kind="stable")
        pick = order.tolist()
        columns = (encoded.keys, encoded.contents, self._times(encoded))
        keys, contents, times = ([column[at] for at in pick] for column in columns)
        rows = _row_numbers(encoded, first_row)[order].tolist()
        self.rows += len(encoded)
        self.selected.add_ids(encoded.symbols)
        end = 0
        for partition, number in enumerate(np.bincount(encoded.partitions).tolist()):
            start, end = end, end + number
            if number:
                of_it = slice(start, end)
                lanes[partition].expect(Stretch(keys[of_it], contents[of_it], times[of_it], rows[of_it]))

    def fingerprints(self, phase: str) -> Iterator[tuple[Ints, Ints]]:
        """Of all rows, in portions, each with its row numbers."""
        for encoded, first_row in self.portions(phase):
            columns = (encoded.keys, encoded.contents, self._times(encoded))
            yield fingerprints(encoded.partitions.tolist(), columns), _row_numbers(encoded, first_row)

    def _times(self, encoded: Encoded) -> Sequence[int | None]:
        return encoded.timestamps_ms if self._with_times else [None] * len(encoded)


class Atlas:
    """The `Guide` of lanes. It knows every so many-th row, chosen by the fingerprint of its content.

    `source` is read once, and only if a lane ever asks.
    """

    def __init__(self, source: Callable[[], Iterator[tuple[Ints, Ints]]], rows: int) -> None:
        self._source, self._every = source, rows // ATLAS_ROWS + 1

    def __call__(self, partition: int, row: int, records: Sequence[Identity]) -> bool:
        known, rows = self._sample
        full = fingerprints([partition] * len(records), zip(*records, strict=True))
        full = full[self._chosen(full)]
        at = np.searchsorted(known, full)
        at, full = at[at < len(known)], full[at < len(known)]
        ahead = (known[at] == full) & (rows[at] > row)
        return 2 * int(ahead.sum()) > len(ahead)

    @cached_property
    def _sample(self) -> tuple[Ints, Ints]:
        parts = [(full[hits], rows[hits]) for full, rows in self._source() for hits in [self._chosen(full)]]
        known, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(known, kind="stable")
        return known[order], rows[order]

    def _chosen(self, full: Ints) -> Ints:
        return np.flatnonzero(full % self._every == 0)


def _row_numbers(encoded: Encoded, first_row: int) -> Ints:
    rows: Ints = np.arange(len(encoded)) if encoded.rows is None else encoded.rows
    return rows + first_row


class TopicSide:
    """The topic's records, partitions side by side. A partition that is far ahead is let go for a while."""

    def __init__(
        self,
        kafka: KafkaOptions,
        purpose: Purpose,
        ranges: Sequence[tuple[int, int]],
        lanes: Sequence[Lane],
        buffer_max: int,
        with_times: bool,
        patience: Patience,
    ) -> None:
        """`ranges`: first offset and end of each partition; `buffer_max`: records that may wait in each lane."""
        self._ranges, self._lanes, self._buffer_max = ranges, lanes, buffer_max
        self._with_times, self._patience, self._news = with_times, patience, BrokerNews(Account.of(kafka), met=True)
        self.records = 0  # handed over
        self._reader = TopicReader(
            kafka, kafka.topic, dict(enumerate(ranges)), purpose, self._retry, self._news.on_error
        )
        self._note_ends()

    def close(self) -> None:
        self._reader.close()

    def read(self) -> None:
        """Some more records, or ends, for some lanes. To be called while a lane is hungry."""
        reader, lanes, most = self._reader, self._lanes, self._buffer_max
        reader.take_up(p for p in reader.left if lanes[p].buffered <= most // 2)
        first = next(p for p in reader.left if lanes[p].hungry)
        what = f"read partition {first} from offset {reader.next[first]:,} to {self._ranges[first][1]:,}"
        for fetched in reader.read(what):
            lanes[fetched.partition].find(self._stretch_of(fetched))
            self.records += len(fetched.offsets)
        self._note_ends()
        reader.let_go(p for p in reader.left if lanes[p].buffered >= most)

    def _note_ends(self) -> None:
        for partition, lane in enumerate(self._lanes):
            lane.found_ended = partition not in self._reader.left

    def _stretch_of(self, fetched: Fetched) -> Stretch:
        times = fetched.times_ms
        if not self._with_times:
            times = [None] * len(times)
        elif None in times:
            raise NoEventTimes
        return Stretch(fetched.keys, fetched.contents, times, fetched.offsets)

    def _retry(self, what: str, attempt: Attempt[T]) -> T:
        return self._patience(what, self._news, attempt)


def to_verify(topic: str, isolation: str, headers: slice | None) -> Purpose:
    """What the topic is read for; `headers` are those of each record that are compared."""

    def gone(error: str, partition: int) -> StateConflict:
        return StateConflict(
            f"records were deleted while they were to be read: {error}",
            where=f"{topic}, partition {partition}",
            todo="retention.ms or a truncation removed them; verify again to see what is left",
        )

    return Purpose("verify", isolation, gone, headers)
