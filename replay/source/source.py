"""The inputs as one sequence of rows: which files and row groups, in which order, from any position on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property

import pyarrow as pa

from replay.identity import kept
from replay.model import FATE, ORDER_NS, TIMESTAMP, Batch, Ints, Position, SpanNs, SymbolTable
from replay.partitioning import Partitioner
from replay.record.encoder import Encoder
from replay.record.formats.base import Format
from replay.record.options import SchemaIds
from replay.source import event_times, identity
from replay.source.choices import OnBadRow, Order, Unsorted
from replay.source.columns.schema import Layout
from replay.source.files.trust import Contradiction, StatisticsWrong
from replay.source.included import included, open_inputs
from replay.source.options import SourceOptions
from replay.source.order.merge import by_event_time, one_after_the_other
from replay.source.order.spill import SpillFiles
from replay.source.order.streams import FileStreams
from replay.source.rows.judge import Wanted
from replay.source.rows.raw import BATCH_ROWS_MAX
from replay.source.rows.reader import BadRows, RowReader
from replay.source.rows.times import order_times_ns


class Source:
    """The inputs as one sequence of rows, each of which has its place for good.

    Row groups that the selection rules out by their statistics are no part of it, nor are files of which no row group
    is left (`ruled_out`). All other rows are, whatever becomes of them.

    With `judges`, rows are compared with the statistics by which files are put in order (`StatisticsWrong`).
    """

    def __init__(self, options: SourceOptions, *, judges: bool = False) -> None:
        self.options, self.symbols = options, SymbolTable()
        inputs = open_inputs(options)
        self.paths, self.other_endings, self.tables = inputs.paths, inputs.other_endings, inputs.tables
        self.rows_all, self.files_all = sum(file.rows for file in inputs.files), len(inputs.files)
        found = included(inputs, options, Wanted(self.symbols, options.selection.wants))
        self._rules, self.files, self.ruled_out = found.rules, found.files, found.ruled_out
        self._spans_ns = [self._spans_of(index, found.times_read) for index in range(len(self.files))]
        """Event times of each row group, by file."""
        self.rows = sum(file.rows for file in self.files)
        self.unsorted: dict[int, tuple[int, int]] = {}
        """Filled by `checked`: how many rows of a file go back in time, and the place of the first in it."""
        self._streams = FileStreams(options, self.files, lambda index: self._reader(index, judges=judges), self.span_ns)

    # -- what it is -----------------------------------------------------------------------------------------

    @property
    def pruned_rows(self) -> int:
        """Rows of INPUT that statistics rule out."""
        return self.rows_all - self.rows

    @property
    def row_bytes(self) -> float:
        """Of a row, on average, with all columns, as its footers say: not compressed. 0 where there is no row."""
        groups = [group for file in self.files for group in file.groups]
        rows = sum(group.rows for group in groups)
        return sum(group.size_bytes for group in groups) / rows if rows else 0.0

    @property
    def layout(self) -> Layout:
        return self._rules.layout

    def identity(self) -> dict[str, str]:
        """What decides which bytes are sent in which order, beside the files themselves; "" is the default. Values of
        headers are hashes."""
        return kept(self._texts())

    def _texts(self) -> dict[str, str]:
        return identity.texts(self.options, self._rules.columns, self.layout, self.tables, self.format.schema)

    @property
    def format(self) -> Format:
        """What writes the values."""
        assert self._rules.format is not None
        return self._rules.format

    def under(self, schema_ids: SchemaIds) -> Source:
        """The same, whose records say that they are written under these schemas."""
        changed = copy(self)
        changed.options = replace(self.options, records=replace(self.options.records, schema_ids=schema_ids))
        return changed

    @cached_property
    def label(self) -> str:
        """Tells the rows of one replay from those of another."""
        return identity.label(self._texts(), self.files)

    def encoder(self, partitioner: Partitioner) -> Encoder:
        """What makes records of this source's batches."""
        return Encoder(self.symbols, self.format, partitioner, self.options.records, self.label)

    @property
    def sends_all(self) -> bool:
        """Whether no row can be left out."""
        return self.options.sends_all

    # -- positions ------------------------------------------------------------------------------------------

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

    def where(self, batch: Batch, row: int) -> str:
        """The place of a row of the batch, for people."""
        index = batch.files if isinstance(batch.files, int) else int(batch.files[row])
        at = batch.position_after(row).cursors[index]
        if self.options.unsorted is Unsorted.SORT:
            return f"{self.files[index].shown}, row {at:,} in order of event time (the first is 0)"
        return f"{self.files[index].shown}, row {self.files[index].file_row(at):,} (the first is 0)"

    # -- rows -----------------------------------------------------------------------------------------------

    def batches(self, start: Position) -> Iterator[Batch]:
        """Rows from `start` on, in replay order; the same rows in the same order on every run."""
        arrange = by_event_time if self.options.order is Order.EVENT_TIME else one_after_the_other
        limit = self.options.selection.limit
        position = start
        with SpillFiles() as spill:
            for table, files in arrange(self._streams.from_rows(start.cursors, spill)):
                if limit is not None and position.records >= limit:
                    return
                batch = _batch(position, table, files)
                if limit is not None:
                    batch = batch.up_to(limit)
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
                    cursors = (0,) * index + (at,) + (0,) * (len(self.files) - index - 1)
                    yield _batch(Position(before + at, cursors), table, index)
                    at += table.num_rows
            except StatisticsWrong as found:  # nothing that follows from the statistics of this file holds
                wrong += found.found
                before += file.rows
                continue
            if self.options.order is Order.EVENT_TIME:
                self._streams.goes_back[index] = reader.first_backwards is not None
            if reader.first_backwards is not None:
                self.unsorted[index] = (reader.backwards, file.file_row(reader.first_backwards))
            before += at
        if wrong:
            raise StatisticsWrong(wrong)

    def _reader(self, index: int, on_bad: Callable[[BadRows], None] | None = None, *, judges: bool) -> RowReader:
        first_ns, _ = self.span_ns(index) or (0, 0)
        promised = self._spans_ns[index] if judges else None
        return RowReader(self._rules, self.files[index], self.layout.files[index], on_bad, first_ns, promised)

    # -- event times ----------------------------------------------------------------------------------------

    @property
    def event_span_ns(self) -> SpanNs:
        """The smallest and the largest event time of all rows, sent or not, where every file's are known."""
        return event_times.over_all(self.span_ns(index) for index, file in enumerate(self.files) if file.rows)

    @property
    def record_span_ns(self) -> SpanNs:
        """The same of the timestamps of records."""
        if TIMESTAMP in self.layout.of_record:
            return event_times.of_timestamps(self.layout, self.files)
        return self.event_span_ns

    def span_ns(self, index: int, row: int = 0) -> SpanNs:
        """First and last event time of a file's rows from `row` on: no time is smaller, none is larger."""
        if self.options.unsorted is not Unsorted.FAIL or self.options.on_bad_row is not OnBadRow.FAIL:
            row = 0  # a row may be ordered by the time of one before it in its file
        return event_times.from_row(row, self.files[index].groups, self._spans_ns[index])

    def last_event_ns(self, position: Position) -> int | None:
        """The newest event time before the position; None at the start. Reads one row of each file."""
        rows = [(index, cursor - 1) for index, cursor in enumerate(position.cursors) if cursor]
        return max((self.event_ns(index, row) for index, row in rows), default=None)

    def event_ns(self, index: int, row: int) -> int:
        """What one row of a file is ordered by."""
        with SpillFiles() as spill:
            return int(order_times_ns(next(self._streams.rows(index, row, spill)(1)))[0])

    def _spans_of(self, index: int, read: Mapping[str, list[SpanNs]]) -> list[SpanNs]:
        """From the column where statistics do not say: `read` by file already, or now."""
        file, own = self.files[index], self.layout.files[index]
        spans = event_times.of_groups(self.layout, file, own)
        if self.options.order is Order.EVENT_TIME and None in spans:
            return read.get(file.shown) or RowReader(self._rules, file, own).times.spans_ns()[0]
        return spans


def _batch(start: Position, table: pa.RecordBatch, files: Ints | int) -> Batch:
    """A table as it leaves the source: fates beside it, no internal order."""
    fates = table.column(FATE).to_numpy() if FATE in table.schema.names else None
    inner = [name for name in (FATE, ORDER_NS) if name in table.schema.names]
    return Batch(start, table.drop_columns(inner) if inner else table, files, fates)
