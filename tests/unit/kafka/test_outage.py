"""Telling an outage from ordinary waiting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import BrokerUnavailable
from replay.kafka.outage import NOTICE_S, NOTICE_WITH_ERROR_S, Outage, Standstill


@pytest.mark.parametrize(("error_seen", "limit_s"), [(False, NOTICE_S), (True, NOTICE_WITH_ERROR_S)])
def test_rows_may_wait_for_the_linger_and_the_notice_and_no_longer(error_seen, limit_s):
    """Too soon is a false alarm with every linger; too late, and the operator hears nothing."""
    outage = Outage(linger_s=0.5, timeout_s=60.0)
    assert not outage.observe(100.0 + limit_s + 0.5, 100.0, error_seen)
    assert outage.since_s is None
    assert outage.observe(100.0 + limit_s + 0.51, 100.0, error_seen)
    assert outage.since_s == 100.0, "it began when the oldest row was sent"


def test_nothing_in_flight_is_no_outage_however_many_errors():
    outage = Outage(0.05, 60.0)
    assert not outage.observe(1e6, None, error_seen=True)


@pytest.mark.parametrize("oldest", [None, 109.5])
def test_it_is_over_once_rows_are_acknowledged_and_its_length_is_added_up(oldest):
    outage = Outage(0.0, 60.0)
    outage.observe(105.0, 100.0, error_seen=False)
    assert not outage.observe(106.0, 100.0, error_seen=False), "told once"
    assert outage.observe(110.0, oldest, error_seen=False)
    assert (outage.since_s, outage.count, outage.total_s) == (None, 1, 10.0)


def test_slow_progress_with_old_rows_left_is_still_the_same_outage():
    """The deadline would start anew with each row that trickles through."""
    outage = Outage(0.0, 60.0)
    outage.observe(105.0, 100.0, error_seen=False)
    assert not outage.observe(120.0, 101.0, error_seen=False)
    assert outage.left_s(120.0) == 40.0


def test_the_deadline_counts_from_the_beginning_of_the_outage_and_is_whole_without_one():
    outage = Outage(0.0, 60.0)
    assert outage.left_s(1e9) == 60.0
    outage.observe(105.0, 100.0, error_seen=False)
    assert outage.left_s(105.0) == 55.0
    assert outage.left_s(159.0) > 0 >= outage.left_s(161.0)


@given(st.lists(st.tuples(st.floats(0, 10), st.one_of(st.none(), st.floats(0, 20)), st.booleans()), max_size=40))
def test_each_change_is_told_and_nothing_else_is(steps):
    outage, now = Outage(0.05, 60.0), 0.0
    begun = ended = 0
    for gap, age, error_seen in steps:
        now += gap
        before = outage.since_s is not None
        changed = outage.observe(now, None if age is None else now - age, error_seen)
        assert changed == (before != (outage.since_s is not None))
        begun += changed and not before
        ended += changed and before
    assert outage.count == begun
    assert begun - ended == (outage.since_s is not None)
    assert (outage.total_s > 0) == (ended > 0)


def test_producers_may_follow_each_other_for_long_as_long_as_rows_get_through():
    """Broken: a network that breaks each minute ends a replay that gets on, or one that never will goes on for ever."""
    standstill = Standstill(60.0, since_s=0.0)

    def moved(now_s: float, row: int) -> bool:
        return standstill.check(now_s, row, "no row got through", "connection reset", "a:9092")

    for minute in range(10):
        assert moved(minute * 60.0, row=minute)
        assert not moved(minute * 60.0 + 59.0, row=minute)
    assert not moved(560.0, row=9), "a resume from an older checkpoint, and no further than before"
    assert not moved(570.0, row=3)
    assert not moved(600.0, row=9)
    with pytest.raises(BrokerUnavailable, match=r"no row got through for 60 s \(connection reset\)"):
        moved(600.1, row=9)
