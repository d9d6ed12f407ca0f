"""What the column of times alone tells of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.source.rows.times import TimeColumn
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
