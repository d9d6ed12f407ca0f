"""Formats of values for tests that make records themselves."""

from __future__ import annotations

import pyarrow as pa

from replay.model import SymbolTable
from replay.record.formats.base import Column
from replay.record.formats.json import JsonFormat
from replay.record.options import DecimalAs


def bare_json(symbols: SymbolTable, *fields: str) -> JsonFormat:
    """JSON of the three first columns and of these; it goes by the types of the batches."""
    names = ("symbol", "price", "event_time", *fields)
    return JsonFormat([Column(name, name, pa.null(), True, name) for name in names], symbols, DecimalAs.NUMBER)
