"""Many made-up trades, quickly: one block of columns, written again and again with later times.

`replay.cli.sample_trades` makes trades that look like a market's; these only have to be many.
100 M rows take about 20 s and 2 GB.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from replay.model import Ints

START_US = 1_760_000_000_000_000
BLOCK_ROWS = 1_000_000  # 30 MB: made once, and enough that neither prices nor symbols look regular
GROUP_ROWS = 131_072  # what `replay.cli.sample_trades` writes, too


def write_trades(
    folder: Path, rows: int, *, files: int = 1, symbols: int = 16, overlapping: bool = False, gap_us: int = 1_000
) -> Path:
    """`rows` trades, one every `gap_us`, in `files` files of equal size: each behind the one before, or, where they
    overlap, each with every `files`-th trade. Returns the folder."""
    rng = np.random.default_rng(11)
    block = min(rows, BLOCK_ROWS)
    names = pa.array([f"SYM{n:05}USDT" for n in range(symbols)])
    columns = rng.integers(0, symbols, block).astype(np.int32), np.round(rng.uniform(1, 100_000, block), 2)
    folder.mkdir(parents=True)
    per_file = -(-rows // files)
    for number in range(files):
        first = min(rows, number * per_file)
        stop = min(rows, first + per_file)
        if overlapping:
            stop, first = len(range(number, rows, files)), 0
        step, offset = (files, number) if overlapping else (1, 0)
        with pq.ParquetWriter(folder / f"{number:05}.parquet", _schema(), use_dictionary=["symbol"]) as writer:
            for begin in range(first, stop, block):
                at = np.arange(begin, min(stop, begin + block)) * step + offset
                writer.write_table(_table(names, columns, at, gap_us), GROUP_ROWS)
    return folder


def _schema() -> pa.Schema:
    symbol = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([("symbol", symbol), ("price", pa.float64()), ("event_time", pa.timestamp("us"))])


def _table(names: pa.Array, columns: tuple[Any, Any], at: Ints, gap_us: int) -> pa.Table:
    symbols, prices = (column[at % len(column)] for column in columns)
    times = pa.array(START_US + at * gap_us).view(pa.timestamp("us"))
    return pa.table([pa.DictionaryArray.from_arrays(symbols, names), pa.array(prices), times], schema=_schema())
