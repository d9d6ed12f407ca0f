"""`replay check`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from replay import dates
from replay.check import finding, job
from replay.check.finding import Finding, Verdict
from replay.check.job import Later
from replay.cli import resolve
from replay.cli.call import Call, stop_on_signals
from replay.cli.given import Options, of_job
from replay.cli.origins import blaming
from replay.delivery.job_name import JobName
from replay.delivery.options import RunOptions
from replay.errors import BEGIN_ANEW, ExitCode, ReplayError, UsageError, printable
from replay.nightly import jobfile
from replay.nightly.due import Missing
from replay.reporter import Reporter

OPTIONS = "options"


def check(call: Call) -> None:
    """Look at each job, show all that is found, and leave with the exit code of the worst of it."""
    stop = stop_on_signals(BEGIN_ANEW)
    found = {name: list(_checked(said, stop.check)) for name, said in _jobs(call.options)}
    code = finding.exit_code(each for findings in found.values() for each in findings)
    jobs = [{"job": name, "findings": [each.as_json() for each in findings]} for name, findings in found.items()]
    call.show({"exit_code": int(code), "jobs": jobs}, Group(*(_table(name, each) for name, each in found.items())))
    raise typer.Exit(code)


def before_many(said: Options, options: RunOptions, name: JobName, report: Reporter) -> None:
    """Once, before the first of many replays: what is not well is a warning. Raises `UsageError` where the cluster
    would refuse them: that does not heal by itself, and somebody is there who can see to it. What is away may come
    back, as may files of the input, and a topic with a name of each day."""
    refused = None
    later = Later(files=True, topic=dates.has_date(said["topic"] or ""))
    for each in job.check(options, lambda: None, later):  # a signal ends the process: nothing is under way
        if each.exit_code is ExitCode.USAGE:
            refused = refused or each
        if each.verdict is not Verdict.OK:
            report.warning(f"check of {name.job or options.kafka.topic}: {each}")
    if refused is not None:
        raise UsageError(refused.found, where=refused.what, todo=refused.todo)


def _jobs(options: Options) -> Iterator[tuple[str, Callable[[], Options]]]:
    """The one that is named; else all those of the job file. By name, and how its options are got."""
    file = jobfile.read(Path(options["config"])) if options["config"] is not None else None
    if file is None or options["job"] is not None or len(file.jobs) <= 1:
        yield options["job"] or next(iter(file.jobs if file else ()), "") or options["topic"] or "", lambda: options
        return
    for name in file.jobs:
        yield name, partial(of_job, options, file, name)


def _checked(said: Callable[[], Options], check_stop: Callable[[], None]) -> Iterator[Finding]:
    """What is found of one job. Options that cannot work are found, too: the other jobs are looked at."""
    try:
        options = said()
        with blaming(options):
            name = _dated(options)
            made, absent = resolve.whole_run(options, name)
            if options["embedded"]:
                todo = "name a broker, with --bootstrap-servers"
                raise UsageError("a broker inside the process is new each time", where="--embedded", todo=todo)
            resolve.watch_options(options, name, made.kafka.topic)
    except ReplayError as error:
        yield finding.of_error(OPTIONS, error)
        return
    may_come = name.day is not None and (absent.how is not Missing.FAIL or absent.is_off(name.day))
    yield from job.check(made, check_stop, Later(files=may_come))


def _dated(options: Options) -> JobName:
    """A job of every night that names no date is looked at as of the day before: the one that comes next."""
    name = resolve.job_name(options)
    if name.day is None and any(map(dates.has_date, (*(options["inputs"] or ()), options["topic"] or ""))):
        return replace(name, day=dates.today_in(name.timezone, time.time()) - timedelta(days=1))
    return name


def _table(name: str, findings: list[Finding]) -> Table:
    table = Table("what", "found", "", "what to do", title=Text(printable(name)), title_justify="left")
    for each in findings:
        table.add_row(*(Text(printable(text)) for text in (each.what, each.found, each.verdict, each.todo)))
    return table
