"""`replay checkpoint reset | rebuild`: forgetting a checkpoint, and making it again from the topic."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from replay.checkpoint.content import Checkpoint, JobState
from replay.checkpoint.file import CheckpointFile, existing
from replay.checkpoint.progress import fresh_start
from replay.checkpoint.tail import TailMatch
from replay.delivery import emptiness, schemas, seen
from replay.delivery.context import Context
from replay.delivery.job_print import job_print
from replay.delivery.matching import match_records
from replay.delivery.options import Delivery, RunOptions
from replay.delivery.preflight import check_left_out
from replay.delivery.saving import Saving
from replay.delivery.slices import encoded_from, encoder_for
from replay.delivery.snapshot import Display
from replay.delivery.tally import Tally
from replay.delivery.topic import find_topic
from replay.delivery.translation import Translating, translated
from replay.errors import StateConflict, UsageError
from replay.kafka.access import Use
from replay.kafka.cluster import connect
from replay.model import SystemClock
from replay.signals import Stop
from replay.source.files.trust import until_true
from replay.source.source import Source


def reset(path: Path) -> None:
    """Forget it. The lock is held meanwhile, so that no running replay loses its checkpoint."""
    file = CheckpointFile(path)
    if not path.is_file() and not file.previous.is_file():
        raise UsageError("there is no checkpoint", where=str(path), todo="check the path")
    with file.locked():
        file.remove()
        seen.place_beside(path).unlink(missing_ok=True)


def rebuild(options: RunOptions, first_offsets: Sequence[int] | None, stop: Stop, report: Display) -> Checkpoint:
    """A checkpoint that says what the topic holds: its records are matched with the source's rows from row 0 on.

    `first_offsets`: where this replay began in each partition; None for the beginning of the topic. The result
    is `running`: the next run looks at the tail again. Raises `StateConflict` where there is a checkpoint already.
    """
    if options.delivery is Delivery.TRANSACTIONAL:
        raise UsageError(
            "Kafka itself holds the progress of a transactional replay",
            where="--delivery",
            todo="just run it again: the checkpoint is made anew",
        )
    ask = schemas.asking(options.registry, options.kafka.broker_timeout_s, report, stop.check)
    options = replace(options, source=schemas.with_schema(options.source, ask))
    return until_true(
        options.source,
        lambda source: _rebuild(replace(options, source=source), ask, first_offsets, stop, report),
        report.warning,
    )


def _rebuild(
    options: RunOptions, ask: schemas.Ask, first_offsets: Sequence[int] | None, stop: Stop, report: Display
) -> Checkpoint:
    source, clock = Source(options.source), SystemClock()
    source = translated(source, Translating.of(options.kafka, options.registry, report, stop.check))
    check_left_out(options, source, None, stop, report)
    if options.check:  # what the lost checkpoint's replay looked at, and decided
        emptiness.check_by_reading(source, stop.check)
    else:
        emptiness.check_by_footers(source)
    file = CheckpointFile(options.checkpoint)
    with file.locked():
        if file.path.exists():
            raise StateConflict(
                "there is a checkpoint already",
                where=str(file.path),
                todo="move it away first, or forget it with: replay checkpoint reset",
            )
        with closing(connect(options.kafka, report, clock, stop.check, Use.REBUILD)) as cluster:
            context = Context(options, source, file, cluster, stop, report, clock, Tally(source.rows))
            return _from_topic(context, ask, first_offsets)


def _from_topic(context: Context, ask: schemas.Ask, first_offsets: Sequence[int] | None) -> Checkpoint:
    options, source, cluster = context.options, context.source, context.cluster
    topic = find_topic(context, None)
    source = schemas.settled(source, topic.name, options.registry, ask)
    low, high = cluster.watermarks(topic)
    starts = list(first_offsets) if first_offsets is not None else low
    if len(starts) != topic.partitions:
        raise UsageError(
            f"the topic has {topic.partitions} partitions, and {len(starts)} offsets were given",
            where="--first-offsets",
            todo="give one for each partition, separated by commas",
        )
    rows = encoded_from(source, encoder_for(source, topic.partitions), source.start)
    match = TailMatch(fresh_start(source.start, starts), rows, source.rows)
    match_records(context, topic, match, starts, high, "reading the topic")
    saving = Saving(
        replace(context, source=source), job_print(options, source, topic), tuple(starts), checked=options.check
    )
    saving.save(match.progress(high), JobState.RUNNING)
    context.report.info(
        f"rebuilt: {match.matched:,} of {source.rows_all:,} rows are in topic {topic.name}"
        f" ({match.foreign:,} records are others')"
    )
    return existing(context.file.path)
