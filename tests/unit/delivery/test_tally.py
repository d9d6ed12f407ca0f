"""What a run counts, and that what was shown of it stands still."""

from __future__ import annotations

import numpy as np

from replay.counts import ByName
from replay.delivery.outages import ClusterOutages
from replay.delivery.tally import Tally
from tests.unit.fakes import FakeClock, Told


def count(tally: Tally, symbols: list[int]) -> None:
    numbers = np.array(symbols)
    tally.sent.add(numbers, numbers % 2, numbers * 10)


def test_a_view_stands_still_whatever_is_counted_after_it():
    """Broken: history and metrics, which read in another thread, get half of one moment and half of the next."""
    tally = Tally(10, symbol_names=["A", "B", "C"])
    count(tally, [0, 2, 2])
    tally.lateness.add(np.array([0.5]))
    before = tally.view()
    count(tally, [0, 1])
    tally.sent_rows, tally.outages = 5, 1
    tally.lateness.add(np.array([2.0]))
    tally.ack_latency.add_one(1.0)
    after = tally.view()
    assert before.symbols_sent(9) == ByName({"C": 2, "A": 1})
    assert before.partitions_sent(9) == ByName({"0": 3})
    assert before.sent.events_ns == (0, 20)
    assert (before.sent_rows, before.outages, before.lateness.max_s, before.ack_latency.max_s) == (0, 0, 0.5, 0.0)
    assert after.symbols_sent(9) == ByName({"A": 2, "C": 2, "B": 1})
    assert after.partitions_sent(9) == ByName({"0": 4, "1": 1})
    assert (after.sent_rows, after.outages, after.lateness.max_s, after.ack_latency.max_s) == (5, 1, 2.0, 1.0)


def test_records_are_counted_in_every_view_and_once():
    """Broken: a burst of a paced replay is missing until there are thousands of records, or is counted twice."""
    tally = Tally(20_000, symbol_names=[str(n) for n in range(8)])
    for number in range(20_000):
        if number % 5_000 == 0:
            assert sum(tally.view().symbols_sent(8).rows.values()) == number
        count(tally, [number % 8])
    assert set(tally.view().symbols_sent(8).rows.values()) == {2_500}


def test_an_outage_that_is_over_is_counted_once_and_known_to_be_unseen():
    """Broken: a night that is refused after the broker came back shows no outage in its history."""
    tally, told, clock = Tally(10), Told(), FakeClock()
    outages = ClusterOutages(tally, told, clock)
    outages.lasts("no answer", 2.0, 298.0)
    (shown,) = told.shown
    assert (shown.outage_since_s, shown.outage_left_s) == (clock.now() - 2.0, 298.0)
    assert not tally.has_unseen_outage
    outages.over(5.0)
    outages.over(0.1)  # a call that had no trouble
    assert (tally.outages, tally.outages_s, tally.outage_since_s) == (1, 5.0, None)
    assert tally.has_unseen_outage
    assert tally.view().outages == 1
    assert not tally.has_unseen_outage
