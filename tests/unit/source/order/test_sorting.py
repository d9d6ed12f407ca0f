"""The external sort, against a full sort in memory: order, bounds, and that nothing is left on disk."""

from __future__ import annotations

import gc
import os
import resource
import tempfile
import tracemalloc
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.errors import ExitCode, InputError
from replay.model import FATE, ORDER_NS
from replay.source.order import sorting
from replay.source.order.merge import by_event_time
from replay.source.order.sorting import Read, sorted_stream
from replay.source.order.spill import SpillFiles
from tests.support.open_files import open_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from replay.model import Ints

TINY_BYTES = 2_000
"""Runs of some ten rows."""


def reader(times: Sequence[int] | Ints, rows_max: int = 1 << 20, *, order_ns: bool = False) -> Read:
    """A file of these times in µs. `order_ns`: they are in a column of their own; the event times are all the same."""

    def read(batch_rows: int) -> Iterator[pa.RecordBatch]:
        rows = min(batch_rows, rows_max)
        for start in range(0, len(times), rows):
            part = np.asarray(times[start : start + rows], dtype=np.int64)
            columns = {
                "symbol": pa.array(np.zeros(len(part), dtype=np.int32)),
                "event_time": pa.array(part * 0 if order_ns else part).view(pa.timestamp("us")),
                "row": pa.array(np.arange(start, start + len(part))),
                FATE: pa.array((np.arange(start, start + len(part)) % 3).astype(np.int8)),
            }
            if order_ns:
                columns[ORDER_NS] = pa.array(part * 1_000)
            yield pa.RecordBatch.from_pydict(columns)
            yield pa.RecordBatch.from_pydict(columns).slice(0, 0)

    return read


def rows_of(tables: Iterator[pa.RecordBatch]) -> list[int]:
    rows: list[int] = []
    for table in tables:
        assert table.num_rows
        some = table.column("row").to_pylist()
        assert table.column(FATE).to_pylist() == [row % 3 for row in some]
        rows += some
    return rows


def sorted_rows(times: Sequence[int] | Ints) -> list[int]:
    return sorted(range(len(times)), key=lambda row: (times[row], row))


def open_temporary_files() -> int:
    """Files of this process that have no name any more."""
    return sum(path.endswith(" (deleted)") for path in open_files(tempfile.gettempdir()))


@contextmanager
def few_runs_at_once(runs: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "RUNS_AT_ONCE", runs)
        patch.setattr(sorting, "BATCH_ROWS_MIN", 1)
        yield


@settings(max_examples=300, deadline=None)
@given(
    times=st.lists(st.integers(1, 20), max_size=120),
    rows_max=st.integers(1, 30),
    memory_bytes=st.sampled_from([1, TINY_BYTES, 1 << 20]),
    runs_at_once=st.sampled_from([2, 3, 64]),
    order_ns=st.booleans(),
    data=st.data(),
)
def test_rows_are_sorted_by_time_then_row_from_any_row_on(times, rows_max, memory_bytes, runs_at_once, order_ns, data):
    """Broken: rows are lost, repeated or out of order; those of one time change places; a resume starts elsewhere."""
    start_row = data.draw(st.integers(0, len(times)))
    with few_runs_at_once(runs_at_once):
        read = sorted_stream(reader(times, rows_max, order_ns=order_ns), memory_bytes, SpillFiles(), start_row)
        assert rows_of(read(7)) == sorted_rows(times)[start_row:]


def test_every_row_is_a_place_to_go_on_from():
    """Broken: a resume at some row of the sorted order repeats or loses rows."""
    times = (np.arange(100) // 3 + np.random.default_rng(3).integers(0, 9, 100)).tolist()
    expected = sorted_rows(times)
    with few_runs_at_once(3):
        for start_row in range(len(times) + 1):
            assert (
                rows_of(sorted_stream(reader(times, 10), TINY_BYTES, SpillFiles(), start_row)(50))
                == expected[start_row:]
            )


@pytest.mark.parametrize("shape", ["jitter", "shuffled", "backwards", "sorted", "one time"])
def test_larger_files_in_many_runs(shape):
    """Broken: what only happens with real batch sizes: several batches a run, several pieces a batch."""
    rows, rng = 300_000, np.random.default_rng(4)
    times = {
        "jitter": np.arange(rows) + rng.integers(0, 1_000, rows),
        "shuffled": rng.integers(0, rows // 4, rows),
        "backwards": np.arange(rows)[::-1],
        "sorted": np.arange(rows),
        "one time": np.zeros(rows, dtype=np.int64),
    }[shape]
    expected = np.argsort(times, kind="stable")
    for start_row in (0, int(rng.integers(rows))):
        got = rows_of(sorted_stream(reader(times), 2 << 20, SpillFiles(), start_row)(65_536))
        assert np.array_equal(got, expected[start_row:])


def test_the_memory_is_kept():
    """Broken: a file larger than the memory is killed by the kernel, though --sort-memory allowed for it."""
    memory_bytes, rows = 8 << 20, 1_500_000
    times = np.random.default_rng(5).permutation(rows)
    before_pool = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before_pool)
    pa.set_memory_pool(pool)
    tracemalloc.start()  # numpy tells it of its arrays
    try:
        seen = sum(table.num_rows for table in sorted_stream(reader(times), memory_bytes, SpillFiles())(65_536))
        _, numpy_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before_pool)
    assert seen == rows
    assert memory_bytes // 8 < pool.max_memory() + numpy_bytes <= memory_bytes


def test_no_more_runs_are_merged_at_once_than_fit_into_the_memory(monkeypatch):
    """Broken: with hundreds of runs the pieces of all of them are in memory."""
    at_once: list[int] = []

    def counting(streams, **kwargs):
        at_once.append(len(streams))
        return by_event_time(streams, **kwargs)

    monkeypatch.setattr(sorting, "by_event_time", counting)
    times = np.arange(2_000)[::-1] % 500
    with few_runs_at_once(4):
        assert rows_of(sorted_stream(reader(times, 10), TINY_BYTES, SpillFiles())(50)) == sorted_rows(times)
    assert len(at_once) > 16
    assert max(at_once) == 4


def test_what_the_rows_are_ordered_by_is_handed_on():
    """Broken: the merge with other files goes by event times that are not what the rows were sorted by."""
    for memory_bytes in (TINY_BYTES, 1 << 20):
        tables = list(sorted_stream(reader(np.arange(500)[::-1], 10, order_ns=True), memory_bytes, SpillFiles())(50))
        assert [ns for table in tables for ns in table.column(ORDER_NS).to_pylist()] == list(range(0, 500_000, 1_000))


def test_a_late_start_reads_little_of_what_was_spilled(monkeypatch):
    """Broken: a resume merges everything before its row once more."""
    times, read_rows = np.random.default_rng(6).permutation(300_000), 0
    plain = SpillFiles.take

    def counting(spill, piece):
        nonlocal read_rows
        read_rows += piece.rows
        return plain(spill, piece)

    monkeypatch.setattr(SpillFiles, "take", counting)
    read = sorted_stream(reader(times), 2 << 20, SpillFiles(), 290_000)
    assert rows_of(read(65_536)) == np.argsort(times)[290_000:].tolist()
    assert read_rows < 30_000


# -- on disk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["read to the end", "dropped", "error in the reader", "error in the middle of a merge"])
def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch, recwarn, end):
    """Broken: every run that ends early leaves gigabytes in the folder for temporary files, or an open file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gc.collect()  # what another test has left open warns here
    recwarn.clear()
    warnings.simplefilter("always", ResourceWarning)  # python's word for a file that nobody closed
    before = open_temporary_files()

    def read(batch_rows: int) -> Iterator[pa.RecordBatch]:
        for number, table in enumerate(reader(np.arange(1_000) % 100, 10)(batch_rows)):
            if end == "error in the reader" and number == 100:
                raise InputError("the file ends early")
            yield table

    monkeypatch.setattr(sorting, "RUNS_AT_ONCE", 8)  # so that runs are merged to longer ones first
    spill = SpillFiles()
    rows = sorted_stream(read, TINY_BYTES, spill)(10)
    if end == "error in the reader":
        with pytest.raises(InputError, match="the file ends early"):
            next(rows)
    else:
        seen = next(rows).num_rows
        assert open_temporary_files() == before + 1
        assert os.listdir(tmp_path) == []  # it has no name: a kill -9 leaves nothing either
    if end == "read to the end":
        assert seen + len(rows_of(rows)) == 1_000
    elif end == "error in the middle of a merge":
        monkeypatch.setattr(os, "preadv", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(InputError, match="Input/output error"):
            rows_of(rows)
    del rows
    spill.close()
    gc.collect()
    assert not [each for each in recwarn if each.category is ResourceWarning]
    assert open_temporary_files() == before
    assert os.listdir(tmp_path) == []


def test_a_file_that_fits_into_memory_needs_no_disk(monkeypatch):
    """Broken: a small file cannot be sorted where there is no room for temporary files."""
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: pytest.fail("a file was made"))
    assert rows_of(sorted_stream(reader([3, 1, 2]), 1 << 20, SpillFiles())(10)) == [1, 2, 0]


def test_a_full_disk_is_one_clear_error(tmp_path: Path):
    """Broken: a traceback, a half-sorted replay, or an error that does not say which disk and what helps."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(InputError) as caught:
            rows_of(sorted_stream(reader(np.arange(50_000)[::-1]), 100_000, SpillFiles(tmp_path))(10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code is ExitCode.INPUT
    assert str(caught.value).startswith(
        f"{tmp_path}: rows cannot be written to disk for sorting: File too large\n  -> "
    )
    assert "--sort-memory" in str(caught.value)


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path):
    """Broken: a traceback."""
    with pytest.raises(InputError, match="No such file"):
        rows_of(sorted_stream(reader(np.arange(50_000)), 100_000, SpillFiles(tmp_path / "none"))(10))
