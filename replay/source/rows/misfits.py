"""Values that have no place in their field of a schema: rows with such a value are bad ones. Column-wise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from replay.fate import Fate
from replay.model import Bools, Bytes
from replay.record.formats.base import Format, WholeRows


class Misfits:
    """Asks the format that values are written in; remembers what it says of each symbol. Without a format, all fit."""

    def __init__(self, format: Format | None) -> None:
        self._format = format
        self._whole = format if isinstance(format, WholeRows) and format.row_keywords else None
        self._of_symbols = np.zeros(0, dtype=bool)

    def of(self, name: str, values: pa.Array, found: Bytes) -> Bytes:
        """What is wrong with each value of this column of a batch: what was found before, else that it does not fit."""
        wrong = None if self._format is None else self._format.misfits(name, values)
        return found if wrong is None else _with(found, wrong)

    def of_symbols(self, names: Sequence[str], ids: pa.Array, found: Bytes) -> Bytes:
        """The same of symbols, by their ids; `names` are those of the table."""
        if self._format is None:
            return found
        if new := names[len(self._of_symbols) :]:
            wrong = self._format.misfits("symbol", pa.array(new, pa.string()))
            known = np.zeros(len(new), dtype=bool) if wrong is None else wrong
            self._of_symbols = np.concatenate([self._of_symbols, known])
        if not self._of_symbols.any():
            return found
        return _with(found, np.append(self._of_symbols, False)[ids.to_numpy()])  # -1, no symbol, takes the one appended

    def of_rows(self, columns: Mapping[str, pa.Array], decided: Bytes) -> Bytes | None:
        """What is wrong with rows as a whole, of those that would be sent; None: nothing. `columns` are all that a
        record is made of."""
        if self._whole is None:
            return None
        sent = np.flatnonzero(decided == Fate.SENT)
        rows = pa.RecordBatch.from_arrays(list(columns.values()), list(columns)).take(pa.array(sent))
        wrong = self._whole.misfit_rows(rows)
        if wrong is None or not wrong.any():
            return None
        found = np.zeros(len(decided), dtype=np.int8)
        found[sent[wrong]] = Fate.ROW_MISFIT
        return found


def _with(found: Bytes, wrong: Bools) -> Bytes:
    if not wrong.any():
        return found
    decided: Bytes = np.where((found == Fate.SENT) & wrong, np.int8(Fate.FIELD_MISFIT), found)
    return decided
