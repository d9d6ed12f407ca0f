"""Symbols of a file converted to ids of the symbol table, and what is wrong with each row. Column-wise.

Each distinct text is looked at once: symbols are read as a dictionary, and mostly it is that of the batch before.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from replay.fate import Fate
from replay.model import Bytes, SymbolTable
from replay.source.choices import SymbolCase
from replay.source.columns import fates
from replay.source.options import Columns

NO_SYMBOL = -1
"""The id of a symbol that is missing or no text: such a row is never encoded."""


def cased(symbol: str, columns: Columns) -> str:
    """The symbol in upper or lower case, or as it is, as `--symbol-case` asks."""
    if columns.symbol_case is SymbolCase.UPPER:
        return symbol.upper()
    return symbol.lower() if columns.symbol_case is SymbolCase.LOWER else symbol


class SymbolIds:
    """Ids of the symbols of one file, a batch after the other. New symbols are added to the table."""

    def __init__(self, table: SymbolTable, columns: Columns) -> None:
        self._table, self._columns = table, columns
        self._names: pa.Array | None = None  # the dictionary of the last batch, and what its texts are
        self._ids: pa.Array = pa.array([], pa.int32())
        self._fates: pa.Array = pa.array([], pa.int8())
        self._has_bad = False

    def of_all(self, symbol: str, rows: int) -> tuple[pa.Array, Bytes]:
        """Ids and fates of so many rows that all have this symbol."""
        one = self._table.id_of(cased(symbol, self._columns))
        return pa.array(np.full(rows, one, dtype=np.int32)), fates.all_sent(rows)

    def of(self, array: pa.Array) -> tuple[pa.Array, Bytes]:
        """The ids (int32) of a column of texts, `NO_SYMBOL` where there is none, and the fates of its rows."""
        if not pa.types.is_dictionary(array.type):
            array = array.cast(pa.string()).dictionary_encode()
        if self._names is None or not array.dictionary.equals(self._names):
            known = [self._known(name) for name in array.dictionary.cast(pa.binary()).to_pylist()]
            self._names, self._ids = array.dictionary, pa.array([symbol for symbol, _ in known], pa.int32())
            self._fates, self._has_bad = pa.array([fate for _, fate in known], pa.int8()), any(f for _, f in known)
        ids, found = self._ids.take(array.indices), fates.all_sent(len(array))
        if self._has_bad or ids.null_count:
            found = self._fates.take(array.indices).fill_null(Fate.SYMBOL_MISSING).to_numpy()
            ids = ids.fill_null(NO_SYMBOL)
        return ids, found

    def _known(self, name: bytes | None) -> tuple[int, Fate]:
        if not name:
            return NO_SYMBOL, Fate.SYMBOL_MISSING
        try:
            return self._table.id_of(cased(name.decode(), self._columns)), Fate.SENT
        except UnicodeDecodeError:
            return NO_SYMBOL, Fate.SYMBOL_NOT_TEXT
