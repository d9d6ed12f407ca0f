"""`replay schedule`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import typer

from replay import dates, units
from replay.cli import resolve
from replay.cli.call import LOOK_ONLY, Call
from replay.cli.commands import job_keys
from replay.cli.given import Options
from replay.cli.options.naming import Naming
from replay.cli.options.nights import MissingDays, OnFailure, Retrying
from replay.cli.options.pacing import Pacing
from replay.cli.options.sending import Sending
from replay.cli.options.source import Input
from replay.cli.options.target import Target
from replay.cli.options.watching import Watching
from replay.cli.origins import blamed_on_file, blaming, check_nightly
from replay.cli.terminal import log_lines
from replay.delivery.job_name import safe_name
from replay.errors import ReplayError, UsageError
from replay.nightly import jobfile, missing
from replay.nightly.children import arguments
from replay.nightly.schedule import ScheduledJob, cron_trigger, run

OF_SCHEDULE = frozenset(
    {"cron", "jitter", "catch_up", "retries", "on_failure", "retry_wait", "retry_wait_max", "date", "timezone", "topic",
     "state_dir", "inputs", "missing", "missing_every", "missing_for", "calendar"}
)  # fmt: skip
"""Options that a schedule goes by; those of several jobs in a file are each job's own."""

OWN = frozenset(
    {"from_", "to", "date", "retries", "retry_wait", "retry_wait_max", "on_failure", "missing", "missing_every",
     "missing_for", "cron", "jitter", "catch_up"}
)  # fmt: skip
"""Options that are not those of the replays that it starts."""


def schedule(call: Call) -> None:
    naming, watching = call.of(Naming), call.of(Watching)
    resolve.pace(call.of(Pacing))
    resolve.watch_options(watching, resolve.job_name(naming, date.today()), call.of(Target).topic)
    jobs = _jobs(call)
    for job in jobs:
        _check_run(call, job.args(date.today()))
    report = log_lines()
    for lost in _shared_files(watching, naming) if len(jobs) > 1 else ():
        report.warning(lost)
    raise typer.Exit(run(jobs, report))


def _jobs(call: Call) -> list[ScheduledJob]:
    """One job from the command line, or those of the job file that have a schedule."""
    naming, options = call.of(Naming), call.options
    said = {name: options[name] for name in OF_SCHEDULE}
    check_nightly(options.file)
    rest = options.arguments(without=OWN | {"job"})
    if naming.config is None or naming.job is not None:
        name = resolve.job_name(naming)
        _check(call, resolve.job_name(naming, date.today()))
        return [_scheduled(said, rest, name.job)]
    file = jobfile.read(Path(naming.config))
    jobs = []
    for job in file.jobs:
        values = file.values(job or None, sorted(job_keys()))
        if "cron" in values or said["cron"] is not None:
            check_nightly(values)
            of_file = {k: v for k, v in values.items() if k in said and options.by_field[k].is_default}
            try:
                jobs.append(_scheduled({**said, **{k: v.value for k, v in of_file.items()}}, rest, job or None))
            except ReplayError as error:
                raise blamed_on_file(error, of_file) from None
    if not jobs:
        raise UsageError("no job has a schedule", where=naming.config, todo='give one a line like cron = "0 2 * * *"')
    return jobs


def _check(call: Call, name: Any) -> None:
    """Options are checked now, not at night."""
    source = resolve.source_options(call.of(Input), name)
    resolve.run_options(call.of(Sending), name, source, resolve.kafka_options(call.of(Target), name))


def _check_run(call: Call, args: Sequence[str]) -> None:
    """Look at the options of a `replay run` that is to come: what cannot work is refused now, and not at night."""
    root = call.context.find_root()
    command = root.command.commands[args[0]]  # type: ignore[attr-defined]  # it is a group
    with command.make_context(args[0], list(args[1:]), parent=root) as later:
        later.meta[LOOK_ONLY] = True
        options: Options = command.invoke(later)
    of = Call(options, call.console, call.context).of
    with blaming(options):
        name = resolve.job_name(of(Naming))
        kafka = resolve.kafka_options(of(Target), name)
        resolve.run_options(of(Sending), name, resolve.source_options(of(Input), name), kafka)
        resolve.pace(of(Pacing))
        resolve.watch_options(of(Watching), name, kafka.topic)


def _shared_files(watching: Watching, naming: Naming) -> list[str]:
    """What is lost where several jobs write the same files, by an option or by what stands outside all jobs."""
    file = jobfile.read(Path(naming.config or ""))
    common = {key.replace("-", "_"): str(value) for key, value in file.common.items()}
    return resolve.shared_by_jobs(
        Watching(
            metrics_textfile=watching.metrics_textfile or common.get("metrics_textfile"),
            summary_json=watching.summary_json or common.get("summary_json"),
            report=watching.report or common.get("report"),
        )
    )


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
    day = str(said["date"] or "yesterday")
    dates.parse_date(day, date.today())
    state_dir = resolve.job_name(Naming(state_dir=str(said["state_dir"] or ""))).state_dir / safe_name(job or topic)
    chosen = ["--job", job] if job is not None else []
    inputs = jobfile.texts(said["inputs"] or [])
    return ScheduledJob(
        name=job or topic,
        trigger=cron_trigger(str(cron), timezone, units.parse_duration_s(str(said["jitter"]), "--jitter")),
        date_text=day,
        args=lambda day: arguments(day, *chosen, *rest),
        has_input=partial(missing.has_files, inputs),
        missing=resolve.missing_days(MissingDays(**{each.name: said[each.name] for each in fields(MissingDays)})),
        state_dir=state_dir,
        catch_up=int(said["catch_up"]),
        retries=resolve.retries(Retrying(str(said["retry_wait"]), str(said["retry_wait_max"])), int(said["retries"])),
        go_on=said["on_failure"] == OnFailure.GO_ON,
    )
