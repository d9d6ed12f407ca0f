"""Inputs that are not what they were when a replay stopped, or was done: what changed, and whether what came can be
appended. Rows that are in the topic stay where they are: appended is only what comes after all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from replay.checkpoint.content import Checkpoint, JobPrint, JobState
from replay.checkpoint.differences import differences, places_of
from replay.checkpoint.progress import fresh_start
from replay.checkpoint.tail import TailMatch
from replay.delivery.context import Context
from replay.delivery.matching import match_records
from replay.delivery.options import Delivery, WhenChanged
from replay.delivery.slices import ENCODE_ROWS, encoder_for, slices
from replay.errors import StateConflict
from replay.kafka.topic import Topic
from replay.model import Encoded, Position
from replay.position import InputPrint
from replay.record.encoder import Encoder
from replay.source.choices import Order
from replay.source.files.trust import NOT_USED
from replay.source.source import Source


def accept_changed(context: Context, saved: Checkpoint, job: JobPrint, topic: Topic) -> Checkpoint:
    """`--when-changed append`: the checkpoint as if what was added had been there all along. As it is, where nothing
    was added, or somebody else has to say so. Raises `StateConflict` where it cannot be appended."""
    if context.options.when_changed is not WhenChanged.APPEND or saved.job.inputs == job.inputs:
        return saved
    decided = {**saved.job.options, NOT_USED: job.options.get(NOT_USED, "")}  # of files that came since, too
    if differences(replace(saved.job, inputs=job.inputs, options=decided), job):
        return saved
    places = places_of(saved.job.inputs, job.inputs)
    if places is not None:
        accepted = _with_added(context, saved, job, places)
    elif _may_be_proven(context, saved, job):
        accepted = _proven(context, saved, job, topic)
    else:
        return saved
    if saved.state is JobState.DONE and _has_others_behind(context, accepted, topic):
        context.report.warning(
            f"topic {topic.name} has records behind those of this replay (of later dates, say): what is appended now"
            " comes after them"
        )
    return accepted


def _has_others_behind(context: Context, saved: Checkpoint, topic: Topic) -> bool:
    """Whether there are records behind the last ones of this replay. A transaction ends in a marker, which has an
    offset of its own in each partition."""
    markers = 1 if context.options.delivery is Delivery.TRANSACTIONAL else 0
    high = context.cluster.watermarks(topic)[1]
    return any(offset > mark.next_offset + markers for offset, mark in zip(high, saved.progress.marks, strict=True))


def check_appended(context: Context, added: Sequence[int], position: Position) -> None:
    """Raises `StateConflict` if one of these files has rows that belong before the position."""
    source = context.source
    by_time = source.options.order is Order.EVENT_TIME
    last_ns = source.last_event_ns(position) if by_time and added else None
    last_file = max((index for index, cursor in enumerate(position.cursors) if cursor), default=-1)
    for index in added:
        file = source.files[index]
        if by_time:
            first_ns = source.event_ns(index, 0)
            is_before = last_ns is not None and (first_ns, index) < (last_ns, last_file)
        else:
            is_before = index < last_file
        if is_before:
            raise StateConflict(
                f"the added file begins before rows that were or may have been sent (before row {position.row:,})",
                where=file.shown,
                todo="take it out and run once more: it resumes and ends; then replay it as a job of its own",
            )


def _with_added(context: Context, saved: Checkpoint, job: JobPrint, places: tuple[int, ...]) -> Checkpoint:
    """Files were added to those that are as they were."""
    added = [index for index in range(len(job.inputs)) if index not in places]
    position = saved.progress.position
    extended = Position(position.row, _spread(position.cursors, places, len(job.inputs)), position.left_out)
    if saved.state is JobState.RUNNING and context.options.delivery is not Delivery.TRANSACTIONAL:
        # Rows behind the position may be in the topic, in the order of the files that were there.
        ends = _spread([context.source.files[place].rows for place in places], places, len(job.inputs))
        check_appended(context, added, Position(sum(ends), ends))
    else:
        check_appended(context, added, extended)
    context.report.info(f"--when-changed append: {len(added)} file(s) were added since the last run")
    return _going_on(saved, job, extended)


def _spread(values: Sequence[int], places: Sequence[int], length: int) -> tuple[int, ...]:
    spread = [0] * length
    for place, value in zip(places, values, strict=True):
        spread[place] = value
    return tuple(spread)


def _going_on(saved: Checkpoint, job: JobPrint, position: Position) -> Checkpoint:
    return replace(
        saved,
        job=replace(saved.job, inputs=job.inputs, options=job.options),
        progress=replace(saved.progress, position=position),
        state=JobState.CLEAN if saved.state is JobState.DONE else saved.state,
        appended=saved.appended or saved.state is JobState.DONE,
    )


# -- files that were written again ------------------------------------------------------------------------


def _may_be_proven(context: Context, saved: Checkpoint, job: JobPrint) -> bool:
    """Whether the topic can tell which rows it has: all that were sent, and nothing else, are before the offsets that
    are known."""
    names = [each.name for each in job.inputs]
    return (
        saved.state is not JobState.RUNNING
        and context.options.delivery is Delivery.IDEMPOTENT
        and not any(mark.ahead_rows for mark in saved.progress.marks)
        and all(each.name in names for each in saved.job.inputs)
    )


def _proven(context: Context, saved: Checkpoint, job: JobPrint, topic: Topic) -> Checkpoint:
    """The records of the replay, read back, have to be the first rows of the inputs as they are now."""
    sent = saved.progress.position.records
    starts, ends = list(saved.first_offsets), [mark.next_offset for mark in saved.progress.marks]
    low, _ = context.cluster.watermarks(topic)
    if any(map(int.__gt__, low, starts)):
        raise StateConflict(
            "files were written again, and the records that would tell whether their rows are the same were deleted",
            where=topic.name,
            todo="put back what changed, or start over on purpose with --restart",
        )
    source = context.source
    first = _First(source, encoder_for(source, topic.partitions), sent)
    rows = first.encoded()
    match = TailMatch(fresh_start(source.start, starts), rows, source.rows)
    match_records(context, topic, match, starts, ends, "comparing what was sent")
    for _ in rows:  # where the last ones are
        pass
    if match.matched < sent or first.position.records < sent:
        raise StateConflict(
            f"files were written again, and of the {sent:,} rows that were sent only {match.matched:,} are the first"
            " ones of the inputs as they are now; the others would come too late, or are gone: "
            + "; ".join(differences(saved.job, job)),
            where=", ".join(_rewritten(saved.job.inputs, job.inputs)),
            todo="put back what changed, or start over on purpose with --restart",
        )
    context.report.info(
        f"--when-changed append: files were written again; the {sent:,} rows in the topic are the first ones of"
        f" {source.rows:,}"
    )
    return _going_on(saved, job, first.position)


def _rewritten(old: Sequence[InputPrint], new: Sequence[InputPrint]) -> list[str]:
    return sorted({each.name for each in new if each not in old and each.name in {before.name for before in old}})


class _First:
    """The first `records` rows that are sent, encoded, and the position behind the last of them."""

    def __init__(self, source: Source, encoder: Encoder, records: int) -> None:
        self._source, self._encoder, self._wanted = source, encoder, records
        self.position = source.start

    def encoded(self) -> Iterator[Encoded]:
        for batch in self._source.batches(self._source.start):
            part = batch.up_to(self._wanted)
            self.position = part.position_after(len(part))
            for start, stop in slices(len(part), ENCODE_ROWS):
                yield self._encoder.encode(part, start, stop)
            if self.position.records == self._wanted:
                return
