"""Files that hold secrets and that others may read, too: what to warn of."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from replay.errors import printable


def warnings(paths: Iterable[str]) -> list[str]:
    """One for each file that others may read."""
    return [text for path in dict.fromkeys(paths) if (text := readable_by_others(path))]


def readable_by_others(path: str) -> str:
    """What to warn of; empty where there is nothing, or nothing that this user could mend.

    The file's group may read it where the file is somebody else's: that is how a service reads a secret that root
    wrote (root:replay, 0640), and without it this process could not. What an engine mounts is as the engine wants it:
    Kubernetes' secrets (reached through the link `..data`, 0644 by default) and those of Docker (a read-only mount,
    0444) are seen by the container alone.
    """
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode) or _is_mounted(Path(path)):
            return ""
    except OSError:
        return ""
    shown = printable(path)
    is_ours = found.st_uid == os.geteuid()
    if is_ours and found.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        who = "every user of this machine" if found.st_mode & stat.S_IROTH else "its group"
        return f"{shown} holds a secret, and {who} may read it (mode {found.st_mode & 0o777:o}): chmod 600 {shown}"
    if found.st_mode & stat.S_IROTH:
        return (
            f"{shown} holds a secret, and every user of this machine may read it: have its owner run chmod o= {shown}"
        )
    return ""


def _is_mounted(path: Path) -> bool:
    is_of_kubernetes = path.is_symlink() and (path.parent / "..data").is_symlink()
    return is_of_kubernetes or bool(os.statvfs(path).f_flag & os.ST_RDONLY)
