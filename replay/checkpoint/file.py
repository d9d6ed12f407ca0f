"""How a checkpoint gets to disk and back.

The file is replaced as a whole: temporary file in the same folder, write, fsync, rename, fsync of the folder. The
generation before it is kept as `NAME.prev`. A missing file means a new job. A damaged one never does.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from replay import own_files
from replay.checkpoint.content import MAGIC, Checkpoint, Damaged, dumps, loads
from replay.errors import CheckpointUnwritable, Locked, StateConflict, UsageError

_BESIDE = (".inputs", ".quarantine.parquet", ".quarantine.parquet.tmp")
"""Names of further files beside a checkpoint, written by others."""


def this_instance() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _io_reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


class CheckpointFile:
    """One checkpoint on disk, held under a lock by one instance at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.name:
            raise StateConflict("a folder, not a file", where=str(path), todo="name a file with --checkpoint")
        # The folder may be a link, the file may not (`own_files`). Two links to one folder share one lock.
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
            self._check_plain()
            self._check_links()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = own_files.open_own(self._lock_path, os.O_RDWR | os.O_CREAT)
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
            with suppress(OSError):  # only a courtesy to the next one, who finds the lock taken
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{this_instance()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def load(self) -> Checkpoint | None:
        """The newest generation; None if there is none.

        Raises `StateConflict` for an unreadable one: that is never "start at row 0".
        """
        try:
            self._check_plain()
            data = own_files.read_own(self._target)
        except FileNotFoundError:
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
        """Raises `StateConflict` for a file that is no checkpoint. `--restart` forgets damaged checkpoints, too."""
        self._check_plain()
        for path in (self._target, self.previous):
            try:
                head = own_files.read_own(path)[:200]
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
        for place in self.path.parents:
            if place.is_symlink() and not place.exists():
                raise StateConflict(
                    f"a link to what is not there: {place} -> {os.readlink(place)}",
                    where=str(self.path),
                    todo="mount the disk or repair the link, or name another file with --checkpoint",
                )

    def _check_plain(self) -> None:
        """Raises `UsageError` where this, or one of the files beside it, is a link, a pipe, a device or a folder."""
        own_files.check([self.path], "the checkpoint")
        own_files.check([self.previous, self._link, self._temporary, self._lock_path], "a file beside the checkpoint")
        places = [self._target.with_name(self._target.name + ending) for ending in _BESIDE]
        own_files.check(places, "a file beside the checkpoint")

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the file; after a crash at any point there is one whole generation under its name.

        Raises `CheckpointUnwritable`.
        """
        try:
            descriptor = own_files.open_own(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
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
        """Raises `CheckpointUnwritable` before the first row is sent rather than a second after it."""
        self._check_plain()
        if self.path.exists() and not os.access(self.path, os.W_OK):
            raise CheckpointUnwritable(
                "the checkpoint is read-only",
                where=str(self.path),
                todo="make it writable (chmod u+w) and run again",
            )
        try:
            descriptor = own_files.open_own(self._temporary, os.O_WRONLY | os.O_CREAT)
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
            todo="repair the folder or name another with --checkpoint, then run again: it resumes from the last save",
        )


def existing(path: Path) -> Checkpoint:
    """The checkpoint at this path. Raises `UsageError` if there is none, `StateConflict` if it is damaged."""
    found = CheckpointFile(path).load()
    if found is None:
        raise UsageError("there is no checkpoint", where=str(path), todo="check the path given to --checkpoint")
    return found


def readable(path: Path) -> Checkpoint | None:
    """The checkpoint at this path, where a hint is enough: None where there is none, or it cannot be read."""
    try:
        return CheckpointFile(path).load()
    except Exception:  # whatever is wrong with it: the replay itself says so, in its own words
        return None
