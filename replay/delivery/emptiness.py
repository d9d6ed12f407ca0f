"""Whether there is anything to send. A selection without a row, or a listed symbol without one, counts as a mistake
unless an option permits it. The one place where that is decided, for all commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from replay.errors import NothingSelected
from replay.fate import Fate
from replay.model import Batch
from replay.source.choices import Empty, OnBadRow, Unsorted
from replay.source.options import SourceOptions
from replay.source.selection.select import Selection
from replay.source.source import Source

LOOKED_AT_ROWS = 2_000_000
"""Rows whose symbols are looked at for what may have been meant: enough for any list of names, done in a second."""


class Selected:
    """What of a source is selected, once each of its batches was handed to `add`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sent = np.zeros(0, dtype=bool)  # by symbol id
        self.rows = 0

    def add(self, batch: Batch) -> None:
        symbols = np.asarray(batch.table.column("symbol").to_numpy(zero_copy_only=False), dtype=np.int64)
        self.add_ids(symbols[batch.sent])

    def add_ids(self, symbols: np.ndarray) -> None:
        """The symbol ids of rows that are selected."""
        self.rows += len(symbols)
        names = len(self._source.symbols.names)
        if len(self._sent) < names:
            self._sent = np.pad(self._sent, (0, names - len(self._sent)))
        self._sent[symbols] = True

    def check(self) -> bool:
        """Whether there is something to send. Raises `NothingSelected` where there is not all that was asked for, and
        nobody said that there need not be."""
        options = self._source.options
        if not self.rows:
            check_nothing(self._source)
            return False
        selection = options.selection
        if selection.symbols and not options.allow_empty:
            names = self._source.symbols.names
            # A condition may well leave a symbol out: then it is enough that the symbol is there.
            with_rows = names if selection.where is not None else [names[n] for n in np.flatnonzero(self._sent)]
            missing = selection.unmatched(with_rows, names)
            if missing:
                raise _not_there(missing)
        return True


def check_by_footers(source: Source) -> bool:
    """The same, as far as footers and statistics tell: True where a row may be there."""
    if source.rows:
        return True
    check_nothing(source)
    return False


def check_by_reading(source: Source, check_stop: Callable[[], None] = lambda: None) -> bool:
    """The same, by reading every row."""
    selected = Selected(source)
    for batch in source.checked():
        check_stop()
        selected.add(batch)
    return selected.check()


def check_nothing(source: Source) -> None:
    """No row is selected: raises `NothingSelected`, unless that may be."""
    options, selection = source.options, source.options.selection
    if options.allow_empty:
        return
    others = replace(selection, symbols=(), exclude=(), sample=None, where=None, limit=None)
    by_name = others != replace(selection, limit=None)
    if options.empty is Empty.OK and not (by_name and _holds(options, others)):
        return
    if not source.rows_all:
        what = "there are no rows in any input file"
    else:
        what = f"no row is selected of {source.rows_all:,} in {source.files_all:,} file(s)"
    if selection.day_text:
        what += f", by {selection.day_text}"
    if selection.symbols and (missing := selection.unmatched(_symbols_in(options, others))):
        what += f"; --symbols: there is no {', '.join(missing[:20])}"
    where = ", ".join(options.inputs)
    if by_name:
        raise NothingSelected(what, where=where, todo="check what is selected; or allow it with --allow-empty")
    todo = "if its file is late, run again when it is there; if it has no trades, say so: --empty ok"
    if not selection.by_date:
        todo = "check the inputs, and --from and --to; or allow it with --allow-empty"
    raise NothingSelected(what, where=where, todo=todo)


def _not_there(missing: list[str]) -> NothingSelected:
    more = f" and {len(missing) - 20:,} more" if len(missing) > 20 else ""
    return NothingSelected(
        f"no row is selected of {', '.join(missing[:20])}{more}",
        where="--symbols",
        todo="correct the list; or allow symbols without a row, such as those that did not trade: --allow-empty",
    )


def _tolerant(options: SourceOptions, selection: Selection) -> Source:
    return Source(
        replace(options, selection=selection, on_bad_row=OnBadRow.SKIP, unsorted=Unsorted.KEEP, allow_empty=True)
    )


def _holds(options: SourceOptions, selection: Selection) -> bool:
    """Whether a row is there, whatever its symbol."""
    source = _tolerant(options, selection)
    return any(batch.fates is None or (batch.fates == Fate.SENT).any() for batch in source.checked())


def _symbols_in(options: SourceOptions, selection: Selection) -> Iterable[str]:
    source = _tolerant(options, selection)
    rows = 0
    for batch in source.checked():
        rows += len(batch)
        if rows >= LOOKED_AT_ROWS:
            break
    return source.symbols.names
