"""The rows of one file as they lie in it, from any row on: row groups, columns, seeking. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from replay.errors import InputError
from replay.source.files.pages import check_pages
from replay.source.files.parquet_file import (
    BUFFER_BYTES_MAX,
    InputFile,
    RowGroup,
    open_parquet,
    opened_again,
)
from replay.source.files.unreadable import unreadable

BATCH_ROWS_MAX = 65_536
"""Rows decoded at a time: large enough that the cost per call vanishes, small enough to stay in the cache."""

BATCH_ROWS_MIN = 512
"""Below this, the cost per call outweighs the rows: more than 1,024 overlapping files need more memory."""

BUFFER_BYTES_MIN = 16 << 10  # below this, more reads cost more than the memory is worth

BUFFER_BYTES_PER_ROW = 16
"""Read ahead of a column for each row of a batch: what is decoded next, at twice the width of a number. Many open files
have small batches, and then small buffers as well; with batches of 65,536 rows it is `BUFFER_BYTES_MAX`."""

BATCH_BYTES_MAX = 64 << 20
"""Of a batch, about: the records of a dump may be large, and trades never get there."""

STRETCHES_MAX = 256  # of a file: each reads the footer, which grows with the number of row groups


@dataclass(frozen=True, slots=True)
class RawRows:
    """The rows of the row groups of a file that are replayed, numbered from 0.

    `counted_by` is a column of the file: where nothing but Hive keys is asked for, it counts the rows. `texts` is a
    column of texts to read as a dictionary, where there is one.
    """

    file: InputFile
    counted_by: str
    texts: str | None = None

    def batches(
        self, row: int, batch_rows: int, columns: Sequence[str], stop: int | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Each batch of these columns, Hive keys among them, with the number of its first row: from `row` on up to the
        row group that begins with row `stop` (None: to the end), which lies behind it. Raises `InputError` where the
        file cannot be read."""
        stop = self.file.rows if stop is None else stop
        own = [name for name in columns if name not in self.file.keys]
        if not all(pa.types.is_primitive(self.file.schema.field(name).type) for name in own):
            batch_rows = min([batch_rows, *self._rows_that_fit(row, stop)])
        groups, skip = self._seek(row, stop)
        with self._open(own, batch_rows, groups) as parquet:
            at = row - skip
            rest = stop - at
            raw = parquet.iter_batches(
                # The rest is read at once where it is little more: less to hold than a reader with pages of its own.
                rest if rest <= min(2 * batch_rows, BATCH_ROWS_MAX) else batch_rows,
                row_groups=groups,
                columns=own or [self.counted_by],
                use_threads=self.file.path.is_remote,  # columns wait for their bytes side by side; else it is dearer
            )
            while True:
                try:
                    table = next(raw, None)
                except (OSError, pa.ArrowException) as error:
                    raise unreadable(self.file.shown, error) from None
                if table is None:
                    break
                at += table.num_rows
                if skip >= table.num_rows:
                    skip -= table.num_rows
                    continue
                rows = table.slice(skip) if skip else table
                skip = 0
                yield at - rows.num_rows, self._with_keys(rows, columns)
            if at != stop:
                raise InputError(
                    f"the row groups read so far promise {stop:,} rows, but hold {at:,}",
                    where=self.file.shown,
                    todo="it is damaged: write or fetch it again",
                )

    def _rows_that_fit(self, row: int, stop: int) -> list[int]:
        """Of each row group with these rows, how many are about `BATCH_BYTES_MAX`."""
        groups = [group for group, _ in self._groups(row, stop) if group.size_bytes > 0]
        return [max(1, BATCH_BYTES_MAX * group.rows // group.size_bytes) for group in groups]

    def stops(self, row: int) -> Iterator[int]:
        """Where to let go of the file when it is read from `row` on: behind row groups, which can be read without what
        lies before them, but not behind each small one."""
        _, *ends = bounds = self.file.group_bounds
        rows_min = max(BATCH_ROWS_MAX, bounds[-1] // STRETCHES_MAX)
        for end in ends:
            if end >= row + rows_min or row < end == bounds[-1]:
                yield end
                row = end

    def _with_keys(self, rows: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
        """The rows with the Hive keys that were asked for, each as a constant column."""
        for key, value in self.file.keys.items():
            if key in columns:
                if value is None:
                    constant = pa.nulls(rows.num_rows, self.file.schema.field(key).type)
                else:
                    constant = pa.DictionaryArray.from_arrays(np.zeros(rows.num_rows, dtype=np.int32), [value])
                rows = rows.append_column(key, constant)
        return rows

    @contextmanager
    def _open(self, columns: Sequence[str], batch_rows: int, groups: Sequence[int]) -> Iterator[pq.ParquetFile]:
        dictionaries = [self.texts] if self.texts is not None and self.texts in columns else []
        buffer_bytes = max(BUFFER_BYTES_MIN, min(BUFFER_BYTES_MAX, batch_rows * BUFFER_BYTES_PER_ROW))
        with open_parquet(self.file.path, opened_again(self.file), dictionaries, buffer_bytes) as (parquet, _):
            check_pages(self.file.path, parquet, groups, columns or [self.counted_by])
            yield parquet

    def _seek(self, row: int, stop: int) -> tuple[list[int], int]:
        """The row groups to read, and how many rows of the first to skip."""
        read = self._groups(row, stop)
        return [group.number for group, _ in read], (row - read[0][1] if read else 0)

    def _groups(self, row: int, stop: int) -> list[tuple[RowGroup, int]]:
        """Those with rows from `row` on and before `stop`, each with its first row."""
        bounds = self.file.group_bounds
        spans = zip(self.file.groups, bounds, bounds[1:], strict=False)
        return [(group, first) for group, first, end in spans if first < stop and row < end]
