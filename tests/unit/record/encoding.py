"""Records of a few rows, for the tests of what is in them."""

from __future__ import annotations

import pyarrow as pa

from replay.kafka.partitioner import partitioner
from replay.model import Batch, Encoded, Position, SymbolTable
from replay.record.encoder import Encoder
from tests.support.formats import bare_json

pa.array([0.0])  # the first array imports pandas where it is installed: longer than one example of a property may take


def values_of(encoded: Encoded) -> list[bytes]:
    """The values of records none of which is a tombstone."""
    values = [value for value in encoded.values if value is not None]
    assert len(values) == len(encoded), "a tombstone"
    return values


def encode(
    symbols: list[str], times: pa.Array, prices: pa.Array | None = None, partitions: int = 6, **fields: pa.Array
) -> Encoded:
    table = SymbolTable()
    ids = pa.array([table.id_of(symbol) for symbol in symbols], pa.int32())
    prices = pa.array([1.0] * len(symbols)) if prices is None else prices
    rows = pa.RecordBatch.from_pydict({"symbol": ids, "price": prices, "event_time": times, **fields})
    encoder = Encoder(table, bare_json(table, *fields), partitioner("murmur2", partitions))
    return encoder.encode(Batch(Position(0, (0,)), rows, 0))
