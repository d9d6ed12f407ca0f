"""Whether a replay may go on, and how long it waits for late appends."""

from __future__ import annotations

import pytest

from replay.checkpoint.content import Checkpoint, JobPrint, JobState
from replay.checkpoint.resume import check_watermarks, settle_s
from replay.errors import StateConflict
from replay.model import PartitionMark, Position, Progress
from replay.position import InputPrint

JOB = JobPrint(
    cluster_id="cluster",
    topic="trades",
    topic_id="topic-id",
    partitions=2,
    partitioner="murmur2",
    encoder="json-1",
    options={"--order": "event-time", "--fields": ""},
    inputs=(InputPrint("a.parquet", 10, 1_000, "aa" * 32), InputPrint("b.parquet", 20, 2_000, "bb" * 32)),
)


def saved_with(
    *marks: PartitionMark, state: JobState = JobState.RUNNING, saved_at_s: float = 0.0, interval_s: float = 1.0
) -> Checkpoint:
    first_offsets = (0,) * len(marks)
    return Checkpoint(
        JOB, Progress(Position(0, (0, 0)), marks), first_offsets, state, 1_000, interval_s, saved_at_s, "host:1"
    )


@pytest.mark.parametrize("state", list(JobState))
def test_a_watermark_below_what_was_acknowledged_is_refused_in_every_state(state):
    """The topic lost rows: going on would leave a hole that nobody hears of."""
    saved = saved_with(PartitionMark(10), PartitionMark(5), state=state)
    check_watermarks(saved, [0, 0], [10, 5], "trades")
    with pytest.raises(StateConflict, match="acknowledged rows are gone") as caught:
        check_watermarks(saved, [0, 0], [10, 4], "trades")
    assert caught.value.where == "trades, partition 1"


@pytest.mark.parametrize(
    ("state", "refused"), [(JobState.RUNNING, True), (JobState.CLEAN, False), (JobState.DONE, False)]
)
def test_a_deleted_tail_is_refused_where_it_would_have_to_be_read(state, refused):
    """Rows sent by the old process may have been in it: they would be sent twice."""
    saved = saved_with(PartitionMark(10), PartitionMark(5), state=state)
    check_watermarks(saved, [10, 5], [20, 20], "trades")
    if not refused:
        check_watermarks(saved, [11, 5], [20, 20], "trades")
        return
    with pytest.raises(StateConflict, match="retention"):
        check_watermarks(saved, [11, 5], [20, 20], "trades")


# -- late appends -----------------------------------------------------------------------------------------


def test_one_replica_shows_an_append_at_once():
    assert settle_s(saved_with(), now_s=0.0, replication=1, replica_lag_max_s=30.0) == 0


def test_with_replicas_it_waits_longer_than_a_hanging_one_can_hold_rows_back_less_the_age():
    """A row that surfaces after the look at the tail is sent a second time."""
    saved = saved_with(saved_at_s=100.0)
    fresh = settle_s(saved, 100.0, 3, 30.0)
    assert fresh >= 45.0  # replica.lag.time.max.ms, looked at every half of it
    assert fresh - 20 <= settle_s(saved, 120.0, 3, 30.0) < fresh - 15
    assert settle_s(saved, 1_000.0, 3, 30.0) == 0


def test_the_age_counts_from_when_the_last_row_can_have_gone_out():
    """Rows go out until the next save is due: with long intervals, the time since the save says little."""
    just_killed = settle_s(saved_with(saved_at_s=0.0, interval_s=60.0), 59.9, 3, 30.0)
    assert just_killed >= 45.0


def test_a_clock_that_was_set_back_waits_in_full():
    assert settle_s(saved_with(saved_at_s=1_000.0), 0.0, 3, 30.0) == settle_s(saved_with(), 0.0, 3, 30.0)
