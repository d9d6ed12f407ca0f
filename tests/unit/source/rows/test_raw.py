"""Rows of a file as they lie in it: the same rows wherever reading begins, and no more of the file than is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.errors import InputError
from replay.source.files.find import find
from replay.source.files.parquet_file import InputFile
from replay.source.rows import raw as raw_module
from replay.source.rows.raw import RawRows
from tests.unit.source.trades import file_of, trades

ROWS = 20


@pytest.fixture
def file(tmp_path: Path) -> InputFile:
    return file_of(tmp_path / "a.parquet", trades(ROWS), group=6)


def prices(raw: RawRows, row: int, batch_rows: int, stop: int | None = None) -> list[float]:
    """Those of the rows read; each batch says rightly with which row it begins."""
    found: list[float] = []
    for first_row, table in raw.batches(row, batch_rows, ["price"], stop):
        assert first_row == row + len(found)
        found += table.column("price").to_pylist()
    return found


@pytest.mark.parametrize("batch_rows", [1, 4, 100])
def test_from_any_row_on_the_rows_are_those_that_follow(file, monkeypatch, batch_rows):
    """Broken: a resume skips a row or reads one twice, at the edge of a batch or a row group."""
    monkeypatch.setattr(raw_module, "BATCH_ROWS_MAX", 4)
    for row in range(ROWS):
        assert prices(RawRows(file, "price"), row, batch_rows) == [float(at + 1) for at in range(row, ROWS)]


def test_reading_ends_with_a_row_group(file):
    """Broken: a stretch of a file reads rows of the next one, too."""
    assert prices(RawRows(file, "price"), 4, 100, stop=12) == [float(at + 1) for at in range(4, 12)]


def test_row_groups_that_are_left_out_are_not_read_and_not_counted(file):
    """Broken: the selection's row groups are numbered as in the file, and a position means other rows."""
    some = replace(file, groups=(file.groups[1], file.groups[3]))
    assert prices(RawRows(some, "price"), 0, 100) == [*(float(at + 1) for at in range(6, 12)), 19.0, 20.0]
    assert prices(RawRows(some, "price"), 7, 100) == [20.0]


def test_hive_keys_are_constants_and_need_no_column(tmp_path):
    """Broken: where only a folder's key is asked for, no row is there to have it."""
    file = file_of(tmp_path / "venue=X" / "a.parquet", trades(ROWS), group=6)
    tables = [table for _, table in RawRows(file, "price").batches(0, 7, ["venue"])]
    assert sum(table.num_rows for table in tables) == ROWS
    assert {value for table in tables for value in table.column("venue").to_pylist()} == {"X"}


def test_texts_are_read_as_a_dictionary_where_they_are_asked_for(file):
    """Broken: every symbol of every row is compared, instead of each distinct one."""
    for _, table in RawRows(file, "price", "symbol").batches(0, 100, ["symbol", "price"]):
        assert pa.types.is_dictionary(table.column("symbol").type)


def test_a_file_is_let_go_of_behind_row_groups_only_and_not_behind_each_small_one(file, monkeypatch):
    """Broken: a stretch ends inside a row group, which is then read twice; or the footer is read for every few rows."""
    monkeypatch.setattr(raw_module, "BATCH_ROWS_MAX", 7)
    assert list(RawRows(file, "price").stops(0)) == [12, 20]
    assert list(RawRows(file, "price").stops(5)) == [12, 20]
    assert list(RawRows(file, "price").stops(13)) == [20]
    assert list(RawRows(file, "price").stops(ROWS)) == []


def test_another_file_of_that_name_is_refused(file):
    """Broken: rows of two versions of a file end up in one topic."""
    pq.write_table(trades(ROWS, price=pa.array([0.0] * ROWS)), file.shown, row_group_size=6)
    other = replace(file, path=find([file.shown])[0])
    with pytest.raises(InputError, match="the file changed while it was being replayed"):
        next(RawRows(other, "price").batches(0, 100, ["price"]))
