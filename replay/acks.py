"""Delivery reports to the frontier: the smallest row that is not yet acknowledged.

Rows are handed over in chunks; a chunk counts once each of its rows has been reported, whatever the order of
the reports: a retry after NOT_ENOUGH_REPLICAS_AFTER_APPEND can be acknowledged after its successors, so counting
reports a partition would credit the wrong rows. The frontier moves over whole chunks, oldest first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from replay.model import DeliveryCallback, PartitionMark, Position, Progress

FailureHandler = Callable[[Any, Any, "Chunk"], None]


def _nowhere() -> Position:
    raise ValueError("a chunk that stands for no rows yet")


@dataclass(slots=True, eq=False)
class Chunk:
    """Rows that were handed over together.

    `rows` counts the positions it covers, skipped and left-out rows included; `records` what was sent of them,
    `waiting` the reports still to come;
    `skipped` the rows a partition had already (see `PartitionMark.ahead_rows`); `next_offsets` is what the
    reports so far say; a partition is `unplaced` where a report came without offset (a duplicate sequence).
    """

    bytes: int
    sent_at_s: float
    waiting: int = 0
    records: int = 0
    first_row: int = 0
    rows: int = 0
    end: Callable[[], Position] = _nowhere
    skipped: dict[int, int] = field(default_factory=dict)
    next_offsets: dict[int, int] = field(default_factory=dict)
    unplaced: set[int] = field(default_factory=set)

    def on_delivery(self, failed: FailureHandler) -> DeliveryCallback:
        """The callback for each record of this chunk. A failed record never counts: the frontier stays."""
        next_offsets, unplaced = self.next_offsets, self.unplaced

        def report(error: Any, message: Any) -> None:
            if error is not None:
                failed(error, message, self)
                return
            partition, offset = message.partition(), message.offset()
            if offset is None or offset < 0:
                unplaced.add(partition)
            elif offset >= next_offsets.get(partition, 0):
                next_offsets[partition] = offset + 1
            self.waiting -= 1  # last: where memory runs out before, the row is not counted without its offset

        return report


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

    def sent(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        chunk.records = chunk.waiting  # no report is served between handing over and this
        self.in_flight_rows += chunk.records
        self.in_flight_bytes += chunk.bytes

    def advance(self) -> bool:
        """Take completed chunks off the front; True if there were any."""
        last: Chunk | None = None
        while self._chunks and self._chunks[0].waiting == 0:
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
        for partition in chunk.unplaced:
            self._unplaced.add(partition)
        for partition, offset in chunk.next_offsets.items():
            if partition not in chunk.unplaced:
                self._unplaced.discard(partition)
                self._marks[partition] = PartitionMark(offset, self._marks[partition].ahead_rows)
