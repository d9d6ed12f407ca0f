"""Files of this machine: named, searched for, opened."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow as pa

from replay.errors import InputError, NoInput, not_memory
from replay.source.files import paths
from replay.source.files.endings import OtherEndings

FILE = "file://"


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine. `real` is its path without links; `linked`: it was reached through one."""

    path: str
    real: str
    size_bytes: int
    linked: bool = False

    @property
    def shown(self) -> str:
        return self.path

    @property
    def whole(self) -> str:
        """With all folders that may give it keys: by its links, not what they lead to."""
        return os.path.abspath(self.path)

    @property
    def identity(self) -> str:
        return self.real

    def open(self) -> pa.NativeFile:
        return pa.OSFile(os.fsencode(self.path))  # by bytes: a path need not be UTF-8

    def refusal(self, error: Exception) -> InputError:
        return refusal(self.path, error)


def refusal(path: str, error: Exception) -> InputError:
    if isinstance(not_memory(error), FileNotFoundError | NotADirectoryError):
        return NoInput("there is no such file or folder", where=path, todo="check the path")
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error).partition("\n")[0]
    return InputError(reason, where=path, todo="check path and rights")


def path_of_url(url: str) -> str:
    host, slash, rest = url.removeprefix(FILE).partition("/")
    if host not in {"", "localhost"} or not slash:
        raise InputError("this URL names no file of this machine", where=url, todo="write file:///folder/file.parquet")
    return slash + unquote(rest, errors="surrogateescape")


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    real: str
    steps: paths.Steps
    linked: bool


def search(start: str, steps: paths.Steps, others: OtherEndings) -> Iterator[LocalFile]:
    """Links to folders are followed, after all real folders, and no folder is searched twice: a loop ends."""
    near = deque([_Folder(start, os.path.realpath(start), steps, False)])
    linked: deque[_Folder] = deque()
    seen: set[tuple[str, paths.Steps]] = set()
    while near or linked:
        folder = (near or linked).popleft()
        if (folder.real, folder.steps) in seen:
            continue
        seen.add((folder.real, folder.steps))
        try:
            with os.scandir(folder.path or ".") as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)  # which of two links counts is no accident
        except OSError as error:
            raise refusal(folder.path, error) from None
        for entry in ordered:
            path, real, is_linked = _place(folder, entry)
            ways = paths.into(folder.steps, entry.name)
            if ways and _is(entry.is_dir):
                (linked if is_linked else near).extend(_Folder(path, real, steps, is_linked) for steps in ways)
            elif paths.takes(folder.steps, entry.name):
                yield from _file(path, real, is_linked, entry)
            elif folder.steps == paths.FOLDER and not paths.is_ignored(entry.name) and _is(entry.is_file):
                others.note(real, folder.path, entry.name)


def _is(kind: Callable[[], bool]) -> bool:
    try:
        return kind()
    except OSError:  # a link to itself; where it is named like a file of ours, opening it says so
        return False


def _place(folder: _Folder, entry: os.DirEntry[str]) -> tuple[str, str, bool]:
    """Path, real path, and whether a link leads there. Only links are looked up: that costs a call a folder."""
    path = os.path.join(folder.path, entry.name)
    if entry.is_symlink():
        return path, os.path.realpath(path), True
    return path, os.path.join(folder.real, entry.name), folder.linked


def _file(path: str, real: str, linked: bool, entry: os.DirEntry[str]) -> Iterator[LocalFile]:
    try:
        status = entry.stat()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            todo = "if files are being moved or written here, wait until that is done; then run again"
            raise InputError(
                "it vanished while it was looked for, or is a link to nothing", where=path, todo=todo
            ) from None
        raise refusal(path, error) from None
    if stat.S_ISREG(status.st_mode):
        yield LocalFile(path, real, status.st_size, linked)
