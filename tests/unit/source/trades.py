"""One file of trades, and what is needed to read its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from replay.model import SymbolTable
from replay.record.options import Records
from replay.source.columns.schema import resolve
from replay.source.files.find import find
from replay.source.files.parquet_file import InputFile, open_file
from replay.source.options import Columns, SourceOptions
from replay.source.rows.judge import Judge
from replay.source.rows.raw import RawRows
from replay.source.rows.rules import RowRules, Wanted
from replay.source.rows.times import TimeColumn

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
    layout = resolve([file], columns, records, lambda *_: {})
    selection = options.get("selection")
    wanted = Wanted(SymbolTable(), selection.wants if selection is not None else lambda _: True)
    return RowRules(SourceOptions((file.shown,), columns, records, **options), columns, layout, wanted)


def judge_of(file: InputFile, rules: RowRules) -> Judge:
    return Judge(rules, rules.layout.files[0], file.shown)


def times_of(file: InputFile, rules: RowRules) -> TimeColumn:
    raw = RawRows(file, "event_time", "symbol")
    return TimeColumn(raw, judge_of(file, rules), "event_time", rules.unit_ns)
