"""`replay verify` against topics on a real broker, damaged on purpose."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer, murmur2

from replay.cli.options.looking import SampleLayout
from replay.cli.sample_trades import SampleSpec, write_sample
from replay.errors import BrokerUnavailable, ExitCode, Stopped, UsageError
from replay.kafka.options import KafkaOptions
from replay.record.encoder import Encoder
from replay.signals import Stop
from replay.source.choices import Order
from replay.source.options import SourceOptions
from replay.source.source import Source
from replay.verify.job import VerifyOptions, verify
from replay.verify.kinds import KINDS
from replay.verify.verdict import Verdict
from tests.support.formats import bare_json
from tests.support.readback import Row
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster

PARTITIONS = 4
ROWS = 3_000

Records = list[tuple[int, Row]]
"""What is produced: partition and record, in order."""


@dataclass(frozen=True)
class Trades:
    folder: Path
    rows: list[Row]

    def records(self) -> Records:
        return [(murmur2(row.key, PARTITIONS), row) for row in self.rows]


def make(folder: Path, order: Order = Order.EVENT_TIME, rows: int = ROWS) -> Trades:
    """The bytes are the encoder's own, whose tests are elsewhere."""
    write_sample(folder, SampleSpec(rows, 8, 2, SampleLayout.BY_SYMBOL, row_group_rows=min(131_072, rows // 7)))
    source = Source(SourceOptions((str(folder),), order=order))
    return Trades(folder, encoded_rows(source))


def encoded_rows(source: Source) -> list[Row]:
    encoder = Encoder(source.symbols, bare_json(source.symbols), lambda _: 0)
    portions = [encoder.encode(batch) for batch in source.batches(source.start)]
    columns = ((each.keys, each.values, each.timestamps_ms) for each in portions)
    return [
        Row(key or b"", value or b"", time_ms) for each in columns for key, value, time_ms in zip(*each, strict=True)
    ]


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make(tmp_path_factory.mktemp("trades"))


def produce(bootstrap: str, topic: str, records: Records) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
    send(producer, topic, records)
    assert producer.flush(60) == 0


def send(producer: Producer, topic: str, records: Records) -> None:
    for number, (partition, row) in enumerate(records, start=1):
        producer.produce(topic, row.value, row.key, partition, timestamp=row.timestamp_ms)
        if number % 50_000 == 0:  # librdkafka's queue takes 100,000
            producer.flush(60)


class Quiet:
    """A reporter that only remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.phases: dict[str, tuple[int, int]] = {}

    def info(self, message: str) -> None:
        self.said.append(message)

    warning = info

    def phase(self, name: str, done_rows: int, rows: int) -> None:
        self.phases[name] = done_rows, rows

    def progress(self, snapshot: Any) -> None: ...


def look(
    bootstrap: str, topic: str, trades: Trades, *, report: Quiet | None = None, timeout_s: float = 60, **options: Any
) -> Verdict:
    kafka = KafkaOptions(bootstrap, topic, broker_timeout_s=timeout_s)
    source = SourceOptions((str(trades.folder),), order=options.pop("order", Order.EVENT_TIME))
    given = VerifyOptions(source, kafka, **options)
    return verify(given, report or Quiet(), lambda: None)


def damage(verdict: Verdict) -> dict[str, int]:
    return {kind: getattr(verdict, kind) for kind in KINDS if getattr(verdict, kind)}


@pytest.fixture
def written(kafka: KafkaCluster | Broker, topic: str) -> Callable[..., str]:
    """Creates the topic, writes records into it, returns the broker's address."""

    def write(records: Records, partitions: int = PARTITIONS, **config: str) -> str:
        bootstrap = kafka.bootstrap_servers
        create_topic(bootstrap, topic, partitions, config={"retention.ms": "-1", **config})
        produce(bootstrap, topic, records)
        return bootstrap

    return write


def of_partition(records: Records, partition: int) -> list[int]:
    return [at for at, (home, _) in enumerate(records) if home == partition]


# -- one kind of damage at a time -------------------------------------------------------------------------


def test_a_whole_topic_is_exact(written, topic: str, trades: Trades) -> None:
    report = Quiet()
    verdict = look(written(trades.records()), topic, trades, report=report)
    assert verdict.exact, verdict
    assert (verdict.rows, verdict.found, verdict.records) == (ROWS, ROWS, ROWS)
    assert verdict.exit_code is ExitCode.DONE
    assert report.phases == {"verifying": (ROWS, ROWS)}


def test_a_deleted_row_is_lost(written, topic: str, trades: Trades) -> None:
    records = trades.records()
    home, row = records.pop(1_234)
    verdict = look(written(records), topic, trades)
    assert damage(verdict) == {"lost": 1}
    assert verdict.exit_code is ExitCode.DIFFERENT
    (found,) = verdict.examples
    assert (found.kind, found.row, found.symbol, found.partition) == ("lost", 1_234, row.key.decode(), home)
    assert found.file is not None
    assert found.file_row is not None
    assert encoded_rows(Source(SourceOptions((found.file,), order=Order.AS_IS)))[found.file_row] == row


def test_a_doubled_record_is_duplicated(written, topic: str, trades: Trades) -> None:
    records = trades.records()
    again = records[500]
    records.insert(900, again)
    verdict = look(written(records), topic, trades)
    assert damage(verdict) == {"duplicated": 1}
    offset = sum(home == again[0] for home, _ in records[:900])
    assert [(each.row, each.partition, each.offset) for each in verdict.examples] == [(500, again[0], offset)]


def test_two_rows_of_a_symbol_swapped_are_out_of_order(written, topic: str, trades: Trades) -> None:
    records = trades.records()
    a, b = [at for at, (_, row) in enumerate(records) if row.key == records[700][1].key][100:102]
    records[a], records[b] = records[b], records[a]
    verdict = look(written(records), topic, trades)
    assert damage(verdict) == {"out_of_order": 1}
    assert verdict.order_exact
    assert verdict.examples[0].row == a


def test_another_price_or_time_is_changed(written, topic: str, trades: Trades) -> None:
    records = trades.records()
    home, row = records[42]
    records[42] = home, Row(row.key, row.value.replace(b'"price": ', b'"price": 9'), row.timestamp_ms)
    home_2, row_2 = records[77]
    records[77] = home_2, Row(row_2.key, row_2.value, row_2.timestamp_ms + 1)
    verdict = look(written(records), topic, trades)
    assert damage(verdict) == {"changed": 2}
    offsets = [sum(home == records[at][0] for home, _ in records[:at]) for at in (42, 77)]
    assert [(each.row, each.offset) for each in verdict.examples] == [(42, offsets[0]), (77, offsets[1])]


def test_somebody_elses_records_are_foreign(written, topic: str, trades: Trades) -> None:
    records = trades.records()
    home, row = records[10]
    records[20:20] = [(home, Row(b"someone", b"else", 5_000)), (home, Row(row.key, b"", 5_001))]
    bootstrap = written(records)
    assert damage(look(bootstrap, topic, trades)) == {"foreign": 2}
    assert look(bootstrap, topic, trades, allow_foreign=True).exact


def test_a_record_without_key_and_value_is_foreign(written, topic: str, trades: Trades) -> None:
    bootstrap = written(trades.records())
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    producer.produce(topic, None, None, 0, timestamp=1)
    producer.flush(30)
    assert damage(look(bootstrap, topic, trades)) == {"foreign": 1}


def test_a_wrong_partition_is_misplaced(written, topic: str, trades: Trades) -> None:
    records = trades.records()
    home, row = records[1_000]
    other = (home + 1) % PARTITIONS
    records[1_000] = other, row
    verdict = look(written(records), topic, trades)
    assert damage(verdict) == {"misplaced": 1}
    assert (verdict.examples[0].row, verdict.examples[0].partition) == (1_000, other)


def test_a_truncated_topic_lost_its_end(written, topic: str, trades: Trades) -> None:
    verdict = look(written(trades.records()[:2_000]), topic, trades, window_records=40)
    assert damage(verdict) == {"lost": 1_000}
    assert [each.row for each in verdict.examples] == [2_000, 2_001, 2_002, 2_003, 2_004]


def test_an_empty_topic_lost_everything(written, topic: str, trades: Trades) -> None:
    assert damage(look(written([]), topic, trades)) == {"lost": ROWS}


@pytest.mark.parametrize("window", [40, 300_000])
def test_a_second_copy_is_duplicates(written, topic: str, trades: Trades, window: int) -> None:
    """As after --restart: half-way, and behind the first."""
    records = trades.records()
    verdict = look(written(records[:1_500] + records * 2), topic, trades, window_records=window)
    assert damage(verdict) == {"duplicated": 1_500 + ROWS}
    assert verdict.found == ROWS


def test_all_at_once_is_told_apart(written, topic: str, trades: Trades) -> None:
    records = trades.records()
    home, row = records[100]
    records[100] = home, Row(row.key, row.value + b" ", row.timestamp_ms)
    del records[200:203]
    records.insert(2_000, records[1_900])
    records.append((1, Row(b"x", b"y", 1)))
    verdict = look(written(records), topic, trades)
    assert damage(verdict) == {"changed": 1, "lost": 3, "duplicated": 1, "foreign": 1}
    assert verdict.rows == verdict.found + verdict.lost + verdict.changed + verdict.misplaced
    assert verdict.records == verdict.found + verdict.duplicated + verdict.changed + verdict.foreign


# -- ranges, transactions, timestamps ---------------------------------------------------------------------


def test_a_range_picks_one_replay_of_many(written, topic: str, trades: Trades) -> None:
    records = trades.records()
    bootstrap = written(records[:700] + records + records[5:900])
    sizes = [[sum(home == p for home, _ in part) for p in range(PARTITIONS)] for part in (records[:700], records)]
    starts, ends = sizes[0], [a + b for a, b in zip(*sizes, strict=True)]
    verdict = look(bootstrap, topic, trades, starts=starts, ends=ends)
    assert verdict.exact, verdict
    assert verdict.starts == tuple(starts)
    assert not look(bootstrap, topic, trades, ends=ends).exact
    with pytest.raises(UsageError):
        look(bootstrap, topic, trades, ends=ends[:-1])


def test_a_range_beyond_the_topic_is_told(written, topic: str, trades: Trades) -> None:
    bootstrap, report = written(trades.records()[:-1]), Quiet()
    assert look(bootstrap, topic, trades, ends=[ROWS] * PARTITIONS, report=report).lost == 1
    assert any("counts as lost" in line for line in report.said)


def transactional(bootstrap: str, topic: str, **settings: Any) -> Producer:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": topic, "log_level": 0, **settings})
    producer.init_transactions(30)
    return producer


def test_aborted_copies_count_only_for_those_who_see_them(written, topic: str, trades: Trades) -> None:
    records, bootstrap = trades.records(), written([])
    producer = transactional(bootstrap, topic)
    for start in range(0, ROWS, 1_000):
        for end in (producer.abort_transaction, producer.commit_transaction):
            producer.begin_transaction()
            send(producer, topic, records[start : start + 1_000])
            producer.flush(30)
            end(30)
    assert look(bootstrap, topic, trades, isolation="read_committed").exact
    verdict = look(bootstrap, topic, trades, isolation="read_uncommitted")
    assert damage(verdict) == {"duplicated": ROWS}


def test_an_open_transaction_is_waited_for_and_never_taken_for_the_end(written, topic: str, trades: Trades) -> None:
    bootstrap = written(trades.records())
    producer = transactional(bootstrap, topic)
    producer.begin_transaction()
    send(producer, topic, trades.records()[:1])
    producer.flush(30)
    with pytest.raises(BrokerUnavailable, match="an open transaction may hold it back"):
        look(bootstrap, topic, trades, timeout_s=2, isolation="read_committed")
    producer.abort_transaction(30)
    assert look(bootstrap, topic, trades, isolation="read_committed").exact


def test_the_brokers_own_time_is_not_compared(written, topic: str, trades: Trades) -> None:
    records = trades.records()
    home, row = records[50]
    records[50] = home, Row(row.key, row.value + b" ", row.timestamp_ms)
    verdict = look(written(records, **{"message.timestamp.type": "LogAppendTime"}), topic, trades)
    assert not verdict.timestamps_compared
    assert damage(verdict) == {"changed": 1}


# -- skew and memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", ["as sent", "one partition after the other", "others first"])
def test_skew_needs_no_memory(written, topic: str, trades: Trades, shift: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: it hangs, or what is read ahead grows with the topic."""
    records = trades.records()
    if shift != "as sent":
        records.sort(key=lambda each: each[0], reverse=shift == "others first")
    bootstrap = written(records)
    monkeypatch.setattr("replay.verify.sides.PORTION_ROWS", 50)
    monkeypatch.setattr("replay.verify.job.LANE_MIN", 10)
    monkeypatch.setattr("replay.kafka.reader._FETCH_RECORDS", 20)
    most = buffered_most(monkeypatch)
    assert look(bootstrap, topic, trades, buffered_records=40, window_records=8).exact
    assert max(most) < 10 + 20


def test_a_source_of_one_file_a_symbol_needs_no_memory(
    written, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In path order, the rows of a partition come long after its records."""
    made = make(tmp_path, Order.AS_IS)
    records = made.records()
    del records[2_500]
    records.sort(key=lambda each: each[0])
    bootstrap = written(records)
    monkeypatch.setattr("replay.verify.sides.PORTION_ROWS", 50)
    monkeypatch.setattr("replay.verify.job.LANE_MIN", 10)
    monkeypatch.setattr("replay.kafka.reader._FETCH_RECORDS", 20)
    most = buffered_most(monkeypatch)
    assert damage(look(bootstrap, topic, made, buffered_records=40, window_records=40, order=Order.AS_IS)) == {
        "lost": 1
    }
    assert max(most) < 10 + 20


def buffered_most(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records a lane holds, each time it was given some."""
    from replay.verify.compare import Lane

    seen: list[int] = [0]
    find = Lane.find

    def watched(lane: Lane, run: Any) -> None:
        find(lane, run)
        seen.append(lane.buffered)

    monkeypatch.setattr(Lane, "find", watched)
    return seen


# -- around it --------------------------------------------------------------------------------------------


def test_a_missing_topic_is_said(kafka: KafkaCluster | Broker, topic: str, trades: Trades) -> None:
    with pytest.raises(UsageError, match="no topic"):
        look(kafka.bootstrap_servers, topic, trades)


def test_a_signal_stops_it(written, topic: str, trades: Trades) -> None:
    stop = Stop()
    stop.request(2)
    options = VerifyOptions(SourceOptions((str(trades.folder),)), KafkaOptions(written(trades.records()), topic))
    with pytest.raises(Stopped):
        verify(options, Quiet(), stop.check)


def test_the_embedded_broker_can_be_verified(embedded: Broker, topic: str, trades: Trades) -> None:
    producer = Producer({"bootstrap.servers": embedded.bootstrap_servers, "log_level": 0})
    producer.list_topics(topic, timeout=10)
    send(producer, topic, trades.records())
    assert producer.flush(30) == 0
    verdict = look(embedded.bootstrap_servers, topic, trades)
    assert verdict.exact, verdict


@pytest.mark.soak
def test_speed(written, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints how many rows a second are compared where nothing differs."""
    made = make(tmp_path, rows=1_000_000)
    bootstrap = written(made.records())
    start = time.monotonic()
    verdict = look(bootstrap, topic, made)
    seconds = time.monotonic() - start
    assert verdict.exact
    with capsys.disabled():
        print(f"\nverify: {verdict.rows:,} rows in {seconds:.2f} s, {verdict.rows / seconds:,.0f} rows/s")
