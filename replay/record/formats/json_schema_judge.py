"""Which values, and which rows, a JSON Schema does not take: each distinct value is asked once a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from replay.model import Bools, SymbolTable
from replay.record.formats.base import Column, SymbolTexts
from replay.record.formats.json_values import JsonColumn, json_column
from replay.record.options import DecimalAs

_AT_ONCE = 16_384
"""Rows whose values are Python's at a time."""


class FieldJudge:
    """Judges the values of one field. `validator` is of lists."""

    def __init__(self, validator: Any, column: JsonColumn) -> None:
        self._validator, self._column = validator, column
        self._takes_null = bool(validator.is_valid([None]))

    def misfits(self, values: pa.Array) -> Bools | None:
        """Which values have no place in the field; None: none."""
        parts = [values.slice(first, _AT_ONCE) for first in range(0, len(values), _AT_ONCE)]
        return _or_none([self._misfits(part) for part in parts])

    def _misfits(self, values: pa.Array) -> Bools:
        distinct, at = self._column.distinct(values)
        return np.append(_refused(self._validator, distinct), not self._takes_null)[at]  # -1 takes the one appended


class RowJudge:
    """Judges whole rows, by what a schema says of several fields together."""

    def __init__(self, validator: Any, columns: Sequence[Column], symbols: SymbolTable, decimal_as: DecimalAs) -> None:
        self._validator, self._symbols = validator, SymbolTexts(symbols)
        self._fields: Mapping[str, tuple[str, JsonColumn]] = {
            column.name: (column.field, json_column(column, decimal_as)) for column in columns
        }

    def misfits(self, rows: pa.RecordBatch) -> Bools | None:
        """Which rows the schema does not take; None: it takes them all."""
        parts = [rows.slice(first, _AT_ONCE) for first in range(0, rows.num_rows, _AT_ONCE)]
        return _or_none([_refused(self._validator, self._records(part)) for part in parts])

    def _records(self, rows: pa.RecordBatch) -> list[dict[str, Any]]:
        """Each row as whoever reads its record has it."""
        values = []
        for name, (_, column) in self._fields.items():
            array = rows.column(name)
            values.append(column.values(self._symbols.of(array) if name == "symbol" else array))
        fields = [field for field, _ in self._fields.values()]
        return [dict(zip(fields, row, strict=True)) for row in zip(*values, strict=True)]


def _refused(validator: Any, values: list[Any]) -> Bools:
    """Which of them; mostly the answer for all is enough."""
    if validator.is_valid(values):
        return np.zeros(len(values), dtype=bool)
    return np.array([not validator.is_valid([value]) for value in values], dtype=bool)


def _or_none(parts: list[Bools]) -> Bools | None:
    return np.concatenate(parts) if any(part.any() for part in parts) else None
