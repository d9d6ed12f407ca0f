"""One call of a command: its options, where it talks to, and what stands around it."""

from __future__ import annotations

import io
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

import typer
from rich.console import Console

from replay import signals
from replay.cli.commands import Command
from replay.cli.given import Options, from_call, warnings, with_job_file
from replay.cli.options.looking import Output
from replay.cli.options.watching import Logging
from replay.cli.origins import blaming, check_variables
from replay.cli.output import DRAWN, Results
from replay.errors import GO_ON, exit_code
from replay.signals import Stop

LOOK_ONLY = "replay.look_only"
"""Key of a context's `meta`: the command gives back its options, and does nothing."""


@dataclass(frozen=True)
class Call:
    """What a command works with. `console` is stderr; results go to standard output."""

    options: Options
    console: Console
    context: typer.Context

    @cached_property
    def results(self) -> Results:
        """Where what a command found goes: standard output."""
        return Results(no_color=bool(self.console.no_color))

    def show(self, document: Any, table: Any) -> None:
        """As JSON or as a table: what `--output` says."""
        if self.options["output"] is Output.JSON:
            self.results.write(json.dumps(document, indent=1))
        else:
            self.results.show(table)


def call(command: Command, context: typer.Context, parsed: dict[str, Any]) -> Any:
    """Run the command, and leave with its exit code."""
    told: list[str] = []
    first = Logging(parsed["log_format"], debug=parsed["debug"])  # until the job file is read
    with _answering(first, told, has_logs=False):
        told += check_variables()
        options = with_job_file(command, from_call(command, context, parsed))
        told += warnings(options)
    if context.meta.get(LOOK_ONLY):
        return options
    logging = options.of(Logging)
    with _answering(logging, told, has_logs=command.has_logs) as console, blaming(options):
        module = import_module(command.module)  # heavy, mostly; the help did without
        getattr(module, command.name)(Call(options, console, context))
    return None


def stop_on_signals(again: str = GO_ON) -> Stop:
    """`again`: what there is to do after a stop."""
    stop = Stop(again=again)
    signals.listen(stop.request)
    return stop


@contextmanager
def _answering(logging: Logging, warnings: list[str], *, has_logs: bool) -> Iterator[Console]:
    """Logging before, one clear error and the right exit code after. No traceback, unless asked for.

    Without `has_logs` logging is set up when there is something to log.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=DRAWN)  # a path need not be text
    console = Console(stderr=True, emoji=False, no_color=logging.no_color or None)  # :b: in a path stays what it is
    has_logs = has_logs or logging.log_file is not None
    try:
        if has_logs:
            _talk().set_up_logging(logging, console, warnings)
        yield console
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:  # the reader has read enough
        raise typer.Exit(128 + signal.SIGPIPE) from None
    except Exception as error:
        if not has_logs:
            _talk().set_up_logging(logging, console, warnings)
        _talk().log_error(error, debug=logging.debug)
        raise typer.Exit(exit_code(error)) from None


def _talk() -> ModuleType:
    """Imported where there is something to say: what has to answer at once does without loguru."""
    return import_module("replay.cli.talk")
