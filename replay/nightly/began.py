"""The date with which a schedule began, in a file beside its checkpoints.

A first night that fails leaves no checkpoint. Without this file a scheduler that is started again would take the next
date for the first one, and nobody would send the rows of that night.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from replay.atomic_file import replace_file

NAME = "began"


def remember(state_dir: Path, day: date) -> None:
    """Write the date down, unless one stands there already. Raises `OSError`."""
    if first_date(state_dir) is None:
        state_dir.mkdir(parents=True, exist_ok=True)
        replace_file(state_dir / NAME, f"{day}\n".encode())


def first_date(state_dir: Path) -> date | None:
    """None where nothing is known of it, or the file cannot be read: then the oldest checkpoint tells."""
    try:
        return date.fromisoformat((state_dir / NAME).read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return None
