"""Delivery reports to the frontier: the smallest row that is not yet acknowledged.

Rows are handed over in chunks; a chunk counts once each of its rows has been reported, whatever the order of
the reports: a retry after NOT_ENOUGH_REPLICAS_AFTER_APPEND can be acknowledged after its successors, so counting
reports a partition would credit the wrong rows. The frontier moves over whole chunks, oldest first.

A report costs as much as the record's way out if Python has to run for it. So it only falls into the chunk's queue,
which is C; Python runs for the last record of each partition, whose offset is the one that matters.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from queue import SimpleQueue
from typing import Any

import numpy as np

from replay.model import DeliveryCallback, Ints, PartitionMark, Position, Progress


def _nowhere() -> Position:
    raise ValueError("a chunk that stands for no rows yet")


def last_of_each(partitions: Ints) -> dict[int, int]:
    """The last record of each partition that occurs."""
    if len(partitions) < 64:  # a burst of a paced replay: a few calls into numpy cost more than this
        return {partition: record for record, partition in enumerate(partitions.tolist())}
    last = np.full(int(partitions.max(initial=-1)) + 1, -1, dtype=np.int64)
    last[partitions] = np.arange(len(partitions))  # of those with one index, the last one stays
    return {int(partition): int(last[partition]) for partition in np.flatnonzero(last >= 0)}


@dataclass(slots=True, eq=False)
class Chunk:
    """Rows that were handed over together.

    `rows` counts the positions it covers, skipped and left-out rows included; `records` what was sent of them, to
    `partitions`; `skipped` the rows a partition had already (see `PartitionMark.ahead_rows`); `next_offsets` is what
    the reports so far say: a partition is missing where its last report has not come, or came without offset (a
    duplicate sequence). `reports` holds None, or the error, for each record that was reported and not looked at yet;
    `errors` are those of the records that were; `failed_partitions` are those whose last record is among them.
    """

    bytes: int
    sent_at_s: float
    records: int = 0
    first_row: int = 0
    rows: int = 0
    end: Callable[[], Position] = _nowhere
    partitions: tuple[int, ...] = ()
    skipped: dict[int, int] = field(default_factory=dict)
    next_offsets: dict[int, int] = field(default_factory=dict)
    reports: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    looked_at: int = 0
    errors: list[Any] = field(default_factory=list)
    failed_partitions: list[int] = field(default_factory=list)

    def callbacks(self, partitions: Ints) -> list[DeliveryCallback]:
        """What is called with the report of each record, given their partitions."""
        last = last_of_each(partitions)
        self.partitions = tuple(last)
        callbacks: list[DeliveryCallback] = [self.reports.put] * len(partitions)  # put(error, message): no time-out
        for record in last.values():
            callbacks[record] = self._reported_last
        return callbacks

    def _reported_last(self, error: Any, message: Any) -> None:
        if error is not None:
            self.failed_partitions.append(message.partition())
        else:
            offset = message.offset()
            if offset is not None and offset >= 0:
                self.next_offsets[message.partition()] = offset + 1
        self.reports.put(error)  # last: where memory runs out before, the row is not counted without its offset

    def is_delivered(self) -> bool:
        """Whether every record was reported, and none of them has failed: a failed one never counts."""
        if self.errors or self.looked_at + self.reports.qsize() < self.records:
            return False
        self.look()
        return not self.errors

    def look(self) -> None:
        """At the reports that have come since the last look: a record that failed is found before all have come."""
        reports = self.reports.qsize()
        self.errors += filter(None, map(self.reports.get, repeat(False, reports)))
        self.looked_at += reports


class Frontier:
    """Chunks in the order they were handed over; moves on as the oldest complete."""

    def __init__(self, start: Progress) -> None:
        self.saved = start  # the newest progress that may be written down
        self.row = start.position.row  # the smallest row that is not acknowledged
        self._reached: Callable[[], Position] = lambda: start.position
        self.in_flight_rows = 0
        self.in_flight_bytes = 0
        self._chunks: deque[Chunk] = deque()
        self._marks = list(start.marks)
        self._unplaced: set[int] = set()

    @property
    def position(self) -> Position:
        """The position of `row`; `saved` may stand behind it."""
        return self._reached()

    @property
    def marks(self) -> tuple[PartitionMark, ...]:
        return tuple(self._marks)

    @property
    def oldest(self) -> Chunk | None:
        return self._chunks[0] if self._chunks else None

    @property
    def is_held_up(self) -> bool:
        """Whether `advance` found that records of the oldest chunk have failed: it stops there for good."""
        return bool(self._chunks and self._chunks[0].errors)

    def failures(self) -> Iterator[tuple[Chunk, Any]]:
        """Each record that was reported as failed, of whatever chunk: those before it may never be reported."""
        for chunk in self._chunks:
            chunk.look()
            yield from ((chunk, error) for error in chunk.errors)

    def sent(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self.in_flight_rows += chunk.records
        self.in_flight_bytes += chunk.bytes

    def advance(self) -> bool:
        """Take completed chunks off the front; True if there were any."""
        last: Chunk | None = None
        while self._chunks and self._chunks[0].is_delivered():
            last = self._chunks.popleft()
            self.in_flight_rows -= last.records
            self.in_flight_bytes -= last.bytes
            self.row, self._reached = last.first_row + last.rows, last.end
            self._place(last)
        if last is None:
            return False
        # Where a partition's newest offset is unknown, the position saved stays behind it: a later report
        # of that partition places it, and a resume from the older position finds the row in the topic.
        if not self._unplaced:
            self.saved = Progress(self.position, self.marks)
        return True

    def finished(self, end: Position) -> Progress:
        """Progress of a replay with every row acknowledged: nothing follows, so unplaced offsets do not matter."""
        return Progress(end, self.marks)

    def _place(self, chunk: Chunk) -> None:
        for partition, rows in chunk.skipped.items():
            mark = self._marks[partition]
            self._marks[partition] = PartitionMark(mark.next_offset, mark.ahead_rows - rows)
        for partition in chunk.partitions:
            offset = chunk.next_offsets.get(partition)
            if offset is None:
                self._unplaced.add(partition)
            else:
                self._unplaced.discard(partition)
                self._marks[partition] = PartitionMark(offset, self._marks[partition].ahead_rows)
