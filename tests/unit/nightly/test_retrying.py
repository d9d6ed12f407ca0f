"""How long to wait before a retry: from the command line, variables and job files to the plan."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from replay.cli import schedule_cmd
from replay.cli.app import app
from replay.nightly import backfill
from replay.nightly.backfill import Day, DayState
from replay.nightly.due import Retries

JOBS = """
retry-wait = "30s"
[jobs.fast]
inputs = "in/{date}.parquet"
topic = "fast"
cron = "0 2 * * *"
retries = 9
retry-wait-max = "1m"
[jobs.slow]
inputs = "in/{date}.parquet"
topic = "slow"
cron = "0 3 * * *"
[kafka]
"bootstrap.servers" = "localhost:9092"
"""


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be run, instead of running it."""
    found: list[Any] = []

    def run_schedule(jobs: Any, _: Any) -> int:
        found.extend(jobs)
        return 0

    def run_backfill(plan: Any, *_: Any) -> tuple[list[Any], int]:
        found.append(plan)
        return [Day(date(2026, 11, 1), DayState.WAITING)], 0

    monkeypatch.setattr(schedule_cmd, "run", run_schedule)
    monkeypatch.setattr(backfill, "run", run_backfill)
    return found


def test_each_job_of_a_file_waits_as_it_says(tmp_path: Path, planned: list[Any]) -> None:
    """Broken: a job that asked for patience would be tried every ten seconds all night."""
    path = tmp_path / "jobs.toml"
    path.write_text(JOBS)
    done = CliRunner().invoke(app, ["schedule", "--config", str(path)])
    assert done.exit_code == 0, done.output
    assert {job.name: job.retries for job in planned} == {
        "fast": Retries(9, 30.0, 60.0),
        "slow": Retries(5, 30.0, 600.0),
    }


def test_a_variable_wins_over_the_file_and_an_option_over_both(
    tmp_path: Path, planned: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: the backfill of an afternoon could not be told to hurry, or would hand its waits on to `replay run`."""
    path = tmp_path / "jobs.toml"
    path.write_text(JOBS)
    monkeypatch.setenv("REPLAY_RETRY_WAIT_MAX", "40s")
    args = ["backfill", "--config", str(path), "--job", "fast", "--from", "-2", "--to", "today", "--retry-wait", "2s"]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output
    (plan,) = planned
    assert plan.retries == Retries(9, 2.0, 40.0)
    assert "--retry-wait" not in plan.args(date(2026, 11, 22))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--report", "x.html"], "--report x.html: each day replaces"),
        (["--summary-json", "x.json"], "--summary-json x.json: each day replaces"),
        (["--summary-json", "-"], "standard output is not shown"),
        (["--report", "x-{date}.html"], ""),
        (["--report", "x.html", "--to", "-1"], ""),
    ],
)
def test_what_each_day_would_overwrite_is_told_before_the_first(args: list[str], says: str, planned: list[Any]) -> None:
    """Broken: of thirty days' reports one is left, and nobody said so."""
    common = ["in/{date}.parquet", "--topic", "t", "--bootstrap-servers", "b:9092", "--from", "-2", "--to", "today",
              "--no-preflight"]  # fmt: skip
    done = CliRunner().invoke(app, ["backfill", *common, *args])
    assert done.exit_code == 0, done.output
    assert planned
    assert (says in done.stderr) if says else "WARNING" not in done.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--retry-wait", "1h"], "is longer than the longest (10m)"),
        (["--retry-wait", "0s"], "--retry-wait"),
        (["--retry-wait-max", "soon"], "--retry-wait-max"),
    ],
)
def test_a_wait_that_cannot_be_meant(args: list[str], says: str, planned: list[Any]) -> None:
    """Broken: a broker that is down would be hammered, or a mistyped wait be found out at night."""
    common = ["in/{date}.parquet", "--topic", "t", "--bootstrap-servers", "b:9092", "--from", "-2", "--to", "today",
              "--no-preflight"]  # fmt: skip
    done = CliRunner().invoke(app, ["backfill", *common, *args])
    assert done.exit_code == 2, done.output
    assert says in done.stderr
    assert not planned
