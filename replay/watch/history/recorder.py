"""Writes a run into the history while it goes on. A history that cannot be written is a warning, once, and no more."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from replay.delivery.pace import Lateness
from replay.delivery.snapshot import BEGINNING, RESUMING, Display, Snapshot
from replay.errors import STOPPED, ExitCode
from replay.model import Clock, SystemClock
from replay.watch.beside import Beside
from replay.watch.history.database import Damaged, History
from replay.watch.history.details import details, shortened_verdict
from replay.watch.history.process import this_process
from replay.watch.history.records import Details, RunRecord, SampleRecord, SpanRecord
from replay.watch.relay import Relay
from replay.watch.run import Figures, Outcome, Quantiles, RunInfo, figures, outcome_of

WRITE_S = 2.0  # how often the database is written: a kill loses no more than this of the samples
BEGIN_WAIT_S = 2.0  # a run is in the history before its first row, unless that takes longer than this
END_WAIT_S = 10.0  # how long its end may take to be written
RATE_S = 10.0  # the rate kept is over about this long

SAMPLE_S = 0.2
SAMPLE_SHARE = 1 / 500
"""Samples are `SAMPLE_S` apart at first, and never closer than this share of the time gone by: a plot of a minute and
one of a day both have a few thousand points at most."""

OUTAGE, RESUME = "outage", "resume"


REFUSED = frozenset(
    {
        ExitCode.USAGE,
        ExitCode.INPUT,
        ExitCode.STATE_CONFLICT,
        ExitCode.LOCKED,
        ExitCode.CHECKPOINT_UNWRITABLE,
        *STOPPED,
    }
)
"""Ends of what is no run, if they come before all was looked at: typing errors, and starts that are refused. An
outage, or a bug, makes a failed run at any time."""


@contextmanager
def recording(
    history: History, info: RunInfo, to: Display, clock: Clock | None = None, *, at_once: bool = True
) -> Iterator[Recorder]:
    """The run is in the history from here on, and its end once this is left: as `ended` said, or as the error says
    that passes through. Without `at_once`, from where all was looked at that could keep it from being a run."""
    writer: Beside | None = None

    def begin() -> None:
        nonlocal writer
        if writer is None:
            writer = Beside("history", WRITE_S, recorder.write)
            writer.start(BEGIN_WAIT_S)

    recorder = Recorder(history, info, to, clock or SystemClock(), begin)
    if at_once:
        begin()
    error: BaseException | None = None
    try:
        yield recorder
    except BaseException as raised:
        error = raised
        raise
    finally:
        recorder.close(outcome_of(error))
        if writer is None and outcome_of(error).exit_code not in REFUSED:
            begin()
        if writer is not None and not writer.finish(END_WAIT_S):
            to.warning(f"the end of this run may be missing in the history, which is slow ({history.path})")


class Recorder(Relay):
    """Watches one run. On the replay's own thread it does arithmetic and nothing else."""

    def __init__(
        self, history: History, info: RunInfo, to: Display, clock: Clock, begin: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(to)
        self._begin_to_write = begin
        self._history, self._info, self._clock = history, info, clock
        self._process = this_process()
        # Whoever asks later does so from another folder, or by another link: one file, one name.
        self._checkpoint = os.path.realpath(info.checkpoint)
        self._started_s, self._begun_s = clock.now(), clock.monotonic()
        self._shown: Snapshot | None = None
        self._begun = False  # a producer was there
        self._outcome: Outcome | None = None
        self._verdict: Mapping[str, Any] | None = None
        self._looked_s = float("-inf")  # when the details were gathered
        self._sampled_s: float | None = None
        self._before = (Lateness(), Lateness())  # of rows and of acknowledgements, at the sample before
        self._window: deque[tuple[float, int]] = deque()
        self._warned = self._tidied = False
        self._lock = threading.Lock()  # around what both threads use:
        self._figures: Figures | None = None
        self._rows_per_s: float | None = None
        self._acked_s: float | None = None
        self._ended: tuple[float, Outcome] | None = None
        self._details: Details | None = None  # that are not written yet
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
        begun = snapshot.begun_in_topic is not None
        if begun and not self._begun and RESUME not in self._open and 0 < snapshot.first_row < snapshot.rows:
            self._begin(RESUME, self._begun_s, "after a clean stop")
        self._begun = self._begun or begun
        if snapshot.outage_since_s is None:
            self._finish(OUTAGE)
            self._finish(RESUME, f"at row {snapshot.done_rows:,}")
        else:
            since_s = self._clock.now() - snapshot.outage_since_s
            self._begin(OUTAGE, self._clock.monotonic() - since_s, snapshot.outage_reason)
        self._shown = snapshot
        self._sample("replaying")

    def ended(self, exit_code: int, reason: str) -> None:
        """How the run ended, where no error says it."""
        self._outcome = Outcome(exit_code, reason)

    def verified(self, verdict: Mapping[str, Any]) -> None:
        """The topic was read back and compared: `Verdict.as_json()`."""
        self._verdict = shortened_verdict(verdict)

    def close(self, outcome: Outcome) -> None:
        """The last figures, and how it ended, unless `ended` was told."""
        self._finish(OUTAGE)
        self._finish(RESUME)
        if self._shown is not None:
            self._sample("ended", at_once=True)
        self._look_closely()
        with self._lock:
            self._ended = (self._clock.now(), self._outcome or outcome)

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

    def _look_closely(self) -> None:
        found = details(self._shown, self._info, self._verdict)
        self._looked_s = self._clock.monotonic()
        with self._lock:
            self._details = found

    def _sample(self, phase: str, *, at_once: bool = False) -> None:
        now_s = self._clock.monotonic()
        gap_s = max(SAMPLE_S, (now_s - self._begun_s) * SAMPLE_SHARE)
        if self._sampled_s is not None and now_s - self._sampled_s < gap_s and not at_once:
            return
        self._sampled_s, shown = now_s, self._shown
        if shown is not None and now_s - self._looked_s >= WRITE_S:
            self._look_closely()
        seen = figures(shown) if shown is not None else None
        late, latency = self._since_before(shown) if shown is not None else (Quantiles(), Quantiles())
        with self._lock:
            if seen is not None:
                if self._figures is not None and seen.done_row > self._figures.done_row:
                    self._acked_s = self._clock.now()
                self._figures, self._rows_per_s = seen, self._rate(now_s, seen.done_row)
            self._samples.append(
                SampleRecord(
                    at_s=now_s - self._begun_s,
                    phase=phase,
                    done_row=seen.done_row if seen is not None else 0,
                    in_flight_rows=seen.in_flight_rows if seen is not None else 0,
                    lateness_p50_s=late.p50_s,
                    lateness_p99_s=late.p99_s,
                    lateness_max_s=late.max_s,
                    ack_p50_s=latency.p50_s,
                    ack_p99_s=latency.p99_s,
                    ack_max_s=latency.max_s,
                    outage=OUTAGE in self._open,
                    delivered_rows=seen.acked_rows if seen is not None else None,
                    event_s=_newest_event_s(shown),
                )
            )

    def _since_before(self, shown: Snapshot) -> tuple[Quantiles, Quantiles]:
        before, now = self._before, (_copy(shown.lateness), _copy(shown.ack_latency))
        self._before = now
        return _between(before[0], now[0]), _between(before[1], now[1])

    def _rate(self, now_s: float, row: int) -> float | None:
        self._window.append((now_s, row))
        while now_s - self._window[0][0] > RATE_S and len(self._window) > 2:
            self._window.popleft()
        then_s, before = self._window[0]
        return max(0, row - before) / (now_s - then_s) if now_s > then_s else None

    # -- on the other one ----------------------------------------------------------------------------------

    def write(self) -> None:
        """Everything that is new. What cannot be written goes out with a later attempt."""
        with self._lock:
            run, samples, closed = self._as_run(), self._samples, self._closed
            spans = [*closed, *self._open.values()]
            seen = self._details
            self._samples, self._closed, self._details = [], [], None
        try:
            self._write(run, samples, spans, seen)
        except (sqlite3.Error, Damaged, OSError) as error:
            with self._lock:
                self._samples, self._closed = samples + self._samples, closed + self._closed
                self._details = self._details or seen
            self._warn(f"the history cannot be written ({self._history.path}: {error}); the replay goes on without")

    def _write(
        self, run: RunRecord, samples: list[SampleRecord], spans: list[SpanRecord], seen: Details | None
    ) -> None:
        try:
            self._history.write(run, samples, spans, seen)
        except Damaged as error:
            aside = self._history.move_aside()
            if aside is not None:
                self._to.warning(f"the history was damaged ({error}): it is begun anew, the old one is {aside}")
            self._history.write(run, samples, spans, seen)
        if not self._tidied:
            self._tidied = True
            self._history.forget_old_samples(run.alive_s)

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            self._to.warning(message)

    def _as_run(self) -> RunRecord:
        info, process = self._info, self._process
        ended_s, outcome = self._ended or (None, None)
        return RunRecord(
            run_id=info.run_id,
            job=info.job,
            date=info.date,
            command=info.command,
            topic=info.topic,
            checkpoint=self._checkpoint,
            options=info.options,
            host=process.host,
            pid=process.pid,
            process_start=process.start,
            started_s=self._started_s,
            alive_s=self._clock.now(),
            acked_s=self._acked_s,
            ended_s=ended_s,
            exit_code=outcome.exit_code if outcome is not None else None,
            reason=outcome.reason if outcome is not None else None,
            rows_per_s=self._rows_per_s,
            **(_columns(self._figures) if self._figures is not None else {}),
        )


def _newest_event_s(shown: Snapshot | None) -> float | None:
    events_ns = shown.events_sent_ns() if shown is not None else None
    return events_ns[1] / 1e9 if events_ns is not None else None


def _columns(seen: Figures) -> dict[str, Any]:
    return {
        "rows": seen.rows,
        "start_row": seen.start_row,
        "done_row": seen.done_row,
        "sent_rows": seen.sent_rows,
        "already_there_rows": seen.already_there_rows,
        "left_out": seen.counts.left_out,
        "bad": seen.counts.bad_by_reason,
        **seen.counts.named(),
        "delivered_rows": seen.acked_rows,
        "resent_rows": seen.resent_rows,
        "outages": seen.outages,
        "outages_s": seen.outages_s,
        "shifted_s": seen.shifted_s,
        "lateness_p50_s": seen.lateness.p50_s,
        "lateness_p99_s": seen.lateness.p99_s,
        "lateness_max_s": seen.lateness.max_s,
        "ack_p50_s": seen.ack_latency.p50_s,
        "ack_p99_s": seen.ack_latency.p99_s,
        "ack_max_s": seen.ack_latency.max_s,
    }


def _copy(measured: Lateness) -> Lateness:
    return Lateness(measured.counts.copy(), measured.max_s)


def _between(before: Lateness, now: Lateness) -> Quantiles:
    """Of what was measured between the two. Their greatest is known to the bucket, never above the greatest of all."""
    passed = Lateness(now.counts - before.counts, now.max_s)
    if not passed.counts.any():
        return Quantiles()
    return Quantiles(passed.quantile_s(0.5), passed.quantile_s(0.99), passed.quantile_s(1.0))
