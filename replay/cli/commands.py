"""`replay backfill` and `replay schedule`: from options to what is run, and what is told of it at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import typer

from replay import dates, units
from replay.cli.options import (
    Input,
    JobName,
    MissingDays,
    Naming,
    Retrying,
    Sending,
    Target,
    Watching,
    as_arguments,
    safe_name,
)
from replay.cli.origins import ALL_FROM_FILE, blamed_on_file, check_nightly, is_default, job_options
from replay.errors import ReplayError, UsageError
from replay.model import SystemClock
from replay.nightly import backfill, children, due, jobfile, missing
from replay.nightly.backfill import Backfill
from replay.nightly.schedule import ScheduledJob, Scheduler, cron_trigger
from replay.nightly.waiting import Waiting
from replay.reporter import Reporter
from replay.signals import Stop

OWN = frozenset(
    {
        "from_",
        "to",
        "date",
        "retries",
        "retry_wait",
        "retry_wait_max",
        "on_failure",
        "missing",
        "missing_every",
        "missing_for",
        "newest_first",
        "parallel",
        "cron",
        "jitter",
        "catch_up",
    }
)
"""Parameters that are not those of the replays that a command starts."""

PrintPairs = Callable[[list[tuple[str, str]]], None]


def backfill_plan(
    context: typer.Context,
    source: Input,
    naming: Naming,
    topic: str | None,
    *,
    retries: due.Retries,
    absent: missing.Policy,
    go_on: bool,
    newest_first: bool,
    parallel: int,
) -> tuple[Backfill, list[date]]:
    """What to do for each day, and the days in their order."""
    check_nightly(context.meta.get(ALL_FROM_FILE, {}))
    days = due.days_between(source.from_, source.to, dates.today_in(naming.timezone, time.time()))
    inputs = tuple(source.inputs or ())
    backfill.check_parallel(parallel, topic)
    rest = as_arguments(context, OWN)

    def args(day: date) -> list[str]:
        selected = backfill.selection_of(day, inputs, naming.timezone)
        return ["run", "--date", str(day), "--missing", "fail", *selected, *rest]

    def checkpoint(day: date) -> Path:
        name = naming.parsed(day)
        given = context.params.get("checkpoint")
        return Path(name.dated(given, "--checkpoint")) if given else _checkpoint(name, topic)

    if newest_first:
        days.reverse()
    has_input = partial(missing.has_files, inputs)
    plan = Backfill(args, checkpoint, has_input, retries, absent, go_on, parallel, naming.job or topic)
    return plan, days


def look_before_run(source: Input, day: date, policy: missing.Policy, report: Reporter, stop: Stop) -> missing.Found:
    """The same for `replay run`. Raises `Stopped`."""
    there = partial(missing.has_files, source.inputs or ())
    found = missing.look_for(day, there, policy, report, Waiting(SystemClock(), lambda: stop.signals > 0))
    stop.check()
    return found


def run_backfill(plan: Backfill, days: Sequence[date], report: Reporter, print_pairs: PrintPairs) -> int:
    """All days; a line for each at the end, and the exit code."""
    family = children.Children(SystemClock())
    children.stop_on_signals(family)
    ended = backfill.run_days(plan, days, family, report)
    print_pairs([(str(day.day), str(day)) for day in ended])
    return backfill.exit_code(ended, family)


def scheduled_jobs(
    context: typer.Context,
    source: Input,
    naming: Naming,
    target: Target,
    sending: Sending,
    topic: str | None,
    cron: str | None,
    jitter: str,
    catch_up: int,
    retries: int,
    retrying: Retrying,
    on_failure: str,
    absent: MissingDays,
) -> list[ScheduledJob]:
    """One job from the command line, or those of the job file that have a schedule."""
    said = {
        "cron": cron, "jitter": jitter, "catch_up": catch_up, "retries": retries, "on_failure": on_failure,
        "retry_wait": retrying.retry_wait, "retry_wait_max": retrying.retry_wait_max,
        "date": naming.date, "timezone": naming.timezone, "topic": topic, "state_dir": naming.state_dir,
        "inputs": source.inputs, **vars(absent),
    }  # fmt: skip
    check_nightly(context.meta.get(ALL_FROM_FILE, {}))
    rest = as_arguments(context, OWN | {"job"})
    if naming.config is None or naming.job is not None:
        name = naming.parsed()
        some_day = naming.parsed(date.today())  # options are checked now, not at night
        sending.parsed(some_day, source.parsed(some_day), target.parsed(topic, some_day))
        return [_scheduled(said, rest, name.job)]
    file = jobfile.read(Path(naming.config))
    jobs = []
    for job in file.jobs:
        values = file.values(job or None, job_options(context.find_root().command))
        if "cron" in values or cron is not None:
            check_nightly(values)
            from_file = {k: v for k, v in values.items() if k in said and is_default(context, k)}
            try:
                jobs.append(_scheduled({**said, **{k: v.value for k, v in from_file.items()}}, rest, job or None))
            except ReplayError as error:
                raise blamed_on_file(error, from_file) from None
    if not jobs:
        raise UsageError("no job has a schedule", where=naming.config, todo='give one a line like cron = "0 2 * * *"')
    return jobs


def shared_files(watching: Watching, naming: Naming) -> list[str]:
    """What is lost where several jobs are told the same files, by an option or by what stands outside all jobs."""
    file = jobfile.read(Path(naming.config or ""))
    common = {key.replace("-", "_"): str(value) for key, value in file.common.items()}
    return Watching(
        metrics_textfile=watching.metrics_textfile or common.get("metrics_textfile"),
        summary_json=watching.summary_json or common.get("summary_json"),
        report=watching.report or common.get("report"),
    ).shared_by_jobs()


def run_schedule(jobs: Sequence[ScheduledJob], report: Reporter) -> int:
    family = children.Children(SystemClock())
    scheduler = Scheduler(jobs, family, report)
    children.stop_on_signals(family, scheduler.stop)
    return scheduler.run()


def _scheduled(said: Mapping[str, Any], rest: Sequence[str], job: str | None) -> ScheduledJob:
    cron, topic = said["cron"], said["topic"]
    if not cron:
        raise UsageError("when?", where="--cron", todo='give a schedule such as --cron "0 2 * * *"')
    if topic is None:
        raise UsageError("which topic?", where="--topic", todo="name it with --topic, or in the job file")
    if job is None and dates.has_date(topic):
        raise UsageError(
            "the job needs a name", where="--job", todo="its topic has another name each day: give --job NAME"
        )
    timezone = str(said["timezone"])
    dates.today_in(timezone, time.time())
    told = str(said["date"] or "yesterday")
    dates.parse_date(told, date.today())
    state_dir = Naming(state_dir=str(said["state_dir"] or "")).parsed().state_dir / safe_name(job or topic)
    chosen = ["--job", job] if job is not None else []
    inputs = jobfile.texts(said["inputs"] or [])
    return ScheduledJob(
        name=job or topic,
        trigger=cron_trigger(str(cron), timezone, units.parse_duration_s(str(said["jitter"]), "--jitter")),
        told=told,
        args=lambda day: ["run", *chosen, "--date", str(day), "--missing", "fail", *rest],
        has_input=partial(missing.has_files, inputs),
        missing=MissingDays(**{each.name: said[each.name] for each in fields(MissingDays)}).parsed(),
        state_dir=state_dir,
        catch_up=int(said["catch_up"]),
        retries=Retrying(str(said["retry_wait"]), str(said["retry_wait_max"])).parsed(int(said["retries"])),
        go_on=said["on_failure"] == "go-on",
    )


def _checkpoint(name: JobName, topic: str | None) -> Path:
    if topic is None:
        raise UsageError("which topic?", where="--topic", todo="name it with --topic, or in a job file (--config)")
    return name.checkpoint(name.dated(topic, "--topic"))
