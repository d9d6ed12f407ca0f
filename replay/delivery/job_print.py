"""What the checkpoint of a replay belongs to: its topic, its options, its inputs."""

from __future__ import annotations

from dataclasses import replace

from replay.checkpoint.content import Checkpoint, JobPrint, JobState
from replay.delivery.options import RunOptions
from replay.kafka.topic import Topic
from replay.position import InputPrint
from replay.record.options import ENCODER_VERSION
from replay.source.source import Source


def job_print(options: RunOptions, source: Source, topic: Topic) -> JobPrint:
    """What a checkpoint of this job belongs to."""
    return JobPrint(
        cluster_id=topic.cluster_id,
        topic=topic.name,
        topic_id=topic.topic_id,
        partitions=topic.partitions,
        partitioner=options.source.records.partitioner,
        encoder=ENCODER_VERSION,
        options=options_print(options, source),
        inputs=_inputs_print(source),
    )


def as_now(options: RunOptions, source: Source, saved: Checkpoint) -> JobPrint:
    """What the checkpoint would belong to, as far as that is known before a broker is asked."""
    return replace(
        saved.job,
        topic=options.kafka.topic,
        partitioner=options.source.records.partitioner,
        encoder=ENCODER_VERSION,
        options=options_print(options, source),
        inputs=_inputs_print(source),
    )


def is_forgotten(options: RunOptions, source: Source, saved: Checkpoint) -> bool:
    """Whether nothing of the checkpoint counts: nothing was sent, and it came to its end like that (so that it is
    looked at again), or options or inputs are others now (the name of a symbol was corrected, say)."""
    if not saved.holds_nothing:
        return False
    is_same = (saved.job.options, saved.job.inputs) == (options_print(options, source), _inputs_print(source))
    return saved.state is not JobState.CLEAN or not is_same


def options_print(options: RunOptions, source: Source) -> dict[str, str]:
    return {"--delivery": str(options.delivery), **source.identity()}


def _inputs_print(source: Source) -> tuple[InputPrint, ...]:
    return tuple(file.print for file in source.files)
