"""`replay status`. Light imports only: monitors call it every minute."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import typer

from replay.cli.call import Call
from replay.cli.options.looking import Output
from replay.cli.output import Results
from replay.delivery.job_name import state_folder
from replay.errors import ExitCode
from replay.watch.history.database import History
from replay.watch.status import Status, collect, older_than
from replay.watch.tables import rough, status_table


def status(call: Call) -> None:
    """Once, or again and again. With JSON: one document, or one a look, each in a line. Exit 1 where a job's last
    success is too old, also in the middle of watching."""
    given = call.options
    interval_s, age_s = given.read("watch"), given.read("fail_if_older_than")
    state_dir = state_folder(given["state_dir"])
    named = [Path(each) for each in given["checkpoints"] or []]
    history = History.in_folder(state_dir)

    def look() -> list[Status]:
        statuses, troubles = collect(state_dir, history, time.time(), named)
        for trouble in troubles:
            typer.echo(trouble, err=True)
        return [each for each in statuses if given["job"] in (None, each.job)]

    with ExitStack() as stack:
        as_json = given["output"] is Output.JSON
        show = _show(call.results, state_dir, as_json=as_json, live=stack if interval_s is not None else None)
        statuses = show(look())
        while interval_s is not None and not (age_s is not None and _stale(statuses, history, age_s)):
            time.sleep(interval_s)
            statuses = show(look())
    if age_s is not None:
        _fail_if_stale(statuses, history, age_s)


def _show(
    out: Results, state_dir: Path, *, as_json: bool, live: ExitStack | None
) -> Callable[[list[Status]], list[Status]]:
    """How each look is shown, once or, where there is `live`, again and again; it gives back what it showed."""
    table_in = None
    if live is not None and not as_json:
        drawing = import_module("rich.live")  # nobody else waits for it
        table_in = live.enter_context(drawing.Live(console=out.console, auto_refresh=False))

    def show(statuses: list[Status]) -> list[Status]:
        if as_json:
            text = json.dumps([asdict(each) for each in statuses], indent=1 if live is None else None)
            if not out.write(text) and live is not None:
                raise BrokenPipeError  # the reader has gone
        elif table_in is not None:
            table_in.update(status_table(statuses, time.time()), refresh=True)
        elif statuses:
            out.show(status_table(statuses, time.time()))
        else:
            typer.echo(f"no replay is known in {state_dir}", err=True)
        return statuses

    return show


def _stale(statuses: Sequence[Status], history: History, age_s: float) -> dict[str, float | None]:
    """Jobs to be alarmed about; where no job is known at all, that is one without a name."""
    return older_than(statuses, age_s, time.time(), history.last_successes()) if statuses else {"": None}


def _fail_if_stale(statuses: Sequence[Status], history: History, age_s: float) -> None:
    stale = _stale(statuses, history, age_s)
    for job, ago_s in stale.items() if statuses else ():
        typer.echo(f"{job}: last success {rough(ago_s) + ' ago' if ago_s is not None else 'never'}", err=True)
    if stale:
        raise typer.Exit(ExitCode.STALE)
