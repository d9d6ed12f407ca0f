"""Rows and records that waited in vain: kept on disk, then joined, to say what each is. Pure, but for temporary files.

Entries are spread over files by a fingerprint, so that one file at a time is joined in memory, and every count is
that of a full comparison, whatever the size of the damage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO

import numpy as np

from replay.model import Bools, Content, Ints
from replay.verify.kinds import NONE, KindCounts, place_of
from replay.verify.pending import Identity

BUCKETS = 64
"""Files of a spill; one at a time is in memory. 100 M spilled entries make 1.6 M a bucket: 60 MB."""

BUCKET_BYTES_IN_MEMORY = 1 << 18  # what a bucket holds before it becomes a file: small damage never touches the disk
BUFFERED = 8_192  # entries gathered before they are fingerprinted and spread over the buckets

FILTER_BITS = 24  # 16 MB of flags, so that few source rows reach the disk when duplicates are looked for

FULL, ANYWHERE, KEY_TIME, KEY_VALUE, PLACE = range(5)  # the columns of a spill: four fingerprints, and whose they are


def fingerprints(partitions: Iterable[int], columns: Iterable[Iterable[Content | int]]) -> Ints:
    """64 bits of each (partition, column, column...), good within this process."""
    return np.fromiter(map(hash, zip(partitions, *columns, strict=False)), dtype=np.int64)


class Buckets:
    """Rows of integers, spread over files by one of their columns, which is a fingerprint."""

    def __init__(self, column: int, width: int) -> None:
        self._column, self._width = column, width
        self._files: dict[int, IO[bytes]] = {}

    def add(self, table: Ints) -> None:
        buckets = table[:, self._column] & (BUCKETS - 1)
        order = np.argsort(buckets, kind="stable")
        ends = np.cumsum(np.bincount(buckets, minlength=BUCKETS))
        for bucket, part in enumerate(np.split(table[order], ends[:-1])):
            if len(part):
                if bucket not in self._files:
                    self._files[bucket] = SpooledTemporaryFile(BUCKET_BYTES_IN_MEMORY)  # noqa: SIM115 - `each` closes
                self._files[bucket].write(part.tobytes())

    def each(self) -> Iterator[tuple[int, Ints]]:
        for bucket in list(self._files):
            yield bucket, self.take(bucket)

    def take(self, bucket: int) -> Ints:
        """A bucket's content, which is then gone."""
        if bucket not in self._files:
            return np.empty((0, self._width), dtype=np.int64)
        with self._files.pop(bucket) as file:
            file.seek(0)
            return np.frombuffer(file.read(), dtype=np.int64).reshape(-1, self._width)


class Spill:
    """Of each row or record four fingerprints, and its place: a row number, or below zero that of a record."""

    def __init__(self) -> None:
        self.buckets = Buckets(FULL, 5)
        self._buffer: list[tuple[int, bytes | None, Content, int | None, int]] = []

    def add(self, partition: int, identity: Identity, place: int) -> None:
        self._buffer.append((partition, *identity, place))
        if len(self._buffer) >= BUFFERED:
            self.flush()

    def add_record(self, partition: int, identity: Identity, offset: int) -> None:
        self.add(partition, identity, ~place_of(partition, offset))

    def flush(self) -> None:
        if not self._buffer:
            return
        partitions, keys, values, times, places = zip(*self._buffer, strict=True)
        self._buffer.clear()
        columns = [
            fingerprints(partitions, (keys, values, times)),
            fingerprints([NONE] * len(keys), (keys, values, times)),
            fingerprints(partitions, (keys, times)),
            fingerprints(partitions, (keys, values)),
            np.array(places, dtype=np.int64),
        ]
        self.buckets.add(np.stack(columns, axis=1))


def settle(spill: Spill, source: Callable[[], Iterator[tuple[Ints, Ints]]], counts: KindCounts) -> None:
    """Say what every spilled row and record is.

    `source` gives the full fingerprints of all rows, in portions, each with its row numbers; it is
    read once, and only where a record could be a duplicate.
    """
    spill.flush()
    after, maybe = Buckets(FULL, 5), np.zeros(1 << FILTER_BITS, dtype=bool)
    for rows, records, found_rows, found_records in _paired(spill.buckets, FULL):
        counts.add("found", len(found_rows))
        counts.add_places("far", found_rows, found_records)
        counts.add_places("out_of_order", found_rows, found_records)
        after.add(np.concatenate([rows, records]))
        maybe[_flag(records[:, FULL])] = True
    anywhere = _without_duplicates(after, source() if maybe.any() else iter(()), maybe, counts)
    by_time = _matched(anywhere, ANYWHERE, "misplaced", KEY_TIME, counts)
    by_value = _matched(by_time, KEY_TIME, "changed", KEY_VALUE, counts)
    for _, table in _matched(by_value, KEY_VALUE, "changed", FULL, counts).each():
        rows, records = _sides(table)
        counts.add_places("lost", rows[:, PLACE], np.full(len(rows), NONE))
        counts.add_places("foreign", np.full(len(records), NONE), ~records[:, PLACE])


def _flag(full: Ints) -> Ints:
    return full >> 6 & ((1 << FILTER_BITS) - 1)


def _without_duplicates(
    spilled: Buckets, source: Iterator[tuple[Ints, Ints]], maybe: Bools, counts: KindCounts
) -> Buckets:
    candidates, left = Buckets(0, 2), Buckets(ANYWHERE, 5)
    for full, rows_of in source:
        hits = np.flatnonzero(maybe[_flag(full)])
        candidates.add(np.stack([full[hits], rows_of[hits]], axis=1))
    for bucket, table in spilled.each():
        rows, records = _sides(table)
        known = candidates.take(bucket)
        known = known[np.lexsort((known[:, 1], known[:, 0]))]
        at = np.searchsorted(known[:, 0], records[:, FULL])
        is_copy = np.zeros(len(records), dtype=bool)
        inside = at < len(known)
        is_copy[inside] = known[at[inside], 0] == records[inside, FULL]
        counts.add_places("duplicated", known[at[is_copy], 1], ~records[is_copy, PLACE])
        left.add(np.concatenate([rows, records[~is_copy]]))
    return left


def _matched(buckets: Buckets, column: int, kind: str, next_column: int, counts: KindCounts) -> Buckets:
    """Pair rows and records that agree in `column`; what is left, ready for the next column."""
    left = Buckets(next_column, 5)
    for rows, records, paired_rows, paired_records in _paired(buckets, column):
        counts.add_places(kind, paired_rows, paired_records)
        left.add(np.concatenate([rows, records]))
    return left


def _sides(table: Ints) -> tuple[Ints, Ints]:
    """Rows in order, and records in order of partition and offset."""
    rows, records = table[table[:, PLACE] >= 0], table[table[:, PLACE] < 0]
    return rows[np.argsort(rows[:, PLACE])], records[np.argsort(~records[:, PLACE])]


def _paired(buckets: Buckets, column: int) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
    """Per bucket: rows and records left over, and the places of those that agree: the n-th with the n-th."""
    for _, table in buckets.each():
        rows, records = _sides(table)
        rows = rows[np.argsort(rows[:, column], kind="stable")]
        records = records[np.argsort(records[:, column], kind="stable")]
        wanted, there = rows[:, column], records[:, column]
        nth = np.arange(len(there)) - np.searchsorted(there, there, "left")
        first = np.searchsorted(wanted, there, "left")
        hit = nth < np.searchsorted(wanted, there, "right") - first
        of_row = (first + nth)[hit]
        free = np.ones(len(rows), dtype=bool)
        free[of_row] = False
        yield rows[free], records[~hit], rows[of_row, PLACE], ~records[hit, PLACE]
