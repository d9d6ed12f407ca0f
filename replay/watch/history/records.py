"""What the history holds of a run: its record, samples, spans and details. Plain values, and light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from replay.counts import ByName, RowCounts
from replay.watch.history.process import Process, is_there

_LIFE_S = 120.0
"""A run on another host counts as running this long after its last sign of life. Signs come every few seconds. The rest
is for a history that is locked for a while, and for clocks that differ."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, a row of the table `runs`. Times are seconds since 1970. What is not known (yet) is None.

    `in_topic_rows + not_selected_rows + bad_rows` of `of_rows` were done when the run ended. `delivered_rows` of them
    this run brought into the topic. `alive_s` is its last sign of life, `acked_s` when the position last moved.
    `rows_per_s` is how fast the position moved in the last seconds.
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
        """None: nothing was known of its rows, or an older version did not write it."""
        if self.in_topic_rows is None or self.not_selected_rows is None or self.of_rows is None:
            return None
        return RowCounts(self.of_rows, self.in_topic_rows, self.not_selected_rows, self.bad)

    def is_running(self, now_s: float) -> bool:
        """It has not ended, and its process is there. Where that cannot be known, a recent sign of life counts."""
        if self.ended_s is not None:
            return False
        there = is_there(Process(self.host, self.pid, self.process_start))
        return now_s - self.alive_s <= _LIFE_S if there is None else there


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """A run at one moment, `at_s` after its start. Lateness and latency are of the time since the sample before.

    `delivered_rows` this run had brought into the topic by then. `event_s` is the newest event time handed over.
    """

    at_s: float
    phase: str
    done_row: int = 0
    in_flight_rows: int = 0
    lateness_p50_s: float | None = None
    lateness_p99_s: float | None = None
    lateness_max_s: float | None = None
    ack_p50_s: float | None = None
    ack_p99_s: float | None = None
    outage: bool = False
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


@dataclass(frozen=True, slots=True)
class Details:
    """What the report of a run shows beyond its figures. Its size is bounded, however large the run was.

    `inputs` are the first of its `files`. Symbols, partitions and event times are those of the records that it handed
    over. `verdict` is that of the comparison, `origins` says of each option where it came from.
    """

    inputs: Sequence[str] = ()
    files: int = 0
    first_event_s: float | None = None
    last_event_s: float | None = None
    symbols: ByName = field(default_factory=ByName)
    partitions: ByName = field(default_factory=ByName)
    verdict: Mapping[str, Any] | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    cluster_id: str = ""
