"""Positions and progress: what a checkpoint says about the topic. Light, so that `replay status` answers at once.

A position is the *next* row to send, everywhere: a fresh replay is at row 0, a finished one at `rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Position:
    """The next row to send: its number in the replay's order, and the next row of every input file.

    `left_out` of the rows before it are not sent: they were not selected, or are bad; `bad` counts those by the name
    of their `Fate`.
    """

    row: int
    cursors: tuple[int, ...]
    left_out: int = 0
    bad: Mapping[str, int] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """How many of the rows before it are sent."""
        return self.row - self.left_out


@dataclass(frozen=True, slots=True)
class PartitionMark:
    """How far one partition is known.

    Together with a `Position` it says: rows before the position are in the topic; so are the first
    `ahead_rows` rows of this partition at or after the position; all of them lie before `next_offset`,
    and no other row of this replay does.
    """

    next_offset: int
    ahead_rows: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """What is proven to be in the topic: the part of a checkpoint that moves."""

    position: Position
    marks: tuple[PartitionMark, ...]


@dataclass(frozen=True, slots=True)
class InputPrint:
    """What identifies an input file: rename the folder, copy the file, touch it: it stays the same."""

    name: str
    rows: int
    size_bytes: int
    footer_sha256: str
