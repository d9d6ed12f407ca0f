"""Input files and a position to ordered Arrow batches. pyarrow's reading of rows is only here.

Files are opened when their turn comes and read a batch at a time; a resume seeks by row group. Every value that
could not be replayed is found here and named by file, row and column, before anything of its batch is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from replay.config import Columns, Order
from replay.encode import NS_PER_UNIT
from replay.errors import InputError
from replay.inputs import (
    InputFile,
    check_alike,
    find_files,
    footer,
    open_file,
    open_parquet,
    plain_type,
    unreadable,
    wanted_columns,
)
from replay.model import Batch, Ints, Position, SymbolTable
from replay.order import BATCH_ROWS_MAX, Stream, broken_promise, by_event_time, one_after_the_other, times_ns

_LAST_NS = 2**63 - 1  # 2262-04-11: the last moment that 64 bits of nanoseconds hold

_FOUR_DIGIT_YEARS_S = (-62_135_596_800, 253_402_300_800)  # years 1 to 9999 (RFC 3339), in seconds since 1970

_UNSORTED = "sort the file by event time, or keep its row order with --order as-is"


class Source:
    """The inputs as one sequence of rows."""

    def __init__(self, inputs: Sequence[str], columns: Columns, order: Order) -> None:
        self.columns, self.order = columns, order
        self.symbols = SymbolTable()
        self.files = tuple(open_file(path, columns) for path in find_files(inputs))
        check_alike(self.files, columns)
        self.rows = sum(file.rows for file in self.files)
        if not self.rows:
            raise InputError("there are no rows in any input file", where=", ".join(inputs), todo="check the inputs")

    @property
    def start(self) -> Position:
        return Position(0, (0,) * len(self.files))

    @property
    def end(self) -> Position:
        return Position(self.rows, tuple(file.rows for file in self.files))

    def finished(self, position: Position) -> Position:
        """The end of a replay whose last record lies before `position`: whatever rows follow are left out."""
        return Position(self.rows, self.end.cursors, position.left_out + self.rows - position.row)

    @property
    def first_event_ns(self) -> int | None:
        """The smallest event time, where every file's statistics tell."""
        times = [file.first_ns(0) for file in self.files if file.rows]
        known = [time for time in times if time is not None]
        return min(known) if len(known) == len(times) else None

    def last_event_ns(self, position: Position) -> int | None:
        """The newest event time before the position; None at the start. Reads one row of each file."""
        rows = [(file, cursor - 1) for file, cursor in zip(self.files, position.cursors, strict=False) if cursor]
        return max((self.event_ns(file, row) for file, row in rows), default=None)

    def event_ns(self, file: InputFile, row: int) -> int:
        """The event time of one row."""
        return int(times_ns(next(self._opener(file, row)(1)))[0])

    def batches(self, start: Position) -> Iterator[Batch]:
        """Rows from `start` on, in replay order; the same rows in the same order on every run."""
        arrange = by_event_time if self.order is Order.EVENT_TIME else one_after_the_other
        streams = [
            Stream(index, file.path, file.first_ns(row), self._opener(file, row))
            for index, (file, row) in enumerate(zip(self.files, start.cursors, strict=True))
            if row < file.rows
        ]
        position = start
        for table, files in arrange(streams):
            batch = Batch(position, table, files)
            yield batch
            position = batch.position_after(len(batch))

    def checked(self) -> Iterator[Batch]:
        """Every row once, file by file, to raise what `batches` would raise before anything is sent."""
        before = 0
        for index, file in enumerate(self.files):
            at = 0
            for table in self._opener(file, 0)(BATCH_ROWS_MAX):
                first_ns, promised_ns = int(times_ns(table)[0]), file.first_ns(at)
                if self.order is Order.EVENT_TIME and promised_ns is not None and first_ns < promised_ns:
                    raise broken_promise(file.path)
                cursors = tuple(at if i == index else 0 for i in range(len(self.files)))
                yield Batch(Position(before + at, cursors), table, index)
                at += table.num_rows
            before += at

    def where(self, batch: Batch, row: int) -> str:
        """The place of a row of the batch, for people."""
        index = batch.files if isinstance(batch.files, int) else int(batch.files[row])
        at = batch.position_after(row).cursors[index]
        return f"{self.files[index].path}, row {at:,} (the first is 0)"

    def _opener(self, file: InputFile, row: int) -> Callable[[int], Iterator[pa.RecordBatch]]:
        reader = Reader(file, self.columns, self.symbols, sorted_only=self.order is Order.EVENT_TIME)
        return lambda batch_rows: reader.batches(row, batch_rows)


class Reader:
    """One file from a row on: batches with the columns of the event, checked value by value (column-wise)."""

    def __init__(self, file: InputFile, columns: Columns, symbols: SymbolTable, *, sorted_only: bool) -> None:
        self._file, self._columns, self._symbols = file, columns, symbols
        self._wanted = wanted_columns(columns)
        self._sorted_only = sorted_only
        self._last_time: int | None = None

    def batches(self, row: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """From `row` to the end of the file. Raises `InputError` for whatever cannot be replayed."""
        if row >= self._file.rows:
            return
        with self._open() as parquet:
            groups, skip = self._seek(row)
            at = row - skip
            raw = parquet.iter_batches(batch_rows, row_groups=groups, columns=sorted(set(self._wanted.values())))
            while True:
                try:
                    table = next(raw, None)
                except (OSError, pa.ArrowException) as error:
                    raise unreadable(self._file.path, error) from None
                if table is None:
                    break
                at += table.num_rows
                if skip >= table.num_rows:
                    skip -= table.num_rows
                    continue
                rows = table.slice(skip)
                skip = 0
                try:
                    columns = self._event_columns(rows, at - rows.num_rows)
                except pa.ArrowException as error:  # pages that decode to nonsense: indices beyond the dictionary, …
                    raise unreadable(self._file.path, error) from None
                yield columns
            if at != self._file.rows:
                raise InputError(
                    f"the footer promises {self._file.rows:,} rows, the file holds {at:,}",
                    where=self._file.path,
                    todo="it is damaged: write or fetch it again",
                )

    def _open(self) -> pq.ParquetFile:
        parquet = open_parquet(self._file.path, self._wanted.get("symbol"))
        if footer(self._file.path) != (self._file.size_bytes, self._file.footer_sha256):
            parquet.close()
            raise InputError(
                "the file changed while it was being replayed",
                where=self._file.path,
                todo="put the old file back and run again, or start over with --restart",
            )
        return parquet

    def _seek(self, row: int) -> tuple[list[int], int]:
        """The row groups to read, and how many rows of the first to skip."""
        before = 0
        for group, rows in enumerate(self._file.row_group_rows):
            if row < before + rows:
                return list(range(group, len(self._file.row_group_rows))), row - before
            before += rows
        return [], 0

    def _event_columns(self, raw: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        arrays: dict[str, pa.Array] = {"symbol": self._symbol_ids(raw, first_row)}
        for field, column in self._wanted.items():
            if field == "symbol":
                continue
            array = raw.column(column)
            if field in ("price", "event_time") and array.null_count:
                self._refuse(pc.is_null(array), first_row, column, "is null", raw)
            arrays[field] = array.cast(plain_type(array.type))
        price = arrays["price"]
        if pa.types.is_floating(price.type):
            self._refuse(pc.invert(pc.is_finite(price)), first_row, self._columns.price, "is not finite", raw)
        self._check_times(arrays["event_time"], first_row, raw)
        for field in self._columns.fields:
            if pa.types.is_string(arrays[field].type):
                self._check_utf8(arrays[field], first_row, field)
            elif pa.types.is_timestamp(arrays[field].type):
                self._check_years(arrays[field], first_row, field, raw)
        return pa.RecordBatch.from_pydict(arrays)

    def _symbol_ids(self, raw: pa.RecordBatch, first_row: int) -> pa.Array:
        if self._columns.constant_symbol is not None:
            one = self._symbols.id_of(self._columns.constant_symbol)
            return pa.array(np.full(raw.num_rows, one, dtype=np.int32))
        column = self._columns.symbol
        array = raw.column(column)
        if not pa.types.is_dictionary(array.type):
            array = array.cast(pa.string()).dictionary_encode()
        if array.null_count:
            self._refuse(pc.is_null(array), first_row, column, "is null", raw)
        names = array.dictionary.cast(pa.string())
        self._check_utf8(names.take(array.indices), first_row, column, distinct=names)
        ids = [self._symbols.id_of(name) if name else -1 for name in names.to_pylist()]
        taken = pa.array(ids, pa.int32()).take(array.indices)
        if -1 in ids:
            self._refuse(pc.equal(taken, -1), first_row, column, "is empty", raw)
            taken = taken.fill_null(-1)
        return taken

    def _check_utf8(self, array: pa.Array, first_row: int, column: str, distinct: pa.Array | None = None) -> None:
        try:
            (array if distinct is None else distinct).validate(full=True)
        except pa.ArrowInvalid:
            for row, value in enumerate(array.cast(pa.binary()).to_pylist()):
                try:
                    (value or b"").decode()
                except UnicodeDecodeError:
                    self._fail(first_row + row, column, f"is not valid UTF-8 ({value!r:.60})")
            # a bad entry that no row uses harms nobody

    def _check_years(self, times: pa.Array, first_row: int, column: str, raw: pa.RecordBatch) -> None:
        per_second = 1_000_000_000 // NS_PER_UNIT[times.type.unit]
        units = times.view(pa.int64())
        low, high = (bound * per_second for bound in _FOUR_DIGIT_YEARS_S)
        if abs(low) < 2**63:  # nanoseconds cannot leave these years
            beyond = pc.or_(pc.less(units, low), pc.greater_equal(units, high))
            self._refuse(beyond, first_row, column, "is not in the years 1 to 9999", raw)

    def _check_times(self, times: pa.Array, first_row: int, raw: pa.RecordBatch) -> None:
        column, unit_ns = self._columns.event_time, NS_PER_UNIT[times.type.unit]
        units: Ints = times.view(pa.int64()).to_numpy()
        if len(units) == 0:
            return
        # Kafka takes a timestamp of 0 for "now" and refuses negative ones.
        if int(units.min()) * unit_ns < 1_000_000:
            mask = pa.array(units < max(1, 1_000_000 // unit_ns))
            self._refuse(mask, first_row, column, "is not after 1970-01-01T00:00:00.000Z", raw)
        if int(units.max()) * unit_ns > _LAST_NS:
            self._refuse(pa.array(units > _LAST_NS // unit_ns), first_row, column, "is beyond the year 2262", raw)
        if self._sorted_only:
            before = units[0] if self._last_time is None else self._last_time
            backwards = np.diff(units, prepend=before) < 0
            if backwards.any():
                self._fail(
                    first_row + int(np.argmax(backwards)),
                    column,
                    "goes back in time",
                    _UNSORTED,
                )
            self._last_time = int(units[-1])

    def _refuse(self, mask: pa.Array, first_row: int, column: str, what: str, raw: pa.RecordBatch) -> None:
        bad = np.flatnonzero(mask.fill_null(False).to_numpy(zero_copy_only=False))
        if len(bad):
            row = int(bad[0])
            value = _shown(raw.column(column)[row : row + 1])
            self._fail(first_row + row, column, f"{what} ({value!r:.60})" if value else what)

    def _fail(
        self, row: int, column: str, what: str, todo: str = "mend or remove the row, and write the file again"
    ) -> None:
        raise InputError(
            f"column {column!r} {what}", where=f"{self._file.path}, row {row:,} (the first is 0)", todo=todo
        )


def _shown(value: pa.Array) -> str | None:
    """The one value as text, if it has a text form."""
    try:
        text: str | None = value.cast(plain_type(value.type)).cast(pa.string())[0].as_py()
    except (pa.ArrowException, UnicodeError):
        return None
    return text
