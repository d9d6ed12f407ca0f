"""Schemas and layouts as people have them, written by several engines: replayed, read back, verified, run again.

The expected records are written down from the same plain Python values that the files are made of (tests/support):
JSON texts, keys, partitions, timestamps and headers are compared to the byte.
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.main import get_command

from replay.cli.app import app
from replay.signals import ASKING_TO_STOP
from tests.support.engines import Write, by_datafusion, by_duckdb, by_fastparquet, by_polars, by_pyarrow
from tests.support.layouts import (
    BAD,
    BINANCE_FIELDS,
    DATABENTO_FIELDS,
    EVERY_TYPE,
    FIELDS,
    NESTED_FIELDS,
    TARDIS_FIELDS,
    binance,
    crc32,
    databento,
    good,
    in_sample,
    numbered,
    sample_of_nautilus,
    selling,
    shard,
    tardis,
    text_prices,
    with_bad_rows,
    with_every_type,
    with_fields,
    with_nested,
    with_shards,
    with_text_prices,
)
from tests.support.readback import read_topic
from tests.support.topics import create_topics
from tests.support.trades import (
    PARTITIONS,
    Bad,
    Sent,
    Trade,
    iso,
    jittered,
    merged,
    merged_as_they_stand,
    only,
    places,
    quoted,
    sent,
    table,
    trades,
    with_symbol,
)

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster

BINANCE = Path(__file__).parents[1] / "data" / "binance_btcusdt-trades.parquet"

S, MS, US, NS = trades("s"), trades("ms"), trades("us"), trades("ns")
AT_S, AT_MS, AT_US, AT_NS = map(pa.timestamp, ("s", "ms", "us", "ns"))
UTC, NEW_YORK = pa.timestamp("us", "UTC"), pa.timestamp("ms", "America/New_York")
TEXT, INT64, FLOAT32 = pa.string(), pa.int64(), pa.float32()
CATEGORY = pa.dictionary(pa.int8(), pa.string())

DEC31, JAN1 = "2024-12-31", "2025-01-01"
EVE, MORNING = (only(MS, lambda trade, day=day: trade.day == day) for day in (DEC31, JAN1))  # type: ignore[misc]
FROM_NS, TO_NS = US[23].ns, US[93].ns  # inside row groups, and with ties: US[24] and US[94] are as old
RANGE = f"--from {iso(FROM_NS + 7_200 * 10**9, 6, '+02:00')} --to {iso(TO_NS, 6)}"
BTC, REST = only(US, lambda t: t.symbol == "BTCUSDT"), only(US, lambda t: t.symbol != "BTCUSDT")
HALVES = [replace(trade, cents=25 * (at + 1)) for at, trade in enumerate(US)]  # half floats hold these prices
LATE = [jittered(US[::2]), jittered(US[1::2])]  # two overlapping files, both out of order


@dataclass(frozen=True)
class Case:
    """Files by path, the options of the replay, and the records that the topic should hold after it, in order."""

    name: str
    files: Mapping[str, Write]
    options: str
    records: Sequence[Sent]
    inputs: Sequence[str] = (".",)
    """Below the folder of the case."""
    quarantined: Sequence[Bad] | None = None
    """Of the only file."""


def one(write: Write) -> dict[str, Write]:
    return {"trades.parquet": write}


def pyarrow(made: pa.Table, **options: Any) -> dict[str, Write]:
    return one(by_pyarrow(made, **options))


def text_time(digits: int, zone: str = "Z", mark: str = "T") -> Any:
    return lambda ns: iso(ns, digits, zone, mark)


def lower(name: str) -> str:
    return name.lower()


def copy_of(path: Path) -> Write:
    return lambda copy: shutil.copy(path, copy)


def twice(name: str, made: pa.Table) -> pa.Table:
    """With two more columns of this name, as a join leaves them."""
    for _ in range(2):
        made = made.append_column(name, pa.array(range(len(made))))
    return made


def no_symbol(made: Sequence[Trade], **options: Any) -> pa.Table:
    return table(made, **options).drop_columns("symbol")


# fmt: off
CASES = [
    # -- Parquet's versions, pages, encodings, codecs ------------------------------------------------------
    Case("version 1.0, no codec, no dictionary",
         pyarrow(table(MS, time=AT_MS), version="1.0", compression="none", use_dictionary=False), "", sent(MS)),
    Case("version 1.0, snappy, many row groups",
         pyarrow(table(US), version="1.0", compression="snappy", row_group_size=7), "", sent(US)),
    Case("version 2.4, gzip, data pages 2",
         pyarrow(table(US), version="2.4", compression="gzip", data_page_version="2.0"), "", sent(US)),
    Case("version 2.6, brotli, data pages 2, ns",
         pyarrow(table(NS, time=AT_NS), compression="brotli", data_page_version="2.0"), "", sent(NS, digits=9)),
    Case("lz4, no statistics",
         pyarrow(table(US), compression="lz4", write_statistics=False, row_group_size=11), "", sent(US)),
    Case("zstd, page index, checksums, no Arrow schema",
         pyarrow(table(US), compression="zstd", write_page_index=True, write_page_checksum=True, store_schema=False),
         "", sent(US)),
    Case("delta and split encodings",
         pyarrow(table(US), use_dictionary=False, column_encoding={
             "symbol": "DELTA_BYTE_ARRAY", "price": "BYTE_STREAM_SPLIT", "event_time": "DELTA_BINARY_PACKED"}),
         "", sent(US)),
    # -- other engines -------------------------------------------------------------------------------------
    Case("polars, categories", one(by_polars(with_fields(US), categories=["symbol", "side"], row_group_size=32)),
         "--fields id,side,size", sent(US, fields=FIELDS)),
    Case("polars, no statistics, ns, zone",
         one(by_polars(table(NS, time=pa.timestamp("ns", "Asia/Tokyo")), compression="lz4", statistics=False)),
         "", sent(NS, digits=9)),
    Case("duckdb, version 1, decimal, ns",
         one(by_duckdb(table(NS, time=AT_NS), "symbol, price::DECIMAL(18, 4) AS price, event_time", codec="snappy")),
         "", sent(NS, places(4), digits=9)),
    Case("duckdb, version 2, zone, structs",
         one(by_duckdb(table(US, time=UTC), "*, {'a': 1, 'b': [symbol]} AS x", parquet_version="V2", codec="zstd")),
         "--fields x", sent(US, fields={"x": lambda t: f'{{"a": 1, "b": ["{t.symbol}"]}}'})),
    Case("fastparquet, INT96, gzip",
         one(by_fastparquet(with_fields(US, time=AT_NS), times="int96", compression="GZIP")),
         "--fields id,side,size", sent(US, digits=9, fields=FIELDS)),
    Case("fastparquet, 64 bits, several row groups",
         one(by_fastparquet(with_fields(US), row_group_offsets=[0, 30, 31, 90], stats=True)),
         "--fields side", sent(US, fields={"side": quoted("side")})),
    Case("datafusion, data pages 2, bloom filters",
         one(by_datafusion(table(US), writer_version="2.0", max_row_group_size=40, bloom_filter_on_write=True)),
         "", sent(US)),
    # -- symbols -------------------------------------------------------------------------------------------
    Case("large strings", pyarrow(table(US, symbol=pa.large_string())), "", sent(US)),
    Case("string views", pyarrow(table(US, symbol=pa.string_view())), "", sent(US)),
    Case("dictionary", pyarrow(table(US, symbol=CATEGORY), row_group_size=10), "", sent(US)),
    Case("symbol of all rows", pyarrow(no_symbol(BTC)), "--symbol BTCUSDT", sent(BTC)),
    Case("symbol in the file's name",
         {"BTCUSDT-trades-2024.parquet": by_pyarrow(no_symbol(BTC)), "old.txt": by_pyarrow(no_symbol(REST))},
         "--symbol-from '{symbol}-trades-*.parquet'", sent(BTC)),
    Case("symbol in the metadata",
         pyarrow(no_symbol(BTC).replace_schema_metadata({"instrument": "BTCUSDT"})),
         "--symbol-from metadata:instrument", sent(BTC)),
    Case("symbol and day in Hive folders",
         {f"symbol={symbol}/date={day}/part-0.parquet": by_pyarrow(no_symbol(rows))
          for symbol in ("BTCUSDT", "ETHUSDT") for day in (DEC31, JAN1)
          if (rows := only(US, lambda t, s=symbol, d=day: t.symbol == s and t.day == d))},  # type: ignore[misc]
         "--fields date", sent(only(US, lambda t: t.symbol in {"BTCUSDT", "ETHUSDT"}), fields={"date": quoted("day")})),
    Case("symbols in upper case", pyarrow(table(with_symbol(US, lower), symbol=CATEGORY)),
         "--symbol-case upper --symbols 'BTC*,ETHUSDT'",
         sent(only(US, lambda t: t.symbol.startswith("BTC") or t.symbol == "ETHUSDT"))),
    # -- prices --------------------------------------------------------------------------------------------
    Case("half floats", pyarrow(table(HALVES, price=pa.float16())), "", sent(HALVES)),
    Case("single floats", pyarrow(table(US, price=FLOAT32)), "", sent(US)),
    Case("decimal32", pyarrow(table(US, price=pa.decimal32(9, 2))), "", sent(US, places(2))),
    Case("decimal64", pyarrow(table(US, price=pa.decimal64(18, 4))), "", sent(US, places(4))),
    Case("decimal128 as strings", pyarrow(table(US, price=pa.decimal128(38, 18))),
         "--decimal-as string", sent(US, lambda t: f'"{places(18)(t)}"')),
    Case("decimal256", pyarrow(table(US, price=pa.decimal256(60, 30))), "", sent(US, places(30))),
    Case("integers with a scale", pyarrow(table(US, price=pa.int32())), "--price-scale 2", sent(US, places(2))),
    Case("text, also odd and bad", pyarrow(with_text_prices(US)),
         "--on-bad-row skip --bad-rows-max 30%", text_prices(US)),
    # -- times ---------------------------------------------------------------------------------------------
    Case("timestamps in s", pyarrow(table(S, time=AT_S)), "", sent(S)),
    Case("timestamps with a zone", pyarrow(table(MS, time=NEW_YORK)), "", sent(MS)),
    Case("INT96", pyarrow(table(NS, time=AT_NS), use_deprecated_int96_timestamps=True), "", sent(NS, digits=9)),
    Case("integers in s, inferred", pyarrow(table(S, time=INT64, unit="s")), "", sent(S)),
    Case("integers in ms, given", pyarrow(table(MS, time=pa.uint64(), unit="ms"), write_statistics=False),
         "--time-unit ms", sent(MS)),
    Case("integers in us, inferred", pyarrow(table(US, time=INT64, unit="us")), "", sent(US)),
    Case("integers in ns, inferred", pyarrow(table(NS, time=INT64, unit="ns")), "", sent(NS, digits=9)),
    Case("ISO text", pyarrow(table(US, time=TEXT, text=text_time(6))), "", sent(US)),
    Case("ISO text without zone, as a dictionary",
         pyarrow(table(MS, time=TEXT, text=text_time(3, "", " ")), row_group_size=20), "", sent(MS)),
    Case("ISO text with an offset, ns", pyarrow(table(NS, time=TEXT, text=text_time(9, "+00:00"))),
         "--time-unit ns", sent(NS, digits=9)),
    # -- schemas -------------------------------------------------------------------------------------------
    Case("other names", pyarrow(with_fields(US).rename_columns(["s", "p", "at", "no", "way", "lots"])),
         "--map symbol=s --map price=p --map event_time=at --fields lots,no --rename no=id --rename lots=size",
         sent(US, fields={"size": FIELDS["size"], "id": FIELDS["id"]})),
    Case("nested columns", pyarrow(with_nested(US), row_group_size=50), "--fields all", sent(US, fields=NESTED_FIELDS)),
    Case("every further type", pyarrow(with_every_type(US)), "--fields all", sent(US, fields=EVERY_TYPE)),
    Case("files that differ in order, width and columns",
         {"1.parquet": by_pyarrow(with_fields(MS[:50], time=AT_MS, price=FLOAT32)),
          "2.parquet": by_pyarrow(with_fields(MS[50:90], time=UTC).select([5, 4, 3, 2, 1, 0])),
          "10.parquet": by_polars(with_fields(MS[90:], time=AT_NS, symbol=pa.large_string()))},
         "--fields all", sent(MS, digits=9, fields=FIELDS)),
    Case("a file without a further column, one without a row",
         {"1.parquet": by_pyarrow(table(US[:50])), "2.parquet": by_pyarrow(with_fields(US[:0])),
          "3.parquet": by_pyarrow(with_fields(US[50:]))},
         "--fields all", [*sent(US[:50], fields=dict.fromkeys(FIELDS, lambda _: "null")),
                          *sent(US[50:], fields=FIELDS)]),
    # -- well-known layouts --------------------------------------------------------------------------------
    Case("binance, first ms, then us",
         {f"{symbol}-trades-{day}.parquet": by_polars(binance(only(rows, lambda t, s=symbol: t.symbol == s), unit))  # type: ignore[misc]
          for day, rows, unit in ((DEC31, EVE, "ms"), (JAN1, MORNING, "us")) for symbol in ("BTCUSDT", "ETHUSDT")},
         "--preset binance", sent(only(MS, lambda t: t.symbol in {"BTCUSDT", "ETHUSDT"}), fields=BINANCE_FIELDS)),
    Case("tardis", one(by_duckdb(tardis(US))), "--preset tardis",
         sent(US, fields=TARDIS_FIELDS)),
    Case("databento, fixed point, some without price", pyarrow(databento(NS)),
         "--preset databento --on-bad-row skip", sent(only(NS, lambda t: t.id % 10 > 0), places(9), digits=9,
                                                      fields=DATABENTO_FIELDS)),
    Case("the shared sample", {"binance_BTCUSDT-trades.parquet": copy_of(BINANCE)},
         "--preset nautilus", sample_of_nautilus(BINANCE)),
    # -- inputs --------------------------------------------------------------------------------------------
    Case("globs, folders, a file twice",
         {f"in/{symbol}/{at}.parquet": by_pyarrow(table(only(US, lambda t, s=symbol: t.symbol == s)[at::12]),  # type: ignore[misc]
                                                  row_group_size=1)
          for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT") for at in range(12)}
         | {"in/BTCUSDT/_SUCCESS": Path.touch, "in/SOLUSDT/.7.parquet": Path.touch, "in/BNB.parquet": Path.touch},
         "", sent(only(US, lambda t: t.symbol in {"BTCUSDT", "ETHUSDT", "SOLUSDT"})),
         ("in/BTC*/*.parquet", "in/ETHUSDT", "in/ETHUSDT/3.parquet", "in/**/SOLUSDT/*")),
    Case("the logical date",
         {f"{day}/x.parquet": by_pyarrow(table(rows)) for day, rows in ((DEC31, EVE), (JAN1, MORNING))},
         f"--date {JAN1}", sent(MORNING), ("{date}/*.parquet",)),
    Case("path order", {"1.parquet": by_pyarrow(table(US[80:])), "2.parquet": by_pyarrow(table(jittered(US[:80])))},
         "--order as-is", sent(US[80:] + jittered(US[:80]))),
    # -- rows out of order ---------------------------------------------------------------------------------
    Case("sorted", {f"{at}.parquet": by_pyarrow(table(rows), row_group_size=9) for at, rows in enumerate(LATE)},
         "--unsorted sort", sent(merged(LATE))),
    Case("kept", {f"{at}.parquet": by_pyarrow(table(rows), row_group_size=9) for at, rows in enumerate(LATE)},
         "--unsorted keep", sent(merged_as_they_stand(LATE))),
    # -- bad rows ------------------------------------------------------------------------------------------
    Case("bad rows left out", pyarrow(with_bad_rows(US), row_group_size=17), "--on-bad-row skip", sent(good(US))),
    Case("bad rows put aside, two columns of one name", pyarrow(twice("joined", with_bad_rows(US))),
         "--on-bad-row quarantine", sent(good(US)), quarantined=BAD),
    Case("bad rows put aside", pyarrow(with_bad_rows(US), row_group_size=17), "--on-bad-row quarantine --fields id",
         sent(good(US), fields={"id": FIELDS["id"]}), quarantined=BAD),
    # -- selections ----------------------------------------------------------------------------------------
    Case("symbols", pyarrow(table(US), row_group_size=9), "--symbols 'BTC*,SOLUSDT' --exclude-symbols '*EUR'",
         sent(only(US, lambda t: t.symbol in {"BTCUSDT", "SOLUSDT"}))),
    Case("a range", pyarrow(table(US, time=UTC), row_group_size=9), RANGE,
         sent(only(US, lambda t: FROM_NS <= t.ns < TO_NS))),
    Case("a condition and a limit", pyarrow(with_fields(US), row_group_size=9),
         "--where \"size > 1 and side == 'sell'\" --limit 25 --fields all", sent(selling(US)[:25], fields=FIELDS)),
    Case("a sample", pyarrow(table(US)), "--sample 1/2", sent(only(US, lambda t: in_sample(t.symbol, 0.5)))),
    # -- keys, partitions, timestamps, headers -------------------------------------------------------------
    Case("another key, another partitioner", pyarrow(with_fields(US)), "--key side --partitioner crc32",
         sent(US, key=lambda t: t.side, partition=crc32)),
    Case("no key, partitions from a column", pyarrow(with_shards(US)), "--key none --partitioner column:shard",
         sent(US, key=lambda _: None, partition=shard)),
    Case("timestamps of now", pyarrow(table(US)), "--timestamp now", sent(US, now=True)),
    Case("headers, rows numbered through a selection", pyarrow(with_fields(US)),
         "--header source=archive --row-header row --where \"side == 'sell' and size > 1\"",
         sent(selling(US), headers=numbered(US[0].id))),
]  # fmt: skip
# fmt: on


COMMAND = get_command(app)


class Tool:
    """`replay` in this process, on one case and topic."""

    def __init__(self, case: Case, folder: Path, bootstrap_servers: str, topic: str) -> None:
        for name, write in case.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write(folder / name)
        inputs = [str(folder / each) for each in case.inputs]
        where = ["--topic", topic, "--bootstrap-servers", bootstrap_servers]
        self._words = [*inputs, *where, *shlex.split(case.options)]

    def __call__(self, command: str, *more: str) -> None:
        """A command that must succeed."""
        with pytest.raises(SystemExit) as ended:
            COMMAND.main([command, *self._words, *more])
        assert ended.value.code == 0


@pytest.fixture
def signals() -> Iterator[None]:
    """The tool handles signals for itself: give them back."""
    before = {number: signal.getsignal(number) for number in ASKING_TO_STOP}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def topics(kafka: KafkaCluster | Broker) -> dict[str, str]:
    """A topic for each case, all made at once: one by one they would take as long as the replays."""
    names = {case.name: f"layout-{uuid4().hex[:12]}" for case in CASES}
    create_topics(kafka.bootstrap_servers, list(names.values()), PARTITIONS, {"retention.ms": "-1"})
    return names


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_layout(
    kafka: KafkaCluster | Broker,
    topics: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    case: Case,
) -> None:
    """Broken: files of this layout would be refused, or arrive with other values, in another order, or twice."""
    topic, checkpoint = topics[case.name], tmp_path / "checkpoint.json"
    tool = Tool(case, tmp_path / "in", kafka.bootstrap_servers, topic)
    begun_ms = int(time.time() * 1_000)
    tool("run", "--checkpoint", str(checkpoint), "--linger", "5ms")
    if case.quarantined is not None:
        assert_quarantined(checkpoint, case.quarantined)
    tool("verify")
    tool("run", "--checkpoint", str(checkpoint))
    assert "nothing to do" in capsys.readouterr().err
    assert len(case.records) > 10, "a case of next to nothing"
    expected = [[record for record in case.records if record.partition == p] for p in range(PARTITIONS)]
    assert_same(expected, read(kafka, topic), begun_ms)


def read(kafka: KafkaCluster | Broker, topic: str) -> list[list[Sent]]:
    return [
        [
            Sent(r.key, (r.value or b"").decode(), r.timestamp_ms, p, tuple((n, v.decode()) for n, v in r.headers))
            for r in records
        ]
        for p, records in enumerate(read_topic(kafka.bootstrap_servers, topic, deadline_s=60))
    ]


def assert_same(expected: Sequence[Sequence[Sent]], found: Sequence[Sequence[Sent]], begun_ms: int) -> None:
    for ours, theirs in zip(expected, found, strict=True):
        assert [(sent.key, sent.value) for sent in theirs] == [(sent.key, sent.value) for sent in ours]
        for our, their in zip(ours, theirs, strict=True):
            if our.timestamp_ms >= 0:
                assert their.timestamp_ms == our.timestamp_ms
            else:
                assert begun_ms <= their.timestamp_ms <= time.time() * 1_000
            assert [name for name, _ in their.headers] == [name for name, _ in our.headers]
            for (_, pattern), (_, value) in zip(our.headers, their.headers, strict=True):
                assert re.fullmatch(pattern, value)


def assert_quarantined(checkpoint: Path, bad: Sequence[Bad]) -> None:
    rows = pq.read_table(checkpoint.with_name(checkpoint.name + ".quarantine.parquet")).to_pylist()
    assert [(row["_row"], row["_reason"], row[each.column]) for row, each in zip(rows, bad, strict=True)] == [
        (each.row, each.reason, each.value) for each in bad
    ]
