"""Bare JSON: the names of a record's fields are the columns' own, whatever the batch calls them."""

from __future__ import annotations

import pyarrow as pa

from replay.model import SymbolTable
from replay.record.formats.base import Column
from replay.record.formats.json import JsonFormat
from replay.record.options import DecimalAs


def test_fields_are_named_after_the_record_not_after_the_batch():
    """Broken: --rename of symbol, price or event_time would be without effect, or would break the JSON."""
    table = SymbolTable()
    kinds = {"symbol": pa.string(), "price": pa.float64(), "event_time": pa.timestamp("us"), "n": pa.int64()}
    fields = dict(zip(kinds, ('the "one"', "px", "ts", "number"), strict=True))
    columns = [Column(name, fields[name], kind, nullable=True, source=name) for name, kind in kinds.items()]
    rows = {
        "symbol": pa.array([table.id_of("A")], pa.int32()),
        "price": pa.array([1.5]),
        "event_time": pa.array([1], pa.timestamp("us")),
        "n": pa.array([7]),
    }
    form = JsonFormat(columns, table, DecimalAs.NUMBER)
    (value,) = form.payloads(pa.RecordBatch.from_pydict(rows)).to_pylist()
    assert value == (b'{"the \\"one\\"": "A", "px": 1.5, "ts": "1970-01-01T00:00:00.000001Z", "number": 7}')
