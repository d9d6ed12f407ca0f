"""How large a record of some rows is at most, without making it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from replay.model import HEADERS, KEY, PARTITION, TIMESTAMP, VALUE
from replay.record.headers import header_bytes

_UTF8_BYTES_MAX = 4  # of one character
_ESCAPED_MAX = 6  # bytes of JSON for one byte of text: \u0000
_OTHER_BYTES = 200  # name and value of a column that is no text

_OF_RECORD = frozenset({KEY, PARTITION, VALUE, HEADERS, TIMESTAMP})
"""Columns that go into a record as they are, or not at all."""


def record_bytes_max(rows: pa.RecordBatch, symbols: Sequence[str]) -> int:
    """By the longest value of each column; mostly much more than there is."""
    names = rows.schema.names
    symbol = max((len(name) for name in symbols), default=0) * _UTF8_BYTES_MAX
    of_value = sum(_longest(rows.column(name)) for name in names if name not in _OF_RECORD)
    as_they_are = sum(_longest(rows.column(name)) for name in (KEY, VALUE) if name in names)
    if HEADERS in names and rows.num_rows:
        as_they_are += int(header_bytes(rows.column(HEADERS)).max())
    return symbol + _ESCAPED_MAX * (symbol + of_value) + as_they_are + _OTHER_BYTES * len(names)


def _longest(column: pa.Array) -> int:
    """Bytes of the longest value, or more; 0 for what is never long."""
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        return pc.max(pc.binary_length(column)).as_py() or 0
    return 0 if pa.types.is_primitive(column.type) else int(column.nbytes)
