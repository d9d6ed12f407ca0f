"""Stand-ins for time, files, Kafka and disk: a session can be driven with them in microseconds of real time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from replay.checkpoint.content import JobState
from replay.checkpoint.progress import fresh_start
from replay.delivery.by_checkpoint import ByCheckpoint
from replay.delivery.context import Ready
from replay.delivery.flight import Flight
from replay.delivery.options import Pace, RunOptions
from replay.delivery.session import Session
from replay.delivery.snapshot import Snapshot
from replay.delivery.tally import Tally
from replay.errors import UsageError
from replay.fate import Fate
from replay.kafka.broker_news import BrokerNews
from replay.kafka.options import KafkaOptions
from replay.kafka.statistics import BrokerStatistics
from replay.kafka.topic import TopicIdentity
from replay.kafka.topic_watch import TopicWatch
from replay.model import Batch, DeliveryCallback, Encoded, Position, Progress, SymbolTable
from replay.record.encoder import Encoder
from replay.signals import Stop
from replay.source.options import SourceOptions
from tests.support.formats import bare_json

T0_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
POLLS_MAX = 200_000
"""A session that asks this often without an end hangs."""


class Killed(BaseException):
    """kill -9: nothing after it has an effect."""


class Row(NamedTuple):
    symbol: str
    price: float
    time_us: int


class Record(NamedTuple):
    key: bytes | None
    value: bytes
    timestamp_ms: int


FOREIGN = Record(b"other", b"not ours", 1)


def trades(rows: int, symbols: int = 3, gap_us: int = 1_000) -> list[Row]:
    """Rows of a few symbols in turn; every fifth repeats the trade before it, byte for byte."""
    made: list[Row] = []
    for number in range(rows):
        new = Row(f"S{number % symbols}", 100.0 + number % 7, T0_US + number * gap_us)
        made.append(made[-1] if number % 5 == 4 else new)
    return made


def partition_of(partitions: int) -> Callable[[bytes], int]:
    return lambda key: int(key[1:]) % partitions


class FakeClock:
    """Stands still unless somebody sleeps, which takes a microsecond at least, as in life."""

    def __init__(self) -> None:
        self.time_s = 1_000.0

    def monotonic(self) -> float:
        return self.time_s

    def now(self) -> float:
        return 1.8e9 + self.time_s

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.time_s += max(seconds, 1e-6)


class FakeSource:
    """What a session uses of `Source`, over rows in memory. `files` is the input file of each row, `left_out` are the
    numbers of rows that are not sent."""

    def __init__(
        self,
        rows: Sequence[Row],
        batch_rows: int = 50,
        files: Sequence[int] | None = None,
        left_out: Collection[int] = (),
    ) -> None:
        self.symbols = SymbolTable()
        self._rows, self._batch_rows = list(rows), batch_rows
        self._files = np.array(files if files is not None else [0] * len(rows), dtype=np.int64)
        self._file_count = int(self._files.max(initial=0)) + 1
        self._fates = np.zeros(len(rows), dtype=np.int8)
        self._fates[list(left_out)] = Fate.NOT_SELECTED

    def position(self, row: int) -> Position:
        counts = np.bincount(self._files[:row], minlength=self._file_count)
        return Position(row, tuple(counts.tolist()), int(np.count_nonzero(self._fates[:row])))

    @property
    def start(self) -> Position:
        return self.position(0)

    @property
    def end(self) -> Position:
        return self.position(len(self._rows))

    @property
    def rows(self) -> int:
        return len(self._rows)

    def finished(self, position: Position) -> Position:
        assert position == self.end
        return position

    def batches(self, start: Position) -> Iterator[Batch]:
        assert start == self.position(start.row), "the cursors do not belong to the row"
        for first in range(start.row, len(self._rows), self._batch_rows):
            part = self._rows[first : first + self._batch_rows]
            table = pa.RecordBatch.from_pydict(
                {
                    "symbol": pa.array([self.symbols.id_of(row.symbol) for row in part], pa.int32()),
                    "price": pa.array([row.price for row in part], pa.float64()),
                    "event_time": pa.array([row.time_us for row in part], pa.timestamp("us")),
                }
            )
            fates = self._fates[first : first + len(part)]
            yield Batch(self.position(first), table, self._files[first : first + len(part)], fates)

    def where(self, batch: Batch, row: int) -> str:
        return f"fake, row {batch.start.row + row}"

    def encoded(self, partitions: int, start: Position | None = None, rows_max: int = 7) -> Iterator[Encoded]:
        encoder = Encoder(self.symbols, bare_json(self.symbols), partition_of(partitions))
        for batch in self.batches(start or self.start):
            for first in range(0, len(batch), rows_max):
                yield encoder.encode(batch, first, min(len(batch), first + rows_max))

    def records(self, partitions: int) -> list[list[Record]]:
        """What the topic has to hold in the end."""
        topic: list[list[Record]] = [[] for _ in range(partitions)]
        for encoded in self.encoded(partitions):
            for partition, record in each_record(encoded, slice(None)):
                topic[partition].append(record)
        return topic


def each_record(encoded: Encoded, rows: slice) -> Iterator[tuple[int, Record]]:
    columns = zip(encoded.keys[rows], encoded.values[rows], encoded.timestamps_ms[rows], strict=True)
    yield from zip(encoded.partitions[rows].tolist(), map(Record._make, columns), strict=True)


class Message(NamedTuple):
    """librdkafka's message, as a delivery report sees it."""

    at: int
    place: int | None

    def partition(self) -> int:
        return self.at

    def offset(self) -> int | None:
        return self.place


class Error(NamedTuple):
    """librdkafka's error, as a delivery report sees it."""

    number: int
    text: str

    def code(self) -> int:
        return self.number

    def str(self) -> str:
        return self.text

    def fatal(self) -> bool:
        return False


@dataclass
class Sent:
    """A record on its way."""

    number: int
    partition: int
    record: Record
    at_s: float
    on_delivery: DeliveryCallback


@dataclass
class FakeSink:
    """A producer and its topic. A record is appended and reported `latency_s` after it was handed over, unless the
    broker is down; `hook` runs at every poll and can change anything, or raise."""

    clock: FakeClock
    topic: list[list[Record]]
    latency_s: float = 0.005
    down: bool = False
    queue_max: int = 10**9
    shuffle: Random | None = None
    outcome: Callable[[Sent], Error | None] = lambda _: None
    without_offset: Callable[[Sent], bool] = lambda _: False
    never_reported: Callable[[Sent], bool] = lambda _: False
    hook: Callable[[], None] = lambda: None
    on_send: Callable[[int], None] = lambda _: None
    news: BrokerNews = field(default_factory=BrokerNews)
    statistics: BrokerStatistics | None = None
    made_with: tuple[object, ...] = ()
    sent: list[Sent] = field(default_factory=list)
    waiting: deque[Sent] = field(default_factory=deque)
    acknowledged: set[int] = field(default_factory=set)
    most_rows: int = 0
    most_bytes: int = 0
    polls: int = 0
    closed: bool = False

    def send(self, encoded: Encoded, rows: slice, callbacks: Sequence[DeliveryCallback]) -> int:
        assert not self.closed
        accepted = 0
        for (partition, record), on_delivery in zip(each_record(encoded, rows), callbacks, strict=True):
            if len(self.waiting) >= self.queue_max:
                break
            self.on_send(len(self.sent))
            one = Sent(len(self.sent), partition, record, self.clock.time_s, on_delivery)
            self.sent.append(one)
            self.waiting.append(one)
            accepted += 1
        self.most_rows = max(self.most_rows, len(self.waiting))
        self.most_bytes = max(self.most_bytes, sum(len(one.record.value) for one in self.waiting))
        return accepted

    def poll(self, seconds: float = 0.0) -> None:
        self.polls += 1
        assert self.polls < POLLS_MAX, "the session hangs"
        self.hook()
        if self._serve() or not seconds:
            return
        until = self.clock.time_s + seconds
        if self.waiting and not self.down:
            until = min(until, max(self.clock.time_s, self.waiting[0].at_s + self.latency_s))
        self.clock.time_s = until
        self._serve()

    def drain(self, seconds: float, give_up: Callable[[], bool]) -> bool:
        if not self.down and not give_up() and seconds >= self.latency_s:
            self.clock.time_s += self.latency_s
            self._serve()
        elif self.waiting:
            self.clock.time_s += seconds
        return not self.waiting

    def close(self) -> None:
        self.closed = True

    def append(self, one: Sent) -> int:
        self.topic[one.partition].append(one.record)
        return len(self.topic[one.partition]) - 1

    def _serve(self) -> bool:
        reports: list[tuple[Sent, Error | None, int | None]] = []
        while self.waiting and not self.down and self.waiting[0].at_s + self.latency_s <= self.clock.time_s + 1e-12:
            one = self.waiting.popleft()
            error = self.outcome(one)
            offset = None if error else self.append(one)
            reports.append((one, error, None if self.without_offset(one) else offset))
        if self.shuffle is not None:
            self.shuffle.shuffle(reports)
        for one, error, offset in reports:
            if self.never_reported(one):
                continue
            if error is None:
                self.acknowledged.add(one.number)
            one.on_delivery(error, Message(one.partition, offset))
        return bool(reports)


@dataclass
class Told:
    """A reporter that remembers."""

    infos: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    shown: list[Snapshot] = field(default_factory=list)

    def info(self, message: str) -> None:
        self.infos.append(message)

    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def phase(self, name: str, done_rows: int, rows: int) -> None: ...

    def progress(self, snapshot: Snapshot) -> None:
        self.shown.append(snapshot)


@dataclass
class FakeQuestion:
    """Answered `late_s` after it was put; None is no answer."""

    clock: FakeClock
    late_s: float
    found: TopicIdentity | None

    def __post_init__(self) -> None:
        self._at_s = self.clock.time_s + self.late_s

    def done(self) -> bool:
        return self.clock.time_s >= self._at_s

    def answer(self) -> TopicIdentity | None:
        assert self.done()
        return self.found


@dataclass
class FakeCluster:
    """Which topic a name stands for; a test changes `now` or plans `next_answers`."""

    clock: FakeClock
    now: TopicIdentity
    next_answers: deque[TopicIdentity | None] = field(default_factory=deque)
    late_s: float = 0.0
    asked_s: list[float] = field(default_factory=list)
    waited_for: int = 0
    wrong: UsageError | None = None

    def check_same_files(self, made_with: tuple[object, ...]) -> None:
        assert made_with == ()

    def why_away(self, waited_s: float) -> UsageError | None:
        assert waited_s >= 0
        return self.wrong

    def ask(self, topic: str) -> FakeQuestion:
        assert topic == "trades"
        self.asked_s.append(self.clock.time_s)
        return FakeQuestion(self.clock, self.late_s, self._next())

    def identity(self, topic: str) -> TopicIdentity:
        assert topic == "trades"
        self.waited_for += 1
        found = self._next()
        assert found is not None
        return found

    def _next(self) -> TopicIdentity | None:
        return self.next_answers.popleft() if self.next_answers else self.now


class Generation(NamedTuple):
    """One checkpoint, and when it was saved."""

    progress: Progress
    state: JobState
    at_s: float


def run_options(pace: Pace | None = None, checkpoint_interval_s: float = 1.0, **kafka: Any) -> RunOptions:
    return RunOptions(
        source=SourceOptions(()),
        checkpoint=Path("unused.json"),
        kafka=KafkaOptions("fake:9092", "trades", **kafka),
        pace=pace or Pace(),
        checkpoint_interval_s=checkpoint_interval_s,
    )


class Bench:
    """A session and everything around it."""

    def __init__(
        self,
        rows: Sequence[Row],
        options: RunOptions | None = None,
        start: Progress | None = None,
        topic: list[list[Record]] | None = None,
        partitions: int = 2,
        **source: Any,
    ) -> None:
        self.clock, self.stop, self.told = FakeClock(), Stop(), Told()
        self.source = FakeSource(rows, **source)
        self.partitions = partitions
        self.sink = FakeSink(self.clock, topic if topic is not None else [[] for _ in range(partitions)])
        self.options = options or run_options()
        self.start = start
        self.saves: list[Generation] = []
        self.on_save: Callable[[Progress], None] = lambda _: None
        self.tally = Tally(len(rows))
        self.cluster = FakeCluster(self.clock, TopicIdentity("id-1", partitions))
        cluster: Any = self.cluster
        self.watch = TopicWatch(cluster.now, "trades", cluster, self.told, self.clock)

    def save(self, progress: Progress, state: JobState) -> None:
        self.on_save(progress)
        self.saves.append(Generation(progress, state, self.clock.time_s))

    def save_end(self, progress: Progress) -> None:
        self.save(progress, JobState.DONE)

    @property
    def ready(self) -> Ready:
        nothing: Any = None
        source: Any = self.source
        saving: Any = self
        cluster: Any = self.cluster
        return Ready(
            options=self.options,
            source=source,
            file=nothing,
            cluster=cluster,
            stop=self.stop,
            report=self.told,
            clock=self.clock,
            tally=self.tally,
            topic=nothing,
            encoder=Encoder(self.source.symbols, bare_json(self.source.symbols), partition_of(self.partitions)),
            saving=saving,
            watch=self.watch,
        )

    @property
    def flight(self) -> Flight:
        start = self.start or fresh_start(self.source.start, [len(records) for records in self.sink.topic])
        return Flight(start, self.options.kafka.in_flight_rows_max, self.options.kafka.in_flight_bytes_max)

    def session(self) -> Session:
        sink: Any = self.sink
        ready, flight = self.ready, self.flight
        return Session(ready, sink, flight, ByCheckpoint(ready, sink, flight))

    def run(self) -> Bench:
        self.session().run()
        return self

    @property
    def last(self) -> Generation:
        return self.saves[-1]
