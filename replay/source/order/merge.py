"""One order over many files: by (event time, file, row), column-wise and in bounded memory. Pure.

Of each file it is known from where on it may still bring rows: the last time read, or before that the first time its
statistics promise. Always the file that is behind all others is read on (or opened, when its turn comes): so files
that follow each other are never open together. What lies before the smallest of these times is complete: it is
sorted (stably: ties stay in file order, then row order) and handed on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
import pyarrow as pa

from replay.errors import InputError
from replay.model import ORDER_NS, Ints
from replay.source.rows.raw import BATCH_ROWS_MAX, BATCH_ROWS_MIN
from replay.source.rows.times import order_times_ns
from replay.units import LAST_NS

OPEN_ROWS = 1 << 20
"""Rows in memory over all merged files; each file that is open at the same time gets its share as batch size."""

OPEN_BYTES = 256 << 20
"""Bytes in memory over all merged files, for wide rows: as many as `OPEN_ROWS` of 256 bytes."""

PART_ROWS = BATCH_ROWS_MAX * 7 // 8
"""Rows put in order at a time: they fit into the cache, and a part that is a little larger than meant is still one
batch."""

PART_ROWS_PER_FILE = 512
"""Rows of a part per file, on average. With fewer, cutting and joining so many pieces costs more than the rows."""

SAMPLE_ROWS = 32  # one time of so many shows where to cut: a part is off by a few percent

BUCKETS_FROM = 16
"""Sorted pieces from which on rows are first put into buckets by time. A merge of sorted pieces (what numpy's stable
sort is) costs about 4 ns a row for each doubling of their number, buckets cost 10 once."""

_LAST_FILE = 2**63 - 1  # behind all files

Ordered = Iterator[tuple[pa.RecordBatch, "Ints | int"]]

Place = tuple[int, int]
"""Time and file: what rows are ordered by. Those of one place are in row order."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The rest of one file: `file` is its number, `path` for messages. `first_ns`: no event time in it is smaller;
    None where only reading shows it. `read` takes a number of rows per batch. `last_ns`: no event time in it is larger;
    None where that is not known, which costs smaller batches. `writer` says who wrote the file."""

    file: int
    path: str
    first_ns: int | None
    read: Callable[[int], Iterator[pa.RecordBatch]]
    last_ns: int | None = None
    writer: str = ""

    @property
    def first_place(self) -> Place:
        return (-1 if self.first_ns is None else self.first_ns, self.file)


def one_after_the_other(streams: Sequence[Stream]) -> Ordered:
    """Path order, row order."""
    for stream in streams:
        for table in stream.read(BATCH_ROWS_MAX):
            yield table, stream.file


def by_event_time(streams: Sequence[Stream], *, open_bytes: int = OPEN_BYTES, keep_order_ns: bool = False) -> Ordered:
    """All rows by (time, file, row). Each stream is sorted in itself: the reader has seen to it. `ORDER_NS` is dropped
    from the tables unless it is to be kept."""
    yield from _Merge(streams, open_bytes, keep_order_ns).batches()


def open_at_once(streams: Sequence[Stream], weights: Sequence[int] | None = None) -> int:
    """How many streams at most have rows before and after the same place, or how much these weigh; where a stream ends
    is not known, it counts until the end."""
    steps: list[tuple[int, int, int]] = []
    for stream, weight in zip(streams, weights or [1] * len(streams), strict=True):
        first_ns, file = stream.first_place
        last_ns = LAST_NS if stream.last_ns is None else max(first_ns, stream.last_ns)
        steps += [(first_ns, file, weight), (last_ns, file, -weight)]
    steps.sort(key=lambda step: (step[0], step[1], -step[2]))  # a stream of one moment starts before it ends
    return int(np.cumsum([change for _, _, change in steps]).max(initial=0))


def batch_rows_for(streams: Sequence[Stream]) -> int:
    """Rows per batch such that one of each stream that is open at the same time fills half of `OPEN_ROWS`; the other
    half lets the merge read on where it has to, and hand on many rows at a time."""
    return max(BATCH_ROWS_MIN, min(BATCH_ROWS_MAX, OPEN_ROWS // 2 // max(1, open_at_once(streams))))


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows that were read and not handed on yet, their times, and about how many bytes they hold in memory: a part of a
    piece holds all of it."""

    table: pa.RecordBatch
    times: Ints
    nbytes: int

    def part(self, start: int, stop: int) -> _Piece:
        return _Piece(self.table.slice(start, stop - start), self.times[start:stop], self.nbytes)


class _Input:
    """A stream being merged: not opened yet (no `batches`), or with the pieces read from it."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.file = stream, stream.file
        self.pieces: deque[_Piece] = deque()
        self._batches: Iterator[pa.RecordBatch] | None = None

    def read(self, batch_rows: int) -> pa.RecordBatch | None:
        """The next batch that has rows; None at the end."""
        opens = self._batches is None
        if self._batches is None:
            self._batches = self.stream.read(batch_rows)
        table = next((table for table in self._batches if table.num_rows), None)
        if opens and table is not None and int(order_times_ns(table[:1])[0]) < self.stream.first_place[0]:
            raise InputError(
                f"event times lie before what the statistics of the row groups say ({self.stream.writer})",
                where=self.stream.path,
                todo="write the file again, or keep path order with --order as-is; with --check (the default) a new"
                " replay finds out before the first row is sent, and reads this file as if it had none",
            )
        return table

    def last_place(self, piece: _Piece) -> Place:
        return int(piece.times[-1]), self.file

    def take(self, limit: Place | None) -> list[_Piece]:
        """The rows up to this place, it included; all of them where there is no limit."""
        taken: list[_Piece] = []
        while self.pieces and (limit is None or self.last_place(self.pieces[0]) <= limit):
            taken.append(self.pieces.popleft())
        if self.pieces and limit is not None:
            piece = self.pieces[0]
            stop = int(piece.times.searchsorted(limit[0], "right" if self.file <= limit[1] else "left"))
            if stop:
                taken.append(piece.part(0, stop))
                self.pieces[0] = piece.part(stop, len(piece.times))
        return taken


class _Merge:
    """Each input is in `waiting` with the place from where on it may bring rows, until it has been read to its end;
    and in `holding`, by its number, while rows of it wait to be handed on."""

    def __init__(self, streams: Sequence[Stream], open_bytes: int, keep_order_ns: bool) -> None:
        self._batch_rows, self._open_bytes, self._keep_order_ns = batch_rows_for(streams), open_bytes, keep_order_ns
        # At least twice what may have to be held, so that a round has many rows to hand on.
        self._open_rows = max(OPEN_ROWS, 2 * open_at_once(streams) * self._batch_rows)
        self._waiting = [(stream.first_place, _Input(stream)) for stream in streams]
        heapify(self._waiting)
        self._holding: dict[int, _Input] = {}
        self._rows = self._bytes = 0

    def batches(self) -> Ordered:
        while self._waiting:
            self._read_on()
            while self._waiting and self._rows < self._open_rows and self._bytes < self._open_bytes:
                if self._is_alone:
                    break
                self._read_on()
            for limit in self._limits():
                pieces = self._take(limit)
                if len({file for file, _ in pieces}) == 1:
                    yield from ((piece.table, file) for file, piece in pieces)
                elif pieces:
                    yield from _sorted(pieces)
            held = [piece for each in self._holding.values() for piece in each.pieces]
            self._rows, self._bytes = sum(len(piece.times) for piece in held), sum(piece.nbytes for piece in held)

    @property
    def _is_alone(self) -> bool:
        """Whether all that is held is one input's, and complete: there is nothing to merge it with."""
        if len(self._holding) != 1:
            return False
        (only,) = self._holding.values()
        return only.last_place(only.pieces[-1]) <= self._waiting[0][0]

    def _read_on(self) -> None:
        """A batch of the input that is behind all others. Of no input more than this one batch is held beyond the place
        up to which all is complete."""
        _, behind = heappop(self._waiting)
        table = behind.read(self._batch_rows)
        if table is None:
            return
        times = order_times_ns(table)
        if ORDER_NS in table.schema.names and not self._keep_order_ns:
            table = table.drop_columns([ORDER_NS])
        piece = _Piece(table, times, table.nbytes)
        behind.pieces.append(piece)
        self._holding[behind.file] = behind
        self._rows += len(times)
        self._bytes += piece.nbytes
        heappush(self._waiting, (behind.last_place(piece), behind))

    def _limits(self) -> list[Place | None]:
        """Up to where to take rows, part by part; the last is the place up to which all is complete."""
        end = self._waiting[0][0] if self._waiting else None
        part_rows = max(PART_ROWS, PART_ROWS_PER_FILE * len(self._holding))
        if len(self._holding) == 1 or self._rows <= part_rows:
            return [end]
        pieces = [piece for each in self._holding.values() for piece in each.pieces]
        sample = np.concatenate([piece.times[::SAMPLE_ROWS] for piece in pieces])
        if end is not None:
            sample = sample[sample < end[0]]
        sample.sort()
        cuts = np.unique(sample[part_rows // SAMPLE_ROWS :: part_rows // SAMPLE_ROWS])
        return [*((int(time), _LAST_FILE) for time in cuts), end]

    def _take(self, limit: Place | None) -> list[tuple[int, _Piece]]:
        """The pieces up to this place, each with its file's number, by file and row."""
        taken = [(file, piece) for file in sorted(self._holding) for piece in self._holding[file].take(limit)]
        self._holding = {file: each for file, each in self._holding.items() if each.pieces}
        return taken


def _sorted(pieces: list[tuple[int, _Piece]]) -> Ordered:
    """The rows of pieces, which come by file and row, in order."""
    order = stable_order(np.concatenate([piece.times for _, piece in pieces]), len(pieces))
    files = np.repeat([file for file, _ in pieces], [len(piece.times) for _, piece in pieces])
    table = pa.concat_batches([piece.table for _, piece in pieces])
    pieces.clear()  # frees what has been copied
    batch_rows = -(-len(order) // -(-len(order) // BATCH_ROWS_MAX))  # no small one at the end
    for start in range(0, len(order), batch_rows):
        rows = order[start : start + batch_rows]
        yield table.take(pa.array(rows)), files[rows]


def stable_order(times: Ints, pieces: int) -> Ints:
    """The rows by time, those of the same time as they come. `times` are about as many sorted pieces, joined."""
    if pieces < BUCKETS_FROM:
        return np.argsort(times, kind="stable")
    since_first = (times - times.min()).view(np.uint64)  # no difference of two times is too large for it
    shift = max(0, int(since_first.max()).bit_length() - 16)
    order = np.argsort((since_first >> np.uint64(shift)).astype(np.uint16), kind="stable")  # of 16 bits: a radix sort
    if not shift:
        return order
    return order[np.argsort(times[order], kind="stable")]  # nearly in order: cheap
