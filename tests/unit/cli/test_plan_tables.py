"""A plan as tables: sizes and the histogram."""

from __future__ import annotations

import pytest

from replay.cli.plan_tables import BARS_MAX, bars, size_text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2e9, "2 GB"), (1.5e12, "1.5 TB")]
)
def test_sizes_are_short(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize("hours", [1, 48, 49, 24 * 400, 24 * 365 * 50])
def test_a_histogram_fits_and_counts_every_record(hours):
    """Broken: a long span scrolls away, or records between two bars are missing."""
    lines = bars(dict.fromkeys(range(490_000, 490_000 + hours), 3))
    assert len(lines) <= BARS_MAX
    assert sum(rows for _, rows, _ in lines) == 3 * hours
    assert all(bar for _, rows, bar in lines if rows)


def test_without_records_there_is_no_bar():
    assert bars({}) == []
