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
from replay.watch.process import Process, is_there

if TYPE_CHECKING:  # they import numpy, and `replay status` has to answer at once
    from replay.delivery.pace import Lateness
    from replay.delivery.snapshot import Snapshot

_LIFE_S = 120.0
"""A run on another host counts as running this long after its last sign of life. Signs come every few seconds; this
leaves room for a history that is locked for a while, and for clocks that differ."""


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


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as it is known. Times are seconds since 1970; what is not known (yet) is None.

    `in_topic_rows + not_selected_rows + bad_rows` are those of `of_rows` with which the replay was done when the run
    ended, whoever did it; `delivered_rows` of them this run brought into the topic.
    `alive_s` is its last sign of life, `acked_s` when the position last moved, `rows_per_s` how fast it moved in the
    last seconds.
    """

    run_id: str
    job: str
    date: str | None
    command: str
    topic: str
    checkpoint: str
    options: Mapping[str, str]
    host: str
    pid: int
    process_start: str
    started_s: float
    alive_s: float
    acked_s: float | None = None
    ended_s: float | None = None
    exit_code: int | None = None
    reason: str | None = None
    rows: int | None = None
    start_row: int | None = None
    done_row: int | None = None
    sent_rows: int | None = None
    already_there_rows: int | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    bad: Mapping[str, int] = field(default_factory=dict)
    outages: int | None = None
    outages_s: float | None = None
    shifted_s: float | None = None
    rows_per_s: float | None = None
    lateness_p50_s: float | None = None
    lateness_p99_s: float | None = None
    lateness_max_s: float | None = None
    ack_p50_s: float | None = None
    ack_p99_s: float | None = None
    ack_max_s: float | None = None
    in_topic_rows: int | None = None
    not_selected_rows: int | None = None
    bad_rows: int | None = None
    of_rows: int | None = None
    delivered_rows: int | None = None
    resent_rows: int | None = None

    @property
    def counts(self) -> RowCounts | None:
        """None: nothing was known of its rows, or an older replay did not tell."""
        if self.in_topic_rows is None or self.not_selected_rows is None or self.of_rows is None:
            return None
        return RowCounts(self.of_rows, self.in_topic_rows, self.not_selected_rows, self.bad)

    def is_running(self, now_s: float) -> bool:
        """It has not ended, and its process is still there. Where that cannot be told, a recent sign of life counts."""
        if self.ended_s is not None:
            return False
        there = is_there(Process(self.host, self.pid, self.process_start))
        return now_s - self.alive_s <= _LIFE_S if there is None else there

    def is_interrupted(self, now_s: float) -> bool:
        """It is gone without a word: kill -9, power, a crash of the machine."""
        return self.ended_s is None and not self.is_running(now_s)


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """One look at a run, `at_s` after its start. Lateness and latency are of the time since the sample before.

    `delivered_rows` are in the topic by then, thanks to this run; `event_s` is the newest event time handed over.
    """

    at_s: float
    phase: str
    done_row: int
    in_flight_rows: int
    lateness_p50_s: float | None
    lateness_p99_s: float | None
    lateness_max_s: float | None
    ack_p50_s: float | None
    ack_p99_s: float | None
    outage: bool
    ack_max_s: float | None = None
    delivered_rows: int | None = None
    event_s: float | None = None


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """Part of a run that stands out: an `outage` or a `resume`. Seconds after the start; an open one has no end."""

    kind: str
    begin_s: float
    end_s: float | None
    what: str
