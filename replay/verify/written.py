"""What of a topic a replay wrote, by its checkpoint: where to look when it is read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from loguru import logger

from replay.checkpoint.content import JobState
from replay.checkpoint.file import existing
from replay.delivery.job_name import JobName
from replay.delivery.job_print import as_of
from replay.delivery.options import RunOptions
from replay.delivery.snapshot import Display
from replay.verify.job import VerifyOptions, verify
from replay.verify.verdict import Verdict


def by_checkpoint(what: VerifyOptions, name: JobName, checkpoint: str) -> VerifyOptions:
    """Only what the replay of that checkpoint wrote, of the tables as they were then. Offsets that are given stay.

    The checkpoint is the one that is named, or that of a job and date. Without one it is as it was: all of the topic is
    compared. A date has an end: those after it come behind. A replay without one may be looked at for what came since.
    Raises `UsageError` for a named checkpoint that is not there, `StateConflict` for one that is damaged.
    """
    topic = what.kafka.topic
    if not checkpoint and name.job is None and name.day is None:
        return what
    path = name.checkpoint(topic, checkpoint)
    if not checkpoint and not path.exists():
        logger.info("there is no checkpoint {}: all of topic {} is looked at", path, topic)
        return what
    saved = existing(path)
    if saved.state is JobState.EMPTY:
        logger.info("{} says that there was no row to send: all of topic {} is looked at", path, topic)
        return what
    ends = None
    if saved.state is JobState.DONE and name.day is not None:
        ends = [mark.next_offset for mark in saved.progress.marks]
        ranges = ", ".join(f"{first:,} to {end:,}" for first, end in zip(saved.first_offsets, ends, strict=True))
        logger.info("of {}, what {} wrote is looked at: offsets {} (exclusive)", topic, name.day, ranges)
    return replace(
        what,
        source=as_of(what.source, saved),
        starts=what.starts if what.starts is not None else list(saved.first_offsets),
        ends=what.ends if what.ends is not None else ends,
        allow_foreign=what.allow_foreign or saved.appended,  # others' records may lie between its own
    )


def read_back(options: RunOptions, report: Display, check_stop: Callable[[], None]) -> Verdict:
    """Compare what this replay wrote, and maybe others since, with the source. `check_stop` raises when stopped."""
    saved = existing(options.checkpoint)
    source = as_of(options.source, saved)
    what = VerifyOptions(
        source, options.kafka, starts=list(saved.first_offsets), allow_foreign=True, registry=options.registry
    )
    return verify(what, report, check_stop)
