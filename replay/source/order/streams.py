"""Files as streams to be brought into one order: each read from a row on, sorted first where it goes back in time.

Where too many files overlap to be open at the same time, each is read a stretch at a time, into a temporary file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pyarrow as pa

from replay.model import SpanNs
from replay.source.choices import Order, Unsorted
from replay.source.files.parquet_file import InputFile
from replay.source.options import SourceOptions
from replay.source.order import sorting
from replay.source.order.merge import Stream, open_at_once
from replay.source.order.spill import SpillFiles
from replay.source.rows.reader import RowReader

READERS_BYTES = 32 << 20
"""Held by all files that are open at the same time, beside the rows decoded from them. Where it would be more, each
file's rows are spilled a stretch at a time, and the merge reads them from there: it costs no more time, but disk."""

READER_BYTES_MIN = 1 << 20
"""Held by an open file, however small: file, footer and decoders. So no more than 32 are open at the same time, and the
usual limit of 1,024 open files of a process is far."""

READER_COLUMN_BYTES = 2 << 20
"""Held for each column of a large file: a page as it lies in the file, the same decoded, and a dictionary."""


class FileStreams:
    """`reader_of` and `span_ns` are asked with a file's number; `span_ns` with a row as well, and says between which
    event times the rows from there on lie. `goes_back` is by file, where that is known."""

    def __init__(
        self,
        options: SourceOptions,
        files: Sequence[InputFile],
        reader_of: Callable[[int], RowReader],
        span_ns: Callable[[int, int], SpanNs],
    ) -> None:
        self._options, self._files, self._reader_of, self._span_ns = options, files, reader_of, span_ns
        self.goes_back: dict[int, bool] = {}
        self._by_time = options.order is Order.EVENT_TIME

    def from_rows(self, cursors: Sequence[int], spill: SpillFiles) -> list[Stream]:
        """What is left of each file behind as many rows; files of which nothing is left are left out."""
        left = [(index, row) for index, row in enumerate(cursors) if row < self._files[index].rows]
        indices = [index for index, _ in left]
        sort_bytes, lets_go = self._sort_bytes(indices), self._lets_go(indices)
        return [
            self._stream(index, row, self.rows(index, row, spill, sort_bytes, lets_go=lets_go)) for index, row in left
        ]

    def rows(
        self, index: int, row: int, spill: SpillFiles, sort_bytes: int | None = None, *, lets_go: bool = False
    ) -> Callable[[int], Iterator[pa.RecordBatch]]:
        """Reads a file's rows from `row` on, in the order in which they are numbered, so many a batch.

        `sort_bytes` is what it may take to sort them; None: all of `--sort-memory`. `lets_go`: the file is not kept
        open.
        """
        reader = self._reader_of(index)

        def read(batch_rows: int) -> Iterator[pa.RecordBatch]:
            if self._by_time and self._options.unsorted is Unsorted.SORT:
                if index not in self.goes_back:
                    self.goes_back[index] = reader.times.goes_back()
                if self.goes_back[index]:
                    memory_bytes = sort_bytes or self._options.sort_memory_bytes
                    return sorting.sorted_stream(partial(reader.batches, 0), memory_bytes, spill, row)(batch_rows)
            return _spilled(spill, reader, row, batch_rows) if lets_go else reader.batches(row, batch_rows)

        return read

    def _stream(self, index: int, row: int, read: Callable[[int], Iterator[pa.RecordBatch]]) -> Stream:
        first_ns, last_ns = self._span_ns(index, row) or (None, None)
        file = self._files[index]
        return Stream(index, file.shown, first_ns, read, last_ns, file.writer)

    def _at_once(self, indices: Sequence[int], weights: Sequence[int] | None = None) -> int:
        """How many of these files at most are read at the same time, or what they weigh."""
        return open_at_once([self._stream(index, 0, lambda _: iter(())) for index in indices], weights)

    def _sort_bytes(self, indices: Sequence[int]) -> int:
        """What each of these files may take to be sorted: all that may be open at the same time share the memory."""
        may_be_sorted = [index for index in indices if self.goes_back.get(index, True)]
        return self._options.sort_memory_bytes // max(1, self._at_once(may_be_sorted))

    def _lets_go(self, indices: Sequence[int]) -> bool:
        """Whether these are too many to keep all open that overlap."""
        return self._by_time and self._at_once(indices, list(map(self._reader_bytes, indices))) > READERS_BYTES

    def _reader_bytes(self, index: int) -> int:
        """What an open file holds, beside the rows decoded from it; about."""
        pages_bytes = READER_COLUMN_BYTES * len(self._reader_of(index).columns)
        return max(READER_BYTES_MIN, min(2 * self._files[index].size_bytes, pages_bytes))


def _spilled(spill: SpillFiles, reader: RowReader, row: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of a file from `row` on, each stretch of which is spilled as a whole."""
    for stretch in reader.stretches(row):
        parts = (table.slice(start, batch_rows) for table in stretch for start in range(0, table.num_rows, batch_rows))
        yield from map(spill.take, [spill.put(part) for part in parts])
