"""`replay status` and `replay history`: look, and show. Light imports only: monitors call this every minute."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.live import Live
from rich.table import Table

from replay.cli.output import Results
from replay.errors import ExitCode
from replay.watch.history.database import History, HistoryUnreadable
from replay.watch.history.records import RunRecord
from replay.watch.status.collect import collect
from replay.watch.status.states import Stale, Status, as_json, older_than
from replay.watch.status.table import rough, table


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
    """Once, or again and again. `as_json`: one document, or one a look, each in a line. Exit 1 where a job's last
    success is too old, also in the middle of watching."""
    history = History.in_folder(state_dir)
    with ExitStack() as stack:
        show = _show(out, state_dir, as_json=as_json, live=stack if interval_s is not None else None)
        statuses = show(_look(state_dir, history, named, job))
        while interval_s is not None and not (age_s is not None and _stale(statuses, history, age_s)):
            time.sleep(interval_s)
            statuses = show(_look(state_dir, history, named, job))
    if age_s is not None:
        _fail_if_stale(statuses, history, age_s)


def _show(
    out: Results, state_dir: Path, *, as_json: bool, live: ExitStack | None
) -> Callable[[list[Status]], list[Status]]:
    """How each look is shown, once or, where there is `live`, again and again; it gives back what it showed."""
    table_in = Live(console=out.console, auto_refresh=False) if live is not None and not as_json else None
    if live is not None and table_in is not None:
        live.enter_context(table_in)

    def show(statuses: list[Status]) -> list[Status]:
        if as_json:
            if not out.write(_json(statuses, in_a_line=live is not None)) and live is not None:
                raise BrokenPipeError  # whoever read has gone
        elif table_in is not None:
            table_in.update(table(statuses, time.time()), refresh=True)
        elif statuses:
            out.show(table(statuses, time.time()))
        else:
            typer.echo(f"no replay is known in {state_dir}", err=True)
        return statuses

    return show


def _look(state_dir: Path, history: History, named: Sequence[Path], job: str | None) -> list[Status]:
    statuses, troubles = collect(state_dir, history, time.time(), named)
    for trouble in troubles:
        typer.echo(trouble, err=True)
    return [each for each in statuses if job in (None, each.job)]


def _json(statuses: Sequence[Status], *, in_a_line: bool) -> str:
    return json.dumps(as_json(statuses), indent=None if in_a_line else 1)


def _stale(statuses: Sequence[Status], history: History, age_s: float) -> list[Stale]:
    """Jobs to be alarmed about; where no job is known at all, that is one without a name."""
    try:
        successes = history.last_successes()
    except HistoryUnreadable:
        successes = {}
    return older_than(statuses, age_s, time.time(), successes) if statuses else [Stale("", None)]


def _fail_if_stale(statuses: Sequence[Status], history: History, age_s: float) -> None:
    stale = _stale(statuses, history, age_s)
    for each in stale if statuses else ():
        typer.echo(
            f"{each.job}: last success {rough(each.age_s) + ' ago' if each.age_s is not None else 'never'}", err=True
        )
    if stale:
        raise typer.Exit(ExitCode.STALE)


def show_history(state_dir: Path, job: str | None, limit: int, out: Results, *, as_json: bool) -> None:
    runs = History.in_folder(state_dir).runs(job=job, limit=limit)
    if as_json:
        out.write(json.dumps([asdict(run) for run in runs], indent=1, default=str))
        return
    made = Table("began (UTC)", "job", "date", "outcome", "rows", "delivered", "took", "run")
    for run in runs:
        made.add_row(*_cells(run))
    out.show(made)


def _cells(run: RunRecord) -> tuple[Any, ...]:
    began = datetime.fromtimestamp(run.started_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    took = rough(run.ended_s - run.started_s) if run.ended_s is not None else ""
    outcome = "running" if run.is_running(time.time()) else "interrupted"
    if run.exit_code is not None:
        outcome = f"exit {run.exit_code}: {run.reason}" if run.exit_code else "done"
    rows = run.counts.short_text().removesuffix(" rows") if run.counts is not None else ""
    delivered = f"{run.delivered_rows:,}" if run.delivered_rows is not None else ""
    return began, run.job, run.date or "", outcome, rows, delivered, took, run.run_id[:8]
