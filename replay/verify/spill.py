"""Rows and records that waited in vain, kept on disk until they are joined. Pure, but for its temporary files.

Entries are spread over files by a fingerprint, so that one file at a time is joined in memory, and every count is
that of a full comparison, whatever the size of the damage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO

import numpy as np

from replay.model import Ints
from replay.verify.kinds import NONE, place_of
from replay.verify.pending import Identity

BUCKETS = 64
"""Files of a spill; one at a time is in memory. 100 M spilled entries make 1.6 M a bucket: 60 MB."""

BUCKET_BYTES_IN_MEMORY = 1 << 18  # what a bucket holds before it becomes a file: small damage never touches the disk
BUFFERED = 8_192  # entries gathered before they are fingerprinted and spread over the buckets

FULL, ANYWHERE, KEY_TIME, KEY_VALUE, PLACE = range(5)  # the columns of a spill: four fingerprints, and whose they are


def fingerprints(partitions: Iterable[int], columns: Iterable[Iterable[bytes | int | None]]) -> Ints:
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
        self._buffer: list[tuple[int, bytes | None, bytes | None, int | None, int]] = []

    def row(self, partition: int, identity: Identity, row: int) -> None:
        self._add((partition, *identity, row))

    def record(self, partition: int, identity: Identity, offset: int) -> None:
        self._add((partition, *identity, ~place_of(partition, offset)))

    def _add(self, entry: tuple[int, bytes | None, bytes | None, int | None, int]) -> None:
        self._buffer.append(entry)
        if len(self._buffer) >= BUFFERED:
            self.flush()

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
