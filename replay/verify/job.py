"""`replay verify`: the source and the topic side by side, and what differs. Shares nothing with the delivery but
`Source` and `Encoder`.

The source sets the pace: a portion of its rows is handed to the lanes of their partitions, then the topic is read
until each lane has had as many records as it has rows. A partition that is ahead is let go and taken up again where
it was left, so every partition can always be read on and no two can wait for each other, however skewed they are.

Memory, whatever the size of source and topic: the source's open batches, one portion of rows, `buffered_records`
(and one fetch more), `window_records` waiting on either side, 16 MB in librdkafka, 32 MB while damage is settled.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from confluent_kafka import TIMESTAMP_CREATE_TIME, Consumer, KafkaError, KafkaException, Message, TopicPartition
from rich.table import Table

from replay.delivery.emptiness import Selected
from replay.delivery.garbage import rarely_collected
from replay.delivery.snapshot import Display
from replay.errors import ExitCode, StateConflict, UsageError
from replay.kafka.broker_news import BrokerNews
from replay.kafka.cluster import Cluster, Topic, bad_setting, kafka_log
from replay.kafka.options import KafkaOptions
from replay.kafka.partitioner import partitioner
from replay.kafka.patience import Patience
from replay.kafka.settings import client_settings
from replay.kafka.trouble import Trouble
from replay.model import Clock, Encoded, Ints
from replay.source.files.trust import look_at_left_out, until_true
from replay.source.options import SourceOptions
from replay.source.source import Source
from replay.verify.compare import Lane, Run
from replay.verify.spill import NONE, Atlas, Example, Spill, Tally, fingerprints, settle

PORTION_ROWS = 65_536  # of the source at a time: the runs of a hundred partitions are still worth comparing as lists
CONSUME_MAX = 10_000  # records taken from librdkafka at a time
CONSUME_S = 0.2  # how long to wait for the first of them: as long as a stop may go unheard
LANE_MIN = 1_000  # records of a partition: with thousands of partitions, windows and buffers grow with their number
WINDOW_MAX = 100_000  # of one partition; damage that is larger takes the way over the disk

LOG_APPEND_TIME = "the broker's own time (LogAppendTime)"

KINDS = ("lost", "duplicated", "out_of_order", "changed", "misplaced", "foreign")


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What to compare. `starts` and `ends` are offsets, one a partition; None: all that the topic has.

    `allow_foreign`: records that are nobody's row are reported, but are no difference.
    """

    source: SourceOptions
    kafka: KafkaOptions
    isolation: str = "read_committed"
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None
    allow_foreign: bool = False
    window_records: int = 200_000  # on either side, over all partitions: 0.2 GB when all of them wait
    buffered_records: int = 200_000  # read and not yet compared, over all partitions: 50 MB


@dataclass(frozen=True, slots=True)
class Finding:
    """One example. `row` is its number in the replay's order, `file_row` that in its file; both begin at 0."""

    kind: str
    row: int | None = None
    file: str | None = None
    file_row: int | None = None
    symbol: str | None = None
    partition: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        parts = []
        if self.row is not None:
            parts.append(f"row {self.row:,} ({self.symbol}; {self.file}, row {self.file_row:,})")
        if self.offset is not None:
            parts.append(f"partition {self.partition}, offset {self.offset:,}")
        elif self.partition is not None:
            parts.append(f"partition {self.partition}")
        return ": ".join(parts)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rows` = found + lost + changed + misplaced; `records` = found + duplicated + changed + misplaced + foreign.

    Records out of order are among the found. Every number is exact, except that `out_of_order` is an upper
    bound where `order_exact` is False: records were further from their place than the window.
    """

    topic: str
    isolation: str
    rows: int
    records: int
    found: int
    lost: int
    duplicated: int
    out_of_order: int
    changed: int
    misplaced: int
    foreign: int
    order_exact: bool
    timestamps_compared: bool
    allow_foreign: bool
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    examples: tuple[Finding, ...]

    @property
    def exact(self) -> bool:
        """Every row once, in order, unchanged, and nothing else (but foreign records, where they are allowed)."""
        return not any(getattr(self, kind) for kind in KINDS if not (kind == "foreign" and self.allow_foreign))

    def differences(self) -> str:
        """`3 lost, 1 duplicated`."""
        found = [(kind, getattr(self, kind)) for kind in KINDS if not (kind == "foreign" and self.allow_foreign)]
        return ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in found if number)

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.DONE if self.exact else ExitCode.DIFFERENT

    def as_json(self) -> dict[str, Any]:
        examples = [{k: v for k, v in asdict(each).items() if v is not None} for each in self.examples]
        return {"exact": self.exact, **asdict(self), "examples": examples}


def verify(options: VerifyOptions, report: Display, clock: Clock, check_stop: Callable[[], None]) -> Verdict:
    """Read both sides once, and the source again only where they differ.

    Also of what statistics rule out every row is looked at, whatever the replay did: one that is selected is expected.
    """
    return until_true(
        options.source,
        lambda source: _verify(replace(options, source=source), report, clock, check_stop),
        report.warning,
    )


def _verify(options: VerifyOptions, report: Display, clock: Clock, check_stop: Callable[[], None]) -> Verdict:
    """The same, as long as the statistics that put the files in order are right."""
    source = Source(options.source, judges=True)
    source.left_out.tell(source.files_all, report)
    look_at_left_out(source, check_stop, report)
    patience = Patience(clock, options.kafka.broker_timeout_s, check_stop, Trouble(report, clock))
    with closing(Cluster(options.kafka, patience)) as cluster:
        topic = cluster.topic()
        if topic is None:
            raise UsageError(
                f"there is no topic {options.kafka.topic} at {options.kafka.bootstrap_servers}",
                where="--topic",
                todo="check the name and --bootstrap-servers",
            )
        starts, ends = _range(options, *cluster.watermarks(topic), report)
    options = replace(options, starts=starts, ends=ends)
    for with_times in (True, False) if options.source.records.has_event_times else (False,):
        try:
            with rarely_collected():
                return _Verification(options, topic, source, with_times, report, patience, check_stop).run()
        except _NoEventTimes:
            report.info(f"topic {topic.name} has {LOG_APPEND_TIME}: timestamps are not compared")
    raise AssertionError("without times there is no _NoEventTimes")


class _NoEventTimes(Exception):
    """A record has no time of its own: compare without times, from the start."""


def _range(
    options: VerifyOptions, low: list[int], high: list[int], report: Display
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What to read, within what there is."""
    for name, given in (("first", options.starts), ("last", options.ends)):
        if given is not None and len(given) != len(low):
            raise UsageError(
                f"there are {len(low)} partitions, and {name} offsets for {len(given)}",
                where=options.kafka.topic,
                todo="give one offset for each partition",
            )
    starts, ends = options.starts or low, options.ends or high
    for partition, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start < low[partition] or end > high[partition]:
            report.warning(
                f"partition {partition} has offsets {low[partition]:,} to {high[partition]:,} (exclusive), not all of"
                f" {start:,} to {end:,}: the rest was deleted or never written, and counts as lost"
            )
    return tuple(map(max, starts, low)), tuple(map(min, ends, high))


class _Verification:
    """One comparison, from the first row and record to the verdict."""

    def __init__(
        self,
        options: VerifyOptions,
        topic: Topic,
        source: Source,
        with_times: bool,
        report: Display,
        patience: Patience,
        check_stop: Callable[[], None],
    ) -> None:
        self._options, self._topic, self._source, self._with_times = options, topic, source, with_times
        self._report, self._patience, self._check_stop = report, patience, check_stop
        self._encoder = source.encoder(partitioner(options.source.records.partitioner, topic.partitions))
        self._tally, self._spill = Tally(), Spill()
        self._rows = 0  # that are to be in the topic
        self._selected = Selected(source)
        guide = Atlas(lambda: self._fingerprints("looking for a place to go on"), source.rows)
        window = min(WINDOW_MAX, max(LANE_MIN, options.window_records // topic.partitions))
        window = min(window, options.window_records)
        self._lanes = [Lane(p, window, self._tally, self._spill, guide) for p in range(topic.partitions)]

    def run(self) -> Verdict:
        with closing(Reader(self._options, self._lanes, self._with_times, self._patience)) as reader:
            for encoded, first_row in self._portions("verifying"):
                self._expect(encoded, first_row)
                self._advance(reader)
            for lane in self._lanes:
                lane.expected_ended = True
            self._advance(reader)
        settle(self._spill, lambda: self._fingerprints("looking for duplicates"), self._tally)
        verdict = self._verdict(reader.records)
        if verdict.exact:  # "as the source" would be true of no row at all, too
            self._selected.check()
        return verdict

    def _portions(self, phase: str) -> Iterator[tuple[Encoded, int]]:
        for batch in self._source.batches(self._source.start):
            for start in range(0, len(batch), PORTION_ROWS):
                stop = min(len(batch), start + PORTION_ROWS)
                yield self._encoder.encode(batch, start, stop), batch.start.row + start
                self._check_stop()
                self._report.phase(phase, batch.start.row + stop, self._source.rows)

    def _times(self, encoded: Encoded) -> Sequence[int | None]:
        return encoded.timestamps_ms if self._with_times else [None] * len(encoded)

    def _expect(self, encoded: Encoded, first_row: int) -> None:
        """Each lane its rows."""
        order = np.argsort(encoded.partitions, kind="stable")
        pick = order.tolist()
        keys, values = ([column[at] for at in pick] for column in (encoded.keys, encoded.values))
        times = self._times(encoded)
        times = [times[at] for at in pick]
        rows = _row_numbers(encoded, first_row)[order].tolist()
        self._rows += len(encoded)
        self._selected.add_ids(encoded.symbols)
        end = 0
        for partition, number in enumerate(np.bincount(encoded.partitions).tolist()):
            start, end = end, end + number
            if number:
                run = Run(keys[start:end], values[start:end], times[start:end], rows[start:end])
                self._lanes[partition].expect(run)

    def _advance(self, reader: Reader) -> None:
        """Compare what was handed in, reading on for whoever needs more records."""
        for lane in self._lanes:
            lane.advance()
        while any(lane.hungry for lane in self._lanes):
            self._check_stop()
            reader.read()
            for lane in self._lanes:
                lane.advance()

    def _fingerprints(self, phase: str) -> Iterator[tuple[Ints, Ints]]:
        for encoded, first_row in self._portions(phase):
            columns = (encoded.keys, encoded.values, self._times(encoded))
            yield fingerprints(encoded.partitions.tolist(), columns), _row_numbers(encoded, first_row)

    def _verdict(self, records: int) -> Verdict:
        tally, options = self._tally, self._options
        return Verdict(
            topic=self._topic.name,
            isolation=options.isolation,
            rows=self._rows,
            records=records,
            found=tally["found"],
            **{kind: tally[kind] for kind in KINDS},
            order_exact=not tally["far"],
            timestamps_compared=self._with_times,
            allow_foreign=options.allow_foreign,
            starts=tuple(options.starts or ()),
            ends=tuple(options.ends or ()),
            examples=self._findings(),
        )

    def _findings(self) -> tuple[Finding, ...]:
        """The examples, with the places of their rows: one more look at the source, as far as they reach."""
        examples = [(kind, each) for kind in KINDS for each in self._tally.examples.get(kind, ())]
        wanted = sorted({each.row for _, each in examples if each.row != NONE}, reverse=True)
        places: dict[int, Finding] = {}
        batches = self._source.batches(self._source.start)
        while wanted:
            batch = next(batches)
            while wanted and wanted[-1] < batch.start.row + len(batch):
                row = wanted.pop()
                at = row - batch.start.row
                file = batch.files if isinstance(batch.files, int) else int(batch.files[at])
                symbol = self._source.symbols.names[batch.table.column("symbol")[at].as_py()]
                path = self._source.files[file].shown
                file_row = self._source.files[file].file_row(batch.position_after(at).cursors[file])
                home = int(self._encoder.encode(batch, at, at + 1).partitions[0])
                places[row] = Finding("", row, path, file_row, symbol, home)
        return tuple(_finding(kind, each, places.get(each.row)) for kind, each in examples)


def _row_numbers(encoded: Encoded, first_row: int) -> Ints:
    rows: Ints = np.arange(len(encoded)) if encoded.rows is None else encoded.rows
    return rows + first_row


def _finding(kind: str, example: Example, place: Finding | None) -> Finding:
    found = replace(place or Finding(""), kind=kind)
    return found if example.offset == NONE else replace(found, partition=example.partition, offset=example.offset)


# -- the topic --------------------------------------------------------------------------------------------


class Reader:
    """Reads the partitions side by side into their lanes; whoever is far ahead is let go for a while."""

    def __init__(self, options: VerifyOptions, lanes: Sequence[Lane], with_times: bool, patience: Patience) -> None:
        assert options.starts is not None
        assert options.ends is not None
        self._topic, self._lanes, self._with_times, self._patience = options.kafka.topic, lanes, with_times, patience
        self._next, self._ends = list(options.starts), options.ends
        self._held_back = "" if options.isolation == "read_uncommitted" else " (an open transaction may hold it back)"
        self._buffer_max = max(LANE_MIN, options.buffered_records // len(lanes))
        self._buffer_max = min(self._buffer_max, options.buffered_records)
        self._news = BrokerNews()
        self.records = 0
        try:
            self._consumer = Consumer(
                {
                    **client_settings(options.kafka),
                    "error_cb": self._news.on_error,
                    "group.id": f"replay-verify-{os.getpid()}",  # required by the client; nothing is ever committed
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "isolation.level": options.isolation,
                    "auto.offset.reset": "error",
                    "enable.partition.eof": True,
                    "queued.max.messages.kbytes": 16_384,  # memory of the read-ahead
                    "fetch.queue.backoff.ms": 5,  # the default of 1 s would be the speed limit
                    "fetch.wait.max.ms": 10,  # a partition taken up again waits for the fetch in flight
                },
                logger=kafka_log,
            )
        except KafkaException as error:
            raise bad_setting(error) from None
        self._read: set[int] = set()  # the partitions that are being read
        self._left = {p for p, lane in enumerate(lanes) if self._next[p] < self._ends[p]}
        for partition, lane in enumerate(lanes):
            lane.found_ended = partition not in self._left
        self._assign(self._left)

    def close(self) -> None:
        self._consumer.close()

    def read(self) -> None:
        """Some more records, or ends, for some lanes."""
        self._assign({p for p in self._left - self._read if self._lanes[p].buffered <= self._buffer_max // 2})
        first = next(p for p in self._left if self._lanes[p].hungry)
        what = f"read partition {first} from offset {self._next[first]:,} to {self._ends[first]:,}{self._held_back}"
        self._patience(what, self._news, self._attempt)

    def _assign(self, partitions: set[int]) -> None:
        if partitions:
            self._consumer.incremental_assign([TopicPartition(self._topic, p, self._next[p]) for p in partitions])
            self._read |= partitions

    def _let_go(self, partition: int) -> None:
        """Where it goes on is in `_next`, so what librdkafka has read ahead may be thrown away."""
        self._consumer.incremental_unassign([TopicPartition(self._topic, partition)])
        self._read.discard(partition)

    def _attempt(self) -> bool | None:
        messages = self._consumer.consume(CONSUME_MAX, timeout=CONSUME_S)
        ends = []
        if any(map(Message.error, messages)):
            ends = [message for message in messages if message.error() is not None]
            messages = [message for message in messages if message.error() is None]
        news, at = False, 0
        for partition, same in groupby(map(Message.partition, messages)):
            start, at = at, at + sum(1 for _ in same)
            if partition in self._read:
                self._take(partition, messages[start:at])
                news = True
        # Trouble last, and told only if nothing else came: records and ends that came with it are not given again.
        for message in sorted(ends, key=lambda each: each.error().code() != KafkaError._PARTITION_EOF):
            if news and message.error().code() not in (KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET):
                continue
            partition = self._end_of(message)
            if partition in self._left and message.offset() >= self._ends[partition]:
                self._through(partition)
                news = True
        return news or None

    def _take(self, partition: int, messages: list[Any]) -> None:
        offsets = list(map(Message.offset, messages))
        start, stop = bisect_left(offsets, self._next[partition]), bisect_left(offsets, self._ends[partition])
        if start < stop:
            messages, offsets = messages[start:stop], offsets[start:stop]
            run = Run(
                list(map(Message.key, messages)), list(map(Message.value, messages)), self._times(messages), offsets
            )
            self._lanes[partition].find(run)
            self._next[partition] = offsets[-1] + 1
            self.records += len(offsets)
        if self._next[partition] >= self._ends[partition]:
            self._through(partition)
        elif self._lanes[partition].buffered >= self._buffer_max:
            self._let_go(partition)

    def _times(self, messages: list[Any]) -> list[int | None]:
        if not self._with_times:
            return [None] * len(messages)
        times = [time for kind, time in map(Message.timestamp, messages) if kind == TIMESTAMP_CREATE_TIME]
        if len(times) < len(messages):
            raise _NoEventTimes
        return times

    def _end_of(self, message: Any) -> int:
        error = message.error()
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise StateConflict(
                f"records were deleted while they were to be read: {error.str()}",
                where=f"{self._topic}, partition {message.partition()}",
                todo="retention.ms or a truncation removed them; verify again to see what is left",
            )
        if error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        return int(message.partition())

    def _through(self, partition: int) -> None:
        self._lanes[partition].found_ended = True
        self._left.discard(partition)
        if partition in self._read:
            self._let_go(partition)


# -- for people -------------------------------------------------------------------------------------------


def verdict_table(verdict: Verdict) -> Table:
    """Counts, and the first few of whatever is wrong."""
    title = f"topic {verdict.topic}, {verdict.isolation}: " + ("as the source" if verdict.exact else "DIFFERENT")
    table = Table("", "records", "the first of them", title=title)
    table.columns[1].justify = "right"
    table.add_row("expected", f"{verdict.rows:,}", "")
    table.add_row("found", f"{verdict.found:,}", "")
    for kind in KINDS:
        count = getattr(verdict, kind)
        bound = "" if verdict.order_exact or kind != "out_of_order" else "at most "
        shown = "\n".join(str(each) for each in verdict.examples if each.kind == kind)
        table.add_row(kind.replace("_", " "), f"{bound}{count:,}", shown)
    if not verdict.timestamps_compared:
        table.caption = f"timestamps not compared: they are {LOG_APPEND_TIME}"
    return table
