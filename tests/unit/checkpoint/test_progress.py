"""What is proven without a look at records."""

from __future__ import annotations

from replay.checkpoint.progress import behind, fresh_start
from replay.position import PartitionMark, Position, Progress


def test_a_fresh_start_claims_nothing_that_is_in_the_topic():
    start = Position(0, (0, 0))
    assert fresh_start(start, [7, 0]) == Progress(start, (PartitionMark(7, 0), PartitionMark(0, 0)))


def test_what_others_appended_meanwhile_is_passed_over():
    """Broken: a resume looks for its rows among records that came after its clean stop."""
    start = Position(3, (3, 0))
    before = Progress(start, (PartitionMark(7, 2), PartitionMark(9)))
    assert behind(before, [8, 4]) == Progress(start, (PartitionMark(8, 2), PartitionMark(9)))
