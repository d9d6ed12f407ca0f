"""`replay verify`."""

from __future__ import annotations

import typer

from replay.cli import resolve, schemas
from replay.cli.call import Call, stop_on_signals
from replay.cli.terminal import terminal_on
from replay.errors import BEGIN_ANEW
from replay.verify import job, written
from replay.verify.verdict import verdict_table


def verify(call: Call) -> None:
    """Compare, show the verdict, and leave with its exit code."""
    given = call.options
    name = resolve.job_name(given)
    what = job.VerifyOptions(
        resolve.source_options(given, name),
        resolve.kafka_options(given, name),
        isolation=str(given["isolation"]),
        starts=given.read("first_offsets"),
        ends=given.read("end_offsets"),
        allow_foreign=given["allow_foreign"],
        registry=schemas.registry_options(given),
    )
    what = written.by_checkpoint(what, name, given["checkpoint"])
    stop = stop_on_signals(BEGIN_ANEW)
    with terminal_on(call.console).live() as terminal:
        verdict = job.verify(what, terminal, stop.check)
    call.show(verdict.as_json(), verdict_table(verdict))
    raise typer.Exit(verdict.exit_code)
