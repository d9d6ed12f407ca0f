"""Progress that is proven without comparing records. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from replay.position import PartitionMark, Position, Progress


def fresh_start(start: Position, high_watermarks: Sequence[int]) -> Progress:
    """A new job: row 0, and all that is in the topic now is not ours."""
    return Progress(start, tuple(PartitionMark(offset) for offset in high_watermarks))


def behind(progress: Progress, high_watermarks: Sequence[int]) -> Progress:
    """The same progress, once it is known that nothing up to the high watermarks adds to it."""
    marks = zip(progress.marks, high_watermarks, strict=True)
    return Progress(
        progress.position, tuple(PartitionMark(max(mark.next_offset, high), mark.ahead_rows) for mark, high in marks)
    )
