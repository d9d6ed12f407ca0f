"""What a topic holds, against what it should hold: every row once, in order, unchanged, in its partition.

Imports nothing from the tool under test: a mistake shared by the tool and its check would be invisible.
"""

from __future__ import annotations

import gc
import json
import time
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
    murmur2,
)
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
QUIET = {"log_level": 0, "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 500}
HEALING = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT)
EXACT_INTEGERS = 2**53
"""Up to here a float holds every whole number."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one source row should look like in the topic."""

    key: bytes
    value: bytes
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Record:
    """What one record in the topic looks like."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: tuple[tuple[str, bytes], ...] = ()


KINDS = ("lost", "duplicated", "out_of_order", "changed", "foreign", "misplaced")
Identity = tuple[bytes | None, bytes | None, int]
"""Key, canonical value, timestamp: two things with the same identity cannot be told apart."""


class ReadbackError(Exception):
    """The topic could not be read to its end before the deadline. Never a verdict."""


# --- reading ------------------------------------------------------------------------------------------------


def read_topic(
    bootstrap_servers: str,
    topic: str,
    isolation: str = "read_uncommitted",
    deadline_s: float = 300,
    *,
    decided: bool = False,
) -> list[list[Record]]:
    """All records per partition, from the low watermark to the high watermark as it was at the start; `decided`: only
    up to the first open transaction, which may take a minute to time out."""
    partitions: list[list[Record]] = [[] for _ in range(partition_count(bootstrap_servers, topic, deadline_s))]
    with _no_gc():
        for record in stream_topic(bootstrap_servers, topic, isolation, deadline_s, decided=decided):
            partitions[record.partition].append(record)
    return partitions


def stream_topic(
    bootstrap_servers: str,
    topic: str,
    isolation: str = "read_uncommitted",
    deadline_s: float = 300,
    *,
    decided: bool = False,
) -> Iterator[Record]:
    """The same records one by one, each partition in order, without holding them.

    A partition's end is its high watermark before anything was read, and only an offset says that it is
    reached: that of the last record before it, or of the broker's own end-of-partition (the last offsets may
    be transaction markers, which nobody is given). Silence is never taken for the end. With `read_committed`
    this waits for open transactions to be decided, unless only what is `decided` is asked for.
    """
    deadline = time.monotonic() + deadline_s
    ends = _watermarks(bootstrap_servers, topic, deadline, "read_committed" if decided else "read_uncommitted")
    consumer = Consumer(_consumer_settings(bootstrap_servers, isolation))
    try:
        consumer.assign([TopicPartition(topic, p, low) for p, (low, high) in ends.items() if low < high])
        waiting = {p: high for p, (low, high) in ends.items() if low < high}
        keys: dict[Any, Any] = {}
        while waiting:
            if time.monotonic() > deadline:
                raise ReadbackError(f"{topic}: after {deadline_s} s short of these ends: {waiting}")
            for message in consumer.consume(10_000, 0.1):
                partition, offset = _place(message)
                end = waiting.get(partition)
                if end is None:
                    continue
                if offset < end and message.error() is None:
                    key = message.key()
                    value, (_, timestamp_ms) = message.value(), message.timestamp()
                    headers = tuple(message.headers() or ())
                    yield Record(partition, offset, keys.setdefault(key, key), value, timestamp_ms, headers)
                if offset >= end - (message.error() is None):
                    del waiting[partition]
    finally:
        consumer.close()


@contextmanager
def _no_gc() -> Iterator[None]:
    """Millions of objects without cycles: looking for cycles among them again and again would take longer."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def partition_count(bootstrap_servers: str, topic: str, deadline_s: float = 300) -> int:
    """How many partitions the topic has, which says where each key belongs."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, **QUIET})

    def ask() -> int:
        found = admin.list_topics(topic, timeout=2).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return len(found.partitions)

    return _retry(ask, time.monotonic() + deadline_s, f"the partitions of {topic}")


def _watermarks(bootstrap_servers: str, topic: str, deadline: float, isolation: str) -> dict[int, tuple[int, int]]:
    """Low and high watermark per partition, asked at `read_uncommitted`.

    At `read_committed` the answer is the last stable offset: what lies behind an open transaction goes unread, and
    unnoticed.
    """
    count = partition_count(bootstrap_servers, topic, deadline - time.monotonic())

    def ask() -> dict[int, tuple[int, int]]:
        # A client of its own each time: one that has once taken a partition for unknown may go on to do so.
        consumer = Consumer(_consumer_settings(bootstrap_servers, isolation))
        try:
            return {p: _watermark(consumer, TopicPartition(topic, p)) for p in range(count)}
        finally:
            consumer.close()

    return _retry(ask, deadline, f"the watermarks of {topic}")


def _watermark(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    low, high = consumer.get_watermark_offsets(partition, timeout=2, cached=False)
    assert OFFSET_INVALID not in (low, high)
    return low, high


def _retry(ask: Callable[[], T], deadline: float, what: str) -> T:
    """A cluster in the middle of an election may refuse at once and answer a second later."""
    while True:
        try:
            return ask()
        except KafkaException as error:
            if time.monotonic() > deadline:
                raise ReadbackError(f"no answer about {what}: {error}") from error
            time.sleep(0.1)


def _place(message: Message) -> tuple[int, int]:
    """Partition and offset of a record or of an end; -1 and -1 for trouble that heals by itself.

    Lost connections heal; a position that does not exist any more, or a refusal, does not.
    """
    error, partition, offset = message.error(), message.partition(), message.offset()
    if error is None or error.code() == KafkaError._PARTITION_EOF:
        assert partition is not None
        assert offset is not None
        return partition, offset
    if error.retriable() or error.code() in HEALING:
        return -1, -1
    raise ReadbackError(str(error))


def _consumer_settings(bootstrap_servers: str, isolation: str) -> dict[str, str | int | bool]:
    return {
        "bootstrap.servers": bootstrap_servers,
        "group.id": "readback-joins-no-group",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "isolation.level": isolation,
        "check.crcs": True,
        "fetch.wait.max.ms": 50,
        "fetch.queue.backoff.ms": 5,
        **QUIET,
    }


# --- what should be there -----------------------------------------------------------------------------------


def expected_records(table: pa.Table, extra: Sequence[str] = ()) -> list[Row]:
    """The reference encoder: one row after the other, the way one would explain the format to a colleague."""
    units, unit = _event_times(table)
    symbols, prices = table["symbol"].to_pylist(), table["price"].to_pylist()
    extras = [table[name].to_pylist() for name in extra]
    rows = []
    for i, (symbol, price, units_since_epoch) in enumerate(zip(symbols, prices, units, strict=True)):
        value = {"symbol": symbol, "price": price, "event_time": _iso(units_since_epoch, unit)}
        value |= {name: column[i] for name, column in zip(extra, extras, strict=True)}
        timestamp_ms = units_since_epoch * 1000 // PER_SECOND[unit]
        rows.append(Row(symbol.encode(), json.dumps(value).encode(), timestamp_ms))
    return rows


def _event_times(table: pa.Table) -> tuple[list[int], str]:
    """As whole numbers: Python's datetime would lose nanoseconds."""
    column = table["event_time"]
    return column.cast(pa.int64()).to_pylist(), column.type.unit


def _iso(units_since_epoch: int, unit: str) -> str:
    seconds, rest = divmod(units_since_epoch, PER_SECOND[unit])
    nanoseconds = f"{rest * (PER_SECOND['ns'] // PER_SECOND[unit]):09d}"
    return f"{_iso_second(seconds)}.{nanoseconds if unit == 'ns' else nanoseconds[:6]}Z"


@lru_cache(maxsize=1024)
def _iso_second(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def canonical(value: bytes | None) -> bytes | None:
    """The same bytes for the same JSON: field order counts, spelling of numbers (50000, 5e4) does not.

    Floats stay exact. Whole numbers beyond a float's reach stay whole, so that two trade ids never become
    one. What is not JSON stays as it is.
    """
    try:
        return None if value is None else json.dumps(DECODER.decode(value.decode())).encode()
    except ValueError:
        return value


def _number(digits: str) -> int | float:
    number = int(digits)
    return float(digits) if abs(number) <= EXACT_INTEGERS else number


DECODER = json.JSONDecoder(parse_int=_number)


# --- comparing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the topic differs from the source.

    `rows = found + lost + changed`, and the topic's records are `found + duplicated + changed + foreign`.
    `out_of_order` and `misplaced` are among the found.
    """

    rows: int
    """Rows of the source."""
    found: int
    """Rows that are in the topic, unchanged, wherever they are."""
    lost: int
    """Rows that are not in the topic."""
    duplicated: int
    """Copies beyond what the source has."""
    out_of_order: int
    """The fewest records of a partition that would have to move to give source order."""
    changed: int
    """Records that stand where a row of the same symbol is missing, with another value or timestamp."""
    foreign: int
    """Records that have nothing to do with the source."""
    misplaced: int
    """Rows in another partition than their key's."""
    examples: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Every row exactly once, in order, unchanged, in its partition, and nothing else."""
        return not any(self._damage().values())

    def _damage(self) -> dict[str, int]:
        return {kind: getattr(self, kind) for kind in KINDS}

    def __str__(self) -> str:
        if self.exact:
            return f"exact: {self.rows} rows, each once and in order"
        counts = self._damage().items()
        damage = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts if count)
        return "\n  ".join([f"not exact: {damage} ({self.found} of {self.rows} rows found)", *self.examples])


def compare(expected: Sequence[Row], read: Sequence[Sequence[Record]]) -> Verdict:
    """Rows in source order against what `read_topic` gave.

    Identical rows are real trades: as many copies as the source has are right, one more is a duplicate. Order
    is checked per partition across its symbols, and so within each symbol too.
    """
    with _no_gc():
        return _compare(expected, read)


def _compare(expected: Sequence[Row], read: Sequence[Sequence[Record]]) -> Verdict:
    tally = _Tally()
    homes = [_Home(p, records) for p, records in enumerate(read)]
    partition_of = _partitioner(len(read))
    for row in expected:
        homes[partition_of(row.key)].rows.append(row)
    if not all(home.exact() for home in homes):
        source = {_identity(row) for home in homes for row in home.rows}
        for home in homes:
            home.settle(source, tally)
        _place_strays(homes, tally)
        for home in homes:
            home.report_lost(tally)
    unfound = tally.counts["lost"] + tally.counts["changed"]
    return Verdict(
        rows=len(expected),
        found=len(expected) - unfound,
        **{kind: tally.counts[kind] for kind in KINDS},
        examples=tuple(example for kind in KINDS for example in tally.examples[kind]),
    )


def same_content(
    rows: Iterable[Row],
    bootstrap_servers: str,
    topic: str,
    isolation: str = "read_uncommitted",
    deadline_s: float = 300,
) -> bool:
    """Whether `compare` would say exact, without holding either side, for topics that do not fit into memory.

    Each partition's sequence becomes one digest, on either side, so it cannot say what differs.
    """
    count = partition_count(bootstrap_servers, topic, deadline_s)
    home = _partitioner(count)
    wanted = _digests(count, ((home(row.key), row) for row in rows))
    found = stream_topic(bootstrap_servers, topic, isolation, deadline_s)
    return wanted == _digests(count, ((record.partition, record) for record in found))


def _digests(count: int, items: Iterable[tuple[int, Row | Record]]) -> list[bytes]:
    digests = [blake2b() for _ in range(count)]
    for partition, item in items:
        digests[partition].update(repr(_identity(item)).encode())
    return [digest.digest() for digest in digests]


def _partitioner(count: int) -> Callable[[bytes], int]:
    """Where Java's default partitioner puts a key, remembered per key."""
    homes: dict[bytes, int] = {}

    def home(key: bytes) -> int:
        if key not in homes:
            homes[key] = murmur2(key, count)
        return homes[key]

    return home


def _identity(item: Row | Record) -> Identity:
    return item.key, canonical(item.value), item.timestamp_ms


class _Tally:
    """Counts per kind of damage, with the first few examples of each."""

    EXAMPLES = 3

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, item: Row | Record, note: str = "") -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= self.EXAMPLES:
            self.examples[kind].append(f"{kind.replace('_', ' ')}: {item}{note}")


class _Home:
    """One partition: the rows that belong there, and the records that are there."""

    def __init__(self, partition: int, records: Sequence[Record]) -> None:
        self.partition = partition
        self.records = records
        self.rows: list[Row] = []
        self.missing: dict[Identity, deque[Row]] = defaultdict(deque)
        """Rows no record of this partition stands for, in source order."""
        self.strays: list[tuple[Identity, Record]] = []
        """Records with a row of the source, but without a free one here."""

    def exact(self) -> bool:
        return len(self.rows) == len(self.records) and self._common_prefix() == len(self.rows)

    def _common_prefix(self) -> int:
        for i, (row, record) in enumerate(zip(self.rows, self.records, strict=False)):
            if not _same(row, record):
                return i
        return min(len(self.rows), len(self.records))

    def settle(self, source: set[Identity], tally: _Tally) -> None:
        """Finds the longest run of records that are rows in order, then says what every other record is."""
        start = self._common_prefix()
        rows, records = self.rows[start:], self.records[start:]
        wanted, found = [_identity(row) for row in rows], [_identity(record) for record in records]
        in_order = _longest_common(wanted, found)
        taken = {i for i, _ in in_order}
        free: dict[Identity, deque[int]] = defaultdict(deque)
        for i, identity in enumerate(wanted):
            if i not in taken:
                free[identity].append(i)
        unknown: list[int] = []
        matched = {j for _, j in in_order}
        for j, identity in enumerate(found):
            if j in matched:
                continue
            if free.get(identity):
                taken.add(free[identity].popleft())
                tally.add("out_of_order", records[j])
            elif identity in source:
                self.strays.append((identity, records[j]))
            else:
                unknown.append(j)
        replaced = _replacements(rows, records, in_order, taken, unknown)
        for j in unknown:
            if j in replaced:
                tally.add("changed", records[j], f" instead of {rows[replaced[j]]}")
            else:
                tally.add("foreign", records[j])
        gone = taken.union(replaced.values())
        for i, identity in enumerate(wanted):
            if i not in gone:
                self.missing[identity].append(rows[i])

    def report_lost(self, tally: _Tally) -> None:
        for row in (row for rows in self.missing.values() for row in rows):
            tally.add("lost", row, f" of partition {self.partition}")


def _same(row: Row, record: Record) -> bool:
    return (
        row.timestamp_ms == record.timestamp_ms
        and row.key == record.key
        and (row.value == record.value or canonical(row.value) == canonical(record.value))
    )


def _place_strays(homes: Sequence[_Home], tally: _Tally) -> None:
    """A stray record is the row that its own partition misses, or else one copy too many."""
    missing: Mapping[Identity, deque[Row]] = {
        identity: rows for home in homes for identity, rows in home.missing.items()
    }
    for home in homes:
        for identity, record in home.strays:
            if missing.get(identity):
                missing[identity].popleft()
                tally.add("misplaced", record)
            else:
                tally.add("duplicated", record)


def _longest_common(wanted: Sequence[Identity], found: Sequence[Identity]) -> list[tuple[int, int]]:
    """The longest common subsequence as index pairs (Hunt-Szymanski): fast where few rows are identical."""
    places: dict[Identity, list[int]] = defaultdict(list)
    for i in reversed(range(len(wanted))):
        places[wanted[i]].append(i)
    ends: list[int] = []
    chains: list[tuple[int, int, object]] = []
    for j, identity in enumerate(found):
        for i in places.get(identity, ()):
            length = bisect_left(ends, i)
            chain = (i, j, chains[length - 1] if length else None)
            if length == len(ends):
                ends.append(i)
                chains.append(chain)
            elif i < ends[length]:
                ends[length], chains[length] = i, chain
    return _unchain(chains[-1] if chains else None)


def _unchain(chain: object) -> list[tuple[int, int]]:
    pairs = []
    while isinstance(chain, tuple):
        i, j, chain = chain
        pairs.append((i, j))
    return pairs[::-1]


def _replacements(
    rows: Sequence[Row],
    records: Sequence[Record],
    in_order: Sequence[tuple[int, int]],
    taken: set[int],
    unknown: Sequence[int],
) -> dict[int, int]:
    """Unknown record → the missing row it replaces: of the same key, between the same two rows in order."""
    gap_of_row, gap_of_record = [i for i, _ in in_order], [j for _, j in in_order]
    missing: dict[tuple[int, bytes | None], deque[int]] = defaultdict(deque)
    for i, row in enumerate(rows):
        if i not in taken:
            missing[bisect_left(gap_of_row, i), row.key].append(i)
    replaced = {}
    for j in unknown:
        candidates = missing.get((bisect_left(gap_of_record, j), records[j].key))
        if candidates:
            replaced[j] = candidates.popleft()
    return replaced
