"""The check itself: a check that overlooks damage makes every other test worthless."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from confluent_kafka import Producer, murmur2
from hypothesis import given
from hypothesis import strategies as st

from tests.support.readback import (
    Record,
    Row,
    Verdict,
    canonical,
    compare,
    expected_records,
    read_topic,
    same_content,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Broker

PARTITIONS = 4
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "BNBUSDT")


def source(rows: int = 60) -> list[Row]:
    """Trades of six symbols, one a second, with every tenth repeated."""
    return [trade(i - (i % 10 == 9) * len(SYMBOLS)) for i in range(rows)]


def trade(i: int) -> Row:
    symbol = SYMBOLS[i % len(SYMBOLS)]
    value = {
        "symbol": symbol,
        "price": 100.0 + i,
        "event_time": f"2026-01-01T00:{i // 60:02}:{i % 60:02}.000000Z",
    }
    return Row(symbol.encode(), json.dumps(value).encode(), 1_767_225_600_000 + i * 1000)


def delivered(rows: Sequence[Row]) -> list[list[Record]]:
    """What a topic holds after a perfect replay."""
    topic: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    for row in rows:
        append(topic, murmur2(row.key, PARTITIONS), row)
    return topic


def append(topic: list[list[Record]], partition: int, row: Row) -> None:
    topic[partition].append(Record(partition, len(topic[partition]), row.key, row.value, row.timestamp_ms))


def busiest(topic: list[list[Record]]) -> list[Record]:
    return max(topic, key=len)


def damage(verdict: Verdict) -> dict[str, int]:
    return {name: count for name, count in verdict._damage().items() if count}


def test_a_perfect_replay_is_exact() -> None:
    """Broken: every green replay would be reported as damaged."""
    verdict = compare(source(), delivered(source()))
    assert verdict.exact
    assert (verdict.rows, verdict.found) == (60, 60)
    assert str(verdict) == "exact: 60 rows, each once and in order"


def test_an_empty_topic_has_lost_everything() -> None:
    """Broken: a replay that sends nothing would pass."""
    verdict = compare(source(), delivered([]))
    assert damage(verdict) == {"lost": 60}
    assert verdict.found == 0


def test_a_lost_row_is_named() -> None:
    """Broken: rows lost in a crash would go unnoticed."""
    topic = delivered(source())
    gone = busiest(topic).pop(3)
    verdict = compare(source(), topic)
    assert damage(verdict) == {"lost": 1}
    assert repr(gone.value) in str(verdict)
    assert str(verdict).startswith("not exact: 1 lost (59 of 60 rows found)")


def test_one_of_two_identical_rows_lost_is_a_loss() -> None:
    """Broken: real trades that look alike would be merged."""
    rows = [trade(0), trade(0), trade(6)]
    assert damage(compare(rows, delivered([trade(0), trade(6)]))) == {"lost": 1}


def test_a_third_copy_of_two_identical_rows_is_a_duplicate() -> None:
    """Broken: a row sent again would hide behind a legitimate repetition."""
    rows = [trade(0), trade(0), trade(6)]
    assert damage(compare(rows, delivered([trade(0), trade(0), trade(0), trade(6)]))) == {"duplicated": 1}


def test_rows_sent_again_after_a_crash_are_duplicates_and_not_disorder() -> None:
    """Broken: the very damage that a resume must prevent would be missed, or called something else."""
    rows = [trade(6 * i) for i in range(10)]
    verdict = compare(rows, delivered(rows[:7] + rows[4:]))
    assert damage(verdict) == {"duplicated": 3}
    assert verdict.found == 10


def test_two_swapped_rows_are_out_of_order() -> None:
    """Broken: retries that overtake each other would pass."""
    topic = delivered(source())
    records = busiest(topic)
    records[3], records[4] = records[4], records[3]
    assert damage(compare(source(), topic)) == {"out_of_order": 1}


def test_a_loss_next_to_a_repeated_row_is_not_taken_for_disorder() -> None:
    """Broken: the wrong one of two identical rows would be matched, and the report would mislead."""
    rows = [trade(0), trade(6), trade(12), trade(6)]
    assert damage(compare(rows, delivered([trade(0), trade(12), trade(6)]))) == {"lost": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"value": trade(6).value.replace(b"106.0", b"106.00000000000001")},
        {"value": b"not JSON"},
        {"value": None},
        {"timestamp_ms": 1_767_225_606_001},
    ],
)
def test_a_changed_row_is_named(change: dict[str, object]) -> None:
    """Broken: rounding of a price, a null or a shifted clock would pass."""
    rows = [trade(6 * i) for i in range(10)]
    topic = delivered(rows)
    records = busiest(topic)
    records[1] = replace(records[1], **change)  # type: ignore[arg-type]
    verdict = compare(rows, topic)
    assert damage(verdict) == {"changed": 1}
    assert "instead of" in str(verdict)


def test_a_clock_shifted_everywhere_is_a_change_of_every_row() -> None:
    """Broken: a time zone mistake would be reported as everything lost and everything foreign."""
    topic = [
        [replace(record, timestamp_ms=record.timestamp_ms + 3_600_000) for record in p] for p in delivered(source())
    ]
    assert damage(compare(source(), topic)) == {"changed": 60}


def test_fields_in_another_order_are_a_change() -> None:
    """Broken: consumers that rely on the promised field order would find out first."""
    value = json.loads(trade(0).value)
    shuffled = json.dumps(dict(reversed(value.items()))).encode()
    assert damage(compare([trade(0)], delivered([replace(trade(0), value=shuffled)]))) == {"changed": 1}


def test_a_foreign_record_is_named() -> None:
    """Broken: records of nobody's would pass as part of the replay."""
    topic = delivered(source())
    busiest(topic).insert(5, Record(0, 99, b"BTCUSDT", b"hello", 0))
    assert damage(compare(source(), topic)) == {"foreign": 1}


def test_a_record_without_key_is_foreign() -> None:
    """Broken: the check would crash on, or ignore, what another producer wrote."""
    topic = delivered(source())
    busiest(topic).append(Record(0, 99, None, None, 0))
    assert damage(compare(source(), topic)) == {"foreign": 1}


def test_a_row_in_the_wrong_partition_is_misplaced() -> None:
    """Broken: a partitioner that differs from Java's would split a symbol's order between two producers."""
    topic = delivered(source())
    records = busiest(topic)
    moved = records.pop(2)
    other = (moved.partition + 1) % PARTITIONS
    topic[other].append(replace(moved, partition=other))
    verdict = compare(source(), topic)
    assert damage(verdict) == {"misplaced": 1}
    assert verdict.found == 60


def test_a_second_copy_in_the_wrong_partition_is_a_duplicate() -> None:
    """Broken: a copy elsewhere would pass because the right one is there."""
    topic = delivered(source())
    copy = busiest(topic)[2]
    topic[(copy.partition + 1) % PARTITIONS].append(copy)
    assert damage(compare(source(), topic)) == {"duplicated": 1}


@given(st.data())
def test_the_sums_hold_whatever_the_damage(data: st.DataObject) -> None:
    """Broken: some damage would be counted twice or not at all."""
    rows = data.draw(st.lists(st.integers(0, 12).map(trade), max_size=12))
    others = data.draw(st.lists(st.integers(0, 15).map(trade), max_size=12))
    topic: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    for row in others:
        append(topic, data.draw(st.integers(0, PARTITIONS - 1)), row)
    verdict = compare(rows, topic)
    assert verdict.rows == verdict.found + verdict.lost + verdict.changed
    assert len(others) == verdict.found + verdict.duplicated + verdict.changed + verdict.foreign
    assert min(damage(verdict).values(), default=0) >= 0
    same = delivered(rows) == topic or [[r.value for r in p] for p in delivered(rows)] == [
        [r.value for r in p] for p in topic
    ]
    assert verdict.exact == same


def test_the_reference_encoder_writes_the_promised_format() -> None:
    """Broken: everything would be compared with the wrong thing."""
    table = pa.table(
        {
            "symbol": ["BTCUSDT", "ETHUSDT"],
            "price": [50034.56, 50000.0],
            "event_time": pa.array([1_795_305_600_032_185, -1], pa.timestamp("us", "UTC")),
            "size": [1, 2],
        }
    )
    first, second = expected_records(table, extra=["size"])
    assert first.key == b"BTCUSDT"
    assert first.value == (
        b'{"symbol": "BTCUSDT", "price": 50034.56, "event_time": "2026-11-22T00:00:00.032185Z", "size": 1}'
    )
    assert first.timestamp_ms == 1_795_305_600_032
    assert json.loads(second.value)["event_time"] == "1969-12-31T23:59:59.999999Z"
    assert second.timestamp_ms == -1


@pytest.mark.parametrize(
    ("unit", "text", "timestamp_ms"),
    [
        ("s", "1970-01-15T06:56:07.000000Z", 1_234_567_000),
        ("ms", "1970-01-01T00:20:34.567000Z", 1_234_567),
        ("us", "1970-01-01T00:00:01.234567Z", 1_234),
        ("ns", "1970-01-01T00:00:00.001234567Z", 1),
    ],
)
def test_the_reference_encoder_knows_every_unit(unit: str, text: str, timestamp_ms: int) -> None:
    """Broken: a file in another unit would be checked against wrong times."""
    times = pa.array([1_234_567], pa.timestamp(unit))
    (row,) = expected_records(pa.table({"symbol": ["A"], "price": [1.0], "event_time": times}))
    assert json.loads(row.value)["event_time"] == text
    assert row.timestamp_ms == timestamp_ms


@pytest.mark.parametrize(
    ("one", "other"),
    [("50000", "50000.0"), ("1e-7", "0.0000001"), ("1e16", "10000000000000000.0"), ("-0", "-0.0")],
)
def test_spelling_of_numbers_does_not_count(one: str, other: str) -> None:
    """Broken: a faster encoder's spelling would be reported as damage."""
    assert canonical(f'{{"price":{one}}}'.encode()) == canonical(f'{{"price": {other}}}'.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.1", "0.10000000000000002"),
        ("0.0", "-0.0"),
        ("9007199254740993", "9007199254740992"),
        ("1", "true"),
    ],
)
def test_different_numbers_stay_different(one: str, other: str) -> None:
    """Broken: a price one bit off, or one trade id for another, would pass."""
    assert canonical(f'{{"n": {one}}}'.encode()) != canonical(f'{{"n": {other}}}'.encode())


def test_an_embedded_topic_is_read_to_its_end(embedded: Broker, topic: str) -> None:
    """Broken: the tests without Java would check part of a topic, or wait forever."""
    rows = source(600)
    producer = Producer({"bootstrap.servers": embedded.bootstrap_servers, "enable.idempotence": True})
    for row in rows:
        where = murmur2(row.key, PARTITIONS)
        producer.produce(topic, row.value, row.key, where, timestamp=row.timestamp_ms)
    assert producer.flush(10) == 0
    verdict = compare(rows, read_topic(embedded.bootstrap_servers, topic))
    assert verdict.exact, verdict
    assert same_content(rows, embedded.bootstrap_servers, topic)
    assert not same_content(rows[1:], embedded.bootstrap_servers, topic)
