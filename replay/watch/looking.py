"""`replay status` and `replay history`: look, and show. Light imports only: monitors call this every minute."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.live import Live
from rich.table import Table

from replay.errors import ExitCode
from replay.output import Results
from replay.watch.history import History, HistoryUnreadable
from replay.watch.runs import Run
from replay.watch.status import Status, as_json, collect, older_than
from replay.watch.status_table import rough, table

HISTORY = "history.sqlite"  # as in watching.py, which is not light


def show_status(
    state_dir: Path,
    named: Sequence[Path],
    job: str | None,
    out: Results,
    *,
    as_json: bool,
    interval_s: float | None,
    age_s: float | None,
) -> None:
    """Once, or again and again; exit 1 where a job's last success is too old."""
    history = History(state_dir / HISTORY)
    if interval_s is not None:
        with Live(console=out.console, auto_refresh=False) as live:
            while True:
                live.update(table(_look(state_dir, history, named, job), time.time()), refresh=True)
                time.sleep(interval_s)
    statuses = _look(state_dir, history, named, job)
    if as_json:
        out.write(_json(statuses))
    elif statuses:
        out.show(table(statuses, time.time()))
    else:
        typer.echo(f"no replay is known in {state_dir}", err=True)
    if age_s is not None:
        _fail_if_stale(statuses, history, age_s)


def _look(state_dir: Path, history: History, named: Sequence[Path], job: str | None) -> list[Status]:
    statuses, troubles = collect(state_dir, history, time.time(), named)
    for trouble in troubles:
        typer.echo(trouble, err=True)
    return [each for each in statuses if job in (None, each.job)]


def _json(statuses: Sequence[Status]) -> str:
    return json.dumps(as_json(statuses), indent=1)


def _fail_if_stale(statuses: Sequence[Status], history: History, age_s: float) -> None:
    try:
        successes = history.last_successes()
    except HistoryUnreadable:
        successes = {}
    stale = older_than(statuses, age_s, time.time(), successes)
    for each in stale:
        typer.echo(
            f"{each.job}: last success {rough(each.age_s) + ' ago' if each.age_s is not None else 'never'}", err=True
        )
    if stale or not statuses:
        raise typer.Exit(ExitCode.DIFFERENT)


def show_history(state_dir: Path, job: str | None, limit: int, out: Results, *, as_json: bool) -> None:
    runs = History(state_dir / HISTORY).runs(job=job, limit=limit)
    if as_json:
        out.write(json.dumps([asdict(run) for run in runs], indent=1, default=str))
        return
    made = Table("began (UTC)", "job", "date", "outcome", "rows", "delivered", "took", "run")
    for run in runs:
        made.add_row(*_cells(run))
    out.show(made)


def _cells(run: Run) -> tuple[Any, ...]:
    began = datetime.fromtimestamp(run.started_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    took = rough(run.ended_s - run.started_s) if run.ended_s is not None else ""
    outcome = "running" if run.is_running(time.time()) else "interrupted"
    if run.exit_code is not None:
        outcome = f"exit {run.exit_code}: {run.reason}" if run.exit_code else "done"
    rows = run.counts.told_shortly().removesuffix(" rows") if run.counts is not None else ""
    delivered = f"{run.delivered_rows:,}" if run.delivered_rows is not None else ""
    return began, run.job, run.date or "", outcome, rows, delivered, took, run.run_id[:8]
