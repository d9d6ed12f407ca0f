"""A run as its surroundings see it: what it is, what it displays, and how it ended. Pure and light.

The history, the metrics, notifications and the machine-readable summary are all made of these.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from replay.errors import STOPPED, ExitCode, ReplayError, exit_code, printable
from replay.secrets import hidden

if TYPE_CHECKING:
    from replay.delivery.snapshot import Display, Snapshot


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run is. `date` is its logical date (2026-11-22), `options` are as given, their secrets masked, and
    `origins` say where each came from."""

    job: str
    date: str | None
    command: str
    topic: str
    checkpoint: str
    options: Mapping[str, str] = field(default_factory=dict)
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    origins: Mapping[str, str] = field(default_factory=dict)


DAY_OFF = "run on a day off"
"""The command of a run that found no file where its calendar expects none: a success without a checkpoint."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended; the reason is one sentence."""

    exit_code: int
    reason: str

    @property
    def word(self) -> str:
        """`done`, `stopped` (by a signal) or `failed`."""
        if self.exit_code == ExitCode.DONE:
            return "done"
        return "stopped" if self.exit_code in STOPPED else "failed"


def utf8(text: str) -> str:
    """Paths may hold any bytes; what is written down is text."""
    return text.encode(errors="backslashreplace").decode()


def outcome_of(error: BaseException | None) -> RunOutcome:
    """The outcome of a run that this error ended; None: it came to its end. History, report and notifications have its
    reason: no secret of this process is in it, whoever raised the error."""
    code = exit_code(error)
    if error is None:
        return RunOutcome(code, "done")
    if isinstance(error, ReplayError):
        what = f"{error.where}: {error.what}" if error.where else error.what
        return RunOutcome(code, printable(hidden(what)))
    if isinstance(error, KeyboardInterrupt):
        return RunOutcome(code, "stopped by SIGINT")
    return RunOutcome(code, printable(hidden(f"a bug in replay: {type(error).__name__}: {error}")))


class NotifyOn(StrEnum):
    """Which ends are notified. FAILURE is every end but `done`: also a stop by a signal."""

    FAILURE = "failure"
    SUCCESS = "success"
    ALWAYS = "always"


@contextmanager
def ending(close: Callable[[RunOutcome], None]) -> Iterator[None]:
    """Calls `close` with the outcome of what happens inside. An error goes on to the caller."""
    outcome = outcome_of(None)
    try:
        yield
    except BaseException as error:
        outcome = outcome_of(error)
        raise
    finally:
        close(outcome)


class Relay:
    """A display that passes everything on to another one: the base of what watches a run."""

    def __init__(self, to: Display) -> None:
        self._to = to

    def info(self, message: str) -> None:
        self._to.info(message)

    def warning(self, message: str) -> None:
        self._to.warning(message)

    def phase(self, name: str, done_rows: int, rows: int) -> None:
        self._to.phase(name, done_rows, rows)

    def progress(self, snapshot: Snapshot) -> None:
        self._to.progress(snapshot)
