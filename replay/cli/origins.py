"""Where an option's value came from: the command line, a variable, a job file; and what is told of it where it cannot
work. Light: nothing but the command as Typer made it is looked at."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import typer

from replay.errors import ReplayError, UsageError

if TYPE_CHECKING:
    from replay.nightly import jobfile

FROM_FILE = "replay.from_file"
"""Key of a context's `meta`: what the job file said, by parameter."""

ALL_FROM_FILE = "replay.all_from_file"
"""The same with the options that this command does not have, by option name."""

LOOK_ONLY = "replay.look_only"
"""The command gives back what it was given, and does nothing."""

WARNINGS = "replay.warnings"
"""What is to be told once there are logs."""

PREFIX = "REPLAY_"
_OTHERS = re.compile(
    r"_.*|(TEST|RUN)(_.*)?"  # the tests' own, and what a command of --notify is told
    # Kubernetes tells each container of each service; one that is called replay is REPLAY_PORT_9308_TCP_ADDR and so on
    r"|(.*_)?SERVICE_(HOST|PORT)(_.*)?|(.*_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?"
)
_BY_HAND = {
    "restart": "every date would forget what is in the topic, and each retry would send all its rows again",
    "embedded": "nothing would outlive the process of each date, and none would ever be done",
}
_OPTION = r"(?:--[a-z][\w-]*|-X\b|INPUT\b)"
_NAMED = re.compile(rf"{_OPTION}(?:, {_OPTION})*")
_CLOSE = 0.8  # SPEDE is SPEED; DATA, by this measure not far from DATE, is nobody's


_context: ContextVar[typer.Context | None] = ContextVar("command", default=None)


def begin(context: typer.Context) -> None:
    """This is the command whose options are asked about. Raises `UsageError`, see `check_variables`."""
    _context.set(context)
    context.meta[WARNINGS] = check_variables(context)


def option_name(parameter: Any) -> str:
    """As a job file names it: `max_gap` of `--max-gap`; the inputs are `inputs`."""
    longest = max(parameter.opts, key=len)
    return longest.lstrip("-").replace("-", "_") if longest.startswith("-") else str(parameter.name)


def origin(context: typer.Context, parameter: Any) -> str:
    """`default`, `command line`, the variable's name, or the file and its key."""
    from_file: Mapping[str, jobfile.Value] = context.meta.get(FROM_FILE, {})
    if (said := from_file.get(str(parameter.name))) is not None:
        return said.where
    source = context.get_parameter_source(str(parameter.name))
    if source is None or source.name == "DEFAULT":
        return "default"
    return str(parameter.envvar) if source.name == "ENVIRONMENT" else "command line"


def came_from(context: typer.Context, name: str) -> str:
    """`origin` of the parameter of this name."""
    return next(origin(context, each) for each in context.command.params if each.name == name)


def is_default(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is None or source.name == "DEFAULT"


def blamed(error: Exception) -> Exception:
    """The error, where it names an option that nobody typed: it names the variable or the line of the job file instead.

    Whoever looks at a value knows the option only; this is the one place that knows who gave it.
    """
    context = _context.get()
    if context is not None and isinstance(error, ReplayError):
        origins = {name: origin(context, each) for each in context.command.params for name in _names(each)}
        _blame(error, {name: came for name, came in origins.items() if came not in ("default", "command line")})
    return error


def blamed_on_file(error: ReplayError, values: Mapping[str, jobfile.Value]) -> ReplayError:
    """The same, for one job of several in a file: `values` is what the file says of it."""
    return _blame(error, {"--" + name.replace("_", "-"): value.where for name, value in values.items()})


def _blame(error: ReplayError, origins: Mapping[str, str]) -> ReplayError:
    if named := _NAMED.match(error.where):
        told = re.sub(_OPTION, lambda match: origins.get(match[0], match[0]), named[0])
        error.where = told + error.where[named.end() :]
    return error


def _names(parameter: Any) -> tuple[str, ...]:
    """As errors call it: an argument by its metavar, `INPUT`."""
    if parameter.opts[0].startswith("-"):
        return (*parameter.opts, *parameter.secondary_opts)
    return ((parameter.metavar or "").rstrip("."),)


def warn_of_variables(warn: Callable[[str], object]) -> None:
    """What `check_variables` found to warn of, once."""
    context = _context.get()
    for text in context.meta.pop(WARNINGS, ()) if context is not None else ():
        warn(text)


# -- all options of all commands ----------------------------------------------------------------------------


def commands(root: Any) -> Iterator[Any]:
    """Every command that does something."""
    for each in getattr(root, "commands", {}).values():
        if hasattr(each, "commands"):
            yield from commands(each)
        else:
            yield each


def job_options(root: Any) -> frozenset[str]:
    """What a job file may hold: the options of every command that reads one. A command takes those that it has."""
    found: set[str] = set()
    for command in commands(root):
        names = {option_name(parameter) for parameter in command.params}
        if "config" in names:
            found |= names
    return frozenset(found - {"config", "help"})


def check_nightly(values: Mapping[str, jobfile.Value]) -> None:
    """Raises `UsageError` for what belongs to one run by hand, where a job file or a variable says it of every date."""
    for name, why in _BY_HAND.items():
        variable = PREFIX + name.upper()
        by_variable = os.environ.get(variable, "").lower() not in ("", "0", "false", "f", "no", "n", "off")
        if by_variable or (name in values and values[name].value is not False):
            raise UsageError(
                f"{name}: {why}",
                where=variable if by_variable else values[name].where,
                todo=f"take it out; for one date, on purpose: replay run --date 2026-11-22 --{name}",
            )


def _close(name: str, known: Collection[str]) -> list[str]:
    """What may have been meant: RAET has all letters of RATE."""
    return [each for each in known if sorted(each) == sorted(name)] or difflib.get_close_matches(name, known, 1, _CLOSE)


def check_variables(context: typer.Context) -> list[str]:
    """`REPLAY_` variables that are no option's: what to warn of. Raises `UsageError` for what looks like a typing
    error, since the replay would run without the option."""
    given = sorted(name.removeprefix(PREFIX) for name in os.environ if name.startswith(PREFIX))
    if not given:
        return []
    known = {
        str(parameter.envvar).removeprefix(PREFIX)
        for command in commands(context.find_root().command)
        for parameter in command.params
        if parameter.envvar
    }
    without = {option_name(parameter).upper() for parameter in context.command.params if not parameter.envvar}
    unknown = [name for name in given if name not in known and not _OTHERS.fullmatch(name)]
    for name in unknown:
        where, close = PREFIX + name, _close(name, known)
        if name in without:
            todo = "give it on the command line or in a job file, and unset the variable"
            raise UsageError("this option has no variable", where=where, todo=todo)
        if close:
            todo = f"did you mean {PREFIX}{close[0]}? If not, unset it"
            raise UsageError("no option has this variable", where=where, todo=todo)
    return [f"{PREFIX}{name}: no option has this variable; it is ignored" for name in unknown]
