"""The rows of a file that is not sorted, in order: an external merge sort in bounded memory.

Rows are read until they fill the memory, sorted, and spilled: a run. The runs are merged by `merge.by_event_time`, as
files would be: a run is a stream, numbered in row order, so that rows of the same time stay in row order. They lie
in a file without a name, so that nothing is left over, whatever ends the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from replay.source.order.merge import Stream, by_event_time, open_at_once
from replay.source.order.spill import Piece, SpillFiles
from replay.source.rows.raw import BATCH_ROWS_MAX, BATCH_ROWS_MIN
from replay.source.rows.times import order_times_ns

Read = Callable[[int], Iterator[pa.RecordBatch]]
"""A file's rows, so many per batch."""

COPIES = 4
"""What a row takes while it is sorted or merged, in times its size: it is there as it was read and joined with the
others, and its time, place and run take up to 40 bytes more. That is twice the smallest row (20 bytes)."""

RUNS_AT_ONCE = 64
"""Runs merged at a time, each with a piece in memory; more that overlap are first merged to longer ones. With 256 MiB,
64 runs are 200 million of the smallest rows."""

ROW_BYTES = 256
"""Assumed of a row before the first is read: so many rows are read at a time as would fit if they were that wide."""


def sorted_stream(read: Read, memory_bytes: int, spill: SpillFiles, start_row: int = 0) -> Read:
    """The rows that `read` gives in row order, sorted stably by time; from `start_row` of that order on.

    `memory_bytes` bounds what is held of them at any time (never less than `BATCH_ROWS_MIN` rows, though). Where
    that is less than the file, rows are spilled.
    """
    run_bytes = memory_bytes // COPIES

    def batches(batch_rows: int) -> Iterator[pa.RecordBatch]:
        held: list[pa.RecordBatch] = []
        held_bytes = 0
        runs = _Runs(spill, run_bytes)
        for table in read(max(BATCH_ROWS_MIN, min(BATCH_ROWS_MAX, run_bytes // ROW_BYTES))):
            if table.num_rows == 0:
                continue
            if held and held_bytes + table.nbytes > run_bytes:
                runs.add(_in_order(held, BATCH_ROWS_MAX))
                held_bytes = 0
            held.append(table)
            held_bytes += table.nbytes
        if not held:
            return
        if not runs.pieces:  # all of it fits into memory
            yield from _in_order(held, batch_rows, start_row)
            return
        runs.add(_in_order(held, BATCH_ROWS_MAX))
        yield from runs.merged(start_row)

    return batches


def _in_order(tables: list[pa.RecordBatch], batch_rows: int, start_row: int = 0) -> Iterator[pa.RecordBatch]:
    """The rows of all tables, sorted. Empties the list: what has been joined is not needed twice."""
    order = np.argsort(np.concatenate([order_times_ns(table) for table in tables]), kind="stable")
    joined = pa.concat_batches(tables)
    tables.clear()
    for start in range(start_row, len(order), batch_rows):
        yield joined.take(pa.array(order[start : start + batch_rows]))


class _Runs:
    """Sorted runs, in row order, on disk."""

    def __init__(self, spill: SpillFiles, run_bytes: int) -> None:
        self._spill, self._run_bytes = spill, run_bytes
        # One piece of each run that is merged takes half of the memory: what `by_event_time` needs to go on.
        self._piece_bytes = run_bytes // 2 // RUNS_AT_ONCE
        self.pieces: list[list[Piece]] = []
        """What is left to merge of each run."""

    def add(self, tables: Iterator[pa.RecordBatch]) -> None:
        """Sorted rows as the next run."""
        pieces: list[Piece] = []
        for table in tables:
            rows = max(1, self._piece_bytes * table.num_rows // max(1, table.nbytes))
            pieces += [self._spill.put(table.slice(start, rows)) for start in range(0, table.num_rows, rows)]
        self.pieces.append(pieces)

    def merged(self, start_row: int) -> Iterator[pa.RecordBatch]:
        """All rows, sorted, from this one on."""
        while open_at_once(self._streams(self.pieces)) > RUNS_AT_ONCE:
            short, self.pieces = self.pieces, []
            for start in range(0, len(short), RUNS_AT_ONCE):  # neighbours become longer ones
                self.add(self._merge(short[start : start + RUNS_AT_ONCE]))
        skip = self._drop_before(start_row)
        for table in self._merge(self.pieces):
            if skip < table.num_rows:
                yield table.slice(skip)
            skip = max(0, skip - table.num_rows)

    def _merge(self, runs: list[list[Piece]]) -> Iterator[pa.RecordBatch]:
        for table, _ in by_event_time(self._streams(runs), open_bytes=self._run_bytes, keep_order_ns=True):
            yield table

    def _streams(self, runs: list[list[Piece]]) -> list[Stream]:
        return [self._stream(number, run) for number, run in enumerate(runs)]

    def _stream(self, number: int, run: list[Piece]) -> Stream:
        return Stream(number, "temporary file", run[0].first_ns, lambda _: map(self._spill.take, run), run[-1].last_ns)

    def _drop_before(self, row: int) -> int:
        """Drops pieces that lie before this row of the order; how many rows before it are left."""
        pieces = [piece for run in self.pieces for piece in run]
        firsts = np.array([piece.first_ns for piece in pieces])
        rows = np.array([piece.rows for piece in pieces])
        order = np.argsort(firsts, kind="stable")
        # Rows before the first time of a piece lie in pieces that begin before it. Where those have no more than `row`
        # rows, all rows before that time come before `row`.
        before = np.cumsum(rows[order]) - rows[order]
        from_ns = int(firsts[order][np.searchsorted(before, row, "right") - 1])
        for piece in pieces:
            if piece.last_ns < from_ns:
                self._spill.drop(piece)
                row -= piece.rows
        kept = [[piece for piece in run if piece.last_ns >= from_ns] for run in self.pieces]
        self.pieces = [run for run in kept if run]
        return row
