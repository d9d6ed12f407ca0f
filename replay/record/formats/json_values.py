"""Arrow columns as Python values, as whoever reads the JSON has them. Pure.

Values are made of the very texts that are sent, or in a way that comes to the same. Numbers with exact digits
(decimals, prices that are text) keep all of them; other numbers are doubles, as they were.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from replay.model import Ints
from replay.record.formats.base import Column
from replay.record.json_text import json_text, number_text
from replay.record.kinds import is_one_of, is_uuid
from replay.record.options import DecimalAs

_EXPONENT_MAX = 100_000

_is_itself = is_one_of(types.is_string, types.is_integer, types.is_boolean, types.is_null)
_has_no_dictionary = is_one_of(types.is_nested, is_uuid)


@dataclass(frozen=True, slots=True)
class JsonColumn:
    """How a column is written. `is_price`: text is a number. `quoted`: exact digits are written as a string."""

    is_price: bool
    quoted: bool

    def values(self, column: pa.Array) -> list[Any]:
        """Each value."""
        kind, exact = column.type, self._is_exact(column.type)
        if _is_itself(kind) and (self.quoted or not exact):
            return list(column.to_pylist())
        if types.is_float64(kind):
            return self._doubles(column)
        return _parsed(self._texts(column), exact=exact)

    def distinct(self, column: pa.Array) -> tuple[list[Any], Ints]:
        """Each distinct value, and for each row which one it is (-1: null, in a column that has nulls apart)."""
        if _has_no_dictionary(column.type):
            texts = self._texts(column).dictionary_encode()
            return _parsed(texts.dictionary, exact=self._is_exact(column.type)), texts.indices.to_numpy()
        encoded = column.dictionary_encode()
        at = encoded.indices
        return self.values(encoded.dictionary), (at.fill_null(-1) if at.null_count else at).to_numpy()

    def _doubles(self, column: pa.Array) -> list[Any]:
        """As they are, but for those whose text is no fraction: an integer, or null."""
        values = list(column.to_pylist())
        doubles = column.fill_null(0.5).to_numpy()
        others = np.flatnonzero(~(np.floor(doubles) < doubles))  # NaN too
        if len(others):
            found = _parsed(self._texts(column.take(pa.array(others))), exact=False)
            for at, value in zip(others.tolist(), found, strict=True):
                values[at] = value
        return values

    def _texts(self, column: pa.Array) -> pa.Array:
        """Each value as it is sent (binary, no nulls)."""
        before, texts, after = (number_text if self.is_price else json_text)(column, self.quoted)
        return pc.binary_join_element_wise(before.encode(), texts.cast(pa.binary()), after.encode(), b"")

    def _is_exact(self, kind: pa.DataType) -> bool:
        return _has_decimals(kind) or (self.is_price and types.is_string(kind))


def json_column(column: Column, decimal_as: DecimalAs) -> JsonColumn:
    return JsonColumn(column.name == "price", decimal_as is DecimalAs.STRING)


def _parsed(texts: pa.Array, *, exact: bool) -> list[Any]:
    """The value of each text. `exact`: numbers keep their digits."""
    whole = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    loads = partial(json.loads, parse_float=exact_number, parse_int=exact_number) if exact else json.loads
    return list(loads(b"[" + pc.binary_join(whole, b",")[0].as_py() + b"]"))


def _has_decimals(kind: pa.DataType) -> bool:
    return bool(types.is_decimal(kind)) or any(_has_decimals(kind.field(at).type) for at in range(kind.num_fields))


def exact_number(text: str) -> Decimal:
    """All digits. An exponent that no memory has room for becomes one that is as absurd: it compares as the same."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # more than 18 digits of an exponent
        mantissa, _, exponent = text.lower().partition("e")
        number = Decimal(f"{mantissa}e{'-' * exponent.startswith('-')}{10 * _EXPONENT_MAX}")
    if not number:
        return Decimal(0)
    if abs(number.adjusted()) <= _EXPONENT_MAX:
        return number
    sign, digits, _ = number.as_tuple()
    return Decimal((sign, digits, _EXPONENT_MAX if number.adjusted() > 0 else -_EXPONENT_MAX))
