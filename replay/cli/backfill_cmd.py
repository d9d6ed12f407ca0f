"""`replay backfill`."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import typer

from replay import dates
from replay.cli import resolve
from replay.cli.call import Call
from replay.cli.options.naming import Naming
from replay.cli.options.nights import Backfilling, MissingDays, OnFailure, Retrying
from replay.cli.options.pacing import Pacing
from replay.cli.options.sending import Sending
from replay.cli.options.source import Input
from replay.cli.options.target import Target
from replay.cli.options.watching import Watching
from replay.cli.origins import check_nightly
from replay.cli.output import pairs, write_if_possible
from replay.cli.terminal import log_lines
from replay.errors import UsageError
from replay.nightly import backfill as nightly
from replay.nightly import children, due, missing

OWN = frozenset(
    {"from_", "to", "date", "retries", "retry_wait", "retry_wait_max", "on_failure", "missing", "missing_every",
     "missing_for", "newest_first", "parallel"}
)  # fmt: skip
"""Options that are not those of the replays that it starts."""


def backfill(call: Call) -> None:
    plan, days = _plan(call)
    # What the days have in common is checked once, before the first of them begins.
    first = resolve.job_name(call.of(Naming), days[0])
    source = resolve.source_options(replace(call.of(Input), from_=None, to=None), first)
    target = call.of(Target)
    resolve.run_options(call.of(Sending), first, source, resolve.kafka_options(target, first))
    resolve.pace(call.of(Pacing))
    resolve.watch_options(call.of(Watching), first, target.topic)
    report = log_lines()
    for lost in resolve.lost_between_days(call.of(Watching)) if len(days) > 1 else ():
        report.warning(lost)
    ended, code = nightly.run(plan, days, report)
    write_if_possible(pairs([(str(day.day), str(day)) for day in ended]))
    raise typer.Exit(code)


def _plan(call: Call) -> tuple[nightly.Backfill, list[date]]:
    """What to do for each day, and the days in their order."""
    source, naming, given = call.of(Input), call.of(Naming), call.of(Backfilling)
    topic = call.of(Target).topic
    retries = resolve.retries(call.of(Retrying), given.retries)
    absent = resolve.missing_days(call.of(MissingDays))
    check_nightly(call.options.file)
    days = due.days_between(source.from_, source.to, dates.today_in(naming.timezone, time.time()))
    inputs = tuple(source.inputs or ())
    nightly.check_parallel(given.parallel, topic)
    rest = call.options.arguments(without=OWN)

    def args(day: date) -> list[str]:
        return children.arguments(day, *nightly.selection_of(day, inputs, naming.timezone), *rest)

    named = call.of(Sending).checkpoint
    if named and len(days) > 1 and not dates.has_date(named):
        raise UsageError(
            "all days would share one checkpoint, and each but the first would be taken for done",
            where="--checkpoint",
            todo="put {date} into its name, or drop it",
        )

    def checkpoint(day: date) -> Path:
        name = resolve.job_name(naming, day)
        return resolve.checkpoint(name, named, name.dated(topic or "", "--topic"))

    if given.newest_first:
        days.reverse()
    plan = nightly.Backfill(
        args,
        checkpoint,
        partial(missing.has_files, inputs),
        retries,
        absent,
        given.on_failure is OnFailure.GO_ON,
        given.parallel,
        naming.job or topic,
    )
    return plan, days
