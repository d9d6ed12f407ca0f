"""Batches and their columns, for the tests of JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from replay.model import Bools, SymbolTable
from replay.record.formats import json_schema
from replay.record.formats.base import Column, Reference
from replay.record.formats.json import JsonFormat
from replay.record.formats.json_schema import JsonSchemaFormat
from replay.record.options import DecimalAs

OWN = ("symbol", "price", "event_time")


class Rows:
    """A batch as a replay has it, of these arrays; symbols are texts."""

    def __init__(self, arrays: Mapping[str, pa.Array], decimal_as: DecimalAs = DecimalAs.NUMBER) -> None:
        self.table, self.decimal_as, self.symbols = SymbolTable(), decimal_as, arrays["symbol"]
        ids = pa.array([self.table.id_of(name) for name in self.symbols.to_pylist()], pa.int32())
        self.batch = pa.RecordBatch.from_pydict({**arrays, "symbol": ids})
        self.columns = [
            Column(name, name, array.type, nullable=name not in OWN, source=f"in {name}")
            for name, array in arrays.items()
        ]

    def bound(self, schema: str, *references: Reference) -> JsonSchemaFormat:
        given = json_schema.parsed(schema, references)
        return json_schema.bound(given, self.columns, self.table, self.decimal_as)

    def bare(self) -> list[bytes]:
        """The records without a schema."""
        payloads: list[bytes] = JsonFormat(self.columns, self.table, self.decimal_as).payloads(self.batch).to_pylist()
        return payloads

    def bad(self, form: JsonSchemaFormat) -> Bools:
        """Which rows are bad, asked as a replay asks: first each column, then the rows that are left."""
        bad = np.zeros(self.batch.num_rows, dtype=bool)
        for column in self.columns:
            values = self.symbols if column.name == "symbol" else self.batch.column(column.name)
            found = form.misfits(column.name, values)
            assert found is None or (found.any() and len(found) == len(bad))
            bad |= False if found is None else found
        left = np.flatnonzero(~bad)
        found = form.misfit_rows(self.batch.take(pa.array(left)))
        if found is not None:
            bad[left] |= found
        return bad


def trades(**more: pa.Array) -> Rows:
    """Rows of A, B, A, …, as many as these columns have."""
    count = len(next(iter(more.values()))) if more else 1
    own = {
        "symbol": pa.array([("A", "B")[at % 2] for at in range(count)]),
        "price": pa.array([1.5] * count),
        "event_time": pa.array([0] * count, pa.timestamp("us")),
    }
    return Rows({**own, **more})
