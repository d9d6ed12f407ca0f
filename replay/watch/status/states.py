"""How a replay stands: its checkpoint, joined with its last run. Light.

The checkpoint says what is in the topic. The history says who worked on it last, and how that ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from replay.checkpoint.content import Checkpoint, JobState
from replay.errors import STOPPED, ExitCode
from replay.watch.history.process import Process, was_there
from replay.watch.history.records import RunRecord
from replay.watch.run import DAY_OFF, utf8


class ReplayState(StrEnum):
    """STOPPED: by a signal, after a clean drain. EMPTY: there was no row to send. GONE: it was done, and its checkpoint
    is missing. UNKNOWN: there is neither a checkpoint nor a run."""

    DONE = "done"
    EMPTY = "empty"
    RUNNING = "running"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DAMAGED = "damaged"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Status:
    """One replay. What is not known is None; times are seconds since 1970.

    `in_topic_rows + not_selected_rows + bad_rows` of `of_rows` are done, as the checkpoint proves. `done_rows` of
    `rows` is the position: the next row. `saved_s` is when the checkpoint was last saved, `succeeded_s` when this date
    last came to its end. `changed` names what has changed in its local files since then.
    """

    job: str
    date: str | None
    state: ReplayState
    detail: str
    checkpoint: str
    topic: str | None = None
    done_rows: int | None = None
    rows: int | None = None
    in_topic_rows: int | None = None
    not_selected_rows: int | None = None
    bad_rows: int | None = None
    of_rows: int | None = None
    rows_per_s: float | None = None
    left_s: float | None = None
    ack_age_s: float | None = None
    saved_s: float | None = None
    succeeded_s: float | None = None
    exit_code: int | None = None
    run_id: str | None = None
    changed: str | None = None


@dataclass(frozen=True, slots=True)
class Stale:
    """A job whose last success is too long ago. None: it never succeeded."""

    job: str
    age_s: float | None


def status(place: Place, found: Checkpoint | str | None, last: RunRecord | None, now_s: float) -> Status:
    """`found` is the checkpoint, or why it cannot be read; `last` the newest run on it."""
    job, date = (last.job, last.date) if last is not None else (place.job, place.date)
    base = Status(job, date, ReplayState.DAMAGED, "", utf8(str(place.path)))
    if last is not None:
        base = replace(
            base,
            topic=last.topic,
            done_rows=last.done_row,
            rows=last.rows,
            exit_code=last.exit_code,
            run_id=last.run_id,
            ack_age_s=_age(last.acked_s, now_s),
            succeeded_s=last.ended_s if last.exit_code == ExitCode.DONE else None,
            **(last.counts.named() if last.counts is not None else {}),
        )
    if isinstance(found, Checkpoint):
        base = replace(
            base,
            topic=found.job.topic,
            done_rows=found.progress.position.row,
            rows=found.job.rows,
            saved_s=found.saved_at_s,
            **found.counts.named(),
        )
        if _ended(found) is not None:
            base = replace(base, succeeded_s=max(base.succeeded_s or 0.0, found.saved_at_s))
    state, detail = _state(found, last, now_s)
    made = replace(base, state=state, detail=detail)
    return _with_rate(made, last) if state is ReplayState.RUNNING and last is not None else made


def _state(found: Checkpoint | str | None, last: RunRecord | None, now_s: float) -> tuple[ReplayState, str]:
    if isinstance(found, str):
        return ReplayState.DAMAGED, found
    if last is not None and last.is_running(now_s):
        return ReplayState.RUNNING, f"by {last.host}:{last.pid}"
    if last is None or last.ended_s is None or (found is not None and found.saved_at_s > last.ended_s):
        # No run that ended has the last word: what the checkpoint says counts.
        return _by_checkpoint(found, last)
    return _by_end(last, found)


def _by_end(last: RunRecord, found: Checkpoint | None) -> tuple[ReplayState, str]:
    if last.exit_code in STOPPED:
        return ReplayState.STOPPED, last.reason or ""
    if last.exit_code != ExitCode.DONE:
        return ReplayState.FAILED, f"exit {last.exit_code}: {last.reason}"
    if found is None and last.command == DAY_OFF:
        return ReplayState.EMPTY, "a day off without a file; the next run looks again"
    if found is None:
        return ReplayState.GONE, "it was done; its checkpoint is away, so that the next run sends all rows again"
    return _ended(found) or (ReplayState.DONE, "")


def _ended(found: Checkpoint) -> tuple[ReplayState, str] | None:
    """Where there is nothing left to do, by what the checkpoint says."""
    if found.state is JobState.EMPTY:
        return ReplayState.EMPTY, "there was no row to send; the next run looks again"
    return (ReplayState.DONE, "") if found.state is JobState.DONE else None


def _by_checkpoint(found: Checkpoint | None, last: RunRecord | None) -> tuple[ReplayState, str]:
    if found is None:
        if last is None:
            return ReplayState.UNKNOWN, "there is no checkpoint, and no run on it is known"
        return ReplayState.INTERRUPTED, f"on {last.host}, before its first checkpoint"
    if (ended := _ended(found)) is not None:
        return ended
    host, _, pid = found.instance.rpartition(":")
    if found.state is JobState.CLEAN:
        return ReplayState.STOPPED, f"on {host}"
    if last is None and pid.isdecimal() and was_there(Process(host, int(pid)), found.saved_at_s):
        return ReplayState.RUNNING, f"by {found.instance}"
    return ReplayState.INTERRUPTED, f"on {host}: the next run looks into the topic first"


def _with_rate(made: Status, last: RunRecord) -> Status:
    rate = last.rows_per_s
    if not rate or made.rows is None or made.done_rows is None:
        return replace(made, rows_per_s=rate)
    return replace(made, rows_per_s=rate, left_s=(made.rows - made.done_rows) / rate)


def _age(at_s: float | None, now_s: float) -> float | None:
    return None if at_s is None else max(0.0, now_s - at_s)


def older_than(
    statuses: Iterable[Status], age_s: float, now_s: float, successes: Mapping[str, float] | None = None
) -> list[Stale]:
    """Jobs whose last success, of any date, is older than this or missing: what a monitor asks for.

    `successes` are those of the history: a later failure of the same date hides them in its status.
    """
    newest: dict[str, float | None] = {}
    for each in statuses:
        ends = (newest.get(each.job), each.succeeded_s, (successes or {}).get(each.job))
        newest[each.job] = max((end for end in ends if end is not None), default=None)
    ages = {job: _age(end, now_s) for job, end in newest.items()}
    return [Stale(job, age) for job, age in sorted(ages.items()) if age is None or age > age_s]


def as_json(statuses: Iterable[Status]) -> list[dict[str, Any]]:
    """Field names are part of the interface: scripts read them."""
    return [asdict(each) for each in statuses]


@dataclass(frozen=True, slots=True)
class Place:
    """A checkpoint's path, and the job and date that its path stands for."""

    path: Path
    job: str
    date: str | None

    @property
    def key(self) -> str:
        """As the history knows the checkpoint."""
        return utf8(os.path.realpath(self.path))
