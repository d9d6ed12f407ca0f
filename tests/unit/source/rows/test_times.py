"""What event times alone say of a file: spans, rows that go back, rows that contradict its statistics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.fate import Fate
from replay.source.rows.times import TimeColumn, first_contradiction, in_order, running_highest
from tests.unit.source.trades import T0_US, US, file_of, rules_of, times_of, trades

TIMES = st.lists(st.none() | st.integers(0, 9), min_size=1, max_size=12)
"""Microseconds since T0; None: a row without a time."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("times")


def column_of(folder: Path, times: Sequence[int | None], group: int) -> TimeColumn:
    stamps = pa.array([None if time is None else T0_US + time for time in times], US)
    file = file_of(folder / "a.parquet", trades(len(times), event_time=stamps), group)
    return times_of(file, rules_of(file))


@settings(deadline=None)
@given(TIMES, st.integers(1, 5))
def test_a_file_goes_back_where_a_good_row_is_before_an_earlier_one(folder, times, group):
    """Broken: a file that is not sorted is merged as if it were; a row without a time counts as one that goes back."""
    good = [time for time in times if time is not None]
    assert column_of(folder, times, group).goes_back() == (good != sorted(good))


@settings(deadline=None)
@given(TIMES, st.integers(1, 5))
def test_the_spans_are_those_of_each_row_group(folder, times, group):
    """Broken: files without statistics are put in a wrong order."""
    spans, good = column_of(folder, times, group).spans_ns()
    expected = []
    for start in range(0, len(times), group):
        some = [(T0_US + time) * 1_000 for time in times[start : start + group] if time is not None]
        expected.append((min(some), max(some)) if some else None)
    assert spans == expected
    assert good == sum(time is not None for time in times)


@settings(deadline=None)
@given(TIMES, st.integers(1, 5), st.booleans())
def test_the_highest_time_before_a_row_is_that_of_a_run_from_the_first_row(folder, times, group, is_sorted):
    """Broken: after a resume a row without a time is ordered elsewhere than in the run before."""
    if is_sorted:
        good = iter(sorted(time for time in times if time is not None))
        times = [None if time is None else next(good) for time in times]
    column = column_of(folder, times, group)
    for row in range(len(times) + 1):
        before = [T0_US + time for time in times[:row] if time is not None]
        assert column.highest_before(row, is_sorted=is_sorted) == max(before, default=None)


# -- rows that go back: noticed across batches, and a row without a time is never one of them ---------------

PARTS = st.lists(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=6), max_size=6)
"""Batches of times, and whether each is a bad one."""


@given(PARTS)
def test_rows_that_go_back_are_those_smaller_than_a_row_before_them(parts):
    """Broken: a step back between two batches is missed, the wrong row is named, or a bad row hides one."""
    highest, before = 0, 0
    for part in parts:
        expected: list[tuple[int, bool]] = []
        for time, bad in part:
            filled = max(highest, *(t for t, _ in expected)) if bad and expected else highest if bad else time
            expected.append((filled, filled < before))
            before = filled
        times = np.array([time for time, _ in part], dtype=np.int64)
        filled_in, backwards = in_order(times, np.array([bad for _, bad in part]), highest)
        assert filled_in.tolist() == [time for time, _ in expected]
        back = [went for _, went in expected]
        assert (backwards.tolist() if backwards is not None else [False] * len(part)) == back
        before = highest = max(highest, *(time for time, _ in expected))


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(0, 9))
def test_rows_that_keep_their_order_are_ordered_by_the_largest_time_so_far(times, highest):
    """Broken: with --unsorted keep a row comes before one that is before it in its file."""
    expected = [max([highest, *times[: at + 1]]) for at in range(len(times))]
    assert running_highest(np.array(times, dtype=np.int64), highest).tolist() == expected


def test_times_of_a_sorted_batch_are_handed_on_as_they_are():
    """Broken: each batch of good rows is copied."""
    times = np.array([3, 3, 5], dtype=np.int64)
    filled_in, backwards = in_order(times, np.zeros(3, dtype=bool), 3)
    assert filled_in is times
    assert backwards is None


# -- rows compared with what statistics say of their row groups ---------------------------------------------

BOUNDS = [0, 3, 6, 8]
PROMISED = [(10_000, 12_000), None, (20_000, 21_000)]
AS_PROMISED = np.array([10, 11, 12, 99, 0, 99, 20, 21], dtype=np.int64)
"""In microseconds; of the second row group nothing is promised."""


def contradiction(times: np.ndarray, first_row: int = 0, bad: int | None = None) -> int | None:
    fates = np.zeros(len(times), dtype=np.int8)
    if bad is not None:
        fates[bad] = Fate.TIME_MISSING
    return first_contradiction(BOUNDS, PROMISED, 1_000, times, fates, first_row)


def test_times_at_the_edges_and_those_of_which_nothing_is_known_contradict_nothing():
    """Broken: right statistics are taken for wrong, and a file is read as if it had none."""
    assert contradiction(AS_PROMISED) is None
    assert contradiction(AS_PROMISED[4:], 4) is None


@pytest.mark.parametrize(("row", "time"), [(0, 9), (2, 13), (6, 19), (7, 22)])
def test_the_first_row_beyond_them_is_found_wherever_the_batch_begins(row, time):
    """Broken: rows come out of order because statistics that are wrong are believed, or another row is named."""
    times = AS_PROMISED.copy()
    times[row] = time
    assert contradiction(times) == row
    for first_row in range(row + 1):
        assert contradiction(times[first_row:], first_row) == row - first_row
    assert contradiction(times, bad=row) is None
