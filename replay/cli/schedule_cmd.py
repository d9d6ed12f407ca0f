"""`replay schedule`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path

import typer

from replay import dates
from replay.cli import resolve
from replay.cli.call import LOOK_ONLY, Call
from replay.cli.check_cmd import before_many
from replay.cli.commands import job_keys
from replay.cli.given import Options, of_job
from replay.cli.options.nights import OnFailure
from replay.cli.origins import blaming, check_nightly
from replay.cli.terminal import log_lines
from replay.delivery.job_name import JobName, safe_name, state_folder
from replay.delivery.options import RunOptions
from replay.errors import UsageError
from replay.nightly import due, jobfile, missing
from replay.nightly.children import arguments
from replay.nightly.schedule import ScheduledJob, cron_trigger, run


def schedule(call: Call) -> None:
    jobs, report = _jobs(call), log_lines()
    later = [_run_to_come(call, job.args(due.logical_date(job.now(), job.date_text))) for job in jobs]
    for said, options, name in later if call.options["preflight"] else ():
        before_many(said, options, name, report)
    for lost in _shared_files(call.options) if len(jobs) > 1 else ():
        report.warning(lost)
    raise typer.Exit(run(jobs, report))


def _jobs(call: Call) -> list[ScheduledJob]:
    """One job from the command line, or those of the job file that have a schedule."""
    options = call.options
    check_nightly(options.file)
    rest = options.arguments("job")
    if options["config"] is None or options["job"] is not None:
        return [_scheduled(options, rest, resolve.job_name(options).job)]
    file = jobfile.read(Path(options["config"]))
    jobs = []
    for job in file.jobs:
        if options["cron"] is not None or "cron" in file.values(job or None, sorted(job_keys())):
            said = of_job(options, file, job or None)
            check_nightly(said.file)
            with blaming(said):
                jobs.append(_scheduled(said, rest, job or None))
    if not jobs:
        raise UsageError(
            "no job has a schedule", where=options["config"], todo='give one a line like cron = "0 2 * * *"'
        )
    return jobs


def _run_to_come(call: Call, args: Sequence[str]) -> tuple[Options, RunOptions, JobName]:
    """The options of a `replay run` that is to come: what cannot work is refused now, and not at night."""
    root = call.context.find_root()
    command = root.command.get_command(root, args[0])  # type: ignore[attr-defined]  # it is a group
    with command.make_context(args[0], list(args[1:]), parent=root) as later:
        later.meta[LOOK_ONLY] = True
        options: Options = command.invoke(later)
    with blaming(options):
        name = resolve.job_name(options)
        made = resolve.run_options(options, name)
        resolve.watch_options(options, name, made.kafka.topic)
        return options, made, name


def _shared_files(options: Options) -> list[str]:
    """What is lost where several jobs write the same files, by an option or by what stands outside all jobs."""
    file = jobfile.read(Path(options["config"]))
    common = {f"--{key.replace('_', '-')}": str(value) for key, value in file.common.items()}
    given = (options.by_field[name] for name in ("metrics_textfile", "summary_json", "report"))
    return resolve.shared_by_jobs({each.option.name: each.value or common.get(each.option.name) for each in given})


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
    dates.today_in(said["timezone"], time.time())
    day = said["date"] or "yesterday"
    dates.parse_date(day, date.today())
    chosen = ["--job", job] if job is not None else []
    return ScheduledJob(
        name=job or topic,
        trigger=cron_trigger(cron, said["timezone"], said.read("jitter")),
        date_text=day,
        args=lambda day: arguments(day, *chosen, *rest),
        has_input=partial(missing.has_files, said["inputs"] or []),
        missing=resolve.missing_days(said),
        state_dir=state_folder(said["state_dir"]) / safe_name(job or topic),
        catch_up=said["catch_up"],
        retries=resolve.retries(said),
        go_on=said["on_failure"] is OnFailure.GO_ON,
    )
