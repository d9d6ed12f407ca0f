"""Files of trades, and what is needed to read their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from replay.model import Position, SymbolTable
from replay.record.options import Records
from replay.source.choices import Order
from replay.source.columns.schema import resolve
from replay.source.files.find import find
from replay.source.files.parquet_file import InputFile, open_file
from replay.source.options import Columns, SourceOptions
from replay.source.rows.judge import Judge, RowRules, Wanted
from replay.source.rows.raw import RawRows
from replay.source.rows.times import TimeColumn
from replay.source.source import Source

T0_US = 1_767_225_600_000_000
US = pa.timestamp("us", "UTC")


def trades(rows: int = 10, **columns: Any) -> pa.Table:
    """Good rows, a microsecond apart; with these columns instead."""
    usual = {
        "symbol": pa.array([f"S{row % 3}" for row in range(rows)]),
        "price": pa.array([float(row + 1) for row in range(rows)]),
        "event_time": pa.array([T0_US + row for row in range(rows)], US),
    }
    return pa.table({**usual, **columns})


def file_of(path: Path, table: pa.Table, group: int = 3) -> InputFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group)
    return open_file(find([str(path)])[0], ["event_time", "symbol"])


def rules_of(
    file: InputFile, columns: Columns | None = None, records: Records | None = None, **options: Any
) -> RowRules:
    columns, records = columns or Columns(), records or Records()
    layout = resolve([file], columns, records)
    given = SourceOptions((file.shown,), columns, records, **options)
    return RowRules(given, columns, layout, Wanted(SymbolTable(), given.selection.wants))


def judge_of(file: InputFile, rules: RowRules) -> Judge:
    return Judge(rules, rules.layout.files[0], file.shown)


def times_of(file: InputFile, rules: RowRules) -> TimeColumn:
    raw = RawRows(file, "event_time", "symbol")
    return TimeColumn(raw, judge_of(file, rules))


# -- a whole source ----------------------------------------------------------------------------------------


def write(path: Path, rows: int = 10, group: int = 4, **columns: Any) -> Path:
    """A good file, or one with other columns; `...` leaves a column out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    good = {
        "symbol": pa.array([f"S{n % 3}" for n in range(rows)], pa.string()),
        "price": pa.array([100.0 + n for n in range(rows)], pa.float64()),
        "event_time": pa.array([T0_US + n for n in range(rows)], US),
    }
    table = pa.table({name: column for name, column in {**good, **columns}.items() if column is not ...})
    pq.write_table(table, path, row_group_size=group)
    return path


def source_of(*paths: Path, order: Order = Order.EVENT_TIME, **columns: Any) -> Source:
    return Source(SourceOptions(tuple(map(str, paths)), Columns(**columns), order=order))


def read(source: Source, start: Position | None = None) -> list[tuple[str, Any, int]]:
    rows = []
    for batch in source.batches(start or source.start):
        names = [source.symbols.names[n] for n in batch.table.column("symbol").to_pylist()]
        times = batch.table.column("event_time").view(pa.int64()).to_pylist()
        rows += list(zip(names, batch.table.column("price").to_pylist(), times, strict=True))
    return rows
