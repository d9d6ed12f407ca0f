"""Positions inside a batch, and picking rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from replay.fate import Fate
from replay.model import Batch, Encoded, Position, SymbolTable


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(0, 30))
def test_the_position_in_a_batch_counts_each_files_rows(files, rows):
    """A wrong cursor: a resume skips rows of one file and repeats rows of another."""
    rows = min(rows, len(files))
    table = pa.RecordBatch.from_pydict({"x": pa.array(files)})
    batch = Batch(Position(100, (10, 20, 30, 40)), table, np.array(files, dtype=np.int64))
    expected = tuple(start + files[:rows].count(n) for n, start in enumerate((10, 20, 30, 40)))
    assert batch.position_after(rows) == Position(100 + rows, expected)


def test_a_batch_of_one_file_moves_that_files_cursor():
    batch = Batch(Position(5, (2, 3)), pa.RecordBatch.from_pydict({"x": pa.array([1, 2, 3])}), 1)
    assert batch.position_after(2) == Position(7, (2, 5))
    assert len(batch) == 3


def test_picked_rows_keep_their_columns_together():
    """Otherwise a resume would send one row's key with another's value."""
    numbers = np.arange(5, dtype=np.int64)
    keys: list[bytes | None] = [b"%d" % n for n in range(5)]
    encoded = Encoded(
        keys, [b"v%d" % n for n in range(5)], [*range(5)], numbers, numbers, numbers, numbers, slice_rows=5
    )
    picked = encoded.only(np.array([1, 4]))
    assert picked.keys == [b"1", b"4"]
    assert picked.values == [b"v1", b"v4"]
    assert picked.timestamps_ms == [1, 4]
    for column in (picked.partitions, picked.event_times_ns, picked.record_bytes):
        assert column.tolist() == [1, 4]
    assert len(picked) == 2


def test_records_know_their_rows_among_rows_that_are_left_out():
    """Otherwise a row that is left out would shift the position, and a resume would repeat or lose its neighbours."""
    numbers = np.arange(3, dtype=np.int64)
    rows = np.array([1, 2, 6])  # of a slice of 9
    encoded = Encoded([b"k"] * 3, [b"v"] * 3, [1, 2, 3], numbers, numbers, numbers, numbers, slice_rows=9, rows=rows)
    assert [encoded.rows_through(n) for n in (1, 2, 3)] == [2, 3, 9]
    assert [encoded.records_within(n) for n in range(10)] == [0, 0, 1, 2, 2, 2, 2, 3, 3, 3]
    picked = encoded.only(np.array([0, 2]))
    assert [picked.rows_through(n) for n in (1, 2)] == [2, 9]
    assert picked.slice_rows == 9


def test_a_position_counts_the_rows_that_are_left_out():
    """A --limit would end at another row after a resume."""
    fates = np.array([0, Fate.NOT_SELECTED, Fate.PRICE_MISSING, 0], dtype=np.int8)
    table = pa.RecordBatch.from_pydict({"x": pa.array([1, 2, 3, 4])})
    batch = Batch(Position(5, (5,), 2), table, 0, fates)
    assert [batch.position_after(n).left_out for n in range(5)] == [2, 2, 3, 4, 4]
    assert [len(batch.up_to(limit)) for limit in (4, 5, 6)] == [1, 4, 4], "three were sent before it"
    assert batch.up_to(4).position_after(1) == batch.position_after(1)


def test_a_symbol_has_one_id_for_good():
    table = SymbolTable()
    assert [table.id_of(name) for name in ("B", "A", "B")] == [0, 1, 0]
    assert table.names == ["B", "A"]
