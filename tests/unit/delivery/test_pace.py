"""Pacing: deadlines from one anchor, no row early, no drift, gaps capped."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.delivery.options import Pace
from replay.delivery.pace import BURST_S, SHIFT_S, Schedule, Send, Wait, decide

SECOND = 1_000_000_000
RATES = st.one_of(st.integers(1, 1_000_000).map(float), st.floats(0.01, 1e6))
PACES = st.one_of(
    st.builds(Pace, rows_per_s=RATES),
    st.builds(Pace, speed=st.floats(0.01, 1e4), gap_max_s=st.one_of(st.none(), st.floats(0, 100))),
)
TIMES = st.lists(st.integers(-5 * SECOND, 100 * SECOND), min_size=1, max_size=60).map(
    lambda gaps: 1_767_225_600 * SECOND + np.cumsum(np.array(gaps, dtype=np.int64))
)


def all_deadlines(pace: Pace, times: np.ndarray, cuts: list[int]) -> list[float]:
    schedule, due = Schedule(pace), []
    edges = [0, *sorted(cut % (len(times) + 1) for cut in cuts), len(times)]
    for first, last in itertools.pairwise(edges):
        part = schedule.deadlines(times[first:last])
        if part is not None:
            due += part.tolist()
    return due


@given(RATES, st.integers(1, 60), st.lists(st.integers(0, 60), max_size=5))
def test_row_n_of_a_rate_is_due_at_n_over_rate_however_the_rows_are_cut(rate, rows, cuts):
    """An error a batch would add up over a day of batches."""
    due = all_deadlines(Pace(rows_per_s=rate), np.zeros(rows, dtype=np.int64), cuts)
    assert due == [n / rate for n in range(rows)]


def test_a_rate_does_not_drift_over_a_billion_rows():
    due = Schedule(Pace(rows_per_s=5_000.0), rows=10**9).deadlines(np.zeros(1, dtype=np.int64))
    assert due is not None
    assert due[0] == 200_000.0


@given(PACES, TIMES, st.lists(st.integers(0, 60), max_size=5))
def test_deadlines_never_decrease_and_do_not_depend_on_the_cuts(pace, times, cuts):
    """`decide` looks rows up by deadline: one that goes back would send later rows early."""
    due = all_deadlines(pace, times, cuts)
    assert len(due) == len(times)
    assert due[0] == 0
    assert all(a <= b for a, b in itertools.pairwise(due))
    assert due == all_deadlines(pace, times, [])


@given(TIMES, st.floats(0.01, 1e4))
def test_a_speed_divides_the_time_since_the_first_row_and_never_goes_back(times, speed):
    high = first = int(times[0])
    for time, due in zip(times.tolist(), all_deadlines(Pace(speed=speed), times, [7]), strict=True):
        high = max(high, time)
        assert due == pytest.approx((high - first) / SECOND / speed, rel=1e-12)


def test_a_gap_counts_for_no_more_than_its_cap():
    """Weekends would be waited for."""
    times = np.array([0, 2, 1_000, 1_003, 1_004], dtype=np.int64) * SECOND
    assert all_deadlines(Pace(speed=2, gap_max_s=5), times, [2]) == [0, 1, 3.5, 5, 5.5]


def test_unpaced_rows_have_no_deadline():
    assert Schedule(Pace()).deadlines(np.zeros(3, dtype=np.int64)) is None


DUES = st.lists(st.floats(0, 0.01), min_size=1, max_size=40).map(lambda gaps: np.cumsum(np.array(gaps)))


@given(DUES, st.data())
def test_no_row_is_early_none_is_held_for_longer_than_a_burst_and_a_burst_takes_all_that_is_due(due, data):
    row = data.draw(st.integers(0, len(due) - 1))
    elapsed = data.draw(st.floats(0, float(due[-1]) + 0.01))
    step = decide(due, row, elapsed)
    if isinstance(step, Send):
        assert row < step.stop
        assert due[step.stop - 1] <= elapsed
        assert step.stop == len(due) or due[step.stop] > elapsed
    else:
        assert elapsed < due[row] + BURST_S
        assert 0 < step.seconds <= due[row] - elapsed + BURST_S * (1 + 1e-9)


def test_a_row_that_is_due_waits_for_its_burst():
    """Broken: while a burst is handed over, the next rows of a high rate fall due. Sent at once, each becomes a burst
    of its own, which takes longer than they do: a core is spent, and the replay is late all the time."""
    due = np.arange(200) / 50_000
    last = 1 + int(BURST_S * 50_000)
    assert decide(due, 1, float(due[5])) == Wait(float(due[last] - due[5]))
    assert decide(due, 1, float(due[last])) == Send(last + 1)


def test_rows_of_a_high_rate_go_out_together_and_those_of_a_low_rate_alone():
    """A sleep for each of 5,000 rows a second would cost more than the rows."""
    fast, slow = np.arange(100) / 5_000, np.arange(100) / 10
    assert decide(fast, 1, 0.0) == Wait(float(fast[1 + int(BURST_S * 5_000)]))
    assert decide(slow, 1, 0.0) == Wait(float(slow[1]))


def test_only_a_long_delay_shifts_the_schedule_and_then_by_all_of_it():
    schedule = Schedule(Pace(rows_per_s=10), anchor_s=100.0)
    assert schedule.shift(SHIFT_S) == schedule.shift(0.01) == schedule.shift(-1.0) == 0
    assert schedule.shift(SHIFT_S + 0.5) == SHIFT_S + 0.5
    assert schedule.anchor_s == 100.0 + SHIFT_S + 0.5


def test_a_schedule_begins_at_its_anchor_and_is_shifted_by_long_delays_only():
    """Broken: the second that a fresh producer needs is made up for with a burst, or a night's outage is."""
    schedule = Schedule(Pace(rows_per_s=10))
    due_s = schedule.deadlines(np.zeros(5, dtype=np.int64))
    assert due_s is not None
    assert not schedule.has_begun
    schedule.begin(100.0, float(due_s[1]))  # the second row is due then
    assert schedule.decide(due_s, 1, 100.001) == Send(2)
    assert schedule.late_s(100.3, due_s[1:3]) == pytest.approx([0.3, 0.2])
    assert schedule.shift(0.3) == 0
    assert schedule.shift(60.0) == 60
    assert schedule.late_s(160.0, float(due_s[1])) == pytest.approx(0)
    more_s = schedule.deadlines(np.zeros(2, dtype=np.int64))
    assert more_s == pytest.approx([0.5, 0.6]), "the next rows follow those before"
