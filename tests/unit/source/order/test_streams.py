"""Files as streams: sorted where they go back in time, and let go of where too many would be open."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from replay.errors import InputError
from replay.source.choices import Unsorted
from replay.source.options import SourceOptions
from replay.source.order import merge, sorting, streams
from replay.source.order.sorting import sorted_stream
from replay.source.rows import raw
from replay.source.rows import reader as reader_module
from replay.source.rows.times import TimeColumn
from replay.source.source import Source
from tests.support.open_files import open_files
from tests.unit.source.trades import T0_US, US, read, source_of, write

TIMES = [T0_US + n for n in range(10)]


def with_seventh(value: Any, values: list[Any], kind: pa.DataType | None = None) -> pa.Array:
    return pa.array([*values[:7], value, *values[8:]], kind)


BAD = [
    ("symbol", with_seventh(None, ["A"] * 10), "is null or empty"),
    ("price", with_seventh(float("nan"), [1.0] * 10), "is not finite"),
    ("event_time", with_seventh(None, TIMES, US), "is null"),
    ("event_time", with_seventh(T0_US, TIMES, US), "goes back in time"),
]


# -- files that are not sorted ----------------------------------------------------------------------------


@pytest.fixture
def sorted_with(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The memory of each sort, as they begin."""
    taken: list[int] = []

    def sort(read: Any, memory_bytes: int, *rest: Any) -> Any:
        taken.append(memory_bytes)
        return sorted_stream(read, memory_bytes, *rest)

    monkeypatch.setattr(sorting, "sorted_stream", sort)
    return taken


def unsorted_source(folder: Path, starts: list[int]) -> Source:
    for number, start in enumerate(starts):
        times = [TIMES[0] + start + n for n in (3, 1, 2, 0, 5, 4, 7, 6, 9, 8)]
        write(folder / f"{number}.parquet", event_time=pa.array(times, US))
    options = SourceOptions((str(folder),), unsorted=Unsorted.SORT, sort_memory_bytes=64 << 20)
    return Source(options)


def test_files_that_are_sorted_at_the_same_time_share_the_memory(tmp_path, sorted_with):
    """Broken: 50 files that overlap take 50 times the memory that was allowed, or each of a sequence only a part."""
    rows = read(unsorted_source(tmp_path / "overlapping", [0, 1, 2, 3]))
    assert sorted(rows, key=lambda row: row[2]) == rows
    assert len(rows) == 40
    assert sorted_with == [16 << 20] * 4
    sorted_with.clear()
    assert len(read(unsorted_source(tmp_path / "following", [0, 100, 200]))) == 30
    assert sorted_with == [64 << 20] * 3


def test_whether_a_file_goes_back_is_asked_once(tmp_path, sorted_with, monkeypatch):
    """Broken: each look at a file reads its column of times again, also after all rows have been checked."""
    source = unsorted_source(tmp_path / "in", [0, 1])
    write(tmp_path / "in" / "0.parquet")
    source = Source(source.options)
    scans: list[str] = []
    goes_back = TimeColumn.goes_back

    def counted(times: TimeColumn) -> bool:
        scans.append(times.raw.file.shown)
        return goes_back(times)

    monkeypatch.setattr(TimeColumn, "goes_back", counted)
    expected = read(source)
    assert len(scans) == 2
    assert read(source) == expected
    assert len(scans) == 2
    checked = Source(source.options)
    assert sum(len(batch) for batch in checked.checked()) == 20
    sorted_with.clear()
    assert read(checked) == expected
    assert len(scans) == 2
    assert sorted_with == [64 << 20], "only one of the two has to be sorted"


# -- more files than are kept open ------------------------------------------------------------------------


@pytest.fixture
def few_stay_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are let go of after every seven rows, as soon as two are to be open at the same time; few rows wait."""
    for name, rows in (("OPEN_ROWS", 24), ("BATCH_ROWS_MIN", 2), ("BATCH_ROWS_MAX", 7), ("PART_ROWS", 6)):
        monkeypatch.setattr(merge, name, rows)
    for name in ("PART_ROWS_PER_FILE", "SAMPLE_ROWS"):
        monkeypatch.setattr(merge, name, 1)
    monkeypatch.setattr(streams, "READERS_BYTES", 1 << 20)
    for module in (raw, reader_module):
        monkeypatch.setattr(module, "BATCH_ROWS_MAX", 7)


def trades_in_many_files(folder: Path, files: int = 12) -> list[tuple[str, Any, int]]:
    """Written there; and all rows in order. Times are tied within files and across them; one file has no row."""
    rng = np.random.default_rng(files)
    rows: list[tuple[int, int, int]] = []
    for file in range(files):
        count = 0 if file == 3 else int(rng.integers(1, 60))
        times = np.sort(rng.integers(0, 80, count))
        own = [(int(time), file, row) for row, time in enumerate(times)]
        prices = pa.array([float(file * 1_000 + row) for _, _, row in own], pa.float64())
        stamps = pa.array([TIMES[0] + time for time, _, _ in own], US)
        write(folder / f"{file:02}.parquet", count, group=int(rng.integers(1, 9)), price=prices, event_time=stamps)
        rows += own
    return [(f"S{row % 3}", float(file * 1_000 + row), TIMES[0] + time) for time, file, row in sorted(rows)]


@pytest.mark.parametrize("unsorted", list(Unsorted))
@pytest.mark.usefixtures("few_stay_open")
def test_the_order_is_the_same_where_files_are_let_go_of(tmp_path, unsorted):
    """Broken: many overlapping files become another order than few, or a resume goes on elsewhere."""
    expected = trades_in_many_files(tmp_path)
    source = Source(SourceOptions((str(tmp_path),), unsorted=unsorted))
    assert read(source) == expected
    starts = [source.start]
    for batch in source.batches(source.start):
        starts += [batch.position_after(row) for row in range(1, len(batch) + 1)]
    assert len(starts) == len(expected) + 1
    for start in starts[:: 1 if unsorted is Unsorted.FAIL else 17]:
        assert read(source, start) == expected[start.row :]


@pytest.mark.usefixtures("few_stay_open")
def test_files_that_are_let_go_of_are_not_open(tmp_path, monkeypatch):
    """Broken: memory and open files grow with the number of files that overlap."""
    trades_in_many_files(tmp_path / "in")
    (tmp_path / "spilled").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spilled"))
    source, seen = Source(SourceOptions((str(tmp_path / "in"),))), []
    for _ in source.batches(source.start):
        seen.append(len(open_files(tmp_path / "in")))
        assert len(open_files(tmp_path / "spilled")) == 1
    assert seen
    assert max(seen) == 0


@pytest.mark.parametrize(("column", "values", "what"), BAD, ids=["null symbol", "NaN price", "null time", "goes back"])
@pytest.mark.usefixtures("few_stay_open")
def test_a_bad_row_is_named_where_files_are_let_go_of(tmp_path, column, values, what):
    """Broken: row 7 is the first behind a place where the file is let go of: it is taken for the first of all."""
    first = write(tmp_path / "a.parquet")
    second = write(tmp_path / "b.parquet", **{column: values}, group=7)
    with pytest.raises(InputError, match=what) as caught:
        read(source_of(first, second))
    assert f"{second}, row 7" in caught.value.where


@pytest.mark.usefixtures("few_stay_open")
def test_a_file_that_changes_while_it_is_let_go_of_is_refused(tmp_path):
    """Broken: rows of two versions of a file end up in one topic."""
    paths = [write(tmp_path / f"{name}.parquet", rows=300, group=7) for name in "ab"]
    source = source_of(*paths)
    batches = source.batches(source.start)
    next(batches)
    write(paths[1], rows=300, group=8)
    with pytest.raises(InputError, match="the file changed") as caught:
        list(batches)
    assert caught.value.where == str(paths[1])


@pytest.mark.usefixtures("few_stay_open")
def test_no_room_for_what_is_spilled_is_one_clear_error(tmp_path, monkeypatch):
    """Broken: a traceback, or an error that does not say which disk and what helps."""
    trades_in_many_files(tmp_path / "in")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(InputError, match="written to disk for sorting: No such file") as caught:
        read(source_of(tmp_path / "in"))
    assert "TMPDIR" in caught.value.todo
