"""Lateness is measured honestly, however the rows come."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.delivery.lateness import Lateness


@settings(deadline=None)
@given(
    st.lists(st.floats(2e-5, 3_600), min_size=1, max_size=80),
    st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]),
    st.integers(1, 5),
)
def test_quantiles_of_lateness_are_at_most_ten_percent_too_high_and_never_too_low(late, q, parts):
    lateness = Lateness()
    for part in np.array_split(np.array(late), parts):
        lateness.add(part)
    true = float(np.quantile(late, q, method="inverted_cdf"))
    assert true * (1 - 1e-9) <= lateness.quantile_s(q) <= true * 1.1 * (1 + 1e-9)
    assert lateness.max_s == max(late)


def test_rows_on_time_and_no_rows_at_all_are_not_late():
    lateness = Lateness()
    assert lateness.quantile_s(0.5) == 0
    lateness.add(np.array([]))
    lateness.add(np.zeros(5))
    assert lateness.quantile_s(0.99) == 0
    lateness.add(np.array([10_000_000.0]))
    assert lateness.counts.sum() == 6, "however late, it is counted"


def test_a_copy_stands_still():
    """Broken: what was shown a second ago changes under those who draw or export it."""
    lateness = Lateness()
    lateness.add(np.array([0.5]))
    copy = lateness.copy()
    lateness.add_one(2.0)
    assert (copy.max_s, int(copy.counts.sum())) == (0.5, 1)
    assert (lateness.max_s, int(lateness.counts.sum())) == (2.0, 2)
