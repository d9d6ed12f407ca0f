"""What a check has found: one thing that was looked at, what it is, and what that means for the replay. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from replay.errors import BrokerUnavailable, ExitCode, ReplayError, Stopped


class Verdict(StrEnum):
    """`NOT_KNOWN`: it cannot be told, and a replay may well go well."""

    OK = "ok"
    WARNING = "warning"
    REFUSED = "refused"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at, and what was `found`; `todo` helps where that is not well. A replay that meets it ends with
    `exit_code`."""

    what: str
    found: str
    verdict: Verdict = Verdict.OK
    todo: str = ""
    exit_code: ExitCode = ExitCode.DONE

    def as_json(self) -> dict[str, str]:
        return {"what": self.what, "found": self.found, "verdict": str(self.verdict), "todo": self.todo}

    def __str__(self) -> str:
        """As a line of a log."""
        return f"{self.what}: {self.found}" + (f" -> {self.todo}" if self.todo else "")


def warning(what: str, found: str, todo: str = "") -> Finding:
    return Finding(what, found, Verdict.WARNING, todo)


def refused(what: str, found: str, todo: str = "", exit_code: ExitCode = ExitCode.USAGE) -> Finding:
    """The replay would end there."""
    return Finding(what, found, Verdict.REFUSED, todo, exit_code)


def away(what: str, found: str, todo: str = "") -> Finding:
    """Whoever could tell does not answer."""
    return Finding(what, found, Verdict.NOT_KNOWN, todo, ExitCode.BROKER_UNAVAILABLE)


def not_told(what: str, found: str, todo: str = "") -> Finding:
    """Nobody tells, or not without something being written. It is no reason not to begin."""
    return Finding(what, found, Verdict.NOT_KNOWN, todo)


def of_error(what: str, error: ReplayError) -> Finding:
    """The error that a replay would end with."""
    found = f"{error.where}: {error.what}" if error.where not in ("", "Kafka") else error.what
    if isinstance(error, BrokerUnavailable):
        return away(what, found, error.todo)
    return refused(what, found, error.todo, error.exit_code)


def told(what: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """All that is found, and the error that ends the look, if one does. A stop is none."""
    try:
        yield from look()
    except Stopped:
        raise
    except ReplayError as error:
        yield of_error(what, error)


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """2 where something would be refused, whatever the code of the replay; else 3 where an input cannot be replayed;
    else 5 where something that has to be known cannot be; else 0."""
    codes = {each.exit_code for each in findings} - {ExitCode.DONE}
    weak = (ExitCode.INPUT, ExitCode.BROKER_UNAVAILABLE)
    if codes - {*weak}:
        return ExitCode.USAGE
    return next((code for code in weak if code in codes), ExitCode.DONE)


def counted(number: int, what: str) -> str:
    """`1 file`, `1,234 files`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
