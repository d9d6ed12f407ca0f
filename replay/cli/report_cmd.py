"""`replay report`."""

from __future__ import annotations

import time
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from replay import dates
from replay.cli.call import Call
from replay.cli.options.looking import Page
from replay.delivery.job_name import state_folder
from replay.errors import UsageError
from replay.watch.around import write_page
from replay.watch.history.database import History
from replay.watch.report import page as html_report


def report(call: Call) -> None:
    given = call.options.of(Page)
    html_report.check_installed()
    today = dates.today_in(given.timezone, time.time())
    day = str(dates.parse_date(given.day, today)) if given.day is not None else None
    path = Path(given.out or "-".join(filter(None, (given.job, day))) + ".html")
    history = History.in_folder(state_folder(call.options["state_dir"]))
    try:
        write_page(history, given.job, day, path, time.time(), ZoneInfo(given.timezone))
    except OSError as error:
        raise UsageError(error.strerror or str(error), where=str(path), todo="name another file: --out") from None
    typer.echo(str(path))
