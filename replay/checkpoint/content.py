"""What a checkpoint says, and its bytes. Pure.

A position is the next row to send. The bytes are JSON for people, with a magic word, a version and a CRC for us.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from replay.counts import RowCounts, row_counts
from replay.position import InputPrint, PartitionMark, Position, Progress

MAGIC = "trade-replay checkpoint"
VERSION = 2  # 2: `left_out`; `bad` and `pruned_rows` were added to it, and count as none where they are missing


class JobState(StrEnum):
    """RUNNING: rows beyond the position may be in the topic. CLEAN: none are. DONE: there are no more rows. EMPTY:
    there was no row to send when somebody looked last."""

    RUNNING = "running"
    CLEAN = "clean"
    DONE = "done"
    EMPTY = "empty"

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing to go on with."""
        return self in (JobState.DONE, JobState.EMPTY)


@dataclass(frozen=True, slots=True)
class JobPrint:
    """Everything that decides which bytes go to which partition; a resume needs all of it unchanged."""

    cluster_id: str
    topic: str
    topic_id: str
    partitions: int
    partitioner: str
    encoder: str
    options: Mapping[str, str]
    inputs: tuple[InputPrint, ...]

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.inputs)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One generation. `first_offsets` is where this replay began in each partition.

    No row at or beyond `progress.position.row + lead_rows_max` was ever handed to a producer while this generation or
    the one before it was the newest on disk: a resume looks no further. Nor was a row handed over later than
    `interval_s` (and a moment) after `saved_at_s`: then the next generation was due.

    `pruned_rows` of the inputs are ruled out by statistics: they are not selected, and no part of positions.
    """

    job: JobPrint
    progress: Progress
    first_offsets: tuple[int, ...]
    state: JobState
    lead_rows_max: int
    interval_s: float
    saved_at_s: float
    instance: str
    pruned_rows: int = 0
    appended: bool = False  # after it was done: others' records may lie among its own
    checked: bool = True  # every row was looked at before the first one was sent

    @property
    def counts(self) -> RowCounts:
        """What the checkpoint proves of the rows of INPUT."""
        return row_counts(self.progress, self.job.rows, self.pruned_rows)

    @property
    def holds_nothing(self) -> bool:
        """Whether nothing of this replay is in the topic, for sure: then it is as if it had never been."""
        return (
            self.state is not JobState.RUNNING
            and not self.progress.position.records
            and not any(mark.ahead_rows for mark in self.progress.marks)
        )


def _crc(body: Mapping[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{zlib.crc32(canonical.encode()):08x}"


_OF_CHECKPOINT = ("pruned_rows", "saved_at_s", "instance", "lead_rows_max", "interval_s", "appended", "checked")
_OF_JOB = ("cluster_id", "topic", "topic_id", "partitioner", "encoder")
"""Fields that the file has as they are, in its order."""


def dumps(checkpoint: Checkpoint) -> bytes:
    """The file's bytes. Inputs and cursors are zipped, so that a person sees how far each file is."""
    job, progress = checkpoint.job, checkpoint.progress
    body = {
        "magic": MAGIC,
        "version": VERSION,
        "state": checkpoint.state.value,
        "next_row": progress.position.row,
        "left_out": progress.position.left_out,
        "bad": dict(progress.position.bad),
        "rows": job.rows,
        **{name: getattr(checkpoint, name) for name in _OF_CHECKPOINT},
        **{name: getattr(job, name) for name in _OF_JOB},
        "options": dict(job.options),
        "partitions": [
            {"first_offset": first, **asdict(mark)}
            for first, mark in zip(checkpoint.first_offsets, progress.marks, strict=True)
        ],
        "inputs": [
            {**asdict(each), "next_row": cursor}
            for each, cursor in zip(job.inputs, progress.position.cursors, strict=True)
        ],
    }
    return (json.dumps({**body, "crc32": _crc(body)}, indent=1) + "\n").encode()


class Damaged(ValueError):
    """These bytes are not a whole checkpoint; the message says why."""


def loads(data: bytes) -> Checkpoint:
    """Raises `Damaged` for anything but the content that a `dumps` wrote."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Damaged("empty" if not data.strip() else f"not JSON ({error})") from None
    if not isinstance(body, dict) or body.get("magic") != MAGIC:
        raise Damaged("some other file, not a checkpoint of replay")
    crc = body.pop("crc32", None)
    if body.get("version") != VERSION:
        raise Damaged(f"version {body.get('version')!r}, and this replay reads version {VERSION}")
    if crc != _crc(body):
        raise Damaged("its CRC does not fit its content")
    try:
        return _from_body(body)
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"a field is missing or wrong ({type(error).__name__}: {error})") from None


def _from_body(body: dict[str, Any]) -> Checkpoint:
    # Files without a row that may be selected are no part of a replay; those who wrote them down meant nothing by it.
    files = [each for each in body["inputs"] if count(each["rows"])]
    inputs = tuple(
        InputPrint(each["name"], each["rows"], count(each["size_bytes"]), each["footer_sha256"]) for each in files
    )
    marks = tuple(PartitionMark(count(m["next_offset"]), count(m["ahead_rows"])) for m in body["partitions"])
    cursors = tuple(count(each["next_row"]) for each in files)
    position = Position(count(body["next_row"]), cursors, count(body["left_out"]), counts(body.get("bad", {})))
    job = JobPrint(
        partitions=len(marks),
        options=_texts(body["options"]),
        inputs=inputs,
        **{name: body[name] for name in _OF_JOB},
    )
    if position.left_out > position.row:
        raise ValueError("more rows are left out than there were")
    if sum(position.bad.values()) > position.left_out:
        raise ValueError("more rows are bad than were left out")
    if position.row != sum(position.cursors) or any(
        cursor > each.rows for cursor, each in zip(position.cursors, inputs, strict=True)
    ):
        raise ValueError("the next row does not fit the cursors of the inputs")
    return Checkpoint(
        job=job,
        progress=Progress(position, marks),
        first_offsets=tuple(count(each["first_offset"]) for each in body["partitions"]),
        state=JobState(body["state"]),
        lead_rows_max=count(body["lead_rows_max"]),
        interval_s=float(body["interval_s"]),
        saved_at_s=float(body["saved_at_s"]),
        instance=str(body["instance"]),
        pruned_rows=count(body.get("pruned_rows", 0)),
        appended=body.get("appended", False) is True,
        checked=body.get("checked", True) is not False,
    )


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError(f"{value!r:.40} are no options")
    return value


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} is no text")
    return value


def count(value: Any) -> int:
    """A whole number from 0 on, as JSON gives it."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def counts(value: Any) -> dict[str, int]:
    """Whole numbers by name."""
    if not isinstance(value, dict):
        raise ValueError(f"{value!r:.40} are no counts")
    return {name: count(each) for name, each in value.items()}
