"""`replay schedule`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import typer

from replay import dates
from replay.cli import resolve
from replay.cli.call import LOOK_ONLY, Call
from replay.cli.commands import job_keys
from replay.cli.given import Options, of_job
from replay.cli.options.declare import read
from replay.cli.options.naming import Naming
from replay.cli.options.nights import MissingDays, OnFailure, Retrying, Scheduling
from replay.cli.options.pacing import Pacing
from replay.cli.options.sending import Sending
from replay.cli.options.source import Input
from replay.cli.options.target import Target
from replay.cli.options.watching import Watching
from replay.cli.origins import blaming, check_nightly
from replay.cli.terminal import log_lines
from replay.delivery.job_name import safe_name, state_folder
from replay.errors import UsageError
from replay.nightly import jobfile, missing
from replay.nightly.children import arguments
from replay.nightly.schedule import ScheduledJob, cron_trigger, run

OWN = frozenset(
    {"date", "retries", "retry_wait", "retry_wait_max", "on_failure", "missing", "missing_every",
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
    check_nightly(options.file)
    rest = options.arguments(without=OWN | {"job"})
    if naming.config is None or naming.job is not None:
        name = resolve.job_name(naming)
        _check(call, resolve.job_name(naming, date.today()))
        return [_scheduled(options, rest, name.job)]
    file = jobfile.read(Path(naming.config))
    jobs = []
    for job in file.jobs:
        if options["cron"] is not None or "cron" in file.values(job or None, sorted(job_keys())):
            said = of_job(options, file, job or None)
            check_nightly(said.file)
            with blaming(said):
                jobs.append(_scheduled(said, rest, job or None))
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


def _scheduled(said: Options, rest: Sequence[str], job: str | None) -> ScheduledJob:
    cron, topic = said["cron"], said["topic"]
    if not cron:
        raise UsageError("when?", where="--cron", todo='give a schedule such as --cron "0 2 * * *"')
    if topic is None:
        raise UsageError("which topic?", where="--topic", todo="name it with --topic, or in the job file")
    if job is None and dates.has_date(topic):
        raise UsageError(
            "the job needs a name", where="--job", todo="its topic has another name each day: give --job NAME"
        )
    naming, scheduling = said.of(Naming), said.of(Scheduling)
    dates.today_in(naming.timezone, time.time())
    day = naming.date or "yesterday"
    dates.parse_date(day, date.today())
    chosen = ["--job", job] if job is not None else []
    return ScheduledJob(
        name=job or topic,
        trigger=cron_trigger(cron, naming.timezone, read(scheduling, "jitter")),
        date_text=day,
        args=lambda day: arguments(day, *chosen, *rest),
        has_input=partial(missing.has_files, said["inputs"] or []),
        missing=resolve.missing_days(said.of(MissingDays)),
        state_dir=state_folder(naming.state_dir) / safe_name(job or topic),
        catch_up=scheduling.catch_up,
        retries=resolve.retries(said.of(Retrying), scheduling.retries),
        go_on=scheduling.on_failure is OnFailure.GO_ON,
    )
