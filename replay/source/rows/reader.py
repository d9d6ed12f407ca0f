"""One file, from a row on: raw columns in, event columns out, and what becomes of each row. Column-wise.

Every value that could not be replayed is found here. What is done about it is the user's choice (`OnBadRow`); a row
keeps its place in the order and in positions, whatever becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from replay.errors import InputError
from replay.model import FATE, KEY, ORDER_NS, PARTITION, Bools, Bytes, Fate, Ints, SpanNs, SymbolTable
from replay.source.columns import convert
from replay.source.columns.schema import FileLayout, Layout, Part
from replay.source.columns.unify import decoded, widen
from replay.source.files.parquet_file import BUFFER_BYTES_MAX, InputFile, open_parquet, unreadable
from replay.source.files.trust import Contradiction, StatisticsWrong
from replay.source.options import Columns, OnBadRow, Order, SourceOptions, SymbolCase, Unsorted
from replay.source.rows.order import BATCH_ROWS_MAX
from replay.units import LAST_NS, NS_PER_UNIT

FIRST_NS = 1_000_000  # Kafka counts milliseconds, and takes 0 for "now"

_MEND = "mend or remove the row and write the file again, or leave such rows out with --on-bad-row skip or quarantine"

_UNSORTED = (
    "sort the file by event time, let replay do it with --unsorted sort, or keep its row order with --order as-is"
)

_FOUR_DIGIT_YEARS_S = (-62_135_596_800, 253_402_300_800)  # years 1 to 9999 (RFC 3339), in seconds since 1970

NO_SYMBOL = -1  # the id of a symbol that is missing or no text: such a row is never encoded

SCAN_ROWS = 262_144  # of one column at a time

BUFFER_BYTES_MIN = 16 << 10  # below this, more reads cost more than the memory is worth

BUFFER_BYTES_PER_ROW = 16
"""Read ahead of a column for each row of a batch: what is decoded next, at twice the width of a number. Many open files
have small batches, and then small buffers as well; with batches of 65,536 rows it is `BUFFER_BYTES_MAX`."""


STRETCHES_MAX = 256  # of a file: each reads the footer, which grows with the number of row groups


@dataclass(frozen=True, slots=True)
class BadRows:
    """Rows of one raw batch that cannot be records: their places in the file, why, and all their columns."""

    file: InputFile
    rows: Ints
    fates: Bytes
    raw: pa.RecordBatch


@dataclass(slots=True)
class Wanted:
    """Which symbols are selected, by id; kept up to date with the symbol table."""

    symbols: SymbolTable
    wants: Callable[[str], bool]
    _known: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def ids(self) -> Bools:
        if len(self._known) < len(self.symbols.names):
            new = [self.wants(name) for name in self.symbols.names[len(self._known) :]]
            self._known = np.concatenate([self._known, np.array(new, dtype=bool)])
        return self._known


class RowReader:
    """Reads a file's rows. `on_bad` is told of bad rows with all their columns; without it only what is needed is read.
    `first_ns`: no event time of the file is smaller, where that is known. `promised` is what is known of the event
    times of each row group: a row that contradicts it is a `StatisticsWrong`; without it nobody looks.

    A bad row is an `InputError` unless the options say otherwise, and so is one that goes back in time.
    """

    def __init__(
        self,
        file: InputFile,
        layout: Layout,
        own: FileLayout,
        options: SourceOptions,
        columns: Columns,
        symbols: SymbolTable,
        wanted: Wanted,
        first_ns: int | None,
        on_bad: Callable[[BadRows], None] | None = None,
        promised: Sequence[SpanNs] | None = None,
    ) -> None:
        self._file, self._layout, self._own, self._options, self._asked = file, layout, own, options, columns
        self._symbols, self._wanted, self._file_first_ns, self._on_bad = symbols, wanted, first_ns, on_bad
        self._promised = promised
        self._selection = options.selection
        self._tolerant = options.on_bad_row is not OnBadRow.FAIL
        self._has_fates = self._tolerant or self._selection is not None
        self._by_time = options.order is Order.EVENT_TIME
        self._unit_ns = NS_PER_UNIT[layout.event_time.kind.unit]
        self._high: int | None = None  # the largest time of a good row so far, in units of the event time
        self._names: pa.Array | None = None  # the symbols of the last batch, and what they are
        self._names_ids: pa.Array = pa.array([], pa.int32())
        self._names_fates: pa.Array | None = None
        self.good_times = 0  # rows with one, once `time_spans_ns` has looked
        self.backwards = 0  # rows smaller than a row before them
        self.first_backwards: int | None = None  # the first of them; its place in the file

    def batches(self, row: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """From `row` to the end of the file. Raises `InputError` for whatever cannot be replayed."""
        self._begin(row)
        yield from self._events(row, self._file.rows, batch_rows)

    def stretches(self, row: int) -> Iterator[Iterator[pa.RecordBatch]]:
        """The same in several parts, in large batches. Only while one of them is read, the file is open: an open one
        holds a page and a dictionary of each column."""
        self._begin(row)
        for stop in self._stops(row):
            yield self._events(row, stop, BATCH_ROWS_MAX)
            row = stop

    def _begin(self, row: int) -> None:
        self._high = None
        if row < self._file.rows and row and self._by_time and self._options.unsorted is not Unsorted.FAIL:
            self._high = self._highest_before(row)

    def _stops(self, row: int) -> Iterator[int]:
        """Where to let go of the file: behind row groups, which can be read without what lies before them, but not
        behind each small one."""
        rows_min, end = max(BATCH_ROWS_MAX, self._file.rows // STRETCHES_MAX), 0
        for group in self._file.groups:
            end += group.rows
            if end >= row + rows_min:
                yield end
                row = end
        if end > row:
            yield end

    def _events(self, row: int, stop: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Rows from `row` on up to `stop`, which lies between row groups."""
        if row >= stop:
            return
        for first_row, raw in self._raw(row, batch_rows, self.columns, stop):
            try:
                columns = self._event_columns(raw, first_row)
            except pa.ArrowException as error:  # pages that decode to nonsense: indices beyond the dictionary, …
                raise unreadable(self._file.shown, error) from None
            yield columns

    def goes_back(self) -> bool:
        """Whether a good row is earlier than a good row before it, by reading the time column."""
        last: int | None = None
        for _, times in self._good_times(0, self._file.rows):
            if (last is not None and int(times[0]) < last) or (np.diff(times) < 0).any():
                return True
            last = int(times[-1])
        return False

    def time_spans_ns(self) -> list[tuple[int, int] | None]:
        """Smallest and largest good event time of each row group, by reading the column: for files whose statistics
        do not tell."""
        spans: list[tuple[int, int] | None] = [None] * len(self._file.groups)
        bounds = np.cumsum([group.rows for group in self._file.groups])
        self.good_times = 0
        for row, times in self._good_times(0, self._file.rows):
            self.good_times += len(times)
            groups = np.searchsorted(bounds, row, side="right")
            for group in np.unique(groups):
                mine = times[groups == group]
                before = spans[group] or (int(mine[0]), int(mine[0]))
                spans[group] = (min(before[0], int(mine.min())), max(before[1], int(mine.max())))
        return [None if span is None else (span[0] * self._unit_ns, span[1] * self._unit_ns) for span in spans]

    def first_wanted(self, look: Callable[[int], None]) -> int | None:
        """The place in the file of the first row that the selection does not leave out by its symbol or its time.
        `look` is told how many rows come next."""
        selection, columns = self._selection, []
        assert selection is not None
        by_time = selection.from_ns is not None or selection.to_ns is not None
        by_symbol = bool(selection.symbols or selection.exclude or selection.sample)
        if by_time:
            columns.append(self._layout.event_time.column)
        if by_symbol and self._own.symbol is None:
            columns.append(self._layout.symbol_column)
        for first_row, raw in self._raw(0, SCAN_ROWS, columns):
            look(raw.num_rows)
            times, bad = self._times(raw) if by_time else (np.zeros(raw.num_rows, np.int64), _all_sent(raw))
            if by_time and self._promised is not None:  # a unit that was inferred from them may be wrong
                self._compare(self._promised, times, bad, first_row)
            ids = self._symbol_ids(raw)[0].to_numpy() if by_symbol else np.full(raw.num_rows, NO_SYMBOL)
            chosen = self._chosen(ids, times, bad)
            if chosen is None or chosen.any():
                return self._file.file_row(first_row + (0 if chosen is None else int(np.argmax(chosen))))
        return None

    # -- raw rows -------------------------------------------------------------------------------------------

    @cached_property
    def columns(self) -> list[str]:
        """Those of the file and its Hive keys that are read."""
        layout = self._layout
        if self._on_bad is not None:
            return list(self._file.schema.names)
        parts = [layout.price, layout.event_time, *layout.fields, layout.key, layout.partition]
        names = [part.column for part in parts if part is not None]
        if self._own.symbol is None:
            names.append(layout.symbol_column)
        if self._selection is not None and self._selection.where is not None:
            names += self._selection.where.columns
        return [name for name in dict.fromkeys(names) if name in self._file.schema.names]

    def _raw(
        self, row: int, batch_rows: int, columns: list[str], stop: int | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Each batch with the number of its first row, among the rows that are replayed; up to the row group that
        begins with row `stop`."""
        stop = self._file.rows if stop is None else stop
        own = [name for name in columns if name not in self._file.keys]
        with self._open(own, batch_rows) as parquet:
            groups, skip = self._seek(row, stop)
            at = row - skip
            rest = stop - at
            # A column has to be read even where all that is asked for are Hive keys: it counts the rows.
            raw = parquet.iter_batches(
                # The rest is read at once where it is little more: less to hold than a reader with pages of its own.
                rest if rest <= min(2 * batch_rows, BATCH_ROWS_MAX) else batch_rows,
                row_groups=groups,
                columns=own or [self._layout.event_time.column],
                use_threads=self._file.path.is_remote,  # columns wait for their bytes side by side; else it is dearer
            )
            while True:
                try:
                    table = next(raw, None)
                except (OSError, pa.ArrowException) as error:
                    raise unreadable(self._file.shown, error) from None
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
                    where=self._file.shown,
                    todo="it is damaged: write or fetch it again",
                )

    def _with_keys(self, rows: pa.RecordBatch, columns: list[str]) -> pa.RecordBatch:
        """With the Hive keys that were asked for: a constant of each."""
        for key, value in self._file.keys.items():
            if key in columns and key not in rows.schema.names:
                if value is None:
                    rows = rows.append_column(key, pa.nulls(rows.num_rows, self._file.schema.field(key).type))
                    continue
                indices = pa.array(np.zeros(rows.num_rows, dtype=np.int32))
                constant = pa.DictionaryArray.from_arrays(indices, pa.array([value], pa.string()))
                rows = rows.append_column(key, constant)
        return rows

    @contextmanager
    def _open(self, columns: list[str], batch_rows: int) -> Iterator[pq.ParquetFile]:
        text = self._layout.symbol_column
        dictionaries = [text] if self._own.symbol is None and text in columns else []
        buffer_bytes = max(BUFFER_BYTES_MIN, min(BUFFER_BYTES_MAX, batch_rows * BUFFER_BYTES_PER_ROW))
        with open_parquet(self._file.path, dictionaries, buffer_bytes) as (parquet, sha256):
            if sha256 != self._file.footer_sha256:
                raise InputError(
                    "the file changed while it was being replayed",
                    where=self._file.shown,
                    todo="put the old file back and run again, or start over with --restart",
                )
            yield parquet

    def _seek(self, row: int, stop: int) -> tuple[list[int], int]:
        """The row groups to read, and how many rows of the first to skip."""
        numbers: list[int] = []
        skip = first_row = 0
        for group in self._file.groups:
            if first_row < stop and row < first_row + group.rows:
                skip = skip if numbers else row - first_row
                numbers.append(group.number)
            first_row += group.rows
        return numbers, skip

    # -- event columns --------------------------------------------------------------------------------------

    def _event_columns(self, raw: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        layout = self._layout
        ids, bad_symbols = self._symbol_ids(raw)
        price, bad_prices = self._prices(raw)
        times, bad_times = self._times(raw)
        judged = [
            (layout.symbol_column, bad_symbols),
            (layout.price.column, bad_prices),
            (layout.event_time.column, bad_times),
        ]
        arrays: dict[str, pa.Array] = {}
        for name, part in self._further_parts():
            arrays[name], bad = self._further(raw, name, part)
            judged.append((part.column, bad))
        if self._promised is not None:
            self._compare(self._promised, times, bad_times, first_row)
        fates = self._decide(raw, first_row, judged, ids, times)
        times, order_ns = self._in_order(times, bad_times > Fate.SENT, first_row)
        columns = {"symbol": ids, "price": price, "event_time": pa.array(times).view(layout.event_time.kind), **arrays}
        if self._has_fates:
            columns[FATE] = pa.array(fates)
        if order_ns is not None:
            columns[ORDER_NS] = pa.array(order_ns)
        return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))

    def _symbol_ids(self, raw: pa.RecordBatch) -> tuple[pa.Array, Bytes]:
        fates = _all_sent(raw)
        if self._own.symbol is not None:
            one = self._symbols.id_of(cased(self._own.symbol, self._asked))
            return pa.array(np.full(raw.num_rows, one, dtype=np.int32)), fates
        array = raw.column(self._layout.symbol_column)
        if not pa.types.is_dictionary(array.type):
            array = array.cast(pa.string()).dictionary_encode()
        if self._names is None or not array.dictionary.equals(self._names):  # mostly it is that of the batch before
            known = [self._symbol_id(name) for name in array.dictionary.cast(pa.binary()).to_pylist()]
            self._names, self._names_ids = array.dictionary, pa.array([symbol for symbol, _ in known], pa.int32())
            self._names_fates = pa.array([fate for _, fate in known], pa.int8()) if any(f for _, f in known) else None
        ids = self._names_ids.take(array.indices)
        if self._names_fates is not None:
            fates = self._names_fates.take(array.indices).fill_null(Fate.SENT).to_numpy()
        if ids.null_count:
            fates = np.where(_mask(pc.is_null(ids)), np.int8(Fate.SYMBOL_MISSING), fates)
            ids = ids.fill_null(NO_SYMBOL)
        return ids, fates

    def _symbol_id(self, name: bytes | None) -> tuple[int, Fate]:
        if not name:
            return NO_SYMBOL, Fate.SYMBOL_MISSING
        try:
            return self._symbols.id_of(cased(name.decode(), self._asked)), Fate.SENT
        except UnicodeDecodeError:
            return NO_SYMBOL, Fate.SYMBOL_NOT_TEXT

    def _prices(self, raw: pa.RecordBatch) -> tuple[pa.Array, Bytes]:
        part, columns = self._layout.price, self._asked
        array = raw.column(part.column)
        if columns.price_undefined is not None and pa.types.is_integer(array.type):
            array = pc.if_else(pc.equal(array, columns.price_undefined), pa.scalar(None, array.type), array)
        return convert.to_price(array, part.kind, scale=columns.price_scale)

    def _times(self, raw: pa.RecordBatch) -> tuple[Ints, Bytes]:
        """In units of the event time; bad ones hold anything."""
        part = self._layout.event_time
        times, fates = convert.to_time(raw.column(part.column), part.kind, self._own.time_unit)
        return times.view(pa.int64()).to_numpy(), fates

    def _further_parts(self) -> Iterator[tuple[str, Part]]:
        yield from ((part.name, part) for part in self._layout.fields)
        if self._layout.key is not None:
            yield KEY, self._layout.key
        if self._layout.partition is not None:
            yield PARTITION, self._layout.partition

    def _further(self, raw: pa.RecordBatch, name: str, part: Part) -> tuple[pa.Array, Bytes]:
        """A further column. What is bad in it is null, so that no kernel stumbles over it."""
        fates = _all_sent(raw)
        if part.column not in raw.schema.names:
            return pa.nulls(raw.num_rows, part.kind), fates
        if name == PARTITION:
            return _partitions(raw.column(part.column))
        array, fates = _readable(raw.column(part.column))
        try:
            array = widen(array, part.kind)
        except pa.ArrowInvalid as error:  # such as a time that the finer unit of another file cannot hold
            raise InputError(
                f"column {part.column!r} holds what does not fit {part.kind}, its type over all files: {error}",
                where=self._file.shown,
                todo="leave it out of --fields, or replay the files as separate jobs",
            ) from None
        if pa.types.is_timestamp(part.kind):
            array, beyond = _with_four_digit_years(array)
            fates = np.where(fates == Fate.SENT, beyond, fates)
        if name == KEY and array.null_count:
            missing = _mask(pc.is_null(array)) & (fates == Fate.SENT)
            fates = np.where(missing, np.int8(Fate.KEY_MISSING), fates)
        return array, fates

    # -- what becomes of the rows ---------------------------------------------------------------------------

    def _compare(self, promised: Sequence[SpanNs], times: Ints, bad: Bytes, first_row: int) -> None:
        """With what the statistics say of each row group."""
        start = 0
        for group, span in zip(self._file.groups, promised, strict=True):
            begin, end = max(start - first_row, 0), min(start + group.rows - first_row, len(times))
            start += group.rows
            if span is None or begin >= end:
                continue
            these, low, high = times[begin:end], span[0] // self._unit_ns, span[1] // self._unit_ns
            if low <= these.min() and these.max() <= high:
                continue
            wrong = (bad[begin:end] == Fate.SENT) & ((these < low) | (these > high))
            if wrong.any():
                row = self._file.file_row(first_row + begin + int(np.argmax(wrong)))
                raise StatisticsWrong([Contradiction(self._file, row, self._layout.event_time.column)])

    def _chosen(self, ids: Ints, times: Ints, bad_times: Bytes) -> Bools | None:
        """Which rows are selected by their symbol and time, the condition not asked; None: all."""
        selection = self._selection
        if selection is None:
            return None
        if bad_times.any():  # cannot be told by its time: only the rest of the selection counts
            times = np.where(bad_times == Fate.SENT, times, -(-(selection.from_ns or 0) // self._unit_ns))
        fates = selection.fates(ids, self._wanted.ids(), times * self._unit_ns)
        return None if fates is None else fates == Fate.SENT

    def _decide(
        self, raw: pa.RecordBatch, first_row: int, judged: list[tuple[str, Bytes]], ids: pa.Array, times: Ints
    ) -> Bytes:
        """The fate of each row: not selected, or the first thing that is wrong with it, or sent."""
        fates = judged[0][1]
        for _, bad in judged[1:]:
            if bad.any():
                fates = np.where(fates == Fate.SENT, bad, fates)
        if self._selection is not None:  # a row that nobody asked for is not bad either
            chosen = self._chosen(ids.to_numpy(), times, judged[2][1])
            if chosen is not None:
                fates = np.where(chosen, fates, np.int8(Fate.NOT_SELECTED))
            if self._selection.where is not None:
                fates = np.where(self._selection.where.mask(raw), fates, np.int8(Fate.NOT_SELECTED))
        bad_rows = np.flatnonzero(fates > Fate.NOT_SELECTED)
        if len(bad_rows):
            if not self._tolerant:
                row = int(bad_rows[0])
                column = next(name for name, bad in judged if bad[row] == fates[row])
                self._refuse(raw, row, first_row + row, column, Fate(fates[row]))
            if self._on_bad is not None:
                places = np.array([self._file.file_row(first_row + int(row)) for row in bad_rows], dtype=np.int64)
                self._on_bad(BadRows(self._file, places, fates[bad_rows], raw.take(pa.array(bad_rows))))
        return fates

    def _in_order(self, times: Ints, bad: Bools, first_row: int) -> tuple[Ints, Ints | None]:
        """The times with those of bad rows filled in (the largest before them), and what the rows are ordered by, if
        that is not their time. Counts rows that go back in time, or refuses them."""
        if not self._by_time or len(times) == 0:
            return times, None
        if self._high is None and bad[0]:
            self._high = self._highest_before(first_row)
        high = self._high if self._high is not None else int(times[0])
        if bad.any():
            running = np.maximum.accumulate(np.maximum(np.where(bad, high, times), high))
            times = np.where(bad, running, times)
        if times[0] < high or (times[1:] < times[:-1]).any():
            backwards = np.diff(times, prepend=high) < 0
            row = first_row + int(np.argmax(backwards))
            if self._options.unsorted is Unsorted.FAIL:
                self._fail(row, self._layout.event_time.column, "goes back in time", _UNSORTED)
            self.backwards += int(np.count_nonzero(backwards))
            self.first_backwards = row if self.first_backwards is None else self.first_backwards
        order_ns = None
        if self._options.unsorted is Unsorted.KEEP:
            order_ns = np.maximum.accumulate(np.maximum(times, high)) * self._unit_ns
        self._high = max(high, int(times.max()))
        return times, order_ns

    def _highest_before(self, row: int) -> int:
        """The largest time of a good row before this one, in units; the file's earliest where there is none.

        The same as a run from row 0 would know here: positions depend on it.
        """
        if self._options.unsorted is Unsorted.FAIL:  # sorted: the last good row before it
            starts = [0, *np.cumsum([group.rows for group in self._file.groups]).tolist()]
            for start in reversed([start for start in starts if start < row]):
                times = [times for _, times in self._good_times(start, row)]
                if times:
                    return int(times[-1][-1])
            return self._earliest
        return max((int(times.max()) for _, times in self._good_times(0, row)), default=self._earliest)

    @cached_property
    def _earliest(self) -> int:
        """No good time is smaller; 0 where the statistics do not tell."""
        first_ns = self._file_first_ns or 0
        return min(max(first_ns, 0), LAST_NS) // self._unit_ns

    def _good_times(self, start: int, stop: int) -> Iterator[tuple[Ints, Ints]]:
        """Rows and their times, in units, from the time column alone; batches without a good row are left out."""
        if start >= stop:
            return
        for first_row, raw in self._raw(start, SCAN_ROWS, [self._layout.event_time.column]):
            times, fates = self._times(raw)
            rows = np.arange(first_row, first_row + len(times))
            good = (fates == Fate.SENT) & (rows < stop)
            if good.any():
                yield rows[good], times[good]
            if first_row + len(times) >= stop:
                return

    # -- refusals -------------------------------------------------------------------------------------------

    def _refuse(self, raw: pa.RecordBatch, row: int, file_row: int, column: str, fate: Fate) -> None:
        value = _shown(raw.column(column)[row : row + 1]) if column in raw.schema.names else None
        self._fail(file_row, column, f"{fate.reason} ({value!r:.60})" if value else fate.reason)

    def _fail(self, row: int, column: str, what: str, todo: str = _MEND) -> None:
        raise InputError(
            f"column {column!r} {what}",
            where=f"{self._file.shown}, row {self._file.file_row(row):,} (the first is 0)",
            todo=todo,
        )


def cased(symbol: str, columns: Columns) -> str:
    """As `--symbol-case` wants it."""
    if columns.symbol_case is SymbolCase.UPPER:
        return symbol.upper()
    return symbol.lower() if columns.symbol_case is SymbolCase.LOWER else symbol


def _all_sent(raw: pa.RecordBatch) -> Bytes:
    return np.zeros(raw.num_rows, dtype=np.int8)


def _mask(booleans: pa.Array) -> Bools:
    return np.asarray(booleans.to_numpy(zero_copy_only=False), dtype=bool)


PARTITIONS_MAX = 2**31  # Kafka numbers partitions in 32 bits


def _partitions(array: pa.Array) -> tuple[pa.Array, Bytes]:
    """Partition numbers; whatever cannot be one is bad."""
    array = decoded(array)
    numbers = array.fill_null(0).to_numpy()
    wrong = _mask(pc.is_null(array)) | (numbers < 0) | (numbers >= PARTITIONS_MAX)
    fates = np.where(wrong, np.int8(Fate.PARTITION_WRONG), np.int8(Fate.SENT))
    return pa.array(np.where(wrong, 0, numbers).astype(np.int64)), fates


def _readable(array: pa.Array) -> tuple[pa.Array, Bytes]:
    """With text that is valid UTF-8, also inside nested values; the rest is null and bad."""
    fates = np.zeros(len(array), dtype=np.int8)
    try:
        array.validate(full=True)
        return array, fates
    except pa.ArrowInvalid:
        array = decoded(array)  # a bad entry of a dictionary is bad only where it is used
        unreadable_rows = np.array([not _is_readable(array[at : at + 1]) for at in range(len(array))])
    fates[unreadable_rows] = Fate.FIELD_NOT_TEXT
    return pc.if_else(pa.array(unreadable_rows), pa.scalar(None, array.type), array), fates


def _is_readable(value: pa.Array) -> bool:
    try:
        pa.concat_arrays([value]).validate(full=True)  # a copy: a slice is validated with all that it was cut from
    except pa.ArrowInvalid:
        return False
    return True


def _with_four_digit_years(times: pa.Array) -> tuple[pa.Array, Bytes]:
    """Times that have a text form (RFC 3339); the rest is null and bad."""
    fates = np.zeros(len(times), dtype=np.int8)
    per_second = 1_000_000_000 // NS_PER_UNIT[times.type.unit]
    low, high = (bound * per_second for bound in _FOUR_DIGIT_YEARS_S)
    if abs(low) >= 2**63:  # nanoseconds cannot leave these years
        return times, fates
    units = times.view(pa.int64())
    beyond = pc.or_(pc.less(units, low), pc.greater_equal(units, high)).fill_null(False)
    if not pc.any(beyond).as_py():
        return times, fates
    fates[_mask(beyond)] = Fate.FIELD_TOO_LATE
    return pc.if_else(beyond, pa.scalar(None, times.type), times), fates


def _shown(value: pa.Array) -> str | None:
    """The one value as text, if it has a text form; bytes that are no text as escapes."""
    try:
        kind = value.type.value_type if pa.types.is_dictionary(value.type) else value.type
        plain = value.cast(kind)
        if pa.types.is_timestamp(kind):
            plain = plain.cast(pa.timestamp(kind.unit))
        text: str | None = plain.cast(pa.string())[0].as_py()
    except UnicodeError:
        return str(plain.cast(pa.binary())[0].as_py())
    except pa.ArrowException:
        return None
    return text
