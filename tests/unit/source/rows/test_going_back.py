"""Rows that go back in time: noticed across batches, and a row without a time is never one of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from replay.source.rows.going_back import in_order, running_highest

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
        found = in_order(times, np.array([bad for _, bad in part]), highest)
        assert found.times.tolist() == [time for time, _ in expected]
        back = [went for _, went in expected]
        assert (found.backwards.tolist() if found.backwards is not None else [False] * len(part)) == back
        before = highest = max(highest, *(time for time, _ in expected))
        assert found.highest == highest


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(0, 9))
def test_rows_that_keep_their_order_are_ordered_by_the_largest_time_so_far(times, highest):
    """Broken: with --unsorted keep a row comes before one that is before it in its file."""
    expected = [max([highest, *times[: at + 1]]) for at in range(len(times))]
    assert running_highest(np.array(times, dtype=np.int64), highest).tolist() == expected


def test_times_of_a_sorted_batch_are_handed_on_as_they_are():
    """Broken: each batch of good rows is copied."""
    times = np.array([3, 3, 5], dtype=np.int64)
    found = in_order(times, np.zeros(3, dtype=bool), 3)
    assert found.times is times
    assert found.backwards is None
    assert found.highest == 5
