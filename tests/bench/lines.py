"""Trades as lines that kcat takes: the symbol, a tab, the same JSON as a replay's. A columnar encoder, no more.

`python -m tests.bench.lines FOLDER` writes them to standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

BATCH_ROWS = 65_536  # as in a replay


def lines(folder: Path) -> Iterator[pa.Buffer]:
    """The rows of all files, in order, a batch at a time."""
    for path in sorted(folder.glob("*.parquet")):
        file = pq.ParquetFile(path, read_dictionary=["symbol"])
        for batch in file.iter_batches(BATCH_ROWS, columns=["symbol", "price", "event_time"]):
            yield _lines_of(batch)


def _lines_of(batch: pa.RecordBatch) -> pa.Buffer:
    symbols = batch.column("symbol")
    heads = [f'{name}\t{{"symbol": "{name}", "price": '.encode() for name in symbols.dictionary.to_pylist()]
    price = batch.column("price").cast(pa.string()).cast(pa.binary())
    moment = batch.column("event_time").cast(pa.timestamp("us")).cast(pa.string()).cast(pa.binary())
    moment = pc.binary_replace_slice(moment, 10, 11, b"T")
    head = pa.array(heads, pa.binary()).take(symbols.indices)
    joined = pc.binary_join_element_wise(head, price, b', "event_time": "', moment, b'Z"}\n', b"")
    return joined.buffers()[2][: int(pc.sum(pc.binary_length(joined)).as_py())]


if __name__ == "__main__":
    for buffer in lines(Path(sys.argv[1])):
        sys.stdout.buffer.write(buffer)
