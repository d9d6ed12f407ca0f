"""Rows on their way: what is handed over next, what it stands for, and what has to be saved meanwhile.

Pure: no Kafka, no disk, no clock. Times come in as numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from replay.delivery.acks import Chunk, Frontier
from replay.model import Batch, Bools, Encoded, Ints, Progress

LEAD_ROWS_MIN = 1_000_000
"""How far rows may be sent beyond the older checkpoint on disk: more than two intervals at full speed need, and
on a resume the bound on rows kept in memory while the tail is matched."""


def lead_rows_max(in_flight_rows_max: int) -> int:
    """Twice what can be in flight, for each of the two generations on disk, or more."""
    return max(LEAD_ROWS_MIN, 4 * in_flight_rows_max)


@dataclass(slots=True, eq=False)
class Slice:
    """Rows of a batch, from its row `first` on, as records: those to be sent, and those that are `there` already.

    The first `sent` of the records were handed over, and with them the first `covered` rows are dealt with: also rows
    that were there, or are left out. `bytes_before` is the size of all records before each, and of all.
    """

    batch: Batch
    first: int
    records: Encoded
    there: Encoded | None
    bytes_before: Ints
    sent: int = 0
    covered: int = 0

    @property
    def is_sent(self) -> bool:
        return self.sent == len(self.records)

    @property
    def is_covered(self) -> bool:
        return self.covered == self.records.slice_rows

    def rows_until(self, stop: int) -> int:
        """How many more rows are dealt with once the records before `stop` are handed over."""
        return self.records.rows_through(stop) - self.covered

    def bytes_until(self, stop: int) -> int:
        return int(self.bytes_before[stop] - self.bytes_before[self.sent])


class Flight:
    """The rows of one producer, from `start` on: at most so many rows and bytes are in flight at once."""

    def __init__(self, start: Progress, rows_max: int, bytes_max: int) -> None:
        self.frontier = Frontier(start)
        self.sent_row = start.position.row  # the next row to hand over
        self.sent_records = 0
        self.failure = ""  # of a record that failed for good
        self._rows_max, self._bytes_max = rows_max, bytes_max
        self._ahead: Ints = np.array([mark.ahead_rows for mark in start.marks], dtype=np.int64)

    @property
    def partitions(self) -> int:
        return len(self._ahead)

    @property
    def has_landed(self) -> bool:
        """Whether nothing is in flight: every row that was handed over is acknowledged."""
        return self.frontier.oldest is None

    @property
    def progress(self) -> Progress:
        """What is acknowledged. It is shown; what may be saved is `frontier.saved`."""
        return Progress(self.frontier.position, self.frontier.marks)

    def slice(self, batch: Batch, first: int, encoded: Encoded) -> Slice:
        """The next rows, encoded, without the records that the topic has."""
        missing = self._not_there_yet(encoded.partitions)
        records = encoded if missing is None else encoded.only(np.flatnonzero(missing))
        there = None if missing is None else encoded.only(np.flatnonzero(~missing))
        return Slice(batch, first, records, there, np.concatenate([[0], np.cumsum(records.record_bytes)]))

    def _not_there_yet(self, partitions: Ints) -> Bools | None:
        """The records to send; None for all of them. The first `ahead` records of each partition are in the topic."""
        if not self._ahead.any():
            return None
        missing = np.ones(len(partitions), dtype=bool)
        for partition in np.flatnonzero(self._ahead):
            records = np.flatnonzero(partitions == partition)[: self._ahead[partition]]
            missing[records] = False
            self._ahead[partition] -= len(records)
        return missing

    def room(self, part: Slice) -> int:
        """The record to stop before, so that what is in flight stays within bounds in rows and bytes."""
        frontier, sent, before = self.frontier, part.sent, part.bytes_before
        rows = self._rows_max - frontier.in_flight_rows
        left = self._bytes_max - frontier.in_flight_bytes
        by_bytes = bisect_right(before, before[sent] + left, lo=sent) - 1
        if not frontier.in_flight_rows:
            by_bytes = max(by_bytes, sent + 1)  # one record may be larger than the bound
        return min(sent + rows, by_bytes)

    def sent(self, part: Slice, chunk: Chunk) -> None:
        """The chunk's records are on their way. It stands for their rows, and for those before them that were there or
        are left out."""
        stop = part.sent + chunk.records
        covered, through = part.covered, part.records.rows_through(stop)
        chunk.first_row, chunk.rows = self.sent_row, through - covered
        chunk.end = lambda: part.batch.position_after(part.first + through)
        if part.there is not None:
            assert part.there.rows is not None
            inside = (part.there.rows >= covered) & (part.there.rows < through)
            skipped = np.bincount(part.there.partitions[inside], minlength=len(self._ahead))
            chunk.skipped = {int(p): int(skipped[p]) for p in np.flatnonzero(skipped)}
        part.sent, part.covered = stop, through
        self.sent_row += chunk.rows
        self.sent_records += chunk.records
        self.frontier.sent(chunk)


class OnDisk:
    """The two generations of the checkpoint, and when the next one is due.

    A resume reads no further than `lead_rows_max` rows beyond a generation, and takes the process for dead one
    `interval_s` after it.
    """

    def __init__(self, start: Progress, now_s: float, lead_rows_max: int, interval_s: float) -> None:
        self.newest = start
        self._older_row = start.position.row
        self._saved_at_s = now_s
        self._lead_rows_max, self._interval_s = lead_rows_max, interval_s

    def saved(self, progress: Progress, now_s: float) -> None:
        self._older_row, self.newest = self.newest.position.row, progress
        self._saved_at_s = now_s

    def is_due(self, now_s: float) -> bool:
        return now_s - self._saved_at_s >= self._interval_s

    def is_out_of_reach(self, row: int) -> bool:
        """Whether a resume from the older generation would not look at the rows before this one."""
        return row - self._older_row > self._lead_rows_max

    def is_passed_by(self, progress: Progress) -> bool:
        """Whether this, once saved, moves what a resume looks at."""
        return progress.position.row > self._older_row
