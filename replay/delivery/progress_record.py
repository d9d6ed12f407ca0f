"""What Kafka knows of a transactional replay: its progress record, and where that says to go on. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

from replay.checkpoint.content import Checkpoint, JobPrint, count, counts, text
from replay.errors import StateConflict
from replay.identity import SUBJECT, without_tables
from replay.model import Position


@dataclass(frozen=True, slots=True)
class ProgressRecord:
    """What a committed transaction says: rows before `next_row` are in the topic, and nothing else of this job."""

    job: str
    next_row: int
    left_out: int
    bad: Mapping[str, int]
    cursors: tuple[int, ...]
    fingerprint: str
    instance: str
    topic_id: str
    first_offsets: tuple[int, ...]


def dumps(record: ProgressRecord) -> bytes:
    return json.dumps(asdict(record)).encode()


def loads(value: bytes, where: str) -> ProgressRecord:
    """Raises `StateConflict` for a record that somebody else wrote under our key."""
    try:
        body = {"bad": {}, **json.loads(value)}  # which was added later
        if set(body) != {field.name for field in fields(ProgressRecord)}:
            raise ValueError("its fields are others")
        record = ProgressRecord(
            job=text(body["job"]),
            next_row=count(body["next_row"]),
            left_out=count(body["left_out"]),
            bad=counts(body["bad"]),
            cursors=tuple(map(count, body["cursors"])),
            fingerprint=text(body["fingerprint"]),
            instance=text(body["instance"]),
            topic_id=text(body["topic_id"]),
            first_offsets=tuple(map(count, body["first_offsets"])),
        )
        if record.next_row != sum(record.cursors):
            raise ValueError("the next row does not fit the cursors of the inputs")
        return record
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StateConflict(
            f"the progress record is not one of replay's ({error})",
            where=where,
            todo="give this job a name of its own with --job, or another --progress-topic",
        ) from None


def fingerprint(job: JobPrint) -> str:
    """Everything that decides which bytes go where, as one hash; the topic's id stands in the record itself. Of a
    table it is its files, however it has moved on; of a subject its schema: without the checkpoint, that can be asked
    for by its version alone."""
    options = {name: value for name, value in without_tables(job.options).items() if name != SUBJECT}
    parts = json.dumps(asdict(replace(job, topic_id="", options=options)), sort_keys=True, default=dict)
    return hashlib.sha256(parts.encode()).hexdigest()


def decide(
    saved: Checkpoint | None,
    record: ProgressRecord | None,
    job: JobPrint,
    start: Position,
    where: str,
    *,
    allow_appended: bool = False,
) -> Position:
    """Where to go on: where Kafka says. Raises `StateConflict` if Kafka knows less than the local file."""
    if record is None:
        if saved is not None:  # even at row 0: a record is committed before the first checkpoint is written
            raise StateConflict(
                "there is a local checkpoint of this job, and Kafka's progress topic has no record of it",
                where=where,
                todo="check --job and --progress-topic (was it deleted?); start over on purpose with --restart",
            )
        return start
    known = replace(job, inputs=job.inputs[: len(record.cursors)]) if allow_appended else job
    if record.topic_id != job.topic_id or record.fingerprint != fingerprint(known):
        if saved is None and record.next_row and record.next_row == record.left_out:
            return start  # of whatever it was, not a single row is in the topic
        what = "topic id" if record.topic_id != job.topic_id else "inputs, options, schema, partitions or encoder"
        named = "name the version that the subject had (--schema-subject NAME:VERSION), "
        moved = named if job.options.get(SUBJECT) else ""
        raise StateConflict(
            f"Kafka's progress record of job {record.job!r} belongs to another replay: {what} differ"
            f" (it is at row {record.next_row:,}, written by {record.instance})",
            where=where,
            todo=f"put back what changed, {moved}give this replay a name of its own with --job, or start over with"
            " --restart",
        )
    if saved is not None and saved.progress.position.row > record.next_row:
        raise StateConflict(
            f"the local checkpoint knows {saved.progress.position.row:,} committed rows, Kafka's progress record only"
            f" {record.next_row:,}",
            where=where,
            todo="the progress topic lost data: find out what the topic holds, then start over with --restart",
        )
    cursors = record.cursors + (0,) * (len(job.inputs) - len(record.cursors))
    return Position(record.next_row, cursors, record.left_out, record.bad)
