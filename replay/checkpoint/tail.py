"""The topic's tail: the records behind the checkpoint, matched with the rows that come next. Pure.

A restarted producer has a new producer id: the broker would take rows again that it had appended but whose
acknowledgement was never saved. So after an unclean stop the records behind the checkpointed offsets are matched,
per partition and in order, with the rows that come next. A row that is found is not sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import eq
from typing import Any

import numpy as np

from replay.checkpoint.progress import behind
from replay.model import NOW_MS, Content, Encoded
from replay.position import PartitionMark, Progress

_STRIDE_MIN = 8  # compared at once behind a difference; grows while all is equal, so that no long list is cut in vain


LARGE_BYTES = 1_024
"""Of values that are larger a digest is kept: up to a million rows may wait for their records."""

_DIGEST_BYTES = 16


@dataclass(slots=True)
class _Rows:
    """Rows that are looked for next in a partition, as columns. `at`: the first that was not found yet. `digested`:
    there may be digests among the contents."""

    keys: Sequence[bytes | None]
    contents: Sequence[Content]
    times_ms: Sequence[int]
    digested: bool
    at: int = 0


class TailMatch:
    """Matches the records behind the checkpoint with the rows that come next, per partition and in order.

    `rows` yields the encoded rows from the position on; it is read only as far as the records ask for, and never
    further than `lead_rows_max`, beyond which the old process cannot have sent anything.
    Records that are not the next expected row are other producers': they are counted and ignored. The same
    greedy rule finds the longest run of ours: they are in the partition once, in order and without a gap.
    Equal stretches are compared as whole lists: a record at a time would take four times as long.
    """

    def __init__(self, progress: Progress, rows: Iterator[Encoded], lead_rows_max: int) -> None:
        self._rows, self._rows_left = rows, lead_rows_max
        self._ahead = [mark.ahead_rows for mark in progress.marks]
        self._to_skip = list(self._ahead)
        self._expected: list[deque[_Rows]] = [deque() for _ in progress.marks]
        self._next_offsets = [mark.next_offset for mark in progress.marks]
        self._position = progress.position
        self._stride = _STRIDE_MIN
        self.matched = 0
        self.foreign = 0

    def found(
        self,
        partition: int,
        offsets: Sequence[int],
        keys: Sequence[bytes | None],
        contents: Sequence[Content],
        times_ms: Sequence[int | None],
    ) -> None:
        """The next records of a partition; a time of None is not compared (LogAppendTime)."""
        self._next_offsets[partition] = offsets[-1] + 1
        at = 0
        while at < len(offsets):
            expected = self._expect(partition)
            if expected is None:
                self.foreign += len(offsets) - at
                return
            stretch = min(len(offsets) - at, len(expected.contents) - expected.at, self._stride)
            stop = at + stretch
            found = contents[at:stop]
            if expected.digested:
                found = list(map(_digested, found))
            same = same_records(expected, stretch, keys[at:stop], found, times_ms[at:stop])
            expected.at += same
            self._ahead[partition] += same
            self.matched += same
            at += same
            if same == stretch:
                self._stride *= 2
            else:
                self.foreign += 1
                at += 1
                self._stride = _STRIDE_MIN

    def progress(self, high_watermarks: Sequence[int]) -> Progress:
        """What is known once every record up to the high watermarks was handed to `found`."""
        marks = map(PartitionMark, self._next_offsets, self._ahead)
        return behind(Progress(self._position, tuple(marks)), high_watermarks)

    def _expect(self, partition: int) -> _Rows | None:
        """The rows that come next; None where no more can be there."""
        queue = self._expected[partition]
        while True:
            while queue and queue[0].at == len(queue[0].contents):
                queue.popleft()
            if queue:
                return queue[0]
            encoded = next(self._rows, None) if self._rows_left > 0 else None
            if encoded is None:
                self._rows_left = 0
                return None
            self._distribute(encoded)

    def _distribute(self, encoded: Encoded) -> None:
        partitions = encoded.partitions[: encoded.records_within(self._rows_left)]
        all_contents, digested = encoded.contents, bool(encoded.record_bytes.max(initial=0) > LARGE_BYTES)
        if digested:
            all_contents = list(map(_digested, all_contents))
        pick = np.argsort(partitions, kind="stable").tolist()
        end = 0
        for partition, number in enumerate(np.bincount(partitions).tolist()):
            start, end = end, end + number
            skipped = min(self._to_skip[partition], number)
            self._to_skip[partition] -= skipped
            of_it = pick[start + skipped : end]
            if of_it:
                keys = list(map(encoded.keys.__getitem__, of_it))
                contents = list(map(all_contents.__getitem__, of_it))
                times_ms = list(map(encoded.timestamps_ms.__getitem__, of_it))
                self._expected[partition].append(_Rows(keys, contents, times_ms, digested))
        self._rows_left -= min(encoded.slice_rows, self._rows_left)


def same_records(
    expected: _Rows,
    stretch: int,
    keys: Sequence[bytes | None],
    contents: Sequence[Content],
    times_ms: Sequence[int | None],
) -> int:
    """How many of the next `stretch` records are the rows expected, one after the other."""
    start, stop = expected.at, expected.at + stretch
    columns: tuple[tuple[Sequence[Any], Sequence[Any], Callable[[Any, Any], bool]], ...] = (
        (keys, expected.keys[start:stop], eq),
        (contents, expected.contents[start:stop], eq),
        (times_ms, expected.times_ms[start:stop], _same_time),
    )
    for found, wanted, is_same in columns:
        if found != wanted:
            differs = (at for at, same in enumerate(map(is_same, found, wanted)) if not same)
            stretch = min(stretch, next(differs, stretch))
    return stretch


def _digested(content: Content) -> Content:
    """The same, a digest in place of a large value."""
    value, headers = content if isinstance(content, tuple) else (content, None)
    if value is None or len(value) <= LARGE_BYTES:
        return content
    digest = blake2b(value, digest_size=_DIGEST_BYTES).digest()
    return digest if headers is None else (digest, headers)


def _same_time(found_ms: int | None, sent_ms: int) -> bool:
    """A time that the broker or the moment of sending made is not compared."""
    return found_ms is None or sent_ms in (NOW_MS, found_ms)
