"""`replay checkpoint show | reset | rebuild`."""

from __future__ import annotations

import typer

from replay.checkpoint.describe import describe
from replay.checkpoint.file import existing
from replay.cli import parse, resolve
from replay.cli.call import Call, stop_on_signals
from replay.cli.options.looking import CheckpointPath, Forgetting, Rebuilding
from replay.cli.options.naming import Naming
from replay.cli.options.sending import Sending
from replay.cli.options.source import Input
from replay.cli.options.target import Target
from replay.cli.terminal import Terminal, draws
from replay.delivery import rebuild as rebuilding
from replay.errors import BEGIN_ANEW


def show(call: Call) -> None:
    call.results.pairs(describe(existing(call.of(CheckpointPath).path)))


def reset(call: Call) -> None:
    path = call.of(CheckpointPath).path
    if not call.of(Forgetting).yes:
        typer.confirm(f"Forget {path}? The next run sends all rows again, and the topic keeps the old ones", abort=True)
    rebuilding.reset(path)
    typer.echo(f"{path} is forgotten")


def rebuild(call: Call) -> None:
    name = resolve.job_name(call.of(Naming))
    source = resolve.source_options(call.of(Input), name)
    options = resolve.run_options(call.of(Sending), name, source, resolve.kafka_options(call.of(Target), name))
    first = call.of(Rebuilding).first_offsets
    offsets = parse.parse_offsets(first, "--first-offsets") if first else None
    console = call.console
    with Terminal(console, options.progress_interval_s, bar=draws(console)).live() as terminal:
        rebuilt = rebuilding.rebuild(options, offsets, stop_on_signals(BEGIN_ANEW), terminal)
    call.results.pairs(describe(rebuilt))
