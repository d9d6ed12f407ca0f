"""Parquet files as different programs write them. Each `by_…` gives a function that writes the table to a path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Write = Callable[[Path], object]
"""What it returns does not matter."""


def by_pyarrow(table: pa.Table, **options: Any) -> Write:
    return lambda path: pq.write_table(table, path, **options)


def by_polars(table: pa.Table, **options: Any) -> Write:
    """`categories` names columns that become categoricals."""
    import polars

    categories = options.pop("categories", [])
    frame = polars.DataFrame(table).with_columns(polars.col(name).cast(polars.Categorical) for name in categories)
    return lambda path: frame.write_parquet(path, **options)


def by_duckdb(table: pa.Table, select: str = "*", **options: str) -> Write:
    """`options` are those of COPY … TO (FORMAT parquet, …)."""
    import duckdb

    told = "".join(f", {name} {value}" for name, value in options.items())

    def write(path: Path) -> None:
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("trades", table)
            connection.execute(f"COPY (SELECT {select} FROM trades) TO '{path}' (FORMAT parquet{told})")

    return write


def by_fastparquet(table: pa.Table, **options: Any) -> Write:
    import fastparquet

    return lambda path: fastparquet.write(str(path), table.to_pandas(), **options)


def by_datafusion(table: pa.Table, **options: Any) -> Write:
    """The Rust implementation of Parquet that DataFusion brings."""
    import datafusion

    def write(path: Path) -> None:
        frame = datafusion.SessionContext().from_arrow(table)
        frame.write_parquet_with_options(str(path), datafusion.ParquetWriterOptions(**options))

    return write
