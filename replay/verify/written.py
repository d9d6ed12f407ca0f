"""What of a topic a replay wrote, by its checkpoint: where to look when it is read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from loguru import logger

from replay.checkpoint.content import JobState
from replay.checkpoint.file import existing
from replay.delivery.job_name import JobName
from replay.delivery.known_tables import as_known
from replay.delivery.options import RunOptions
from replay.delivery.snapshot import Display
from replay.model import SystemClock
from replay.verify.job import VerifyOptions, verify
from replay.verify.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Written:
    """`starts` and `ends` are offsets, one a partition; `ends` is None where it may go on. `is_shared`: others' records
    may lie between its own."""

    path: Path
    starts: list[int]
    ends: list[int] | None
    is_shared: bool = False


def by_checkpoint(what: VerifyOptions, name: JobName, checkpoint: str) -> VerifyOptions:
    """Only what the replay of that checkpoint wrote, of the tables as they were then. Offsets that are given stay.

    Without a checkpoint of that name, job or date it is as it was. Raises as `find`.
    """
    found = find(name, what.kafka.topic, checkpoint)
    if found is None:
        return what
    return replace(
        what,
        source=as_known(what.source, found.path, also_done=True),
        starts=what.starts if what.starts is not None else found.starts,
        ends=what.ends if what.ends is not None else found.ends,
        allow_foreign=what.allow_foreign or found.is_shared,
    )


def read_back(options: RunOptions, report: Display, check_stop: Callable[[], None]) -> Verdict:
    """Compare what this replay wrote, and maybe others since, with the source. `check_stop` raises when stopped."""
    starts = list(existing(options.checkpoint).first_offsets)
    source = as_known(options.source, options.checkpoint, also_done=True)
    what = VerifyOptions(source, options.kafka, starts=starts, allow_foreign=True)
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
    return Written(path, list(saved.first_offsets), ends, saved.appended)
