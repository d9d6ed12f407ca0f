"""One error tree, one table of exit codes, one function from error to exit code.

Every error is a sentence for the operator: what happened, where, why, and what to do about it.
"""

from __future__ import annotations

from enum import IntEnum

from replay.secrets import hidden


class ExitCode(IntEnum):
    """Published in the README; scripts and monitors depend on these numbers."""

    DONE = 0
    DIFFERENT = 1
    STALE = 1  # of `replay status --fail-if-older-than`: no replay ends so
    USAGE = 2
    INPUT = 3
    STATE_CONFLICT = 4
    BROKER_UNAVAILABLE = 5
    LOCKED = 6
    PRODUCER_FATAL = 7
    CHECKPOINT_UNWRITABLE = 8
    BUG = 70  # EX_SOFTWARE of sysexits.h: none of ours, so that a bug is never read as an outcome
    SIGHUP = 129
    SIGINT = 130
    SIGTERM = 143


STOPPED = frozenset({ExitCode.SIGHUP, ExitCode.SIGINT, ExitCode.SIGTERM})
"""Ends that somebody asked for, by a signal."""


TEXT_MAX = 4_000
"""Characters of one text (what, where, what to do) that is shown: a symbol may have a million."""


def shortened(text: str, characters_max: int = TEXT_MAX) -> str:
    """Begin and end of a text that is too long, and how much was left out between them."""
    if len(text) <= characters_max:
        return text
    text = hidden(text)  # now: of a secret that is cut in two nobody finds the halves
    begins, ends = characters_max * 3 // 4, characters_max // 4
    return f"{text[:begins]} [{len(text) - begins - ends:,} characters left out] {text[-ends:]}"


def printable(text: str, characters_max: int = TEXT_MAX) -> str:
    """Names and paths may hold anything: no control character of theirs reaches a terminal or forges a log line, no
    mark turns the direction of what follows (for Unicode these are not printable either), and none floods a line."""
    text = shortened(text, characters_max)
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


class ReplayError(Exception):
    """Anything that ends a replay on purpose.

    `what` is one sentence; `where` names file, row, column or option; `todo` says what helps.
    """

    exit_code = ExitCode.BUG

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        self.what, self.where, self.todo = what, where, todo
        super().__init__(what)

    def __str__(self) -> str:
        what, where, todo = map(printable, (self.what, self.where, self.todo))
        head = f"{where}: {what}" if where else what
        return f"{head}\n  -> {todo}" if todo else head


class UsageError(ReplayError):
    """An option or setting that cannot work."""

    exit_code = ExitCode.USAGE


class AccessDenied(UsageError):
    """The cluster refuses this client: its login, or a right that it needs."""


class RightMissing(AccessDenied):
    """It was let in, and may not do what it wants to do."""


class InputError(ReplayError):
    """A file, column or row that cannot be replayed."""

    exit_code = ExitCode.INPUT


class NoInput(InputError):
    """There is no file where one was named."""


class NothingSelected(InputError):
    """There are files, but no row to send, or a symbol that was listed has none."""


class StateConflict(ReplayError):
    """Checkpoint, topic or input are not what they were: going on could lose or repeat rows."""

    exit_code = ExitCode.STATE_CONFLICT


class BrokerUnavailable(ReplayError):
    """The deadline passed without the broker; nothing is lost, the next run resumes."""

    exit_code = ExitCode.BROKER_UNAVAILABLE


class RegistryUnavailable(BrokerUnavailable):
    """The same of the schema registry."""


class Locked(ReplayError):
    """Another instance holds this checkpoint."""

    exit_code = ExitCode.LOCKED


class ProducerFatal(ReplayError):
    """A record failed for good, or the producer can no longer keep the promise."""

    exit_code = ExitCode.PRODUCER_FATAL


class CheckpointUnwritable(ReplayError):
    """Progress cannot be saved, so no more rows may be sent."""

    exit_code = ExitCode.CHECKPOINT_UNWRITABLE


class Different(ReplayError):
    """The topic was read back, and is not as the source."""

    exit_code = ExitCode.DIFFERENT


def install_extra(extra: str) -> str:
    """What to do where a package of an extra is missing. replay is on no package index yet: it installs from source."""
    return f"install the extra, in the folder of replay's source: pip install '.[{extra}]'"


GO_ON = "run the same command again to go on from here"
"""What there is to do after a replay was stopped."""

BEGIN_ANEW = "nothing was changed; the same command begins anew"
"""And after something that only looks."""


class Stopped(ReplayError):
    """A signal asked for the end; whatever was in flight has been drained or is left for the next run."""

    def __init__(self, signal_number: int, what: str, todo: str = GO_ON) -> None:
        super().__init__(what, todo=todo)
        self.is_clean = True  # nothing is left to be found out
        # 128 + n is what shells report for a process ended by signal n
        self.exit_code = ExitCode(128 + signal_number)


AS_TOLD = (ReplayError, MemoryError, PermissionError)
"""What ends a command without being a bug of ours."""


def as_told(error: ReplayError | MemoryError | PermissionError) -> ReplayError:
    """The error as the operator is told it. Too little memory and too few rights are configuration, not a bug: no code
    of ours is at fault, and the same run with more of it, or with less in flight, goes well."""
    if isinstance(error, ReplayError):
        return error
    if isinstance(error, PermissionError):
        todo = "give this user the right, or name another place (--state-dir, --checkpoint)"
        return UsageError(error.strerror or "access is denied", where=str(error.filename or ""), todo=todo)
    return UsageError(
        f"out of memory ({str(error) or 'an allocation failed'})",
        todo="allow it more memory, or less in flight at a time (--in-flight-rows, --in-flight-bytes), and run again:"
        " it resumes",
    )


def not_memory(error: Exception) -> Exception:
    """The error, where it is not this machine's memory that ran out: then it raises it as it is. `pa.ArrowMemoryError`
    is an `ArrowException` too, and no read or write failed."""
    if isinstance(error, MemoryError):
        raise error
    return error


def exit_code(error: BaseException | None) -> ExitCode:
    """The one way from an outcome to the process's exit code."""
    if error is None:
        return ExitCode.DONE
    if isinstance(error, AS_TOLD):
        return as_told(error).exit_code
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.SIGINT
    return ExitCode.BUG
