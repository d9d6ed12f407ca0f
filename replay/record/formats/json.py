"""Values as bare JSON, without a schema.

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
from replay.record.formats.base import Column, Schema
from replay.record.json_text import json_text, number_text
from replay.record.options import ENCODER_VERSION, DecimalAs


class JsonFormat:
    """Writes the values of records; remembers how those of each symbol begin.

    The first of the columns is the symbol. Every value has a form: what JSON has none for is null (`json_text`).
    """

    schema: Schema | None = None
    encoder = ENCODER_VERSION

    def __init__(self, columns: Sequence[Column], symbols: SymbolTable, decimal_as: DecimalAs) -> None:
        self._symbols, self._quoted = symbols, decimal_as is DecimalAs.STRING
        (symbol, first), further = columns[:2], columns[2:]
        self._columns = (first.name, *(column.name for column in further))
        self._labels = ("", *(f", {quoted(column.field)}: " for column in further))  # heads end in the first
        self._around_symbols = (f"{{{quoted(symbol.field)}: ", f", {quoted(first.field)}: ")
        self._heads: pa.Array = pa.array([], pa.binary())

    def misfits(self, name: str, values: pa.Array) -> None:
        """None: every value has a form."""

    def payloads(self, rows: pa.RecordBatch) -> pa.Array:
        """One join of columns and the constant text between them; fewer pieces are fewer passes over all rows."""
        self._learn_symbols()
        pieces: list[Any] = [self._heads.take(rows.column("symbol"))]
        between = ""
        for name, label in zip(self._columns, self._labels, strict=True):
            # a price that is text is a number all the same: convert.to_price sees to it
            write = number_text if name == "price" else json_text
            before, text, after = write(rows.column(name), self._quoted)
            if constant := between + label + before:
                pieces.append(constant.encode())
            pieces.append(text)
            between = after
        return pc.binary_join_element_wise(*pieces, (between + "}").encode(), b"")

    def _learn_symbols(self) -> None:
        if new := self._symbols.names[len(self._heads) :]:
            before, after = self._around_symbols
            heads = [f"{before}{quoted(name)}{after}".encode() for name in new]
            self._heads = pa.concat_arrays([self._heads, pa.array(heads, pa.binary())])


def quoted(text: str) -> str:
    """A text as JSON."""
    return json.dumps(text, ensure_ascii=False)
