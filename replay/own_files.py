"""Files that are replay's own (a checkpoint and what lies beside it, the history): who else may have put one there.

A folder may be a link: disks are mounted like that. A file of ours never is one: whoever may write to the folder could
lead what we write to any other file. Nor is it a pipe or a device: opening one may wait for ever.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from replay.errors import UsageError

_KINDS = {
    stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def check(paths: Iterable[Path], what: str) -> None:
    """Raises `UsageError` where one of these is there and is no plain file, or where everyone may write to its folder
    and it belongs to somebody else. Opens none of them."""
    for path in paths:
        try:
            status = os.lstat(path)
        except OSError:  # mostly, it is not there
            continue
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind == "a link":
            raise UsageError(
                f"{what} is a link (to {_target(path)}), and links are not written through",
                where=str(path),
                todo="name the file that it leads to; only the folder of such a file may be a link",
            )
        if kind is not None:
            raise UsageError(
                f"{what} is {kind}, not a file", where=str(path), todo="name another file, or move this one away"
            )
        if status.st_uid not in (0, os.geteuid()) and _is_open_to_all(path.parent):
            raise UsageError(
                f"{what} belongs to another user (uid {status.st_uid}), in a folder where everyone may put one",
                where=str(path),
                todo="name a folder of your own (--state-dir, --checkpoint), or make this file yours if you trust it",
            )


def open_own(path: Path, flags: int, mode: int = 0o644) -> int:
    """A descriptor. Follows no link at the end of the path, and never waits. Raises `OSError` for what is no plain
    file."""
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    except OSError as error:
        if path.is_symlink():
            raise OSError(error.errno, "it is a link", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "it is not a plain file", str(path))
    return descriptor


def read_own(path: Path) -> bytes:
    """Raises `OSError`."""
    with open(open_own(path, os.O_RDONLY), "rb") as file:
        return file.read()


def warnings(folders: Iterable[Path]) -> Iterator[str]:
    """What to say of folders to which everyone may write."""
    for folder in dict.fromkeys(os.path.realpath(folder) for folder in folders):
        if not _is_open_to_all(Path(folder)):
            continue
        if os.stat(folder).st_mode & stat.S_ISVTX:  # like /tmp: nobody can replace what is there already
            yield (
                f"{folder}: everyone may put files there, also a checkpoint that replay would go by; better name a"
                " folder of your own with --state-dir or --checkpoint"
            )
        else:
            yield (
                f"{folder}: everyone may write to this folder, and replace or delete the progress of replays: take that"
                " right away (chmod o-w), or name another with --state-dir or --checkpoint"
            )


def _is_open_to_all(folder: Path) -> bool:
    try:
        return bool(os.stat(folder).st_mode & stat.S_IWOTH)
    except OSError:
        return False


def _target(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return "?"
