"""A plan as tables: sizes and the histogram."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from replay.cli.plan_tables import BARS_MAX, bars, cell, size_text


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


def test_names_from_files_are_shown_as_they_are_and_no_more():
    """Broken: a symbol clears the screen, is taken for rich's markup, or fills the terminal for minutes."""
    evil = "[red]a[/red]\x1b[2J\u202e:smile:"
    stream = io.StringIO()
    console = Console(file=stream, width=900)
    console.print(cell(evil))
    console.print(cell("x" * (1 << 20)))
    text = stream.getvalue()
    assert r"[red]a[/red]\x1b[2J\u202e:smile:" in text
    assert text.replace("\n", "").isprintable()
    assert "1,048,076 characters left out" in text
    assert len(text) < 1_000
