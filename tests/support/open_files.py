"""What this process holds open, as the kernel tells."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def open_files(folder: str | Path) -> list[str]:
    """Their paths below this folder; those that have no name any more end in ` (deleted)`."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # the one of the listing itself
            continue
        if target.startswith(f"{folder}/"):
            found.append(target)
    return found
