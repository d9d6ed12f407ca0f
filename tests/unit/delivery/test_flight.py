"""Rows on their way, as numbers: bounds, what a chunk stands for, when a save is due. No clock, no Kafka."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from replay.delivery.acks import Chunk
from replay.delivery.flight import LEAD_ROWS_MIN, Flight, OnDisk, Slice, lead_rows_max
from replay.model import Batch, Encoded, PartitionMark, Position, Progress
from tests.unit.fakes import FakeSource, trades


def encoded_of(source: FakeSource, batch: Batch, first: int, stop: int, partitions: int = 2) -> Encoded:
    from replay.record.encoder import Encoder
    from tests.support.formats import bare_json
    from tests.unit.fakes import partition_of

    return Encoder(source.symbols, bare_json(source.symbols), partition_of(partitions)).encode(batch, first, stop)


def flown(
    rows: int = 20,
    ahead: Sequence[int] = (0, 0),
    left_out: Sequence[int] = (),
    rows_max: int = 1_000,
    bytes_max: int = 1_000_000,
) -> tuple[Flight, Slice]:
    """A flight, and all of its rows as one slice."""
    source = FakeSource(trades(rows), batch_rows=rows, left_out=left_out)
    (batch,) = source.batches(source.start)
    start = Progress(source.start, tuple(PartitionMark(0, rows) for rows in ahead))
    flight = Flight(start, rows_max, bytes_max)
    return flight, flight.slice(batch, 0, encoded_of(source, batch, 0, rows))


def hand_over(flight: Flight, part: Slice, records: int) -> Chunk:
    chunk = Chunk(part.bytes_until(part.sent + records), 0.0, records)
    chunk.partitions = tuple(set(part.records.partitions[part.sent : part.sent + records].tolist()))
    flight.sent(part, chunk)
    return chunk


def acknowledge(chunk: Chunk) -> None:
    for _ in range(chunk.records):
        chunk.reports.put(None)
    for partition in chunk.partitions:
        chunk.next_offsets[partition] = 100


# -- what a chunk stands for ------------------------------------------------------------------------------


def test_a_chunk_stands_for_its_rows_and_for_those_left_out_before_and_behind_it():
    """Broken: a position counts rows that were never sent as sent, or a resume sends what nobody picked."""
    flight, part = flown(10, left_out=(0, 1, 5, 8, 9))  # sent are 2 3 4 6 7
    first, second = hand_over(flight, part, 2), hand_over(flight, part, 3)
    assert (first.first_row, first.rows, second.first_row, second.rows) == (0, 4, 4, 6)
    assert (first.end().row, second.end().row) == (4, 10)
    assert (first.end().left_out, second.end().left_out) == (2, 5)
    assert (flight.sent_row, flight.sent_records) == (10, 5)
    assert part.is_sent
    assert part.is_covered


def test_what_is_in_the_topic_already_is_not_sent_and_counted_where_its_row_is_passed():
    """Broken: rows of a crash before are sent twice, or the checkpoint forgets that they are there."""
    flight, part = flown(9, ahead=(2, 1))  # symbols 0 1 2 in turn: partitions 0 1 0 …, and every fifth row repeats
    there = part.there
    assert there is not None
    assert len(there) == 3
    assert len(part.records) == 6
    chunk = hand_over(flight, part, 6)
    assert chunk.skipped == {0: 2, 1: 1}
    acknowledge(chunk)
    assert flight.frontier.advance()
    assert [mark.ahead_rows for mark in flight.progress.marks] == [0, 0]
    assert flight.progress.position.row == 9


def test_a_slice_that_is_all_there_is_passed_without_a_record():
    """Broken: a resume hangs at rows of which none is to be sent."""
    flight, part = flown(4, ahead=(9, 9))
    assert part.is_sent
    assert not part.is_covered
    flight.sent(part, Chunk(0, 0.0))
    assert part.is_covered
    assert flight.frontier.advance()
    assert flight.has_landed
    assert flight.progress.position.row == 4


def test_rows_ahead_are_used_up_over_slices():
    """Broken: each slice skips as many rows as the topic has of the whole replay."""
    source = FakeSource(trades(12), batch_rows=12)
    (batch,) = source.batches(source.start)
    flight = Flight(Progress(source.start, (PartitionMark(0, 6), PartitionMark(0, 0))), 1_000, 10**6)
    left = [len(flight.slice(batch, first, encoded_of(source, batch, first, first + 4)).records) for first in (0, 4, 8)]
    order = encoded_of(source, batch, 0, 12).partitions
    wanted = np.ones(12, dtype=bool)
    wanted[np.flatnonzero(order == 0)[:6]] = False
    assert left == [int(wanted[first : first + 4].sum()) for first in (0, 4, 8)]


# -- bounds -----------------------------------------------------------------------------------------------


def test_rows_and_bytes_in_flight_are_bounded():
    """Broken: a broker that is slow fills the memory."""
    flight, part = flown(20, rows_max=7)
    assert flight.room(part) == 7
    chunk = hand_over(flight, part, 7)
    assert flight.room(part) == 7, "no room: stop before the next one"
    acknowledge(chunk)
    flight.frontier.advance()
    assert flight.room(part) == 14
    flight, part = flown(20, bytes_max=250)
    sizes = part.records.record_bytes
    stop = flight.room(part)
    assert int(sizes[:stop].sum()) <= 250 < int(sizes[: stop + 1].sum())


def test_a_record_larger_than_the_bound_goes_alone():
    """Broken: it never goes, and the replay hangs."""
    flight, part = flown(5, bytes_max=1)
    assert flight.room(part) == 1
    hand_over(flight, part, 1)
    assert flight.room(part) <= part.sent, "nothing beside it"


# -- saves ------------------------------------------------------------------------------------------------


def progress(row: int) -> Progress:
    return Progress(Position(row, (row,)), (PartitionMark(row),))


def test_a_save_is_due_an_interval_after_the_last_one():
    """Broken: a resume takes the process for dead while it still sends."""
    disk = OnDisk(progress(0), 100.0, 1_000, 2.0)
    assert [disk.is_due(now_s) for now_s in (101.9, 102.0)] == [False, True]
    disk.saved(progress(5), 102.5)
    assert [disk.is_due(now_s) for now_s in (104.4, 104.5)] == [False, True]


def test_no_row_is_further_from_the_older_generation_than_a_resume_looks():
    """Broken: a crash that leaves the older generation makes the next run send rows again that are in the topic."""
    disk = OnDisk(progress(0), 0.0, 1_000, 1.0)
    assert [disk.is_out_of_reach(row) for row in (1_000, 1_001)] == [False, True]
    disk.saved(progress(800), 1.0)
    assert disk.is_out_of_reach(1_001), "the older one is still at row 0"
    assert disk.is_passed_by(progress(800)), "saved again, it is both generations"
    disk.saved(progress(800), 1.0)
    assert [disk.is_out_of_reach(row) for row in (1_800, 1_801)] == [False, True]
    assert not disk.is_passed_by(progress(800))


@pytest.mark.parametrize(("in_flight", "lead"), [(10, LEAD_ROWS_MIN), (1_000_000, 4_000_000)])
def test_the_lead_leaves_room_for_what_can_be_in_flight(in_flight, lead):
    """Broken: a replay with a large bound stands still before each save."""
    assert lead_rows_max(in_flight) == lead
