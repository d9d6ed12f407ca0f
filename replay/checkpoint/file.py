"""The checkpoint: what it says (pure), and how it gets to disk and back (a small I/O shell).

A position is the next row to send. The file is JSON for people, with a magic word, a version and a CRC for
us. It is replaced as a whole: temporary file in the same folder, write, fsync, rename, fsync of the folder.
The generation before it is kept as `NAME.prev`. Missing means a new job; damaged never does.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from replay.counts import RowCounts, row_counts
from replay.errors import CheckpointUnwritable, Locked, StateConflict
from replay.position import InputPrint, PartitionMark, Position, Progress

MAGIC = "trade-replay checkpoint"
VERSION = 2  # 2: `left_out`; `bad` and `pruned_rows` were added to it, and count as none where they are missing


class State(StrEnum):
    """RUNNING: rows beyond the position may be in the topic. CLEAN: none are. DONE: there are no more rows. EMPTY:
    there was no row to send when somebody looked last."""

    RUNNING = "running"
    CLEAN = "clean"
    DONE = "done"
    EMPTY = "empty"


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
    state: State
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
        position = self.progress.position
        return (
            self.state is not State.RUNNING
            and position.row == position.left_out
            and not any(mark.ahead_rows for mark in self.progress.marks)
        )


def this_instance() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


# -- bytes, pure ------------------------------------------------------------------------------------------


def _crc(body: Mapping[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{zlib.crc32(canonical.encode()):08x}"


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
        "pruned_rows": checkpoint.pruned_rows,
        "saved_at_s": checkpoint.saved_at_s,
        "instance": checkpoint.instance,
        "lead_rows_max": checkpoint.lead_rows_max,
        "interval_s": checkpoint.interval_s,
        "appended": checkpoint.appended,
        "checked": checkpoint.checked,
        "cluster_id": job.cluster_id,
        "topic": job.topic,
        "topic_id": job.topic_id,
        "partitioner": job.partitioner,
        "encoder": job.encoder,
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
    inputs = tuple(
        InputPrint(each["name"], count(each["rows"]), count(each["size_bytes"]), each["footer_sha256"])
        for each in body["inputs"]
    )
    marks = tuple(PartitionMark(count(m["next_offset"]), count(m["ahead_rows"])) for m in body["partitions"])
    cursors = tuple(count(each["next_row"]) for each in body["inputs"])
    # Files without a row that may be selected are no part of a replay; those who wrote them down meant nothing by it.
    cursors = tuple(cursor for cursor, each in zip(cursors, inputs, strict=True) if each.rows)
    inputs = tuple(each for each in inputs if each.rows)
    position = Position(count(body["next_row"]), cursors, count(body["left_out"]), counts(body.get("bad", {})))
    job = JobPrint(
        cluster_id=body["cluster_id"],
        topic=body["topic"],
        topic_id=body["topic_id"],
        partitions=len(marks),
        partitioner=body["partitioner"],
        encoder=body["encoder"],
        options=_texts(body["options"]),
        inputs=inputs,
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
        state=State(body["state"]),
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


# -- disk -------------------------------------------------------------------------------------------------


def _io_reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


class CheckpointFile:
    """One checkpoint on disk, held under a lock by one instance at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.name:
            raise StateConflict("a folder, not a file", where=str(path), todo="name a file with --checkpoint")
        # All beside the real file: a linked checkpoint stays a link, and two links to one file share one lock.
        self._target = Path(os.path.realpath(path))
        self.previous = self._target.with_name(self._target.name + ".prev")
        self._link = self._target.with_name(self._target.name + ".prev.tmp")
        self._temporary = self._target.with_name(self._target.name + ".tmp")
        self._lock_path = self._target.with_name(self._target.name + ".lock")

    @property
    def has_traces(self) -> bool:
        """Whether a replay was here, whatever became of the file itself."""
        return self._lock_path.exists() or self.previous.exists()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock; `Locked` if another process does. The lock file is never deleted: a deleted one could
        be locked by two processes at once, each holding another inode."""
        try:
            self._check_links()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._unwritable("the lock file beside it cannot be opened", error) from None
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(descriptor, 200).decode(errors="replace").strip() or "another process"
                raise Locked(
                    f"another replay holds this checkpoint ({holder})",
                    where=str(self.path),
                    todo="wait for it to end, or give this job a checkpoint of its own with --checkpoint",
                ) from None
            except OSError as error:
                raise self._unwritable("its lock file cannot be locked", error) from None
            with suppress(OSError):  # only a courtesy to whoever finds the lock taken
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{this_instance()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def load(self) -> Checkpoint | None:
        """The newest generation; None if there is none. An unreadable one is never "start at row 0"."""
        try:
            self._check_regular()
            data = self.path.read_bytes()
        except FileNotFoundError:
            if self.path.is_symlink():
                raise self._damaged("a link to a file that is missing") from None
            if self.previous.exists():
                raise self._damaged(f"missing, while {self.previous.name} is there") from None
            return None
        except OSError as error:
            raise self._damaged(_io_reason(error)) from None
        try:
            return loads(data)
        except Damaged as error:
            raise self._damaged(str(error)) from None

    def check_replaceable(self) -> None:
        """`--restart` may forget a checkpoint, also a damaged one; never replace somebody's other file by one."""
        self._check_regular()
        for path in (self._target, self.previous):
            try:
                with path.open("rb") as file:
                    head = file.read(200)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._damaged(_io_reason(error)) from None
            if head and MAGIC.encode() not in head:
                raise StateConflict(
                    "this file is not a checkpoint of replay, so it is not replaced by one",
                    where=str(path),
                    todo="name another file with --checkpoint, or move this one away",
                )

    def _check_links(self) -> None:
        """The folder that was named is made where it is missing; what a link points to never is: it may lie on a disk
        that is away, and a checkpoint made in its place would start at row 0."""
        for place in (self.path, *self.path.parents):
            is_there = self._target.parent.is_dir() if place is self.path else place.exists()
            if place.is_symlink() and not is_there:
                raise StateConflict(
                    f"a link to what is not there: {place} -> {os.readlink(place)}",
                    where=str(self.path),
                    todo="mount the disk or mend the link, or name another file with --checkpoint",
                )

    def _check_regular(self) -> None:
        """A pipe or a device would block or swallow what is written."""
        if self.path.exists() and not self.path.is_file():
            raise self._damaged("a folder, not a file" if self.path.is_dir() else "not a regular file")

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the file; after a crash at any point there is one whole generation under its name."""
        try:
            descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            try:
                view = memoryview(dumps(checkpoint))
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._keep_previous()
            os.replace(self._temporary, self._target)
            folder = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            for scrap in (self._temporary, self._link):
                with suppress(OSError):
                    scrap.unlink(missing_ok=True)
            raise self._unwritable("progress cannot be saved", error) from None

    def check_writable(self) -> None:
        """Fail before the first row is sent rather than a second after it."""
        self._check_regular()
        if self.path.exists() and not os.access(self.path, os.W_OK):
            raise CheckpointUnwritable(
                "the checkpoint is read-only",
                where=str(self.path),
                todo="make it writable (chmod u+w) and run again",
            )
        try:
            descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.close(descriptor)
            os.unlink(self._temporary)
        except OSError as error:
            raise self._unwritable("its folder cannot be written to", error) from None

    def remove(self) -> None:
        """Forget the job's progress; the older generation first, so that a crash in between leaves the newest."""
        try:
            self.previous.unlink(missing_ok=True)
            self._target.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable("it cannot be removed", error) from None

    def _keep_previous(self) -> None:
        """A hard link, so that there is no moment without a file under the real name."""
        if not self._target.exists():
            return
        self._link.unlink(missing_ok=True)
        try:
            os.link(self._target, self._link)
        except OSError:  # no hard links here (some network and FUSE file systems)
            self._link.write_bytes(self._target.read_bytes())
        os.replace(self._link, self.previous)

    def _damaged(self, why: str) -> StateConflict:
        if os.path.isfile(self.previous):  # which says no, too, where the folder may not be entered
            todo = (
                f"the generation before it is {self.previous}: copy it over {self.path.name} and run again, it"
                " resumes from there without duplicates; or start over on purpose with --restart"
            )
        else:
            todo = "restore it from a backup, name another file with --checkpoint, or start over with --restart"
        return StateConflict(f"the checkpoint is unreadable: {why}", where=str(self.path), todo=todo)

    def _unwritable(self, what: str, error: OSError) -> CheckpointUnwritable:
        return CheckpointUnwritable(
            f"{what}: {_io_reason(error)}",
            where=str(self.path),
            todo="mend the folder or name another with --checkpoint, then run again: it resumes from the last save",
        )
