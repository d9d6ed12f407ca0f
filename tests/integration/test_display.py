"""What reaches a pipe or a plain terminal: lines, no drawing, and nothing that its encoding cannot show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.process import Jobs
from tests.support.scenario import make_trades

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_trades(tmp_path / "trades", 1_000).folder


def test_colours_that_are_forced_draw_no_bar_into_a_pipe(folder: Path, jobs: Jobs) -> None:
    """Broken: a CI system sets FORCE_COLOR: its log is full of cursor codes, and no progress line is ever written."""
    args = ["run", str(folder), "--topic", "t", "--embedded", "--rate", "500/s", "--progress-seconds", "0.2"]
    job = jobs.start(args, env={"FORCE_COLOR": "1", "TERM": "xterm-256color"})
    assert job.wait() == 0, job.log
    assert "\x1b" not in job.log
    assert job.log.count("replaying: ") >= 3, job.log


def test_forced_colours_do_not_cut_tables(folder: Path, jobs: Jobs) -> None:
    """Broken: in a pipe that is coloured, a table is as wide as a terminal of 80 columns, and paths lose their ends."""
    plain, coloured = (
        jobs.start(["plan", str(folder)], env=more) for more in ({}, {"FORCE_COLOR": "1", "TERM": "xterm"})
    )
    assert (plain.wait(), coloured.wait()) == (0, 0)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured.output) == plain.output


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_histogram_can_be_drawn_without_unicode(encoding: str, folder: Path, jobs: Jobs) -> None:
    """Broken: bars of \\u2588\\u2588\\u2588, six characters for one."""
    job = jobs.start(["plan", str(folder), "--scan"], env={"PYTHONIOENCODING": encoding})
    assert job.wait() == 0, job.log
    assert "#" * 40 in job.output
    assert "\\u" not in job.output
