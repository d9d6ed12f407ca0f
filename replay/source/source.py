"""The inputs as one sequence of rows: which files and row groups, in which order, from any position on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import astuple, replace
from functools import cached_property, partial

import numpy as np
import pyarrow as pa

from replay import identity
from replay.errors import InputError
from replay.identity import TABLES, without_tables
from replay.model import FATE, ORDER_NS, Batch, Fate, Ints, Position, SpanNs, SymbolTable
from replay.partitioning import Partitioner
from replay.record.encoder import Encoder
from replay.source.columns.schema import resolve, with_preset
from replay.source.files import trust
from replay.source.files.endings import LeftOut
from replay.source.files.parquet_file import InputFile, RowGroup, open_file, open_files
from replay.source.files.peek import text_units
from replay.source.files.statistics import ValueRange
from replay.source.files.storage import find
from replay.source.files.trust import Contradiction, StatisticsWrong
from replay.source.options import OnBadRow, Order, SourceOptions, SymbolCase, Unsorted
from replay.source.rows import sorting
from replay.source.rows.aside import Aside
from replay.source.rows.order import BATCH_ROWS_MAX, Stream, by_event_time, one_after_the_other, open_at_once, times_ns
from replay.source.rows.reader import FIRST_NS, BadRows, RowReader, Wanted, cased
from replay.source.selection import select
from replay.source.tables import states as tables
from replay.units import LAST_NS, NS_PER_UNIT

LABEL_DIGITS = 8
"""Of a hash of inputs and options: few replays share a topic."""

READERS_BYTES = 32 << 20
"""Held by all files that are open at the same time, beside the rows decoded from them. Where it would be more, each
file's rows are put aside a stretch at a time, and the merge reads them from there: it costs no more time, but disk."""

READER_BYTES_MIN = 1 << 20
"""Of an open file, however small: file, footer and decoders. So no more than 32 are open at the same time, and the
usual limit of 1,024 open files of a process is far."""

READER_COLUMN_BYTES = 2 << 20
"""Of a column of a large one: a page as it lies in the file, the same decoded, and a dictionary."""


class Source:
    """The inputs as one sequence of rows, each of which has its place for good.

    Row groups that the selection rules out by their statistics are no part of it, nor are files of which no row group
    is left: a file more of other days changes nothing. All other rows are, whatever becomes of them.

    `left_out` are files of its folders that are not taken because of their endings.

    With `judges`, rows are compared with the statistics by which files are put in order (`StatisticsWrong`).
    """

    def __init__(self, options: SourceOptions, *, judges: bool = False) -> None:
        self.options, self._judges = options, judges
        self.symbols = SymbolTable()
        self.left_out = LeftOut()
        asked = tables.Asked(options.table_version, options.snapshot, options.known_tables)
        self.paths = paths = find(options.inputs, self.left_out, asked)
        states = {path.table for path in paths if path.table is not None}
        tables.check_asked(options.table_version, options.snapshot, {state.format for state in states})
        tables.check_one_state(states)
        self.tables = tables.text_of(states)
        columns = with_preset(options.columns, open_file(paths[0]) if options.columns.preset is not None else None)
        self.columns = columns
        with_statistics = [columns.event_time, *([columns.symbol] if columns.has_symbol_column else [])]
        files = tuple(
            file.without_statistics() if file.footer_sha256 in options.without_statistics else file
            for file in open_files(paths, with_statistics)
        )
        selection = options.selection
        self._wanted = Wanted(self.symbols, selection.wants if selection is not None else lambda _: True)
        self._spans: list[list[SpanNs]] = []
        self._read_spans: dict[str, list[SpanNs]] = {}  # of files whose statistics do not tell, by how they are shown
        self.rows_all = sum(file.rows for file in files)
        self.files_all = len(files)
        self.files = self._lay_out(files)
        if not self.rows_all and not options.may_be_empty:
            raise InputError(
                "there are no rows in any input file", where=", ".join(options.inputs), todo="check the inputs"
            )
        self._layout_of_all, self._ruled_out = self.layout, list(self._without_rows_left(files))
        kept = [file for index, file in enumerate(files) if self.files[index].rows and not self._is_beside(index)]
        if len(kept) < len(files):
            self.files = self._lay_out(kept) if kept else ()
        self._spans = []
        for index in range(len(self.files)):
            self._spans.append(self._group_spans(index))
        self.rows = sum(file.rows for file in self.files)
        self.unsorted: dict[
            int, tuple[int, int]
        ] = {}  # by `checked`: rows of a file that go back, and the first of them
        self._goes_back: dict[int, bool] = {}  # of files of which that is known

    def identity(self) -> dict[str, str]:
        """What decides which bytes are sent in which order, beside the files themselves; "" is the default."""
        options, columns, records = self.options, self.columns, self.options.records
        told = {
            "--order": str(options.order),
            "--unsorted": "" if options.unsorted is Unsorted.FAIL else str(options.unsorted),
            "--map": identity.mapping_text(
                {"symbol": columns.symbol, "price": columns.price, "event_time": columns.event_time}
            ),
            "--fields": identity.list_text(columns.fields),
            "--rename": identity.pairs_text(columns.rename),
            "--symbol": identity.text_of(columns.constant_symbol),
            "--symbol-from": identity.list_text(columns.symbol_from),
            "--symbol-case": "" if columns.symbol_case == "keep" else str(columns.symbol_case),
            "--price-scale": "" if columns.price_scale is None else str(columns.price_scale),
            "no price": "" if columns.price_undefined is None else str(columns.price_undefined),
            "--decimal-as": "" if records.decimal_as == "number" else str(records.decimal_as),
            "--key": "" if records.key == "symbol" else identity.text_of(records.key),
            "--timestamp": "" if records.timestamp == "event" else str(records.timestamp),
            "--header": identity.pairs_text(records.headers),
            "--row-header": identity.text_of(records.row_header),
            **(options.selection.identity() if options.selection is not None else {}),
        }
        told |= {TABLES: self.tables} if self.tables else {}
        return told | self.layout.identity() | trust.identity(options.without_statistics)

    def encoder(self, partitioner: Partitioner) -> Encoder:
        """What makes records of this source's batches."""
        names = [part.name for part in self.layout.fields]
        return Encoder(self.symbols, names, partitioner, self.options.records, self.label)

    @cached_property
    def label(self) -> str:
        """Tells the rows of one replay from those of another."""
        parts = [without_tables(self.identity()), [astuple(file.print) for file in self.files]]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:LABEL_DIGITS]

    @property
    def start(self) -> Position:
        return Position(0, (0,) * len(self.files))

    @property
    def end(self) -> Position:
        return Position(self.rows, tuple(file.rows for file in self.files))

    def finished(self, position: Position) -> Position:
        """The end of a replay whose last record lies before `position`: whatever rows follow are left out."""
        left_out = position.left_out + self.rows - position.row
        return Position(self.rows, self.end.cursors, left_out, position.bad)

    @property
    def event_span_ns(self) -> SpanNs:
        """The smallest and the largest event time of all rows, sent or not, where every file's statistics tell."""
        spans = [self.span_ns(index) for index, file in enumerate(self.files) if file.rows]
        known = [span for span in spans if span is not None]
        if not known or len(known) < len(spans):
            return None
        return min(first for first, _ in known), max(last for _, last in known)

    @property
    def sends_all(self) -> bool:
        """Whether no row can be left out."""
        return self.options.selection in (None, select.Selection()) and self.options.on_bad_row is OnBadRow.FAIL

    def span_ns(self, index: int, row: int = 0) -> SpanNs:
        """First and last event time of a file's rows from `row` on: no time is smaller, none is larger."""
        if self.options.unsorted is not Unsorted.FAIL or self.options.on_bad_row is not OnBadRow.FAIL:
            row = 0  # a row may be ordered by the time of one before it in its file
        spans = []
        for group, span in zip(self.files[index].groups, self._spans[index], strict=True):
            if row < group.rows:
                if span is None:
                    return None
                spans.append(span)
            row = max(0, row - group.rows)
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def last_event_ns(self, position: Position) -> int | None:
        """The newest event time before the position; None at the start. Reads one row of each file."""
        rows = [(index, cursor - 1) for index, cursor in enumerate(position.cursors) if cursor]
        return max((self.event_ns(index, row) for index, row in rows), default=None)

    def event_ns(self, index: int, row: int) -> int:
        """What one row of a file is ordered by."""
        with Aside() as aside:
            return int(times_ns(next(self._opener(index, row, aside)(1)))[0])

    def times_ns(self, batch: Batch) -> Ints:
        """The event times of a batch, whatever the rows are ordered by."""
        times = batch.table.column("event_time")
        return np.asarray(times.view(pa.int64()).to_numpy()) * NS_PER_UNIT[times.type.unit]

    def batches(self, start: Position) -> Iterator[Batch]:
        """Rows from `start` on, in replay order; the same rows in the same order on every run."""
        arrange = by_event_time if self.options.order is Order.EVENT_TIME else one_after_the_other
        left = [(index, row) for index, row in enumerate(start.cursors) if row < self.files[index].rows]
        indices = [index for index, _ in left]
        sort_bytes, let_go = self._sort_bytes(indices), self._let_go(indices)
        limit = self.options.selection.limit if self.options.selection is not None else None
        position = start
        with Aside() as aside:
            streams = [
                self._stream(index, row, self._opener(index, row, aside, sort_bytes, let_go=let_go))
                for index, row in left
            ]
            for table, files in arrange(streams):
                if limit is not None and position.row - position.left_out >= limit:
                    return
                batch = _batch(position, table, files)
                if limit is not None:
                    batch = _up_to(batch, limit)
                yield batch
                position = batch.position_after(len(batch))

    def checked(self, on_bad: Callable[[BadRows], None] | None = None, first: int = 0) -> Iterator[Batch]:
        """Every row once, file by file from the `first` on, to raise what `batches` would raise before anything is
        sent; at the end `StatisticsWrong`, if rows contradict what statistics say of them."""
        before = sum(file.rows for file in self.files[:first])
        wrong: list[Contradiction] = []
        for index, file in list(enumerate(self.files))[first:]:
            at = 0
            reader = self._reader(index, on_bad, judges=True)
            try:
                for table in reader.batches(0, BATCH_ROWS_MAX):
                    cursors = tuple(at if i == index else 0 for i in range(len(self.files)))
                    yield _batch(Position(before + at, cursors), table, index)
                    at += table.num_rows
            except StatisticsWrong as found:  # nothing that follows from the statistics of this file holds
                wrong += found.found
                before += file.rows
                continue
            if self.options.order is Order.EVENT_TIME:
                self._goes_back[index] = reader.first_backwards is not None
            if reader.first_backwards is not None:
                self.unsorted[index] = (reader.backwards, file.file_row(reader.first_backwards))
            before += at
        if wrong:
            raise StatisticsWrong(wrong)

    @property
    def ruled_out(self) -> list[InputFile]:
        """What statistics rule out, by file: each with nothing but those row groups."""
        return [file for _, file, _ in self._ruled_out]

    def check_left_out(self, look: Callable[[int], None] = lambda _: None, known: Collection[str] = ()) -> None:
        """Looks whether the row groups that statistics rule out, also those of files of which none is left, hold no row
        that is selected, by reading the columns by which they are ruled out. Raises `StatisticsWrong`.

        `look` is told how many rows are looked at next. Files with `known` footers are not looked at.
        """
        wrong: list[Contradiction] = []
        symbols = SymbolTable()  # its own: a symbol that is only in what is left out counts as never seen
        wanted = Wanted(symbols, self._wanted.wants)
        for index, file, promised in self._ruled_out:
            if file.footer_sha256 not in known:
                reader = RowReader(
                    file, self._layout_of_all, self._layout_of_all.files[index], self.options, self.columns,
                    symbols, wanted, None, promised=promised,
                )  # fmt: skip
                try:
                    row = reader.first_wanted(look)
                except StatisticsWrong as found:
                    wrong += found.found
                    continue
                if row is not None:
                    wrong.append(Contradiction(file, row, self._ruling_columns))
        if wrong:
            raise StatisticsWrong(wrong)

    def where(self, batch: Batch, row: int) -> str:
        """The place of a row of the batch, for people."""
        index = batch.files if isinstance(batch.files, int) else int(batch.files[row])
        at = batch.position_after(row).cursors[index]
        if self.options.unsorted is Unsorted.SORT:
            return f"{self.files[index].shown}, row {at:,} in order of event time (the first is 0)"
        return f"{self.files[index].shown}, row {self.files[index].file_row(at):,} (the first is 0)"

    # -- files and row groups -------------------------------------------------------------------------------

    def _lay_out(self, files: Sequence[InputFile]) -> tuple[InputFile, ...]:
        """The files without the row groups in which nothing can be selected; `layout` is that of these files from now
        on."""
        self.layout = resolve(files, self.columns, self.options.records, text_units)
        selection = self.options.selection
        if selection is not None and selection.where is not None:
            for file in files:
                selection.where.check(file.schema, file.shown)
        return tuple(self._pruned(index, file) for index, file in enumerate(files))

    def _without_rows_left(self, files: Sequence[InputFile]) -> Iterator[tuple[int, InputFile, list[SpanNs]]]:
        """By number, what statistics rule out of these files: each with nothing but those row groups, and what is told
        of their event times."""
        for index, (file, left) in enumerate(zip(files, self.files, strict=True)):
            numbers = {group.number for group in left.groups}
            out = tuple(group for group in file.groups if group.number not in numbers and group.rows)
            if out and not self._is_unwanted(index, file):
                yield index, replace(file, groups=out), [self._statistics_ns(index, file, group) for group in out]

    def _is_beside(self, index: int) -> bool:
        """Whether all times of the file lie outside of the range that is selected, though its statistics do not tell:
        the column is read. (Spark's INT96 has none.)"""
        selection, file = self.options.selection, self.files[index]
        if selection is None or (selection.from_ns is None and selection.to_ns is None):
            return False
        if all(self._statistics_ns(index, file, group) is not None for group in file.groups):
            return False
        reader = self._reader(index)
        spans = self._read_spans[file.shown] = reader.time_spans_ns()
        return reader.good_times == file.rows and not any(
            span is None or select.can_match(selection, *span, None, None) for span in spans
        )

    def _pruned(self, index: int, file: InputFile) -> InputFile:
        """Without the row groups in which nothing can be selected."""
        if self.options.selection is None or not file.rows:
            return file
        if self._is_unwanted(index, file):
            return replace(file, groups=())
        return replace(file, groups=tuple(group for group in file.groups if self._may_hold(index, file, group)))

    def _is_unwanted(self, index: int, file: InputFile) -> bool:
        """Whether all its rows have one symbol, by its name or folder, and that is not selected."""
        selection, constant = self.options.selection, self._constant(index, file)
        return selection is not None and constant is not None and not selection.wants(cased(constant, self.columns))

    def _constant(self, index: int, file: InputFile) -> str | None:
        return self.layout.files[index].symbol or file.keys.get(self.layout.symbol_column)

    def _may_hold(self, index: int, file: InputFile, group: RowGroup) -> bool:
        """Whether a row of the row group may be selected, or bad, by statistics that can be believed. They rule it out
        only where they are of all its rows: one without a time or a symbol is a bad one, however row groups are cut."""
        selection = self.options.selection
        assert selection is not None
        first, last = self._all_within_ns(index, file, group) or (None, None)
        names = ValueRange() if self._constant(index, file) is not None else group.range_of(self.layout.symbol_column)
        if not names.is_of_all_rows or names.first == "":
            names = ValueRange()
        same_case = self.columns.symbol_case is SymbolCase.KEEP
        return select.can_match(selection, first, last, names.first, names.last, same_case=same_case)

    def _all_within_ns(self, index: int, file: InputFile, group: RowGroup) -> SpanNs:
        """What all event times of the row group lie between, where every row has one that a record can have."""
        found = self._statistics_ns(index, file, group)
        if found is None or not group.range_of(self.layout.event_time.column).is_of_all_rows:
            return None
        return found if found[0] >= FIRST_NS and found[1] < self._latest_ns else None

    @property
    def _ruling_columns(self) -> str:
        """Those by which row groups can be ruled out, for people."""
        selection = self.options.selection
        assert selection is not None
        by_time = selection.from_ns is not None or selection.to_ns is not None
        columns = [self.layout.event_time.column] if by_time else []
        return " or ".join([*columns, *([self.layout.symbol_column] if selection.symbols else [])])

    def _group_spans(self, index: int) -> list[SpanNs]:
        """Event times of each row group; read from the column where statistics do not tell."""
        file = self.files[index]
        spans = [self._statistics_ns(index, file, group) for group in file.groups]
        if self.options.order is Order.EVENT_TIME and any(span is None for span in spans):
            return self._read_spans.get(file.shown) or self._reader(index).time_spans_ns()
        return spans

    def _statistics_ns(self, index: int, file: InputFile, group: RowGroup) -> SpanNs:
        column = self.layout.event_time.column
        span, unit = group.range_of(column), file.time_units.get(column) or self.layout.files[index].time_unit
        if span.first is None or unit is None or not isinstance(span.first, int):
            return None
        first, last = span.first * NS_PER_UNIT[unit], span.last * NS_PER_UNIT[unit]
        return max(0, min(first, self._latest_ns)), max(0, min(last, self._latest_ns))

    @property
    def _latest_ns(self) -> int:
        """What a time beyond all times is ordered by."""
        unit_ns = NS_PER_UNIT[self.layout.event_time.kind.unit]
        return LAST_NS // unit_ns * unit_ns

    def _reader(
        self, index: int, on_bad: Callable[[BadRows], None] | None = None, *, judges: bool = False
    ) -> RowReader:
        span = self.span_ns(index) if len(self._spans) > index else None
        return RowReader(
            self.files[index], self.layout, self.layout.files[index], self.options, self.columns,
            self.symbols, self._wanted, span[0] if span is not None else None, on_bad,
            self._spans[index] if judges else None,
        )  # fmt: skip

    def _stream(self, index: int, row: int, read: Callable[[int], Iterator[pa.RecordBatch]]) -> Stream:
        first_ns, last_ns = self.span_ns(index, row) or (None, None)
        file = self.files[index]
        return Stream(index, file.shown, first_ns, read, last_ns, file.created_by)

    def _at_once(self, indices: Sequence[int], weights: Sequence[int] | None = None) -> int:
        """How many of these files at most are read at the same time, or what they weigh."""
        return open_at_once([self._stream(index, 0, lambda _: iter(())) for index in indices], weights)

    def _sort_bytes(self, indices: Sequence[int]) -> int:
        """What each of these files may take to be sorted: all that may be open at the same time share the memory."""
        may_be_sorted = [index for index in indices if self._goes_back.get(index, True)]
        return self.options.sort_memory_bytes // max(1, self._at_once(may_be_sorted))

    def _let_go(self, indices: Sequence[int]) -> bool:
        """Whether these are too many to keep all open that overlap."""
        in_order = self.options.order is Order.EVENT_TIME
        return in_order and self._at_once(indices, list(map(self._reader_bytes, indices))) > READERS_BYTES

    def _reader_bytes(self, index: int) -> int:
        """What an open file holds, beside the rows decoded from it; about."""
        pages_bytes = READER_COLUMN_BYTES * len(self._reader(index).columns)
        return max(READER_BYTES_MIN, min(2 * self.files[index].size_bytes, pages_bytes))

    def _opener(
        self, index: int, row: int, aside: Aside, sort_bytes: int | None = None, *, let_go: bool = False
    ) -> Callable[[int], Iterator[pa.RecordBatch]]:
        """Reads a file's rows from `row` on, in the order in which they are numbered.

        `sort_bytes` is what it may take to sort them; None: all of `--sort-memory`. `let_go`: the file is not kept
        open.
        """
        reader = self._reader(index, judges=self._judges)

        def as_they_are(batch_rows: int) -> Iterator[pa.RecordBatch]:
            return _by_way_of(aside, reader, row, batch_rows) if let_go else reader.batches(row, batch_rows)

        if self.options.order is not Order.EVENT_TIME or self.options.unsorted is not Unsorted.SORT:
            return as_they_are

        def read(batch_rows: int) -> Iterator[pa.RecordBatch]:
            if index not in self._goes_back:
                self._goes_back[index] = reader.goes_back()
            if self._goes_back[index]:
                whole = partial(reader.batches, 0)
                memory_bytes = sort_bytes or self.options.sort_memory_bytes
                return sorting.sorted_stream(whole, memory_bytes, aside, row)(batch_rows)
            return as_they_are(batch_rows)

        return read


def _by_way_of(aside: Aside, reader: RowReader, row: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of a file from `row` on, each stretch of which is put aside as a whole."""
    for stretch in reader.stretches(row):
        parts = (table.slice(start, batch_rows) for table in stretch for start in range(0, table.num_rows, batch_rows))
        yield from map(aside.take, [aside.put(part) for part in parts])


def _batch(start: Position, table: pa.RecordBatch, files: Ints | int) -> Batch:
    """The table as it leaves the source: fates beside it, no internal order."""
    fates = None
    if FATE in table.schema.names:
        fates = table.column(FATE).to_numpy()
    inner = [name for name in (FATE, ORDER_NS) if name in table.schema.names]
    return Batch(start, table.drop_columns(inner) if inner else table, files, fates)


def _up_to(batch: Batch, limit: int) -> Batch:
    """The batch as far as the record that is the last one within the limit."""
    left = limit - (batch.start.row - batch.start.left_out)
    if batch.fates is None:
        return batch.first(left) if left < len(batch) else batch
    sent = np.flatnonzero(batch.fates == Fate.SENT)
    return batch.first(int(sent[left - 1]) + 1) if left <= len(sent) else batch
