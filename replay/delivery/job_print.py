"""What a checkpoint belongs to: its topic, its options, its inputs; and the state of a lake table that it names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from replay.checkpoint.content import Checkpoint, JobPrint, JobState
from replay.checkpoint.file import readable
from replay.delivery import schema_ids
from replay.delivery.options import RunOptions
from replay.identity import TABLES
from replay.kafka.topic import Topic
from replay.source.options import SourceOptions
from replay.source.source import Source
from replay.source.tables.states import known_from


def job_print(options: RunOptions, source: Source, topic: Topic) -> JobPrint:
    """What a checkpoint of this job belongs to."""
    return JobPrint(
        cluster_id=topic.cluster_id,
        topic=topic.name,
        topic_id=topic.topic_id,
        partitions=topic.partitions,
        partitioner=options.source.records.partitioner,
        encoder=source.format.encoder,
        options={"--delivery": str(options.delivery), **source.identity(), **schema_ids.texts(source.options.records)},
        inputs=tuple(file.print for file in source.files),
    )


def as_it_matters(job: JobPrint, saved: Checkpoint) -> JobPrint:
    """The job as it is now. Of a replay that has nothing left to send it does not matter who would write the bytes:
    a library that was upgraded since is no difference."""
    has_nothing_left = saved.state is JobState.DONE and saved.job.inputs == job.inputs
    return replace(job, encoder=saved.job.encoder) if has_nothing_left else job


def as_now(options: RunOptions, source: Source, saved: Checkpoint) -> JobPrint:
    """What the checkpoint would belong to, as far as that is known before a broker is asked."""
    job = saved.job
    topic = Topic(job.cluster_id, options.kafka.topic, job.topic_id, job.partitions, 0)
    return as_it_matters(job_print(options, source, topic), saved)


def is_forgotten(options: RunOptions, source: Source, saved: Checkpoint) -> bool:
    """Whether nothing of the checkpoint counts: nothing was sent, and it came to its end like that (so that it is
    looked at again), or options or inputs are others now (the name of a symbol was corrected, say)."""
    if not saved.holds_nothing:
        return False
    now = as_now(options, source, saved)
    return saved.state is not JobState.CLEAN or (saved.job.options, saved.job.inputs) != (now.options, now.inputs)


def as_known(options: SourceOptions, checkpoint: Path) -> SourceOptions:
    """The options with the tables as they were when this replay began, however they have moved on since.

    A replay that has come to its end, done or empty, is compared with the newest state. Its schema is what it was. A
    checkpoint that cannot be read is no matter here: whoever goes by it says so.
    """
    saved = readable(checkpoint)
    if saved is None or saved.state is JobState.EMPTY:
        return options
    if saved.state is JobState.DONE:
        return replace(options, records=schema_ids.as_of(options.records, saved.job.options))
    return as_of(options, saved)


def as_of(options: SourceOptions, saved: Checkpoint) -> SourceOptions:
    """The options with the tables and the schema as this checkpoint names them."""
    known = known_from(saved.job.options.get(TABLES, ""))
    records = schema_ids.as_of(options.records, saved.job.options)
    return replace(options, table_state=replace(options.table_state, known=known), records=records)
