"""`replay verify`."""

from __future__ import annotations

import json

import typer

from replay.cli import parse, resolve
from replay.cli.call import Call, stop_on_signals
from replay.cli.options.looking import ResultFormat, Verifying
from replay.cli.options.naming import Naming
from replay.cli.options.source import Input
from replay.cli.options.target import Target
from replay.cli.terminal import Terminal, draws
from replay.delivery.options import PROGRESS_S
from replay.errors import BEGIN_ANEW
from replay.model import SystemClock
from replay.verify import job, written
from replay.verify.verdict import verdict_table


def verify(call: Call) -> None:
    """Compare, show the verdict, and leave with its exit code."""
    given = call.of(Verifying)
    name = resolve.job_name(call.of(Naming))
    source = resolve.source_options(call.of(Input), name)
    starts = parse.parse_offsets(given.first_offsets, "--first-offsets") if given.first_offsets else None
    ends = parse.parse_offsets(given.end_offsets, "--end-offsets") if given.end_offsets else None
    kafka = resolve.kafka_options(call.of(Target), name)
    what = job.VerifyOptions(
        source, kafka, isolation=str(given.isolation), starts=starts, ends=ends, allow_foreign=given.allow_foreign
    )
    what = written.by_checkpoint(what, name, given.checkpoint)
    stop = stop_on_signals(BEGIN_ANEW)
    terminal = Terminal(call.console, PROGRESS_S, bar=draws(call.console))
    with terminal.live():
        verdict = job.verify(what, terminal, SystemClock(), stop.check)
    if given.table_format is ResultFormat.JSON:
        call.results.write(json.dumps(verdict.as_json(), indent=1))
    else:
        call.results.show(verdict_table(verdict))
    raise typer.Exit(verdict.exit_code)
