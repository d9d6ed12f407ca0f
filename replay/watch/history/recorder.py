"""Writes a run into the history while it goes on. A history that cannot be written is one warning, and no more."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

from replay.delivery.snapshot import BEGINNING, RESUMING, Display, Snapshot
from replay.errors import STOPPED, ExitCode
from replay.model import Clock
from replay.watch.beside import Beside
from replay.watch.figures import figures
from replay.watch.history.database import History, HistoryDamaged
from replay.watch.history.details import details, shortened_verdict
from replay.watch.history.process import this_process
from replay.watch.history.records import Details, RunRecord, SampleRecord, SpanRecord
from replay.watch.history.sampler import Sampler
from replay.watch.run import Relay, RunInfo, RunOutcome, ending

WRITE_S = 2.0  # how often the database is written: a kill loses no more than this of the samples
BEGIN_WAIT_S = 2.0  # a run is in the history before its first row, unless that takes longer than this
END_WAIT_S = 10.0  # how long its end may take to be written

OUTAGE, RESUME = "outage", "resume"

_REFUSED = frozenset(
    {ExitCode.USAGE, ExitCode.INPUT, ExitCode.STATE_CONFLICT, ExitCode.LOCKED, ExitCode.CHECKPOINT_UNWRITABLE, *STOPPED}
)
"""Exit codes that make no run if they come before the preflight is over: typing errors, and starts that are refused. An
outage or a bug makes a failed run at any time."""


@contextmanager
def recording(history: History, info: RunInfo, to: Display, clock: Clock) -> Iterator[Recorder]:
    """The run is in the history from the end of the preflight on, and once this is left so is its end, as the error
    says that passes through."""
    writer: Beside | None = None

    def begin() -> None:
        nonlocal writer
        if writer is None:
            writer = Beside("history", WRITE_S, recorder.write)
            writer.start(BEGIN_WAIT_S)

    def close(outcome: RunOutcome) -> None:
        recorder.close(outcome)
        if outcome.exit_code not in _REFUSED:
            begin()
        if writer is not None and not writer.finish(END_WAIT_S):
            to.warning(f"the end of this run may be missing in the history, which is slow ({history.path})")

    recorder = Recorder(history, info, to, clock, begin)
    with ending(close):
        yield recorder


class Recorder(Relay):
    """Watches one run. On the replay's own thread it does arithmetic and nothing else."""

    def __init__(self, history: History, info: RunInfo, to: Display, clock: Clock, begin: Callable[[], None]) -> None:
        super().__init__(to)
        self._begin_to_write = begin
        self._history, self._info, self._clock = history, info, clock
        self._begun_s = clock.monotonic()
        self._shown: Snapshot | None = None
        self._has_producer = False
        self.verdict: Mapping[str, Any] | None = None  # shortened
        self._sampler = Sampler()
        self._is_warned = self._is_tidied = False
        self._lock = threading.Lock()  # around what both threads use:
        self._run = _first_record(info, clock.now())
        self._samples: list[SampleRecord] = []
        self._open: dict[str, SpanRecord] = {}  # by kind
        self._closed: list[SpanRecord] = []

    # -- on the replay's thread ----------------------------------------------------------------------------

    def phase(self, name: str, done_rows: int, rows: int) -> None:
        super().phase(name, done_rows, rows)
        if name in RESUMING or name == BEGINNING:
            self._begin_to_write()
        if name in RESUMING:
            self._begin(RESUME, self._clock.monotonic(), name)
        self._sample(name)

    def progress(self, snapshot: Snapshot) -> None:
        super().progress(snapshot)
        if snapshot.begun_in_topic is not None and not self._has_producer:
            self._has_producer = True
            if RESUME not in self._open and 0 < snapshot.first_row < snapshot.rows:
                self._begin(RESUME, self._begun_s, "after a clean stop")
        if snapshot.outage_since_s is None:
            self._finish(OUTAGE)
            self._finish(RESUME, f"at row {snapshot.done_rows:,}")
        else:
            since_s = self._clock.now() - snapshot.outage_since_s
            self._begin(OUTAGE, self._clock.monotonic() - since_s, snapshot.outage_reason)
        self._shown = snapshot
        self._sample("replaying")

    def verified(self, verdict: Mapping[str, Any]) -> None:
        """The topic was read back and compared: `Verdict.as_json()`."""
        self.verdict = shortened_verdict(verdict)

    def close(self, outcome: RunOutcome) -> None:
        """The last figures, and how the run ended."""
        self._finish(OUTAGE)
        self._finish(RESUME)
        if self._shown is not None:
            self._sample("ended", at_once=True)
        with self._lock:
            self._run = replace(
                self._run, ended_s=self._clock.now(), exit_code=outcome.exit_code, reason=outcome.reason
            )

    def _begin(self, kind: str, at_s: float, what: str) -> None:
        if kind not in self._open:
            with self._lock:
                self._open[kind] = SpanRecord(kind, max(0.0, at_s - self._begun_s), None, what)

    def _finish(self, kind: str, outcome: str = "") -> None:
        if kind in self._open:
            with self._lock:
                span = self._open.pop(kind)
                what = ", ".join(filter(None, (outcome, span.what)))
                self._closed.append(SpanRecord(kind, span.begin_s, self._clock.monotonic() - self._begun_s, what))

    def _sample(self, phase: str, *, at_once: bool = False) -> None:
        now_s, shown = self._clock.monotonic() - self._begun_s, self._shown
        if not at_once and not self._sampler.is_due(now_s):
            return
        sample = self._sampler.sample(now_s, phase, shown, is_outage=OUTAGE in self._open)
        run = self._run
        if shown is not None:
            moved = run.done_row is not None and sample.done_row > run.done_row
            acked_s = self._clock.now() if moved else run.acked_s
            run = replace(run, **_columns(shown), rows_per_s=self._sampler.rows_per_s, acked_s=acked_s)
        with self._lock:
            self._run = run
            self._samples.append(sample)

    # -- on the thread that writes -------------------------------------------------------------------------

    def write(self) -> None:
        """Writes all that is new. What cannot be written now is written with a later attempt."""
        with self._lock:
            run = replace(self._run, alive_s=self._clock.now())
            samples, closed, shown = self._samples, self._closed, self._shown
            spans = [*closed, *self._open.values()]
            self._samples, self._closed = [], []
        try:
            self._write(run, samples, spans, details(shown, self._info, self.verdict))
        except (sqlite3.Error, HistoryDamaged, OSError) as error:
            with self._lock:
                self._samples, self._closed = samples + self._samples, closed + self._closed
            if not self._is_warned:
                self._is_warned = True
                why = f"{self._history.path}: {error}"
                self._to.warning(f"the history cannot be written ({why}); the replay goes on without")

    def _write(self, run: RunRecord, samples: list[SampleRecord], spans: list[SpanRecord], found: Details) -> None:
        try:
            self._history.write(run, samples, spans, found)
        except HistoryDamaged as error:
            aside = self._history.move_aside()
            if aside is not None:
                self._to.warning(f"the history was damaged ({error}): it is begun anew, the old one is {aside}")
            self._history.write(run, samples, spans, found)
        if not self._is_tidied:
            self._is_tidied = True
            self._history.forget_old_samples(run.alive_s)


def _first_record(info: RunInfo, now_s: float) -> RunRecord:
    process = this_process()
    return RunRecord(
        run_id=info.run_id,
        job=info.job,
        date=info.date,
        command=info.command,
        topic=info.topic,
        checkpoint=os.path.realpath(info.checkpoint),  # `status` may be called in another folder, or by another link
        options=info.options,
        host=process.host,
        pid=process.pid,
        process_start=process.start,
        started_s=now_s,
        alive_s=now_s,
    )


def _columns(shown: Snapshot) -> dict[str, Any]:
    """As the columns of the history are called."""
    found = figures(shown)
    return {
        **{name: value for name, value in found.items() if name in _RUN_COLUMNS},
        "delivered_rows": shown.delivered_rows,
        **{f"lateness_{name}": value for name, value in found["lateness"].items()},
        **{f"ack_{name}": value for name, value in found["ack_latency"].items()},
    }


_RUN_COLUMNS = frozenset(each.name for each in fields(RunRecord)) - {"rows_per_s"}  # that is of the last seconds
