"""What of a topic a replay wrote, by its checkpoint: where `replay verify` looks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from replay.checkpoint.content import JobState
from replay.cli.options import JobName
from replay.delivery.admin import show


@dataclass(frozen=True, slots=True)
class Written:
    """`starts` and `ends` are offsets, one a partition; `ends` is None where it may go on. `is_shared`: others' records
    may lie between its own."""

    path: Path
    starts: list[int]
    ends: list[int] | None
    is_shared: bool = False


def find(name: JobName, topic: str, checkpoint: str) -> Written | None:
    """By the checkpoint that is named, or that of a job and date; None where neither tells: all of the topic counts.

    A date has an end: those after it come behind. A replay without one may be looked at for what came since.
    Raises `UsageError` for a named checkpoint that is not there, `StateConflict` for one that is damaged.
    """
    if checkpoint:
        path = Path(name.dated(checkpoint, "--checkpoint"))
    elif name.job is not None or name.day is not None:
        path = name.checkpoint(topic)
        if not path.exists():
            logger.info("there is no checkpoint {}: all of topic {} is looked at", path, topic)
            return None
    else:
        return None
    saved = show(path)
    if saved.state is JobState.EMPTY:
        logger.info("{} says that there was no row to send: all of topic {} is looked at", path, topic)
        return None
    ends = None
    if saved.state is JobState.DONE and name.day is not None:
        ends = [mark.next_offset for mark in saved.progress.marks]
        ranges = ", ".join(f"{first:,} to {end:,}" for first, end in zip(saved.first_offsets, ends, strict=True))
        logger.info("of {}, what {} wrote is looked at: offsets {} (exclusive)", topic, name.day, ranges)
    return Written(path, list(saved.first_offsets), ends, saved.appended)
