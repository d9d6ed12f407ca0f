"""One order over many files, against a full sort; the same on every run and after every resume."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.errors import InputError
from replay.model import FATE, ORDER_NS
from replay.source import source as source_module
from replay.source.choices import Order
from replay.source.options import SourceOptions
from replay.source.order import merge
from replay.source.order.merge import (
    OPEN_ROWS,
    Stream,
    batch_rows_for,
    by_event_time,
    one_after_the_other,
    open_at_once,
    stable_order,
)
from replay.source.source import Source

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


def tables(times: Sequence[int], rows_max: int, first: int = 0, *, order_ns: bool = False) -> Iterator[pa.RecordBatch]:
    """With an empty batch in between, as a reader may give them. `order_ns`: the event times are all the same, and what
    rows are ordered by is in a column of its own."""
    for start in range(first, len(times), rows_max):
        part = times[start : start + rows_max]
        columns = {
            "event_time": pa.array([7] * len(part) if order_ns else part, pa.timestamp("us")),
            "row": pa.array(range(start, start + len(part)), pa.int64()),
            "time": pa.array(part, pa.int64()),
            FATE: pa.array([time % 3 for time in part], pa.int8()),
        }
        if order_ns:
            columns[ORDER_NS] = pa.array([time * 1_000 for time in part], pa.int64())
        table = pa.RecordBatch.from_pydict(columns)
        yield table
        yield table.slice(0, 0)


def stream(
    file: int, times: Sequence[int], known: str, rows_max: int, first: int = 0, *, order_ns: bool = False
) -> Stream:
    """`known` is what the statistics tell: "first", "last", or both."""
    return Stream(
        file,
        f"file {file}",
        times[first] * 1_000 if "first" in known and times else None,
        lambda given_max: tables(times, min(rows_max, given_max), first, order_ns=order_ns),
        times[-1] * 1_000 if "last" in known and times else None,
    )


def rows_of(ordered: Any) -> list[Row]:
    rows: list[Row] = []
    for table, files in ordered:
        assert table.num_rows
        of = [files] * table.num_rows if isinstance(files, int) else files.tolist()
        times = table.column("time").to_pylist()
        assert table.column(FATE).to_pylist() == [time % 3 for time in times]
        assert ORDER_NS not in table.schema.names
        rows += zip(times, of, table.column("row").to_pylist(), strict=True)
    return rows


def sorted_rows(files: Sequence[Sequence[int]]) -> list[Row]:
    return sorted((time, n, row) for n, times in enumerate(files) for row, time in enumerate(times))


def small_parts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(merge, "PART_ROWS", 5)
    patch.setattr(merge, "PART_ROWS_PER_FILE", 1)
    patch.setattr(merge, "SAMPLE_ROWS", 2)
    patch.setattr(merge, "BUCKETS_FROM", 3)


@contextmanager
def small_batches(open_rows: int = 12, rows_min: int = 2, rows_max: int = 7) -> Iterator[None]:
    """As many rounds, parts, splits and full memories with a few rows as there are with millions."""
    with pytest.MonkeyPatch.context() as patch:
        small_parts(patch)
        patch.setattr(merge, "OPEN_ROWS", open_rows)
        patch.setattr(merge, "BATCH_ROWS_MIN", rows_min)
        patch.setattr(merge, "BATCH_ROWS_MAX", rows_max)
        yield


@settings(max_examples=400, deadline=None)
@given(
    files=FILES,
    known=st.lists(st.sampled_from(["", "first", "first last", "last"]), min_size=6, max_size=6),
    rows_max=st.integers(1, 9),
    order_ns=st.booleans(),
    open_bytes=st.sampled_from([1, 100, 10_000]),
)
def test_all_rows_come_by_time_then_file_then_row(files, known, rows_max, order_ns, open_bytes):
    """Broken: rows are sent in another order than a full sort gives, or are lost, where files overlap."""
    streams = [stream(n, times, known[n], rows_max, order_ns=order_ns) for n, times in enumerate(files)]
    with small_batches():
        assert rows_of(by_event_time(streams, open_bytes=open_bytes)) == sorted_rows(files)


@pytest.mark.parametrize("seed", range(20))
def test_the_order_is_that_of_a_full_sort_for_larger_files_too(seed):
    """Broken: what only happens with many files of many rows, one far longer than the others, jitter and many ties."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 200, 40)
    lengths[seed % 40] = 5_000
    starts = rng.integers(1, 2_000, 40)
    files = [
        (start + np.sort(rng.integers(0, 3 * length + 1, length) // 5 * 5)).tolist()
        for start, length in zip(starts, lengths, strict=True)
    ]
    streams = [stream(n, times, "first last" if n % 3 else "", 64) for n, times in enumerate(files)]
    with small_batches(open_rows=500, rows_min=4, rows_max=64):
        assert rows_of(by_event_time(streams)) == sorted_rows(files)


@settings(max_examples=200, deadline=None)
@given(
    times=st.lists(st.integers(0, 3) | st.integers(0, 2**20) | st.integers(-1, 2**63 - 1), min_size=1, max_size=200),
    pieces=st.sampled_from([1, merge.BUCKETS_FROM]),
)
def test_rows_of_the_same_time_stay_as_they_come_and_no_two_times_are_too_far_apart(times, pieces):
    """Broken: buckets of many years or of one moment mix up rows, or swap those of the same time."""
    got = stable_order(np.array(times, dtype=np.int64), pieces)
    assert got.tolist() == sorted(range(len(times)), key=times.__getitem__)


def test_a_part_is_about_a_batch(monkeypatch):
    """Broken: a round of a million rows is sorted at once, far from the cache; or parts leave small batches behind."""
    files = [np.arange(1 + n, 60_000, 4).tolist() for n in range(4)]
    monkeypatch.setattr(merge, "PART_ROWS", 7_000)
    monkeypatch.setattr(merge, "BATCH_ROWS_MAX", 8_000)
    lengths = [
        table.num_rows
        for table, _ in by_event_time([stream(n, times, "first last", 8_000) for n, times in enumerate(files)])
    ]
    assert sum(lengths) == sum(map(len, files))
    assert all(6_000 <= length <= 8_000 for length in lengths[:-1])


def test_from_every_row_on_the_same_order_follows():
    """Broken: a resume in the middle goes on with other rows than the run before it would have."""
    files = [[1, 1, 3, 3, 3, 9], [3, 3, 4], [2], [3, 9, 9, 9]]
    expected = sorted_rows(files)
    for done in range(len(expected) + 1):
        cursors = [sum(1 for _, file, _ in expected[:done] if file == n) for n in range(len(files))]
        streams = [
            stream(n, times, "first last", 2, cursors[n]) for n, times in enumerate(files) if cursors[n] < len(times)
        ]
        with small_batches():
            assert rows_of(by_event_time(streams)) == expected[done:]


def test_a_dictionary_column_travels_along():
    """Broken: rows get each other's values where files have dictionaries of their own."""

    def read(file: int) -> Iterator[pa.RecordBatch]:
        venues = pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.int32()), [f"x{file}", f"y{file}"])
        yield pa.RecordBatch.from_pydict({"event_time": pa.array([1, 2], pa.timestamp("us")), "venue": venues})

    merged = by_event_time([Stream(0, "file 0", None, lambda _: read(0)), Stream(1, "file 1", None, lambda _: read(1))])
    assert [v for table, _ in merged for v in table.column("venue").to_pylist()] == ["y0", "y1", "x0", "x1"]


# -- how much is open and in memory -----------------------------------------------------------------------


class Watched:
    """Streams that count: how many are open, and how many rows have been read and not been handed on."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.most_open = self.rows = self.most_rows = 0

    def stream(self, file: int, times: Sequence[int], known: str) -> Stream:
        def read(rows_max: int) -> Iterator[pa.RecordBatch]:
            self.open.add(file)
            self.most_open = max(self.most_open, len(self.open))
            try:
                for table in tables(times, rows_max):
                    self.rows += table.num_rows
                    self.most_rows = max(self.most_rows, self.rows)
                    yield table
            finally:
                self.open.remove(file)

        plain = stream(file, times, known, 1)
        return Stream(file, plain.path, plain.first_ns, read, plain.last_ns)

    def rows_of(self, ordered: Any) -> list[Row]:
        rows: list[Row] = []
        for table, files in ordered:
            rows += rows_of([(table, files)])
            self.rows -= table.num_rows
        return rows


SHAPES = {
    "following each other": [list(range(n * 30, n * 30 + 30)) for n in range(50)],
    "following each other, with a tie": [list(range(n * 30, n * 30 + 31)) for n in range(50)],
    "the same, named the other way round": [list(range(n * 30, n * 30 + 31)) for n in reversed(range(50))],
    "five at a time": [list(range(n // 5 * 100, n // 5 * 100 + 95, 3)) for n in range(50)],
    "one over all others": [list(range(0, 3_000, 2)), *(list(range(n * 30, n * 30 + 25)) for n in range(1, 50))],
    "identical times everywhere": [[5] * 100 for _ in range(50)],
    "all overlapping": [list(range(n, 3_000, 100)) for n in range(50)],
    "one row each": [[n // 2] for n in range(200)],
}


@pytest.mark.parametrize(
    ("shape", "open_most"),
    list(zip(SHAPES, [1, 1, 2, 5, 2, 1, 50, 1], strict=True)),
)
def test_only_overlapping_files_are_open_and_hold_memory(shape, open_most):
    """Broken: memory and open files grow with the number of files, not with how many overlap."""
    files, watched = SHAPES[shape], Watched()
    streams = [watched.stream(n, times, "first last") for n, times in enumerate(files)]
    assert open_at_once(streams) == open_most
    with small_batches(open_rows=200, rows_min=2, rows_max=50):
        batch_rows = batch_rows_for(streams)
        assert batch_rows * open_most <= 100
        assert watched.rows_of(by_event_time(streams)) == sorted_rows(files)
    assert watched.most_open <= open_most
    assert watched.most_rows <= 200 + batch_rows


def test_without_last_times_memory_stays_bounded_too():
    """Broken: unknown ends are taken for early ones, and batches are too large for the files that are open."""
    files, watched = SHAPES["all overlapping"], Watched()
    streams = [watched.stream(n, times, "first") for n, times in enumerate(files)]
    with small_batches(open_rows=200, rows_min=2, rows_max=50):
        assert watched.rows_of(by_event_time(streams)) == sorted_rows(files)
    assert watched.most_rows <= 200 + 2


def test_wide_rows_count_by_their_size():
    """Broken: a million rows of a megabyte are gathered because they are fewer than `OPEN_ROWS`."""
    files, watched = SHAPES["all overlapping"][:4], Watched()
    row_bytes = next(tables(files[0], 30)).nbytes / 30
    with small_batches(open_rows=10_000, rows_min=2, rows_max=5):
        merged = by_event_time(
            [watched.stream(n, times, "first last") for n, times in enumerate(files)], open_bytes=int(40 * row_bytes)
        )
        assert watched.rows_of(merged) == sorted_rows(files)
    assert watched.most_rows <= 40 + 5


def test_a_file_that_is_alone_is_handed_on_batch_by_batch():
    """Broken: a million rows of a sorted file are gathered before the first is sent, and leave the cache in between."""
    watched = Watched()
    days = [watched.stream(n, SHAPES["following each other"][n], "first last") for n in range(3)]
    with small_batches(open_rows=1_000, rows_max=10):
        assert watched.rows_of(by_event_time(days)) == sorted_rows(SHAPES["following each other"][:3])
    assert watched.most_rows == 10


def test_files_are_closed_when_nobody_asks_for_more():
    """Broken: a replay that ends early leaves files open."""
    watched = Watched()
    merged = by_event_time([watched.stream(n, times, "") for n, times in enumerate(SHAPES["all overlapping"])])
    with small_batches():
        next(merged)
    assert watched.open
    del merged
    assert not watched.open


@given(FILES, st.lists(st.sampled_from(["", "first", "first last"]), min_size=6, max_size=6))
def test_open_at_once_counts_overlaps(files, known):
    """Broken: batches are sized for more files than overlap (slow), or for fewer (memory)."""
    streams = [stream(n, times, known[n], 1) for n, times in enumerate(files) if times]

    def spans(each: Stream, place: tuple[int, int]) -> bool:
        last_ns = 2**63 if each.last_ns is None else each.last_ns
        return (-1 if each.first_ns is None else each.first_ns, each.file) <= place <= (last_ns, each.file)

    starts = [(-1 if each.first_ns is None else each.first_ns, each.file) for each in streams]
    assert open_at_once(streams) == max((sum(spans(each, at) for each in streams) for at in starts), default=0)


def test_batches_of_symbol_days_are_sized_for_the_files_of_a_day():
    """Broken: 1,000 files of which 50 overlap are read in the small batches that 1,000 at once would need."""
    days = [Stream(n, "", n // 50 * 100, lambda _: iter(()), n // 50 * 100 + 99) for n in range(1_000)]
    assert open_at_once(days) == 50
    assert batch_rows_for(days) == OPEN_ROWS // 2 // 50
    for count in (1, 5, 100, 500):
        unknown = [Stream(n, "", 0, lambda _: iter(())) for n in range(count)]
        assert batch_rows_for(unknown) * count <= OPEN_ROWS // 2


@pytest.mark.parametrize("first", [[100, 200, 300, 400], [900]])
def test_statistics_that_promise_more_than_the_file_keeps_are_an_error_not_a_wrong_order(first):
    """Broken: rows are sent too late, or whether they are found depends on the other files."""
    liar = Stream(1, "file 1", 500_000, lambda _: tables([1, 2], 10))
    with pytest.raises(InputError, match="statistics"):
        rows_of(by_event_time([stream(0, first, "first", 10), liar, stream(2, [450], "first", 10)]))


@given(FILES, st.integers(1, 9))
def test_as_is_keeps_path_order_and_row_order(files, rows_max):
    """Broken: `--order as-is` looks at times."""
    streams = [stream(n, times, "first", rows_max) for n, times in enumerate(files) if times]
    expected = [(time, n, row) for n, times in enumerate(files) for row, time in enumerate(times)]
    filled = ((table, file) for table, file in one_after_the_other(streams) if table.num_rows)
    assert rows_of(filled) == expected


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
    """Broken: a resume in the middle repeats rows before it, or goes on in another order."""
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
        small_parts(patch)
        for module in (merge, source_module):
            patch.setattr(module, "BATCH_ROWS_MAX", 7)
        patch.setattr(merge, "BATCH_ROWS_MIN", 2)
        patch.setattr(merge, "OPEN_ROWS", 12)
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
