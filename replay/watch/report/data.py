"""The data of a report on one replay (a job, or a job and its date): all that its page is made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from replay.counts import ByName, RowCounts
from replay.errors import STOPPED, ExitCode
from replay.watch.figures import NOT_MEASURED, Quantiles


class RunState(Enum):
    """How a run ended: a sign, a word, and the colour of both."""

    DONE = ("✓", "Done", "good")
    FAILED = ("✗", "Failed", "bad")
    STOPPED = ("■", "Stopped", "open")
    INTERRUPTED = ("!", "Interrupted", "bad")
    RUNNING = ("▶", "Running", "open")
    UNKNOWN = ("?", "Unknown", "open")

    def __init__(self, sign: str, word: str, tone: str) -> None:
        self.sign, self.word, self.tone = sign, word, tone


class MarkKind(StrEnum):
    """What is marked in the plots."""

    OUTAGE = "outage"
    RESUME = "resume"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of time that is marked. A resume may be a moment: both times are the same."""

    kind: MarkKind
    from_s: float  # seconds since 1970, as all times here
    to_s: float
    what: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A run at one moment, and rows in the topic by then. Lateness and latency are those since the sample before.
    `event_s` is the newest event time handed over."""

    at_s: float
    done_rows: int
    lateness: Quantiles = NOT_MEASURED
    ack_latency: Quantiles = NOT_MEASURED
    event_s: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One process that worked on the replay. `last_s`: when it ended, or gave its last sign of life.

    `first_rows` were in the topic when its first producer began, `done_rows` when it ended. It handed over `sent_rows`.
    Of `unconfirmed_rows` of these it is not known whether they are in the topic. At most one of `rows_per_s` and
    `speed` is set: its pace.
    """

    begun_s: float
    last_s: float
    first_rows: int
    done_rows: int
    sent_rows: int
    already_there_rows: int = 0
    unconfirmed_rows: int = 0
    resent_rows: int = 0
    exit_code: int | None = None  # None: it has not ended, or could not say so
    is_alive: bool = False
    reason: str = ""
    process: str = ""  # host and pid
    outages: int = 0
    outages_s: float = 0.0
    samples: Sequence[Sample] = ()
    rows_per_s: float | None = None
    speed: float | None = None
    restarts: bool = False  # it began with row 0 again, on purpose

    @property
    def lasted_s(self) -> float:
        return max(0.0, self.last_s - self.begun_s)

    @property
    def delivered_rows(self) -> int:
        return max(0, self.done_rows - self.first_rows)

    @property
    def found_nothing_to_do(self) -> bool:
        return self.state is RunState.DONE and not self.sent_rows and not self.already_there_rows

    @property
    def state(self) -> RunState:
        if self.exit_code is None:
            return RunState.RUNNING if self.is_alive else RunState.INTERRUPTED
        if self.exit_code in STOPPED:
            return RunState.STOPPED
        return RunState.DONE if self.exit_code == ExitCode.DONE else RunState.FAILED


@dataclass(frozen=True, slots=True)
class ReportData:
    """What is not known is empty, and its part of the page is left out."""

    job: str
    date: str
    topic: str
    cluster: str
    delivery: str
    pace: str
    inputs: Sequence[str]  # the first of `files`
    counts: RowCounts
    made_s: float
    files: int = 0
    first_event_s: float | None = None
    last_event_s: float | None = None
    runs: Sequence[Run] = ()  # the oldest first
    marks: Sequence[Mark] = ()  # outages and resumes; pauses between runs are found here
    symbols: ByName = field(default_factory=ByName)  # records handed over by all runs: one sent again counts again
    partitions: ByName = field(default_factory=ByName)
    bad_rows: Mapping[str, int] = field(default_factory=dict)  # the bad ones of `counts`, by reason for people
    verdict: Mapping[str, Any] | None = None  # verify's, `Verdict.as_json()`
    settings: Sequence[tuple[str, object, str]] = ()  # name, value, where it came from
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> RunState:
        """The last run speaks for the replay."""
        return self.runs[-1].state if self.runs else RunState.UNKNOWN

    @property
    def outages(self) -> tuple[int, float]:
        """Their number, and their length in all in seconds: the larger of both counts. A run does not count the outage
        that it did not outlive, and marks are deleted after some time."""
        marked = [mark for mark in self.marks if mark.kind is MarkKind.OUTAGE]
        marked_s = sum(mark.to_s - mark.from_s for mark in marked)
        counted_s = sum(run.outages_s for run in self.runs)
        return max(len(marked), sum(run.outages for run in self.runs)), max(marked_s, counted_s)

    @property
    def resent_rows(self) -> int:
        """Rows handed over more than once, since they were lost on their way. Each is in the topic once."""
        begins = max((number for number, run in enumerate(self.runs) if run.restarts), default=0)
        runs = self.runs[begins:]
        if not runs:
            return 0
        lost = sum(run.sent_rows for run in runs) - runs[-1].unconfirmed_rows - self.counts.in_topic
        return max(lost, sum(run.resent_rows for run in runs))

    def all_marks(self) -> list[Mark]:
        """All marks, in order of time, with the pauses between runs."""
        pauses = [
            Mark(MarkKind.PAUSE, before.last_s, after.begun_s, "no process was running")
            for before, after in zip(self.runs, self.runs[1:], strict=False)
            if after.begun_s > before.last_s
        ]
        return sorted([*self.marks, *pauses], key=lambda mark: (mark.from_s, mark.to_s))
