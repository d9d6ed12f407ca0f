"""A run as its surroundings see it: what it is, how far it came, how it ended. Pure and light.

History, metrics, notifications and the machine-readable summary all tell of these.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replay.counts import RowCounts
from replay.errors import STOPPED, ExitCode, ReplayError, exit_code, printable

if TYPE_CHECKING:  # they import numpy, and `replay status` has to answer at once
    from replay.delivery.pace import Lateness
    from replay.delivery.snapshot import Snapshot


def _new_id() -> str:
    return str(uuid.uuid4())


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
    run_id: str = field(default_factory=_new_id)
    origins: Mapping[str, str] = field(default_factory=dict)


DAY_OFF = "run on a day off"
"""Command of a run that found no file, and that its calendar does not expect any: a success without a checkpoint."""


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


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of how late rows went out, or how long their acknowledgements took; None where nothing was measured."""

    p50_s: float | None = None
    p99_s: float | None = None
    max_s: float | None = None


def quantiles(measured: Lateness) -> Quantiles:
    if not measured.counts.any():
        return Quantiles()
    return Quantiles(measured.quantile_s(0.5), measured.quantile_s(0.99), measured.max_s)


@dataclass(frozen=True, slots=True)
class Figures:
    """How far a run has come. Unlike a `Snapshot` they stand still, so that another thread may read them.

    `done_row` is the next row: those before it are done, whoever did it. `counts` are the whole replay's, too. Rows are
    `acked` when this run has brought them into the topic; `resent` are those that it handed over again. `sending_s` is
    the time since its first producer began.
    """

    rows: int
    start_row: int
    done_row: int
    sent_rows: int
    acked_rows: int
    already_there_rows: int
    resent_rows: int
    in_flight_rows: int
    counts: RowCounts
    lateness: Quantiles
    ack_latency: Quantiles
    shifted_s: float
    outages: int
    outages_s: float
    sending_s: float


def figures(shown: Snapshot) -> Figures:
    done_row = shown.done_rows if shown.committed_row is None else shown.committed_row
    return Figures(
        rows=shown.rows,
        start_row=shown.first_row,
        done_row=done_row,
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
