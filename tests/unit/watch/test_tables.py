"""Tables for people."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from rich.console import Console
from rich.table import Table

from replay.watch.status import ReplayState, status
from replay.watch.tables import history_table, rough, status_table
from tests.unit.watch.history.test_database import T0, run
from tests.unit.watch.test_status import NOW, PLACE, saved


def shown(table: Table) -> str:
    console = Console(width=200, file=open(os.devnull, "w"), record=True)  # noqa: SIM115
    with console.file:
        console.print(table)
    return console.export_text()


def test_the_table_shows_it_and_names_cannot_break_it():
    """Broken: a job called [red] would vanish, a control character reach the terminal."""
    told = status(PLACE, saved(), run(done_row=400, rows=1_000, rows_per_s=101.8, acked_s=NOW - 3), NOW)
    failed = replace(told, of_rows=None, state=ReplayState.FAILED, detail="exit 5: [a]")
    text = shown(status_table([replace(told, job="[red]x\x1b"), failed], NOW))
    for part in ("[red]x\\x1b", "2026-11-22", "running", "504 of 1,010", "102/s", "5 s", "3 s ago", "50 s ago", "[a]"):
        assert part in text


def test_rows_that_were_never_sent_are_shown_as_that():
    """Broken: a selection looks like rows that are still to come."""
    told = status(PLACE, saved(), run(), NOW)
    told = replace(told, in_topic_rows=408, not_selected_rows=260, bad_rows=36, of_rows=1_210)
    assert "408 in topic, 260 not selected, 36 bad, of 1,210" in shown(status_table([told], NOW))


def test_names_cannot_break_the_table_of_the_past():
    """Broken: a job or a reason with brackets in it vanishes, or ends `replay history` with a traceback."""
    ended = run(job="[red]x", ended_s=T0 + 60, exit_code=5, reason="[/x]: no broker")
    text = shown(history_table([ended], NOW))
    assert "[red]x" in text
    assert "exit 5: [/x]: no broker" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0 s"), (89, "89 s"), (120, "2 min"), (5_399, "90 min"), (7_200, "2 h"), (2e5, "2 d")],
)
def test_rough(seconds, text):
    """Broken: an age without a unit, or one that takes a second look."""
    assert rough(seconds) == text
