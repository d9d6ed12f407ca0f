"""`replay checkpoint show | reset | rebuild`."""

from __future__ import annotations

import typer

from replay.checkpoint.describe import describe
from replay.checkpoint.file import existing
from replay.cli import resolve
from replay.cli.call import Call, stop_on_signals
from replay.cli.terminal import terminal_on
from replay.delivery import rebuild as rebuilding
from replay.errors import BEGIN_ANEW


def show(call: Call) -> None:
    call.results.pairs(describe(existing(call.options["path"])))


def reset(call: Call) -> None:
    path = call.options["path"]
    if not call.options["yes"]:
        typer.confirm(f"Forget {path}? The next run sends all rows again, and the topic keeps the old ones", abort=True)
    rebuilding.reset(path)
    typer.echo(f"{path} is forgotten")


def rebuild(call: Call) -> None:
    options = resolve.run_options(call.options, resolve.job_name(call.options))
    offsets = call.options.read("first_offsets")
    with terminal_on(call.console, options.progress_interval_s).live() as terminal:
        rebuilt = rebuilding.rebuild(options, offsets, stop_on_signals(BEGIN_ANEW), terminal)
    call.results.pairs(describe(rebuilt))
