"""A checkpoint in words, for people."""

from __future__ import annotations

from replay.checkpoint.content import Checkpoint, JobState
from replay.identity import kept
from replay.units import utc


def describe(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    """What the checkpoint says, as pairs of label and text."""
    job, position = checkpoint.job, checkpoint.progress.position
    state = {
        JobState.RUNNING: "running, or stopped without a word: rows behind the position may be in the topic",
        JobState.CLEAN: "stopped cleanly: no row behind the position is in the topic",
        JobState.DONE: "done",
        JobState.EMPTY: "empty: there was no row to send; the next run looks again",
    }[checkpoint.state]
    marks = (
        f"{p}: {mark.next_offset:,}" + (f" (+{mark.ahead_rows:,} rows ahead)" if mark.ahead_rows else "")
        for p, mark in enumerate(checkpoint.progress.marks)
    )
    return [
        ("state", state),
        ("next row", f"{position.row:,} of {job.rows:,}"),
        ("rows", checkpoint.counts.text()),
        ("saved", f"{utc(checkpoint.saved_at_s)} by {checkpoint.instance}"),
        ("topic", f"{job.topic} (id {job.topic_id or 'unknown'}, cluster {job.cluster_id})"),
        ("next offsets", ", ".join(marks)),
        ("encoder", f"{job.encoder}, partitioner {job.partitioner} over {job.partitions} partitions"),
        *((name, value) for name, value in kept(job.options).items() if value),
        *(
            (f"input {number}", f"{each.name}: next row {cursor:,} of {each.rows:,}")
            for number, (each, cursor) in enumerate(zip(job.inputs, position.cursors, strict=True))
        ),
    ]


def standing(checkpoint: Checkpoint) -> str:
    """`at row 12,345 of 20,000 (running)`."""
    row, rows = checkpoint.progress.position.row, checkpoint.job.rows
    return f"at row {row:,} of {rows:,} ({checkpoint.state.value}), saved {utc(checkpoint.saved_at_s)}"
