"""Whether and when a replay may go on: by the checkpoint and the topic's watermarks. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from replay.checkpoint.content import Checkpoint, JobState
from replay.errors import StateConflict

SETTLE_GAP_S = 0.5
"""Two equal high watermarks this far apart end the wait for late appends: a request still in a socket's buffer when
the old process died is appended within milliseconds once its broker runs."""

_LAG_FACTOR = 1.5
"""A broker looks for lagging replicas every half of replica.lag.time.max.ms (ReplicaManager, isr-expiration)."""

_SAVE_DELAY_S = 1.0
"""How much later than due a save may be: saves are looked after every 0.1 s, and a disk may be slow."""


def check_watermarks(saved: Checkpoint, low: Sequence[int], high: Sequence[int], topic: str) -> None:
    """Acknowledged rows must still be below the high watermark, and an unclean tail must still be readable."""
    for partition, mark in enumerate(saved.progress.marks):
        if high[partition] < mark.next_offset:
            raise StateConflict(
                f"acknowledged rows are gone: the high watermark is {high[partition]:,}, and the checkpoint knows rows"
                f" up to offset {mark.next_offset - 1:,}",
                where=f"{topic}, partition {partition}",
                todo="the topic lost data (unclean leader election, a wiped log, a restored cluster): find out what it"
                " holds, then start over on purpose with --restart",
            )
        if saved.state is JobState.RUNNING and low[partition] > mark.next_offset:
            raise StateConflict(
                f"records behind the checkpoint were deleted (retention): offsets {mark.next_offset:,} to"
                f" {low[partition] - 1:,} would tell which rows are in the topic",
                where=f"{topic}, partition {partition}",
                todo="raise the topic's retention.ms; find out what it holds, then start over with --restart",
            )


def settle_s(saved: Checkpoint, now_s: float, replication: int, replica_lag_max_s: float) -> float:
    """How long late appends may still surface after an unclean stop.

    With one replica an append is visible at once. With more, the high watermark may stand behind a replica that
    hangs until the broker takes it out of the in-sync set. The time since the last row can have gone out counts.
    """
    if replication <= 1:
        return 0.0
    last_row_s = saved.saved_at_s + saved.interval_s + _SAVE_DELAY_S
    age_s = max(0.0, now_s - last_row_s)  # a clock that was set back waits in full
    return max(0.0, settle_max_s(replica_lag_max_s) - age_s)


def settle_max_s(replica_lag_max_s: float) -> float:
    """How long a replica that hangs can hold the high watermark back, as long as enough others are in sync."""
    return replica_lag_max_s * _LAG_FACTOR + SETTLE_GAP_S
