"""What of a topic a replay wrote, by its checkpoint: where to look when it is read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from loguru import logger

from replay.checkpoint.content import Checkpoint, JobState
from replay.checkpoint.file import existing
from replay.delivery.job_name import JobName
from replay.delivery.job_print import as_of
from replay.delivery.options import RunOptions
from replay.delivery.snapshot import Display
from replay.model import SystemClock
from replay.verify.job import VerifyOptions, verify
from replay.verify.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Written:
    """`ends` are offsets, one a partition; None where it may go on."""

    saved: Checkpoint
    ends: list[int] | None


def by_checkpoint(what: VerifyOptions, name: JobName, checkpoint: str) -> VerifyOptions:
    """Only what the replay of that checkpoint wrote, of the tables as they were then. Offsets that are given stay.

    Without a checkpoint of that name, job or date it is as it was. Raises as `find`.
    """
    found = find(name, what.kafka.topic, checkpoint)
    if found is None:
        return what
    return replace(
        what,
        source=as_of(what.source, found.saved),
        starts=what.starts if what.starts is not None else list(found.saved.first_offsets),
        ends=what.ends if what.ends is not None else found.ends,
        allow_foreign=what.allow_foreign or found.saved.appended,  # others' records may lie between its own
    )


def read_back(options: RunOptions, report: Display, check_stop: Callable[[], None]) -> Verdict:
    """Compare what this replay wrote, and maybe others since, with the source. `check_stop` raises when stopped."""
    saved = existing(options.checkpoint)
    source = as_of(options.source, saved)
    what = VerifyOptions(source, options.kafka, starts=list(saved.first_offsets), allow_foreign=True)
    return verify(what, report, SystemClock(), check_stop)


def find(name: JobName, topic: str, checkpoint: str) -> Written | None:
    """By the checkpoint that is named, or by that of a job and date. None without either: all of the topic is compared.

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
    saved = existing(path)
    if saved.state is JobState.EMPTY:
        logger.info("{} says that there was no row to send: all of topic {} is looked at", path, topic)
        return None
    ends = None
    if saved.state is JobState.DONE and name.day is not None:
        ends = [mark.next_offset for mark in saved.progress.marks]
        ranges = ", ".join(f"{first:,} to {end:,}" for first, end in zip(saved.first_offsets, ends, strict=True))
        logger.info("of {}, what {} wrote is looked at: offsets {} (exclusive)", topic, name.day, ranges)
    return Written(saved, ends)
