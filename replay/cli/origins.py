"""Errors that name where an option's value came from, and REPLAY_ variables that belong to no option."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from replay.cli.commands import COMMANDS
from replay.cli.given import COMMAND_LINE, Options
from replay.cli.options.declare import PREFIX
from replay.errors import ReplayError, UsageError
from replay.nightly import jobfile

_OTHERS = re.compile(
    r"_.*|(TEST|RUN)(_.*)?"  # the tests' own, and what a command of --notify is given
    # Kubernetes sets variables for each service: REPLAY_PORT_9308_TCP_ADDR and so on for one that is called replay
    r"|(.*_)?SERVICE_(HOST|PORT)(_.*)?|(.*_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?"
)
_BY_HAND = {
    "restart": "every date would forget what is in the topic, and each retry would send all its rows again",
    "embedded": "nothing would outlive the process of each date, and none would ever be done",
}
_OPTION = r"(?:--[a-z][\w-]*|-X\b|INPUT\b)"
_NAMED = re.compile(rf"{_OPTION}(?:, {_OPTION})*")
_CLOSE = 0.8  # SPEDE is SPEED; DATA, by this measure not far from DATE, is nobody's


@contextmanager
def blaming(options: Options) -> Iterator[None]:
    """An error that names an option which nobody typed names the variable or the line of the job file instead.

    Whoever looks at a value knows the option only; this is the one place that knows who gave it.
    """
    try:
        yield
    except ReplayError as error:
        _blame(error, _origins(options))
        raise


def _origins(options: Options) -> dict[str, str]:
    return {
        name: given.origin
        for given in options.listed()
        if not given.is_default and given.origin != COMMAND_LINE
        for name in (given.option.name, given.option.negative, given.option.option.short)
        if name
    }


def _blame(error: ReplayError, origins: Mapping[str, str]) -> None:
    if named := _NAMED.match(error.where):
        named_origins = re.sub(_OPTION, lambda match: origins.get(match[0], match[0]), named[0])
        error.where = named_origins + error.where[named.end() :]


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


def check_variables() -> list[str]:
    """`REPLAY_` variables that are no option's: what to warn of. Raises `UsageError` for what looks like a typing
    error, since the replay would run without the option."""
    given = sorted(name.removeprefix(PREFIX) for name in os.environ if name.startswith(PREFIX))
    if not given:
        return []
    known = {option.variable.removeprefix(PREFIX) for command in COMMANDS for option in command.options} - {""}
    unknown = [name for name in given if name not in known and not _OTHERS.fullmatch(name)]
    for name in unknown:
        if close := _close(name, known):
            todo = f"did you mean {PREFIX}{close[0]}? If not, unset it"
            raise UsageError("no option has this variable", where=PREFIX + name, todo=todo)
    return [f"{PREFIX}{name}: no option has this variable; it is ignored" for name in unknown]
