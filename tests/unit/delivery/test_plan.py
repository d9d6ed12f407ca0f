"""What a plan says of files in time."""

from __future__ import annotations

import pytest

from replay.delivery.plan import gaps, most_open, utc_ns
from replay.delivery.scan import HOUR_NS


@pytest.mark.parametrize(
    ("spans", "most"),
    [([], 0), ([(0, 5)], 1), ([(0, 5), (6, 9)], 1), ([(0, 5), (5, 9)], 2), ([(0, 9), (1, 2), (3, 4)], 2)],
)
def test_files_that_share_a_moment_are_open_at_once(spans, most):
    """Broken: the plan promises less memory than the replay takes."""
    assert most_open(spans) == most


def test_a_gap_is_what_no_file_covers():
    """Broken: a missing file is not seen, or each pair of files counts as a gap though a longer one covers it."""
    hours = [(0, 10), (2, 3), (11, 12), (14, 15)]
    spans = [(first * HOUR_NS, last * HOUR_NS) for first, last in reversed(hours)]
    assert list(gaps(spans)) == [(10 * HOUR_NS, 11 * HOUR_NS), (12 * HOUR_NS, 14 * HOUR_NS)]
    assert list(gaps([(0, HOUR_NS), (2 * HOUR_NS - 1, 3 * HOUR_NS)])) == [], "shorter than an hour"


def test_times_are_utc_with_microseconds():
    """Broken: the plan shows other times than the records have."""
    assert utc_ns(1_793_613_600_123_456_789) == "2026-11-02T10:00:00.123456Z"
    assert utc_ns(None) is None
