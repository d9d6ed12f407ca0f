"""What statistics rule out of a replay, and a look whether they are right: no row in there may be selected.

Only the columns are read by which row groups are ruled out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from replay.model import SpanNs, SymbolTable
from replay.source.columns import fates
from replay.source.columns.schema import FileLayout
from replay.source.columns.symbols import NO_SYMBOL
from replay.source.files.parquet_file import InputFile
from replay.source.files.trust import Contradiction, StatisticsWrong
from replay.source.rows.judge import RowRules, Wanted
from replay.source.rows.reader import RowReader
from replay.source.rows.times import SCAN_ROWS

if TYPE_CHECKING:
    from replay.reporter import Reporter


@dataclass(frozen=True, slots=True)
class RuledOutFile:
    """`file` has nothing but the row groups that are ruled out; `promised` is what is known of their event times."""

    file: InputFile
    own: FileLayout
    promised: Sequence[SpanNs]


@dataclass(frozen=True, slots=True)
class RuledOut:
    """What is ruled out of all files, also of those of which no row group is left. `rules` are those of all files."""

    rules: RowRules
    parts: Sequence[RuledOutFile]

    @property
    def files(self) -> list[InputFile]:
        return [part.file for part in self.parts]

    def check(self, look: Callable[[int], None] = lambda _: None, known: Collection[str] = ()) -> None:
        """Raises `StatisticsWrong` for all files in which a row is selected that statistics rule out.

        `look` is called with how many rows are looked at next. Files with `known` footers are not looked at.
        """
        wrong: list[Contradiction] = []
        symbols = SymbolTable()  # its own: a symbol that is only in what is ruled out counts as never seen
        rules = replace(self.rules, wanted=Wanted(symbols, self.rules.wanted.wants))
        for part in self.parts:
            if part.file.footer_sha256 in known:
                continue
            reader = RowReader(rules, part.file, part.own, promised=part.promised)
            try:
                row = _first_selected(reader, look)
            except StatisticsWrong as found:
                wrong += found.found
                continue
            if row is not None:
                wrong.append(Contradiction(part.file, row, _ruling_columns(rules)))
        if wrong:
            raise StatisticsWrong(wrong)


def look_at_ruled_out(
    ruled_out: RuledOut,
    rows_max: int,
    check_stop: Callable[[], None],
    report: Reporter,
    known: Collection[str] = (),
) -> None:
    """Checks what is ruled out, at most so many rows, and says how far that is. Files with `known` footers are not
    looked at."""
    rows = 0

    def look(more: int) -> None:
        nonlocal rows
        check_stop()
        report.phase("looking at what statistics rule out", rows, rows_max)
        rows += more

    ruled_out.check(look, known)


def _first_selected(reader: RowReader, look: Callable[[int], None]) -> int | None:
    """The place in the file of the first row that the selection does not leave out by its symbol or its time; None:
    there is none."""
    selection, layout, columns = reader.rules.selection, reader.rules.layout, []
    if selection.has_range:
        columns.append(layout.event_time.column)
    if selection.has_symbols and reader.own.symbol is None:
        columns.append(layout.symbol_column)
    for first_row, raw in reader.raw.batches(0, SCAN_ROWS, columns):
        look(raw.num_rows)
        times, bad = np.zeros(raw.num_rows, np.int64), fates.all_sent(raw.num_rows)
        if selection.has_range:
            times, bad = reader.judge.times(raw)
            reader.check_promised(times, bad, first_row)  # a unit that was inferred from them may be wrong
        ids = reader.judge.symbols(raw)[0].to_numpy() if selection.has_symbols else np.full(raw.num_rows, NO_SYMBOL)
        chosen = reader.judge.chosen(ids, times, bad)
        if chosen is None or chosen.any():
            return reader.file.file_row(first_row + (0 if chosen is None else int(np.argmax(chosen))))
    return None


def _ruling_columns(rules: RowRules) -> str:
    """The columns by which row groups can be ruled out, for messages."""
    selection = rules.selection
    columns = [rules.layout.event_time.column] if selection.has_range else []
    return " or ".join([*columns, *([rules.layout.symbol_column] if selection.symbols else [])])
