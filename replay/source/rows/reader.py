"""The rows of one file, from a row on: read, judged, and checked for their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from replay.errors import InputError
from replay.fate import Fate
from replay.model import FATE, ORDER_NS, Bytes, Ints, SpanNs
from replay.record import schema_ids
from replay.source.choices import Unsorted
from replay.source.columns.as_they_are import to_bytes
from replay.source.columns.schema import FileLayout
from replay.source.files.parquet_file import InputFile
from replay.source.files.trust import Contradiction, StatisticsWrong
from replay.source.files.unreadable import unreadable
from replay.source.rows.judge import WHOLE_ROW, Judge, Judged, RowRules
from replay.source.rows.raw import BATCH_ROWS_MAX, RawRows
from replay.source.rows.times import TimeColumn, first_contradiction, in_order, running_highest
from replay.units import LAST_NS

_LEAVE_OUT = (
    "correct or remove the row and write the file again, or leave such rows out with --on-bad-row skip or quarantine"
)
_SORT = "sort the file by event time, let replay do it with --unsorted sort, or keep its row order with --order as-is"
_KEEP = (
    "send its rows in the order of the file, as a topic's dump has them, with --unsorted keep (or --order as-is, file"
    " after file); or sort them by time with --unsorted sort"
)


@dataclass(frozen=True, slots=True)
class BadRows:
    """Rows of one raw batch that cannot be records: their places in the file, why, and all their columns."""

    file: InputFile
    rows: Ints
    fates: Bytes
    raw: pa.RecordBatch


class RowReader:
    """Reads a file's rows. `on_bad` is called with bad rows and all their columns; without it only what is needed is
    read. A bad row is an `InputError` unless the options say otherwise, and so is one that goes back in time.

    `first_ns`: no event time of the file is smaller. `promised` is between which event times the rows of each row group
    lie: a row that contradicts it is a `StatisticsWrong`; None: rows are not compared.
    """

    def __init__(
        self,
        rules: RowRules,
        file: InputFile,
        own: FileLayout,
        on_bad: Callable[[BadRows], None] | None = None,
        first_ns: int = 0,
        promised: Sequence[SpanNs] | None = None,
    ) -> None:
        self.rules, self.file, self.own, self._on_bad = rules, file, own, on_bad
        self._first_ns, self._promised = first_ns, promised
        layout = rules.layout
        self.raw = RawRows(file, layout.event_time.column, layout.symbol_column if own.symbol is None else None)
        self.judge = Judge(rules, own, file.shown)
        self.times = TimeColumn(self.raw, self.judge)
        self._unsorted = rules.options.unsorted
        self._has_fates = rules.is_tolerant or not rules.selection.takes_all
        self._highest: int | None = None  # the largest time of a good row so far, in units of the event time
        self.backwards = 0  # rows smaller than a row before them
        self.first_backwards: int | None = None  # the first of them; its number among the rows that are replayed

    def batches(self, row: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """From `row` to the end of the file. Raises `InputError` for whatever cannot be replayed."""
        self._begin(row)
        yield from self._events(row, self.file.rows, batch_rows)

    def stretches(self, row: int) -> Iterator[Iterator[pa.RecordBatch]]:
        """The same rows in several parts, each in large batches. The file is open only while a part is read: an open
        file holds a page and a dictionary of each column."""
        self._begin(row)
        for stop in self.raw.stops(row):
            yield self._events(row, stop, BATCH_ROWS_MAX)
            row = stop

    @cached_property
    def columns(self) -> list[str]:
        """The columns of the file, and its Hive keys, that are read."""
        layout, where = self.rules.layout, self.rules.selection.where
        if self._on_bad is not None:
            return list(self.file.schema.names)
        names = [part.column for part in layout.parts]
        if self.own.symbol is None:
            names.append(layout.symbol_column)
        if where is not None:
            names += where.columns
        return [name for name in dict.fromkeys(names) if name in self.file.schema.names]

    def check_promised(self, times: Ints, bad_times: Bytes, first_row: int) -> None:
        """Raises `StatisticsWrong` where a time is not what the statistics of its row group say."""
        if self._promised is None:
            return
        bounds, unit_ns = self.file.group_bounds, self.rules.unit_ns
        row = first_contradiction(bounds, self._promised, unit_ns, times, bad_times, first_row)
        if row is not None:
            place = self.file.file_row(first_row + row)
            raise StatisticsWrong([Contradiction(self.file, place, self.rules.layout.event_time.column)])

    # -- batches --------------------------------------------------------------------------------------------

    def _begin(self, row: int) -> None:
        self._highest = None
        if row < self.file.rows and row and self.rules.by_time and self._unsorted is not Unsorted.FAIL:
            self._highest = self._highest_before(row)

    def _events(self, row: int, stop: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Rows from `row` on up to `stop`, which lies between row groups."""
        if row >= stop:
            return
        for first_row, raw in self.raw.batches(row, batch_rows, self.columns, stop):
            try:
                events = self._event_columns(raw, first_row)
            except pa.ArrowException as error:  # pages that decode to nonsense: indices beyond the dictionary, …
                raise unreadable(self.file.shown, error) from None
            yield events

    def _event_columns(self, raw: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        judged = self.judge.judged(raw)
        self.check_promised(judged.times, judged.time_fates, first_row)
        self._hand_over_bad(raw, judged, first_row)
        times, order_ns = self._in_order(judged, first_row)
        event_time = pa.array(times).view(self.rules.layout.event_time.kind)
        price = {} if judged.price is None else {"price": judged.price}
        columns = {"symbol": judged.symbols, **price, "event_time": event_time, **judged.further}
        if self._has_fates:
            columns[FATE] = pa.array(judged.fates)
        if order_ns is not None:
            columns[ORDER_NS] = pa.array(order_ns)
        return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))

    def _hand_over_bad(self, raw: pa.RecordBatch, judged: Judged, first_row: int) -> None:
        rows = judged.bad_rows
        if not len(rows):
            return
        if not self.rules.is_tolerant:
            row = int(rows[0])
            column, fate = judged.column_of(row), Fate(judged.fates[row])
            text = _shown(raw.column(column)[row : row + 1], fate) if column in raw.schema.names else None
            raise self._refused(
                first_row + row, column, f"{fate.reason} ({text!r:.60})" if text else fate.reason, todo=_LEAVE_OUT
            )
        if self._on_bad is not None:
            places = np.array([self.file.file_row(first_row + int(row)) for row in rows], dtype=np.int64)
            self._on_bad(BadRows(self.file, places, judged.fates[rows], raw.take(pa.array(rows))))

    def _refused(self, row: int, column: str, what: str, todo: str) -> InputError:
        where = f"{self.file.shown}, row {self.file.file_row(row):,} (the first is 0)"
        subject = "the row" if column == WHOLE_ROW else f"column {column!r}"
        return InputError(f"{subject} {what}", where=where, todo=todo)

    # -- order ----------------------------------------------------------------------------------------------

    def _in_order(self, judged: Judged, first_row: int) -> tuple[Ints, Ints | None]:
        """The times with those of bad rows filled in, and what the rows are ordered by (ns), if that is not their time.
        Counts rows that go back in time, or refuses them."""
        if not self.rules.by_time or len(judged.times) == 0:
            return judged.times, None
        bad = judged.time_fates > Fate.SENT
        if self._highest is None:
            self._highest = self._highest_before(first_row) if bad[0] else int(judged.times[0])
        highest = self._highest
        times, backwards = in_order(judged.times, bad, highest)
        if backwards is not None:
            row = first_row + int(np.argmax(backwards))
            if self._unsorted is Unsorted.FAIL:
                todo = _SORT if self.rules.options.records.value_column is None else _KEEP
                raise self._refused(row, self.rules.layout.event_time.column, "goes back in time", todo=todo)
            self.backwards += int(np.count_nonzero(backwards))
            self.first_backwards = row if self.first_backwards is None else self.first_backwards
        self._highest = max(highest, int(times.max()))
        if self._unsorted is Unsorted.KEEP:
            return times, running_highest(times, highest) * self.rules.unit_ns
        return times, None

    def _highest_before(self, row: int) -> int:
        """The largest time of a good row before this one, in units; the file's earliest where there is none.

        The same as a run from row 0 would know here: positions depend on it.
        """
        found = self.times.highest_before(row, is_sorted=self._unsorted is Unsorted.FAIL)
        return found if found is not None else min(max(self._first_ns, 0), LAST_NS) // self.rules.unit_ns


def _shown(value: pa.Array, fate: Fate) -> str | None:
    """What a message shows of the one value that makes a row bad."""
    if fate in (Fate.VALUE_SCHEMA_ID, Fate.KEY_SCHEMA_ID):
        return f"id {min(schema_ids.ids_in(to_bytes(value)))}"
    return _text(value)


def _text(value: pa.Array) -> str | None:
    """The one value, if it has a text form; bytes that are no text as escapes."""
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
