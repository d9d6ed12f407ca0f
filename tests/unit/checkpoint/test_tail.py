"""The topic's tail: what is in the topic is not sent again, what is not is sent."""

from __future__ import annotations

from functools import partial
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replay.checkpoint.content import JobState
from replay.checkpoint.progress import fresh_start
from replay.checkpoint.tail import TailMatch
from replay.delivery import flight, slices
from replay.delivery import session as session_module
from replay.delivery.acks import Chunk, Frontier
from replay.model import (
    DeliveryCallback,
    Encoded,
    Headers,
    PartitionMark,
    Position,
    Progress,
    Resync,
    contents,
)
from tests.unit.fakes import (
    FOREIGN,
    T0_US,
    Bench,
    FakeSource,
    Killed,
    Message,
    Record,
    Row,
    Sent,
    each_record,
    run_options,
    trades,
)

# -- the tail, matched by hand ----------------------------------------------------------------------------


def match_of(rows: list[Row], marks: list[PartitionMark], lead: int = 10**6) -> tuple[TailMatch, list[list[Record]]]:
    source = FakeSource(rows)
    progress = Progress(source.start, tuple(marks))
    return TailMatch(progress, source.encoded(len(marks), rows_max=3), lead), source.records(len(marks))


def found(match: TailMatch, partition: int, offset: int, *records: Record) -> None:
    """Records from the offset on, handed in together."""
    keys, values, times_ms = map(list, zip(*records, strict=True))
    match.found(partition, list(range(offset, offset + len(records))), keys, values, times_ms)


def test_rows_found_are_ahead_and_others_records_are_not():
    match, (ours, _) = match_of(trades(12, symbols=2), [PartitionMark(5), PartitionMark(8)])
    for offset, record in enumerate([FOREIGN, ours[0], FOREIGN, ours[1]], start=5):
        found(match, 0, offset, record)
    assert match.progress([9, 8]).marks == (PartitionMark(9, 2), PartitionMark(8, 0))
    assert (match.matched, match.foreign) == (2, 2)
    assert match.progress([9, 8]).position.row == 0


@pytest.mark.parametrize("change", [{"key": b"S9"}, {"value": b"{}"}, {"timestamp_ms": 5}])
def test_a_record_that_differs_in_one_part_is_not_ours(change):
    """Taken for ours, the row that it stands for would be lost."""
    match, (ours, _) = match_of(trades(4, symbols=2), [PartitionMark(0), PartitionMark(0)])
    found(match, 0, 0, ours[0]._replace(**change))
    assert match.matched == 0


# -- records as they are ----------------------------------------------------------------------------------

LARGE = b"x" * 2_000
HEADER: Headers = [("a", b"1")]
OF_DUMP: list[tuple[bytes | None, bytes | None, Headers]] = [
    (None, None, []),
    (b"k", None, HEADER),
    (b"k", None, []),
    (b"k", b"", [("a", None)]),
    (b"k", LARGE, HEADER),
    (b"k", LARGE + b"y", HEADER),
]
"""Key, value, headers of rows that all have one time."""


def match_of_dump(compared: slice | None) -> TailMatch:
    keys, values, headers = map(list, zip(*OF_DUMP, strict=True))
    none = np.zeros(len(keys), dtype=np.int64)
    sizes = np.array([len(value or b"") for value in values])
    rows = Encoded(keys, values, [7] * len(keys), none, none, sizes, none, len(keys), None, headers, compared)
    return TailMatch(Progress(Position(0, (0,)), (PartitionMark(0),)), iter([rows]), 100)


def found_of_dump(match: TailMatch, *records: tuple[bytes | None, bytes | None, Headers], compared: slice) -> None:
    keys, values, headers = map(list, zip(*records, strict=True))
    match.found(0, list(range(len(records))), keys, contents(values, headers, compared), [7] * len(records))


def test_all_records_of_a_dump_are_found_again() -> None:
    """Broken: after a crash tombstones, records without a key, or large ones are sent again."""
    match = match_of_dump(slice(None))
    found_of_dump(match, *OF_DUMP, compared=slice(None))
    assert (match.matched, match.foreign) == (len(OF_DUMP), 0)


@pytest.mark.parametrize("at", range(len(OF_DUMP)))
@pytest.mark.parametrize("more", [[("b", b"")], [("a", b"1"), ("a", b"1")]])
def test_another_s_record_with_other_headers_is_not_ours(at: int, more: Headers) -> None:
    """Broken: a record that differs in its headers alone is taken for the next row, which is lost."""
    key, value, _ = OF_DUMP[at]
    match = match_of_dump(slice(None))
    found_of_dump(match, *OF_DUMP[:at], (key, value, more), *OF_DUMP[at:], compared=slice(None))
    assert (match.matched, match.foreign) == (len(OF_DUMP), 1)


def test_a_large_record_that_differs_at_its_end_is_not_ours() -> None:
    """Broken: of large values only a part is compared."""
    match = match_of_dump(slice(None))
    found_of_dump(match, *OF_DUMP[:4], (b"k", LARGE[:-1] + b"z", HEADER), *OF_DUMP[4:], compared=slice(None))
    assert (match.matched, match.foreign) == (len(OF_DUMP), 1)


def test_the_header_of_a_row_is_not_compared() -> None:
    """Broken: after files were added, the header that names the inputs is another one: all rows are sent again."""
    match = match_of_dump(slice(0, -1))
    others = [(key, value, [*headers[:-1], ("row", b"other:1")]) for key, value, headers in OF_DUMP]
    found_of_dump(match, *others, compared=slice(0, -1))
    assert match.matched == len(OF_DUMP)


def test_a_topic_with_its_own_timestamps_is_matched_without_them():
    """LogAppendTime: nothing would match, and every row of the tail would be sent again."""
    match, (ours, _) = match_of(trades(4, symbols=2), [PartitionMark(0), PartitionMark(0)])
    match.found(0, [0], [ours[0].key], [ours[0].value], [None])
    assert match.matched == 1


def test_rows_ahead_in_the_checkpoint_are_not_looked_for_behind_its_offset():
    """Looked for again, identical trades would match twice, and a row would be lost."""
    match, (ours, _) = match_of(trades(12, symbols=2), [PartitionMark(2, 2), PartitionMark(0)])
    found(match, 0, 2, ours[2])
    assert match.progress([3, 0]).marks[0] == PartitionMark(3, 3)


def test_identical_trades_are_matched_one_by_one():
    rows = [Row("S0", 1.0, T0_US)] * 5
    match, (ours,) = match_of(rows, [PartitionMark(0)])
    for offset in range(3):
        found(match, 0, offset, ours[offset])
    assert match.progress([3]).marks == (PartitionMark(3, 3),)


def test_a_row_is_found_only_in_its_turn():
    """The later of two rows cannot be there without the earlier: it is somebody else's, and is sent."""
    match, (ours,) = match_of(trades(3, symbols=1), [PartitionMark(0)])
    found(match, 0, 0, ours[1])
    assert match.matched == 0
    found(match, 0, 1, ours[0])
    found(match, 0, 2, ours[1])
    assert match.progress([3]).marks == (PartitionMark(3, 2),)


@pytest.mark.parametrize("every", [1, 2, 7, 50, 10**6])
@pytest.mark.parametrize("at_once", [1, 3, 1_000])
def test_records_of_others_between_long_stretches_of_ours_are_passed_over(every, at_once):
    """Broken: a stretch that is compared as a whole swallows a foreign record, or ends the match at it."""
    match, (ours,) = match_of(trades(500, symbols=1), [PartitionMark(0)])
    log = [record for at, mine in enumerate(ours) for record in ([mine] if at % every else [FOREIGN, mine])]
    for offset in range(0, len(log), at_once):
        found(match, 0, offset, *log[offset : offset + at_once])
    assert (match.matched, match.foreign) == (500, len(log) - 500)
    assert match.progress([len(log)]).marks == (PartitionMark(len(log), 500),)


def test_more_records_than_rows_are_foreign():
    match, (ours,) = match_of(trades(2, symbols=1), [PartitionMark(0)])
    for offset, record in enumerate([*ours, FOREIGN, ours[0]]):
        found(match, 0, offset, record)
    assert (match.matched, match.foreign) == (2, 2)


@pytest.mark.parametrize("lead", [1, 2, 4, 7, 12])
def test_it_looks_exactly_as_far_as_the_old_process_can_have_sent(lead):
    """Too short a look sends rows twice; without an end to it, the whole input would be held in memory."""
    match, (ours,) = match_of(trades(12, symbols=1), [PartitionMark(0)], lead)
    for offset, record in enumerate(ours):
        found(match, 0, offset, record)
    assert match.matched == lead


def test_the_next_offset_is_behind_all_that_was_seen_and_promised():
    """A watermark beyond the last record: transaction markers, which nobody is given."""
    match, (ours,) = match_of(trades(2, symbols=1), [PartitionMark(0)])
    found(match, 0, 0, ours[0])
    assert match.progress([4]).marks == (PartitionMark(4, 1),)
    assert match.progress([0]).marks == (PartitionMark(1, 1),)


# -- crashes, as a model ----------------------------------------------------------------------------------


class ModelProducer:
    """The simplest thing that sends: own skipping, the real frontier. Everything random comes from `random`."""

    def __init__(self, source: FakeSource, rows: int, log: list[list[Record]], random: Random) -> None:
        self.source, self.rows, self.log, self.random = source, rows, log, random
        self.history: list[Progress] = []

    def life(self, start: Progress, until_row: int | None) -> None:
        """Send from `start` on; die at about `until_row`, or live to the end."""
        random, frontier = self.random, Frontier(start)
        ahead = [mark.ahead_rows for mark in start.marks]
        everything = [
            one
            for encoded in self.source.encoded(len(self.log), start.position)
            for one in each_record(encoded, slice(None))
        ]
        unsent: list[list[tuple[DeliveryCallback, Record]]] = [[] for _ in self.log]  # handed over, not appended
        unreported: list[tuple[DeliveryCallback, int, int]] = []
        end = self.rows if until_row is None else min(until_row, self.rows)
        row = start.position.row
        while row < end:
            to = min(self.rows, row + random.randint(1, 8))
            end_of_chunk = partial(self.source.position, to)
            chunk = Chunk(bytes=1, sent_at_s=0.0, first_row=row, rows=to - row, end=end_of_chunk)
            sent: list[tuple[int, Record]] = []
            for p, record in everything[row - start.position.row : to - start.position.row]:
                if ahead[p]:
                    ahead[p] -= 1
                    chunk.skipped[p] = chunk.skipped.get(p, 0) + 1
                else:
                    sent.append((p, record))
            chunk.records = len(sent)
            callbacks = chunk.callbacks(np.array([p for p, _ in sent], dtype=np.int64))
            for (p, record), callback in zip(sent, callbacks, strict=True):
                unsent[p].append((callback, record))
            frontier.sent(chunk)
            row = to
            self._append_some(unsent, unreported)
            self._report_some(unreported)
            frontier.advance()
            self.history.append(frontier.saved)
        if until_row is None:
            for p, rest in enumerate(unsent):
                self.log[p] += [record for _, record in rest]
        else:
            self._append_some(unsent, unreported)  # late: nobody was told

    def _append_some(
        self, unsent: list[list[tuple[DeliveryCallback, Record]]], unreported: list[tuple[DeliveryCallback, int, int]]
    ) -> None:
        for p, waiting in enumerate(unsent):
            for _ in range(self.random.randint(0, len(waiting))):
                if self.random.random() < 0.2:
                    self.log[p].append(FOREIGN)
                callback, record = waiting.pop(0)
                self.log[p].append(record)
                unreported.append((callback, p, len(self.log[p]) - 1))

    def _report_some(self, unreported: list[tuple[DeliveryCallback, int, int]]) -> None:
        self.random.shuffle(unreported)
        for _ in range(self.random.randint(0, len(unreported))):
            callback, p, offset = unreported.pop()
            known = self.random.random() < 0.8
            callback(None, Message(p, offset if known else None))


SYMBOLS, PRICES = st.sampled_from(["S0", "S1", "S2", "S3"]), st.sampled_from([1.0, 2.0])
ROWS = st.lists(st.builds(Row, SYMBOLS, PRICES, st.just(T0_US)), min_size=1, max_size=60)


@settings(max_examples=250, deadline=None)
@given(
    rows=ROWS,
    partitions=st.integers(1, 3),
    crashes=st.lists(st.integers(0, 60), max_size=5),
    newest=st.booleans(),
    seed=st.integers(0, 2**32),
)
@example(rows=[Row("S0", 1.0, T0_US)] * 60, partitions=1, crashes=[30, 40, 45], newest=False, seed=1)
def test_exactly_once_from_any_saved_progress_after_any_crashes(rows, partitions, crashes, newest, seed):
    random = Random(seed)
    source = FakeSource(rows, files=[random.randrange(3) for _ in rows])
    log: list[list[Record]] = [[FOREIGN] * random.randrange(3) for _ in range(partitions)]
    producer = ModelProducer(source, len(rows), log, random)
    start = fresh_start(source.start, [len(records) for records in log])
    producer.history.append(start)
    for until_row in [*crashes, None]:
        producer.life(start, until_row)
        if until_row is None:
            break
        saved = producer.history[-1] if newest else random.choice(producer.history)
        match = TailMatch(saved, source.encoded(partitions, saved.position, random.randint(1, 9)), len(rows))
        for p, mark in enumerate(saved.marks):
            offset = mark.next_offset
            while offset < len(log[p]):
                records = log[p][offset : offset + random.randint(1, 40)]
                found(match, p, offset, *records)
                offset += len(records)
        start = match.progress([len(records) for records in log])
    assert [[r for r in records if r is not FOREIGN] for records in log] == source.records(partitions)


@settings(max_examples=120, deadline=None)
@given(
    rows=ROWS,
    partitions=st.integers(1, 3),
    crashes=st.lists(st.integers(1, 60), max_size=4),
    generation=st.sampled_from([-1, -2]),
    queue_max=st.sampled_from([4, 10**6]),
    left_out=st.sampled_from([0.0, 0.3, 0.95]),
    seed=st.integers(0, 2**32),
)
def test_exactly_once_when_a_session_is_killed_at_any_poll(
    rows, partitions, crashes, generation, queue_max, left_out, seed
):
    """The same with the real `Session`, as `job` drives it, and the newest checkpoint on disk or the one before it;
    some rows, or nearly all, are not selected."""
    random = Random(seed)
    topic: list[list[Record]] = [[FOREIGN] * random.randrange(3) for _ in range(partitions)]
    options = run_options(in_flight_rows_max=10, checkpoint_interval_s=0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_module, "CHUNK_ROWS", 4)
        patch.setattr(session_module, "TICK_S", 0.005)
        patch.setattr(slices, "ENCODE_ROWS", 8)
        patch.setattr(flight, "LEAD_ROWS_MIN", 30)
        skipped = [row for row in range(len(rows)) if random.random() < left_out]
        source = FakeSource(rows, left_out=skipped)
        start = fresh_start(source.start, [len(records) for records in topic])
        for polls in [*crashes, *[None] * 30]:  # a session may also ask for a new producer
            batch_rows = random.randint(1, 20)
            bench = Bench(rows, options, start, topic, partitions, batch_rows=batch_rows, left_out=skipped)
            disk = [(start, JobState.RUNNING)] * 2
            ended = one_life(bench, disk, polls, queue_max, random)
            if ended:
                break
            saved, state = disk[generation]
            start = saved if state is JobState.CLEAN else reconciled(saved, source, topic)
    assert [[r for r in records if r is not FOREIGN] for records in topic] == source.records(partitions)


def one_life(
    bench: Bench, disk: list[tuple[Progress, JobState]], polls: int | None, queue_max: int, random: Random
) -> bool:
    """True if the session came to its end. At its kill, a part of what was under way is appended unheard."""
    sink, dead = bench.sink, False
    sink.shuffle, sink.queue_max = random, queue_max
    sink.without_offset = lambda _: random.random() < 0.1
    save = bench.save

    def save_while_alive(progress: Progress, state: JobState) -> None:
        if not dead:
            save(progress, state)
            disk.append((progress, state))

    def hook() -> None:
        nonlocal dead
        bench.clock.sleep(0.001)
        if random.random() < 0.1:
            random.choice(sink.topic).append(FOREIGN)
        if polls is not None and sink.polls >= polls:
            dead = sink.down = True
            late: dict[int, list[Sent]] = {}
            for one in sink.waiting:
                late.setdefault(one.partition, []).append(one)
            for under_way in late.values():
                for one in under_way[: random.randint(0, len(under_way))]:
                    sink.append(one)
            raise Killed

    sink.hook = hook
    bench.save = save_while_alive  # type: ignore[method-assign]
    try:
        bench.run()
    except Resync:
        return False
    except Killed:
        return False
    return True


def reconciled(saved: Progress, source: FakeSource, topic: list[list[Record]]) -> Progress:
    lead = flight.lead_rows_max(10)
    match = TailMatch(saved, source.encoded(len(topic), saved.position), lead)
    for p, mark in enumerate(saved.marks):
        for offset in range(mark.next_offset, len(topic[p])):
            found(match, p, offset, topic[p][offset])
    return match.progress([len(records) for records in topic])
