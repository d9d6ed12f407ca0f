"""Rows of a replay for the tests of Avro: the three first columns, and a further one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from replay.model import SymbolTable
from replay.record.formats import avro
from replay.record.formats.base import Column, Schema
from replay.record.options import DecimalAs

NAMES = ["BTCUSDT", "Ä"]
FIRST_FIELDS = [
    {"name": "symbol", "type": "string"},
    {"name": "price", "type": "double"},
    {"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-micros"}},
]


def symbols() -> SymbolTable:
    table = SymbolTable()
    for name in NAMES:
        table.id_of(name)
    return table


def columns_of(**further: pa.DataType) -> list[Column]:
    first = {"symbol": pa.string(), "price": pa.float64(), "event_time": pa.timestamp("us")}
    made = [Column(name, name, kind, False, f"in_{name}") for name, kind in first.items()]
    return made + [Column(name, name, kind, True, f"in_{name}") for name, kind in further.items()]


def rows_of(**further: pa.Array) -> pa.RecordBatch:
    count = len(next(iter(further.values())))
    first = {
        "symbol": pa.array(np.arange(count) % 2, pa.int32()),
        "price": pa.array(np.arange(count) / 4),
        "event_time": pa.array(np.arange(count) + 1, pa.int64()).view(pa.timestamp("us")),
    }
    return pa.RecordBatch.from_pydict({**first, **further})


def record(row: int) -> dict[str, Any]:
    """What the row holds in its first columns, as it is written."""
    return {"symbol": NAMES[row % 2], "price": row / 4, "event_time": row + 1}


def given(*fields: dict[str, Any], name: str = "T") -> Schema:
    return Schema("AVRO", json.dumps({"type": "record", "name": name, "fields": [*FIRST_FIELDS, *fields]}), name)


def bind(schema: Schema, decimal_as: DecimalAs = DecimalAs.NUMBER, **further: pa.DataType) -> avro.AvroFormat:
    return avro.bound(schema, columns_of(**further), symbols(), decimal_as)
