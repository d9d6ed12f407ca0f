"""`replay backfill`."""

from __future__ import annotations

import time
from datetime import date
from functools import partial
from pathlib import Path

import typer

from replay import dates
from replay.cli import resolve
from replay.cli.call import Call
from replay.cli.check_cmd import before_many
from replay.cli.options.nights import OnFailure
from replay.cli.origins import check_nightly
from replay.cli.output import pairs, write_if_possible
from replay.cli.terminal import log_lines
from replay.nightly import backfill as nightly
from replay.nightly import children, due, missing


def backfill(call: Call) -> None:
    plan, days = _plan(call)
    # What the days have in common is checked once, before the first of them begins.
    options = call.options
    first = resolve.job_name(options, days[0])
    made = resolve.run_options(options.changed(from_=None, to=None), first)
    resolve.watch_options(options, first, options["topic"])
    report = log_lines()
    if options["preflight"]:
        before_many(options, made, first, report)
    for lost in resolve.lost_between_days(options) if len(days) > 1 else ():
        report.warning(lost)
    ended, code = nightly.run(plan, days, report)
    write_if_possible(pairs([(str(day.day), str(day)) for day in ended]))
    raise typer.Exit(code)


def _plan(call: Call) -> tuple[nightly.Backfill, list[date]]:
    """What to do for each day, and the days in their order."""
    options = call.options
    topic, timezone = options["topic"], options["timezone"]
    retries = resolve.retries(options)
    absent = resolve.missing_days(options)
    check_nightly(options.file)
    days = due.days_between(options["from_"], options["to"], dates.today_in(timezone, time.time()))
    inputs = tuple(options["inputs"] or ())
    nightly.check_parallel(options["parallel"], topic)
    nightly.check_checkpoint(options["checkpoint"], days)
    rest = options.arguments("from_", "to")

    def args(day: date) -> list[str]:
        return children.arguments(day, *nightly.selection_of(day, inputs, timezone), *rest)

    def checkpoint(day: date) -> Path:
        return resolve.job_name(options, day).checkpoint(topic or "", options["checkpoint"])

    if options["newest_first"]:
        days.reverse()
    plan = nightly.Backfill(
        args,
        checkpoint,
        partial(missing.has_files, inputs),
        retries,
        absent,
        options["on_failure"] is OnFailure.GO_ON,
        options["parallel"],
        options["job"] or topic,
    )
    return plan, days
