"""The value of a record as JSON:

    {"symbol": "BTCUSDT", "price": 50034.56, "event_time": "2026-11-22T00:00:00.032185Z", FIELDS...}

Numbers are written with the fewest digits that read back as the same value, decimals with all of theirs; times have six
digits after the second (nine for nanosecond columns). Further fields follow in the order they were asked for; null is
null. `json_text.py` says how each type looks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from replay.model import SymbolTable
from replay.record.json_text import json_text, number_text


class JsonFormat:
    """Writes the values of records; remembers how those of each symbol begin."""

    def __init__(self, symbols: SymbolTable, fields: Sequence[str], quote_decimals: bool) -> None:
        self._symbols, self._fields, self._quoted = symbols, tuple(fields), quote_decimals
        self._heads: pa.Array = pa.array([], pa.binary())

    def values(self, rows: pa.RecordBatch) -> pa.Array:
        """One join of columns and the constant text between them; fewer pieces are fewer passes over all rows."""
        self._learn_symbols()
        pieces: list[Any] = [self._heads.take(rows.column("symbol"))]
        between = ""
        for name in ("price", "event_time", *self._fields):
            # a price that is text is a number all the same: convert.to_price sees to it
            before, text, after = (number_text if name == "price" else json_text)(rows.column(name), self._quoted)
            label = "" if name == "price" else f", {_quoted(name)}: "  # heads end in the first
            if constant := between + label + before:
                pieces.append(constant.encode())
            pieces.append(text)
            between = after
        return pc.binary_join_element_wise(*pieces, (between + "}").encode(), b"")

    def _learn_symbols(self) -> None:
        if new := self._symbols.names[len(self._heads) :]:
            heads = [f'{{"symbol": {_quoted(name)}, "price": '.encode() for name in new]
            self._heads = pa.concat_arrays([self._heads, pa.array(heads, pa.binary())])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
