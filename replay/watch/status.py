"""The status of each replay that is known to the state folder, the history or the caller. Light.

It is the checkpoint, joined with the last run. The checkpoint says what is in the topic. The history says who worked on
it last, and how that ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from replay.checkpoint.content import Checkpoint, JobState
from replay.checkpoint.file import CheckpointFile
from replay.delivery import seen
from replay.errors import STOPPED, ExitCode, StateConflict
from replay.watch.history.database import History, HistoryUnreadable
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
    """One replay. Scripts read it as JSON, by these names. What is not known is None; times are seconds since 1970.

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
class Place:
    """A checkpoint's path, and the job and date that its path stands for."""

    path: Path
    job: str
    date: str | None

    @property
    def key(self) -> str:
        """As the history knows the checkpoint."""
        return utf8(os.path.realpath(self.path))


def collect(
    state_dir: Path, history: History, now_s: float, named: Sequence[Path] = ()
) -> tuple[list[Status], list[str]]:
    """Every replay that the state folder, the history or the caller knows; and what could not be looked at."""
    troubles: list[str] = []
    last: dict[str, RunRecord] = {}
    try:
        last = {run.checkpoint: run for run in history.last_of_each()}
    except HistoryUnreadable as error:
        troubles.append(str(error))
    places = {place.key: place for place in _places(state_dir)}
    known = {place.key: place for place in (Place(path, path.stem, None) for path in named)}
    known |= {key: places.get(key, Place(Path(run.checkpoint), run.job, run.date)) for key, run in last.items()}
    found = {key: (place, _load(place.path)) for key, place in {**places, **known}.items()}
    # The folder may hold other JSON, such as a summary. What cannot be read counts only where a replay left traces.
    statuses = [
        _with_changes(status(place, checkpoint, last.get(key), now_s), checkpoint, place.path)
        for key, (place, checkpoint) in found.items()
        if key in known or not isinstance(checkpoint, str) or CheckpointFile(place.path).has_traces
    ]
    return sorted(statuses, key=lambda each: (each.job, each.date or "", each.checkpoint)), troubles


def _with_changes(made: Status, found: Checkpoint | str | None, path: Path) -> Status:
    """With the files that came or went since a replay was done or empty. It reads no Parquet."""
    if not isinstance(found, Checkpoint) or made.state not in (ReplayState.DONE, ReplayState.EMPTY):
        return made
    changed = seen.changed_since(path, found)
    if not changed:
        return made
    return replace(made, changed=changed, detail=", ".join(filter(None, (f"changed since: {changed}", made.detail))))


def _places(state_dir: Path) -> Iterator[Place]:
    """`JOB.json` and `JOB/DATE.json`, also where only their previous generation is left."""
    for pattern in ("*.json", "*.json.prev", "*/*.json", "*/*.json.prev"):
        for path in state_dir.glob(pattern):
            whole = path.with_suffix("") if path.suffix == ".prev" else path
            if whole.name.startswith(".") or (whole != path and whole.exists()):
                continue
            if whole.parent == state_dir:
                yield Place(whole, whole.stem, None)
            else:
                yield Place(whole, whole.parent.name, whole.stem)


def _load(path: Path) -> Checkpoint | str | None:
    try:
        return CheckpointFile(path).load()
    except StateConflict as error:
        return error.what


def status(place: Place, found: Checkpoint | str | None, last: RunRecord | None, now_s: float) -> Status:
    """`found` is the checkpoint, or why it cannot be read; `last` the newest run on it."""
    job, date = (last.job, last.date) if last is not None else (place.job, place.date)
    state, detail = _state(found, last, now_s)
    known: dict[str, Any] = {}
    if last is not None:
        known = {
            "topic": last.topic,
            "done_rows": last.done_row,
            "rows": last.rows,
            "exit_code": last.exit_code,
            "run_id": last.run_id,
            "ack_age_s": _age(last.acked_s, now_s),
            "succeeded_s": last.ended_s if last.exit_code == ExitCode.DONE else None,
            **(last.counts.named() if last.counts is not None else {}),
        }
    if isinstance(found, Checkpoint):
        known |= {
            "topic": found.job.topic,
            "done_rows": found.progress.position.row,
            "rows": found.job.rows,
            "saved_s": found.saved_at_s,
            **found.counts.named(),
        }
        if _ended(found) is not None:
            known["succeeded_s"] = max(known.get("succeeded_s") or 0.0, found.saved_at_s)
    if state is ReplayState.RUNNING and last is not None:
        known["rows_per_s"] = rate = last.rows_per_s
        if rate and known["rows"] is not None and known["done_rows"] is not None:
            known["left_s"] = (known["rows"] - known["done_rows"]) / rate
    return Status(job, date, state, detail, utf8(str(place.path)), **known)


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


def _age(at_s: float | None, now_s: float) -> float | None:
    return None if at_s is None else max(0.0, now_s - at_s)


def older_than(
    statuses: Iterable[Status], age_s: float, now_s: float, successes: Mapping[str, float] | None = None
) -> dict[str, float | None]:
    """Jobs whose last success, of any date, is older than this: what a monitor asks for. None: it never succeeded.

    `successes` are those of the history: a later failure of the same date hides them in its status.
    """
    newest: dict[str, float | None] = {}
    for each in statuses:
        ends = (newest.get(each.job), each.succeeded_s, (successes or {}).get(each.job))
        newest[each.job] = max((end for end in ends if end is not None), default=None)
    ages = {job: _age(end, now_s) for job, end in newest.items()}
    return {job: age for job, age in sorted(ages.items()) if age is None or age > age_s}
