"""One order over many files: by (event time, file, row), column-wise and in bounded memory. Pure.

Files that follow each other in time are read one after the other; files that overlap are merged: what lies before
the smallest last time of the open batches can be followed by nothing smaller, so it is sorted (stably: ties
stay in file order, then row order) and handed on; then the exhausted batches are refilled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from replay.encode import NS_PER_UNIT
from replay.errors import InputError
from replay.model import ORDER_NS, Ints

OPEN_ROWS = 1 << 20
"""Rows in memory over all merged files; each open file gets its share of them as batch size."""

BATCH_ROWS_MAX = 65_536
"""Rows decoded at a time: large enough that the cost per call vanishes, small enough to stay in the cache."""

BATCH_ROWS_MIN = 1_024
"""Below this, the cost per call outweighs the rows: more than 1,024 overlapping files need more memory."""

Ordered = Iterator[tuple[pa.RecordBatch, "Ints | int"]]


@dataclass(frozen=True, slots=True)
class Stream:
    """The rest of one file: `file` is its number, `path` for messages. `first_ns`: no event time in it is smaller;
    None where only reading tells. `read` takes a number of rows per batch."""

    file: int
    path: str
    first_ns: int | None
    read: Callable[[int], Iterator[pa.RecordBatch]]
    last_ns: int | None = None


def one_after_the_other(streams: Sequence[Stream]) -> Ordered:
    """Path order, row order."""
    for stream in streams:
        for table in stream.read(BATCH_ROWS_MAX):
            yield table, stream.file


@dataclass(slots=True)
class _Open:
    """A file being merged: the rows read and not yet handed on, and their times."""

    file: int
    batches: Iterator[pa.RecordBatch]
    table: pa.RecordBatch
    times: Ints
    ended: bool = False

    def refill(self) -> None:
        """Read on until there is a row and, unless the file ends, a time to wait for."""
        table = next(self.batches, None)
        if table is None:
            self.ended = True
        elif len(self.times) == 0:
            self.table, self.times = table, times_ns(table)
        else:
            self.table = pa.concat_batches([self.table, table])
            self.times = np.concatenate([self.times, times_ns(table)])

    def take(self, rows: int) -> pa.RecordBatch:
        taken = self.table.slice(0, rows)
        self.table, self.times = self.table.slice(rows), self.times[rows:]
        return taken


def by_event_time(streams: Sequence[Stream]) -> Ordered:
    """All rows by (event time, file, row). Each stream is sorted in itself: the reader has seen to it."""
    pending = deque(sorted(streams, key=lambda s: (-1 if s.first_ns is None else s.first_ns, s.file)))
    batch_rows = batch_rows_for(streams)
    opened: list[_Open] = []
    emitted_ns = -1
    while pending or opened:
        bound = _bound(opened)
        while pending and (not opened or pending[0].first_ns is None or bound is None or pending[0].first_ns <= bound):
            opened.append(_start(pending.popleft(), batch_rows))
            opened.sort(key=lambda each: each.file)
            bound = _bound(opened)
        for table, files, first_ns, last_ns in _emit(opened, bound):
            if first_ns < emitted_ns:
                index = files if isinstance(files, int) else int(files[0])
                raise broken_promise(next(stream.path for stream in streams if stream.file == index))
            emitted_ns = last_ns
            yield table, files
        for each in opened:
            if not each.ended and (len(each.times) == 0 or each.times[-1] == bound):
                each.refill()
        opened = [each for each in opened if len(each.times) or not each.ended]


def batch_rows_for(streams: Sequence[Stream]) -> int:
    """The batch size at which all files could be open at once; fewer are, where they follow each other."""
    return max(BATCH_ROWS_MIN, min(BATCH_ROWS_MAX, OPEN_ROWS // max(1, len(streams))))


def _start(stream: Stream, batch_rows: int) -> _Open:
    batches = stream.read(batch_rows)
    first = next(batches)
    return _Open(stream.file, batches, first, times_ns(first))


def broken_promise(path: str) -> InputError:
    """The files were put in order by their statistics, which turn out to be wrong."""
    return InputError(
        "event times lie before what the row-group statistics promise",
        where=path,
        todo="write the file again, or keep path order with --order as-is",
    )


def times_ns(table: pa.RecordBatch) -> Ints:
    """The event times of a batch, in ns since 1970."""
    if ORDER_NS in table.schema.names:
        return np.asarray(table.column(ORDER_NS).to_numpy())
    times = table.column("event_time")
    return np.asarray(times.view(pa.int64()).to_numpy()) * NS_PER_UNIT[times.type.unit]


def _bound(opened: Sequence[_Open]) -> int | None:
    """Rows before this time can be followed by nothing smaller; None: nothing more will be read."""
    lasts = [int(each.times[-1]) for each in opened if not each.ended and len(each.times)]
    return min(lasts) if lasts else None


def _emit(opened: Sequence[_Open], bound: int | None) -> Iterator[tuple[pa.RecordBatch, Ints | int, int, int]]:
    ready: list[tuple[_Open, int]] = []
    for each in opened:
        alone = len(opened) == 1  # no tie with another file is possible
        rows = len(each.times) if bound is None or alone else int(np.searchsorted(each.times, bound, "left"))
        if rows:
            ready.append((each, rows))
    if not ready:
        return
    if len(ready) == 1:
        each, rows = ready[0]
        first, last = int(each.times[0]), int(each.times[rows - 1])
        yield each.take(rows), each.file, first, last
        return
    times = np.concatenate([each.times[:rows] for each, rows in ready])
    files = np.repeat(np.array([each.file for each, _ in ready]), [rows for _, rows in ready])
    table = pa.concat_batches([each.take(rows) for each, rows in ready])
    order = np.argsort(times, kind="stable")
    yield table.take(pa.array(order)), files[order], int(times[order[0]]), int(times[order[-1]])
