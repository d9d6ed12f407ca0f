"""What becomes of the rows of a raw batch: its columns as those of events, and a fate for each row. Column-wise. Pure.

Every value that could not be replayed is found here. What is done about it is the user's choice (`OnBadRow`); a row
keeps its place in the order and in positions, whatever becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from replay.errors import InputError
from replay.fate import Fate
from replay.model import KEY, Bools, Bytes, Ints, SymbolTable
from replay.record.formats.base import Format
from replay.source.choices import OnBadRow, Order
from replay.source.columns import convert, fates
from replay.source.columns.further import DoesNotFit, to_field, to_key
from replay.source.columns.record_columns import converters
from replay.source.columns.schema import FileLayout, Layout, Part
from replay.source.columns.symbols import SymbolIds
from replay.source.options import Columns, SourceOptions
from replay.source.rows.misfits import Misfits
from replay.source.selection.select import Selection
from replay.units import NS_PER_UNIT

WHOLE_ROW = ""
"""Stands for the input column that is wrong, where only several of a row together are."""


@dataclass(slots=True)
class Wanted:
    """Which symbols are selected, by id; kept up to date with the symbol table."""

    symbols: SymbolTable
    wants: Callable[[str], bool]
    _known: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def ids(self) -> Bools:
        """Whether it is selected, for each id of the table."""
        if len(self._known) < len(self.symbols.names):
            new = [self.wants(name) for name in self.symbols.names[len(self._known) :]]
            self._known = np.concatenate([self._known, np.array(new, dtype=bool)])
        return self._known


@dataclass(frozen=True, slots=True)
class RowRules:
    """`columns` are those of the options with what a preset says of them; new symbols are added to the table of
    `wanted`. `format` writes the values: what has no place in it is bad. None: nothing is written."""

    options: SourceOptions
    columns: Columns
    layout: Layout
    wanted: Wanted
    format: Format | None = None

    @property
    def selection(self) -> Selection:
        return self.options.selection

    @property
    def by_time(self) -> bool:
        return self.options.order is Order.EVENT_TIME

    @property
    def is_tolerant(self) -> bool:
        """Whether a row that cannot be a record is left out."""
        return self.options.on_bad_row is not OnBadRow.FAIL

    @property
    def unit_ns(self) -> int:
        """Nanoseconds in a unit of the event time."""
        return NS_PER_UNIT[self.layout.event_time.kind.unit]


@dataclass(frozen=True, slots=True)
class Judged:
    """The columns of a raw batch, all of its length.

    `symbols` are ids (int32), `times` in units of the event time (anything where they are bad). There is no `price`
    where values are sent as they are. `further` is by name: fields, and parts of records such as `KEY`. `fates` are
    those of the rows: not selected, or the first thing that is wrong with them, or sent. `by_column` says what is wrong
    with the values of each input column, in the order in which it counts.
    """

    symbols: pa.Array
    price: pa.Array | None
    times: Ints
    time_fates: Bytes
    further: Mapping[str, pa.Array]
    by_column: Sequence[tuple[str, Bytes]]
    fates: Bytes

    @property
    def bad_rows(self) -> Ints:
        """The rows that are selected and cannot be records."""
        return np.flatnonzero(self.fates > Fate.NOT_SELECTED)

    def column_of(self, row: int) -> str:
        """The input column that makes this row a bad one, or `WHOLE_ROW`."""
        return next(name for name, bad in self.by_column if bad[row] == self.fates[row])


class Judge:
    """Judges the batches of one file; `shown` is how it is called in messages."""

    def __init__(self, rules: RowRules, own: FileLayout, shown: str) -> None:
        self.rules, self._own, self._shown = rules, own, shown
        self._symbol_ids = SymbolIds(rules.wanted.symbols, rules.columns)
        self._misfits = Misfits(rules.format)
        self._converters = converters(rules.options.records, has_symbol=rules.columns.has_symbol)

    def judged(self, raw: pa.RecordBatch) -> Judged:
        """Raises `InputError` for a value that has no place in the type of its column over all files."""
        layout = self.rules.layout
        symbols, bad_symbols = self.symbols(raw)
        bad_symbols = self._misfits.of_symbols(self.rules.wanted.symbols.names, symbols, bad_symbols)
        by_column, price = [(layout.symbol_column, bad_symbols)], None
        if layout.price is not None:
            price, bad_prices = self._prices(raw, layout.price)
            by_column.append((layout.price.column, self._misfits.of("price", price, bad_prices)))
        times, bad_times = self.times(raw)
        moments = pa.array(times).view(layout.event_time.kind)
        by_column.append((layout.event_time.column, self._misfits.of("event_time", moments, bad_times)))
        further: dict[str, pa.Array] = {}
        for name, part in self._further_parts():
            further[name], bad = self._further(raw, name, part)
            if name not in layout.of_record:  # it is a field of the value
                bad = self._misfits.of(name, further[name], bad)
            by_column.append((part.column, bad))
        decided = self._decided(raw, by_column, symbols, times, bad_times)
        priced = {} if price is None else {"price": price}
        whole = self._misfits.of_rows({"symbol": symbols, **priced, "event_time": moments, **further}, decided)
        if whole is not None:
            by_column.append((WHOLE_ROW, whole))
            decided = np.where(whole == Fate.SENT, decided, whole)
        return Judged(symbols, price, times, bad_times, further, by_column, decided)

    def symbols(self, raw: pa.RecordBatch) -> tuple[pa.Array, Bytes]:
        """The ids of the symbols, and what is wrong with each."""
        if self._own.symbol is not None:
            return self._symbol_ids.of_all(self._own.symbol, raw.num_rows)
        return self._symbol_ids.of(raw.column(self.rules.layout.symbol_column))

    def times(self, raw: pa.RecordBatch) -> tuple[Ints, Bytes]:
        """The times in units of the event time, and what is wrong with each. A bad one holds anything."""
        part = self.rules.layout.event_time
        times, found = convert.to_time(raw.column(part.column), part.kind, self._own.time_unit)
        return times.view(pa.int64()).to_numpy(), found

    def chosen(self, symbols: Ints, times: Ints, bad_times: Bytes) -> Bools | None:
        """Which rows are selected by their symbol and time, the condition not asked; None: all.

        A row without a symbol is left to the policy for bad rows, unless its time is out of range.
        """
        selection, unit_ns = self.rules.selection, self.rules.unit_ns
        out = np.zeros(len(symbols), dtype=bool)
        if selection.has_symbols:
            out |= ~np.append(self.rules.wanted.ids(), True)[symbols]  # `NO_SYMBOL` takes the one appended
        if selection.has_range:
            if bad_times.any():  # such a time says nothing: only the rest of the selection counts
                times = np.where(bad_times == Fate.SENT, times, -(-(selection.from_ns or 0) // unit_ns))
            times_ns = times * unit_ns
            if selection.from_ns is not None:
                out |= times_ns < selection.from_ns
            if selection.to_ns is not None:
                out |= times_ns >= selection.to_ns
        return ~out if out.any() else None

    def _prices(self, raw: pa.RecordBatch, part: Part) -> tuple[pa.Array, Bytes]:
        columns = self.rules.columns
        array = raw.column(part.column)
        if columns.price_undefined is not None and pa.types.is_integer(array.type):
            array = pc.if_else(pc.equal(array, columns.price_undefined), pa.scalar(None, array.type), array)
        return convert.to_price(array, part.kind, scale=columns.price_scale)

    def _further_parts(self) -> Iterator[tuple[str, Part]]:
        yield from ((part.name, part) for part in self.rules.layout.fields)
        yield from self.rules.layout.of_record.items()

    def _further(self, raw: pa.RecordBatch, name: str, part: Part) -> tuple[pa.Array, Bytes]:
        if part.column not in raw.schema.names:
            return pa.nulls(raw.num_rows, part.kind), fates.all_sent(raw.num_rows)
        column = raw.column(part.column)
        if (own := self._converters.get(name)) is not None:
            return own(column, part.kind, self._own)
        try:
            return to_key(column, part.kind) if name == KEY else to_field(column, part.kind)
        except DoesNotFit as error:
            raise InputError(
                f"column {part.column!r} holds what does not fit {part.kind}, its type over all files: {error}",
                where=self._shown,
                todo="leave it out of --fields, or replay the files as separate jobs",
            ) from None

    def _decided(
        self, raw: pa.RecordBatch, by_column: Sequence[tuple[str, Bytes]], symbols: pa.Array, times: Ints, bad: Bytes
    ) -> Bytes:
        decided = by_column[0][1]
        for _, found in by_column[1:]:
            if found.any():
                decided = np.where(decided == Fate.SENT, found, decided)
        # a row that is not selected is not bad either
        chosen, selection = self.chosen(symbols.to_numpy(), times, bad), self.rules.selection
        if chosen is not None:
            decided = np.where(chosen, decided, np.int8(Fate.NOT_SELECTED))
        if selection.where is not None:
            decided = np.where(selection.where.mask(raw), decided, np.int8(Fate.NOT_SELECTED))
        return decided
