"""The frontier: whatever the order of the reports, it never passes a row that is not acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.delivery.acks import Chunk, Frontier
from replay.model import PartitionMark, Position, Progress
from tests.unit.fakes import Error, Message

START = Progress(Position(0, (0,)), (PartitionMark(10), PartitionMark(20)))


class Sent:
    """A chunk whose records went to these partitions, and the reports of them."""

    def __init__(self, first: int, partitions: Sequence[int], rows: int | None = None, **more) -> None:
        rows = len(partitions) if rows is None else rows
        end = Position(first + rows, (first + rows,))
        self.chunk = Chunk(
            bytes=rows * 100, sent_at_s=float(first), records=len(partitions), first_row=first, rows=rows,
            end=lambda: end, **more,
        )  # fmt: skip
        self._partitions = list(partitions)
        self._callbacks = self.chunk.callbacks(np.array(partitions, dtype=np.int64))

    def report(self, record: int, offset: int | None, error: Error | None = None) -> None:
        self._callbacks[record](error, Message(self._partitions[record], offset))


def frontier_of(start: Progress, *sent: Sent) -> Frontier:
    frontier = Frontier(start)
    for each in sent:
        frontier.sent(each.chunk)
    return frontier


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_frontier_is_the_end_of_the_last_chunk_before_the_first_missing_report(sizes, random):
    chunks, row = [], 0
    for size in sizes:
        chunks.append(Sent(row, [0] * size))
        row += size
    frontier = frontier_of(START, *chunks)
    reports = [(number, record) for number, size in enumerate(sizes) for record in range(size)]
    random.shuffle(reports)
    missing = list(sizes)
    for number, record in reports:
        chunks[number].report(record, 10 + sum(sizes[:number]) + record)
        missing[number] -= 1
        if random.random() < 0.3:
            assert not list(frontier.failures()), "a look in between changes nothing"
        frontier.advance()
        whole = next((n for n, left in enumerate(missing) if left), len(sizes))
        assert frontier.row == sum(sizes[:whole])
        assert frontier.saved.position.row == frontier.row
        assert frontier.in_flight_rows == sum(sizes[whole:])
        assert frontier.in_flight_bytes == 100 * sum(sizes[whole:])
        assert frontier.oldest is (chunks[whole].chunk if whole < len(chunks) else None)
        assert frontier.saved.marks[0].next_offset == 10 + sum(sizes[:whole])


def test_advance_tells_whether_it_moved():
    """The session takes a True for a sign of life of the broker."""
    sent = Sent(0, [0, 0])
    frontier = frontier_of(START, sent)
    sent.report(0, 10)
    assert not frontier.advance()
    sent.report(1, 11)
    assert frontier.advance()
    assert not frontier.advance()


@pytest.mark.parametrize("failed", [0, 1])
def test_a_failed_report_never_counts_and_stays_with_its_chunk(failed):
    """Otherwise a row that the broker refused would be behind the frontier, and lost. The last record of a partition
    is told by another callback than those before it."""
    sent, after = Sent(0, [0, 0]), Sent(2, [0])
    frontier, error = frontier_of(START, sent, after), Error(1, "no")
    sent.report(1 - failed, 10)
    sent.report(failed, None, error)
    after.report(0, 11)
    for _ in range(2):
        assert not frontier.advance()
        assert frontier.is_held_up
        assert list(frontier.failures()) == [(sent.chunk, error)]
    assert frontier.row == 0
    assert frontier.saved == START


def test_a_failed_report_is_found_before_the_others_have_come():
    """Broken: where librdkafka never reports some records of the chunk, nobody hears that another of it has failed, and
    the run waits until the broker deadline."""
    before, sent, error = Sent(0, [0]), Sent(1, [0, 0, 1]), Error(1, "no")
    frontier = frontier_of(START, before, sent)
    assert not list(frontier.failures())
    sent.report(1, None, error)
    for _ in range(2):
        assert not frontier.advance()
        assert not frontier.is_held_up
        assert list(frontier.failures()) == [(sent.chunk, error)]
    before.report(0, 10)
    sent.report(0, 11)
    sent.report(2, 20)
    assert frontier.advance()
    assert frontier.is_held_up
    assert frontier.row == 1


def test_reports_out_of_order_keep_the_offset_of_the_last_record():
    """A retry is acknowledged after its successors; an older offset would make a resume count rows twice."""
    sent = Sent(0, [0, 0, 0])
    frontier = frontier_of(START, sent)
    for record in (1, 2, 0):
        sent.report(record, 10 + record)
    frontier.advance()
    assert frontier.saved.marks == (PartitionMark(13), PartitionMark(20))


@pytest.mark.parametrize("nothing", [None, -1001])
def test_an_unknown_offset_holds_the_position_saved_until_a_later_report_places_it(nothing):
    first, second, third = Sent(0, [0]), Sent(1, [1]), Sent(2, [0])
    frontier = frontier_of(START, first, second, third)
    first.report(0, nothing)
    second.report(0, 20)
    frontier.advance()
    assert frontier.row == 2, "for the display it moves on"
    assert frontier.saved == START
    third.report(0, 11)
    frontier.advance()
    assert frontier.saved == Progress(Position(3, (3,)), (PartitionMark(12), PartitionMark(21)))


def test_the_last_offset_is_the_one_that_has_to_be_known():
    sent, other = Sent(0, [0, 0]), Sent(2, [0, 0])
    frontier = frontier_of(START, sent, other)
    sent.report(0, None)
    sent.report(1, 11)
    frontier.advance()
    assert frontier.saved.marks[0] == PartitionMark(12)
    other.report(0, 12)
    other.report(1, None)
    frontier.advance()
    assert frontier.saved.position.row == 2, "where the last row is, nobody knows"


def test_a_chunk_that_the_queue_cut_short_is_placed_by_the_next():
    """Broken: the records that were accepted would count without their offsets, or wait for reports that never come."""
    sent = Sent(0, [0, 1, 0, 0])
    sent.chunk.records, sent.chunk.rows = 2, 2
    sent.chunk.end = lambda: Position(2, (2,))
    rest = Sent(2, [0, 0])
    frontier = frontier_of(START, sent, rest)
    sent.report(0, 10)
    sent.report(1, 20)
    assert frontier.advance()
    assert frontier.row == 2
    assert frontier.saved == START
    rest.report(0, 11)
    rest.report(1, 12)
    frontier.advance()
    assert frontier.saved == Progress(Position(4, (4,)), (PartitionMark(13), PartitionMark(21)))


def test_skipped_rows_leave_the_count_of_rows_ahead():
    """Left in, the next resume would skip as many rows again: lost."""
    sent = Sent(0, [1], rows=4, skipped={0: 3})
    frontier = frontier_of(Progress(Position(0, (0,)), (PartitionMark(10, 5), PartitionMark(20, 1))), sent)
    sent.report(0, 20)
    frontier.advance()
    assert frontier.saved == Progress(Position(4, (4,)), (PartitionMark(10, 2), PartitionMark(21, 1)))


def test_a_chunk_of_skipped_rows_alone_waits_for_nothing_but_for_those_before_it():
    sent, skipped = Sent(0, [0]), Sent(1, [], rows=2, skipped={1: 2})
    frontier = frontier_of(Progress(Position(0, (0,)), (PartitionMark(10), PartitionMark(20, 2))), sent, skipped)
    assert not frontier.advance()
    sent.report(0, 10)
    assert frontier.advance()
    assert frontier.saved == Progress(Position(3, (3,)), (PartitionMark(11), PartitionMark(20)))


def test_the_end_does_not_wait_for_unknown_offsets():
    """With every row acknowledged nothing is ever sent again."""
    sent = Sent(0, [0])
    frontier = frontier_of(START, sent)
    sent.report(0, None)
    frontier.advance()
    end = Position(1, (1,))
    assert frontier.finished(end) == Progress(end, START.marks)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 4))
def test_saved_progress_is_always_true_of_the_log(seed, rows, partitions):
    """Every claim of a progress holds: rows before the position and the rows ahead are in the log, all of them before
    the next offset and no other row of ours."""
    random = Random(seed)
    partition_of = [random.randrange(partitions) for _ in range(rows)]
    log: list[list[int]] = [[] for _ in range(partitions)]  # rows; -1 is another producer's
    ahead = [random.randrange(4) for _ in range(partitions)]
    there: set[int] = set()
    for p in range(partitions):
        mine = [row for row in range(rows) if partition_of[row] == p][: ahead[p]]
        ahead[p] = len(mine)
        log[p] += mine
        there |= set(mine)
    marks = tuple(PartitionMark(len(log[p]), ahead[p]) for p in range(partitions))
    frontier = Frontier(Progress(Position(0, (0,)), marks))
    pending, row, acknowledged = [], 0, set(there)
    while row < rows:
        size = random.randint(1, 6)
        covered = range(row, min(rows, row + size))
        sent = [r for r in covered if r not in there]
        skipped: dict[int, int] = {}
        for r in set(covered) & there:
            skipped[partition_of[r]] = skipped.get(partition_of[r], 0) + 1
        chunk = Sent(row, [partition_of[r] for r in sent], rows=len(covered), skipped=skipped)
        frontier.sent(chunk.chunk)
        for record, r in enumerate(sent):
            if random.random() < 0.2:
                log[partition_of[r]].append(-1)
            log[partition_of[r]].append(r)
            pending.append((chunk, record, r, len(log[partition_of[r]]) - 1))
        row += size
        random.shuffle(pending)
        for _ in range(random.randint(0, len(pending))):
            chunk, record, r, offset = pending.pop()
            acknowledged.add(r)
            chunk.report(record, None if random.random() < 0.2 else offset)
        frontier.advance()
        position = frontier.saved.position.row
        assert set(range(frontier.row)) <= acknowledged
        assert position <= frontier.row
        for p, mark in enumerate(frontier.saved.marks):
            mine = [r for r in range(rows) if partition_of[r] == p]
            claimed = [r for r in mine if r < position] + [r for r in mine if r >= position][: mark.ahead_rows]
            assert [r for r in log[p][: mark.next_offset] if r >= 0] == claimed


def test_a_row_whose_offset_got_lost_is_not_counted():
    """Broken: where memory runs out while a report is taken in, its row would count without its offset, and a resume
    would look for the rows behind it in the wrong place."""

    class OutOfMemory:
        def partition(self) -> int:
            return 0

        def offset(self) -> int:
            raise MemoryError

    chunk = Chunk(bytes=1, sent_at_s=0.0, records=1)
    (report,) = chunk.callbacks(np.array([0]))
    with pytest.raises(MemoryError):
        report(None, OutOfMemory())
    assert not chunk.is_delivered()
