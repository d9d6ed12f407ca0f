"""One order over many files, against a full sort; the same on every run and after every resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay import order as order_module
from replay import source as source_module
from replay.config import Order, SourceOptions
from replay.errors import InputError
from replay.order import OPEN_ROWS, Stream, batch_rows_for, by_event_time, one_after_the_other
from replay.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Row = tuple[int, int, int]
"""Event time, file, row in the file: what the order goes by."""

FILES = st.lists(
    st.tuples(st.integers(1, 30), st.lists(st.integers(0, 3), max_size=25)).map(
        lambda made: (made[0] + np.cumsum(np.array(made[1], dtype=np.int64))).tolist()
    ),
    min_size=1,
    max_size=6,
)


def tables(times: Sequence[int], rows_max: int, first: int = 0) -> Iterator[pa.RecordBatch]:
    for start in range(first, len(times), rows_max):
        part = times[start : start + rows_max]
        yield pa.RecordBatch.from_pydict(
            {
                "event_time": pa.array(part, pa.timestamp("us")),
                "row": pa.array(range(start, start + len(part)), pa.int64()),
            }
        )


def stream(file: int, times: Sequence[int], known: bool, rows_max: int, first: int = 0) -> Stream:
    smallest = times[first] * 1_000 if known else None
    return Stream(file, f"file {file}", smallest, lambda given_max: tables(times, min(rows_max, given_max), first))


def rows_of(ordered: Any) -> list[Row]:
    rows: list[Row] = []
    for table, files in ordered:
        assert table.num_rows
        of = [files] * table.num_rows if isinstance(files, int) else files.tolist()
        times = table.column("event_time").view(pa.int64()).to_pylist()
        rows += zip(times, of, table.column("row").to_pylist(), strict=True)
    return rows


@settings(max_examples=400, deadline=None)
@given(FILES, st.lists(st.booleans(), min_size=6, max_size=6), st.integers(1, 9))
def test_all_rows_come_by_event_time_then_file_then_row(files, known, rows_max):
    streams = [stream(n, times, known[n], rows_max) for n, times in enumerate(files) if times]
    expected = sorted((time, n, row) for n, times in enumerate(files) for row, time in enumerate(times))
    assert rows_of(by_event_time(streams)) == expected


def test_files_that_follow_each_other_are_read_one_after_the_other():
    """Opening all of them at once would need memory for all of them."""
    opened: list[int] = []
    most = 0

    def reader(file: int) -> Stream:
        times = list(range(file * 100, file * 100 + 100))

        def read(_: int) -> Iterator[pa.RecordBatch]:
            nonlocal most
            opened.append(file)
            most = max(most, len(opened))
            yield from tables(times, 10)
            opened.remove(file)

        return Stream(file, f"file {file}", times[0] * 1_000, read)

    rows = rows_of(by_event_time([reader(n) for n in range(8)]))
    assert len(rows) == 800
    assert most <= 2


def test_overlapping_files_share_the_memory_of_one():
    for count in (1, 5, 100, 1_000):
        rows = batch_rows_for([stream(n, [1], True, 1) for n in range(count)])
        assert rows * count <= max(OPEN_ROWS, order_module.BATCH_ROWS_MIN * count)


def test_statistics_that_promise_more_than_the_file_keeps_are_an_error_not_a_wrong_order():
    liar = Stream(1, "file 1", 500_000, lambda _: tables([1, 2], 10))
    with pytest.raises(InputError, match="statistics"):
        rows_of(by_event_time([stream(0, [100, 200, 300, 400], True, 10), liar, stream(2, [450], True, 10)]))


@given(FILES, st.integers(1, 9))
def test_as_is_keeps_path_order_and_row_order(files, rows_max):
    streams = [stream(n, times, True, rows_max) for n, times in enumerate(files) if times]
    expected = [(time, n, row) for n, times in enumerate(files) for row, time in enumerate(times)]
    assert rows_of(one_after_the_other(streams)) == expected


# -- the same with real files -----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    files=FILES.filter(any),
    group=st.integers(1, 12),
    statistics=st.booleans(),
    order=st.sampled_from(Order),
    data=st.data(),
)
def test_from_any_position_exactly_the_remaining_rows_follow(tmp_path_factory, files, group, statistics, order, data):
    """A resume starts in the middle: each row before must be gone, each one after it in the same place."""
    folder = tmp_path_factory.mktemp("files")
    for number, times in enumerate(files):
        table = pa.table(
            {
                "symbol": pa.array([f"S{n % 2}" for n in range(len(times))], pa.string()),
                "price": pa.array([float(number * 1_000 + n) for n in range(len(times))], pa.float64()),
                "event_time": pa.array([time * 1_000 for time in times], pa.timestamp("us")),
            }
        )
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=group, write_statistics=statistics)
    with pytest.MonkeyPatch.context() as patch:
        for module in (order_module, source_module):
            patch.setattr(module, "BATCH_ROWS_MAX", 7)
        patch.setattr(order_module, "BATCH_ROWS_MIN", 2)
        patch.setattr(order_module, "OPEN_ROWS", 12)
        source = Source(SourceOptions((str(folder),), order=order))
        batches = list(source.batches(source.start))
        everything = [price for batch in batches for price in batch.table.column("price").to_pylist()]
        expected = [(time, n, row) for n, times in enumerate(files) for row, time in enumerate(times)]
        if order is Order.EVENT_TIME:
            expected.sort()
        assert everything == [n * 1_000 + row for _, n, row in expected]
        assert batches[-1].position_after(len(batches[-1])) == source.end
        at = data.draw(st.integers(0, len(batches) - 1))
        done = data.draw(st.integers(0, len(batches[at])))
        position = batches[at].position_after(done)
        rest = [p for batch in source.batches(position) for p in batch.table.column("price").to_pylist()]
        assert rest == everything[position.row :]
