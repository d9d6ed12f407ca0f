"""A run as its surroundings see it: what it is, how far it came, how it ended. Pure and light.

The history, the metrics, notifications and the machine-readable summary are all made of these.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from replay.counts import RowCounts
from replay.errors import STOPPED, ExitCode, ReplayError, exit_code, printable

if TYPE_CHECKING:  # they import numpy, and `replay status` has to answer at once
    from replay.delivery.pace import Lateness
    from replay.delivery.snapshot import Snapshot


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
class Outcome:
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


def outcome_of(error: BaseException | None) -> Outcome:
    """The outcome of a run that this error ended; None: it came to its end."""
    code = exit_code(error)
    if error is None:
        return Outcome(code, "done")
    if isinstance(error, ReplayError):
        return Outcome(code, printable(f"{error.where}: {error.what}" if error.where else error.what))
    if isinstance(error, KeyboardInterrupt):
        return Outcome(code, "stopped by SIGINT")
    return Outcome(code, printable(f"a bug in replay: {type(error).__name__}: {error}"))


@contextmanager
def ending(close: Callable[[Outcome], None]) -> Iterator[None]:
    """Calls `close` with the outcome of what happens inside. An error goes on to the caller."""
    outcome = outcome_of(None)
    try:
        yield
    except BaseException as error:
        outcome = outcome_of(error)
        raise
    finally:
        close(outcome)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of how late rows went out, or of how long their acknowledgements took. None: nothing was measured."""

    p50_s: float | None = None
    p99_s: float | None = None
    max_s: float | None = None

    def named(self, what: str) -> dict[str, float | None]:
        """As columns of the history: `lateness_p50_s` and so on."""
        return {f"{what}_{each.name}": getattr(self, each.name) for each in fields(self)}


NOT_MEASURED = Quantiles()


def quantiles(measured: Lateness) -> Quantiles:
    if not measured.counts.any():
        return NOT_MEASURED
    return Quantiles(measured.quantile_s(0.5), measured.quantile_s(0.99), measured.max_s)


@dataclass(frozen=True, slots=True)
class Figures:
    """How far a run has come. They stand still, so that another thread may read them.

    `done_row` is the next row: all rows before it are done. It and `counts` are the whole replay's; the other rows are
    this run's. Rows are `acked` once this run has brought them into the topic. `resent` rows are those that it handed
    over again. `sending_s` is the time since its first producer began.
    """

    rows: int = 0
    start_row: int = 0
    done_row: int = 0
    sent_rows: int = 0
    acked_rows: int = 0
    already_there_rows: int = 0
    resent_rows: int = 0
    in_flight_rows: int = 0
    counts: RowCounts = field(default_factory=lambda: RowCounts(0))
    lateness: Quantiles = NOT_MEASURED
    ack_latency: Quantiles = NOT_MEASURED
    shifted_s: float = 0.0
    outages: int = 0
    outages_s: float = 0.0
    sending_s: float = 0.0

    def named(self) -> dict[str, Any]:
        """What is kept of them, by the names that machines read. What is in flight is of this moment only."""
        found: dict[str, Any] = {}
        for each in fields(self):
            if each.name == "counts":
                found |= {
                    **self.counts.named(),
                    "left_out": self.counts.left_out,
                    "bad": dict(self.counts.bad_by_reason),
                }
            elif each.name != "in_flight_rows":
                found[each.name] = getattr(self, each.name)
        return found


def figures(shown: Snapshot) -> Figures:
    return Figures(
        rows=shown.rows,
        start_row=shown.first_row,
        done_row=shown.done_rows if shown.committed_row is None else shown.committed_row,
        sent_rows=shown.sent_rows,
        acked_rows=shown.delivered_rows,
        already_there_rows=shown.already_there_rows,
        resent_rows=shown.resent_rows,
        in_flight_rows=shown.in_flight_rows,
        counts=shown.counts,
        lateness=quantiles(shown.lateness),
        ack_latency=quantiles(shown.ack_latency),
        shifted_s=shown.shifted_s,
        outages=shown.outages,
        outages_s=shown.outages_s,
        sending_s=shown.sending_s,
    )
