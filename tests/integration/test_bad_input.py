"""Bad input, as a table: each case ends with the right exit code and one clear message, and leaves nothing behind.

All cases run the command in this process against one embedded broker. `broken` says what a failure would mean.
Where a comment says Once, it tells what happened before the case was mended.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from typer.testing import CliRunner

from replay.cli.app import app
from replay.signals import ASKING_TO_STOP
from tests.support import bad_files as bad
from tests.support import hostile_files as hostile
from tests.support.readback import compare, expected_records, read_topic

Make = Callable[[Path], Path | str]
SECRET = "hunter2-geheim"
INT64_MAX = 2**63 - 1
YEAR_10000_S = 253_402_300_800

# --- where the cases run ------------------------------------------------------------------------------------


class MockBroker:
    """One embedded broker for the module: makes topics on demand, tells high watermarks."""

    def __init__(self) -> None:
        self._holder = Producer({"test.mock.num.brokers": 1, "allow.auto.create.topics": True, "log_level": 0})
        brokers = self._holder.list_topics(timeout=10).brokers.values()
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        self._reader = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": "marks", "log_level": 0})

    def make(self, topic: str) -> None:
        deadline = time.monotonic() + 10
        while not self._holder.list_topics(topic, timeout=5).topics[topic].partitions:
            assert time.monotonic() < deadline, "the embedded broker does not make its topic"

    def rows(self, topic: str) -> int:
        marks = [self._reader.get_watermark_offsets(TopicPartition(topic, p), 5, cached=False) for p in range(4)]
        return sum(high for _, high in marks)

    def close(self) -> None:
        self._reader.close()
        self._holder.flush(0)


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: str
    err: str


@dataclass(slots=True)
class Site:
    """A folder for inputs, one for state, and a topic of its own."""

    broker: MockBroker
    topic: str
    inputs: Path
    state: Path

    @property
    def checkpoint(self) -> Path:
        return self.state / "job.json"

    def run(self, *args: str | Path) -> Outcome:
        """`replay run ARGS`, with what a run needs unless `args` say otherwise; later options win."""
        common = ["--topic", self.topic, "--bootstrap-servers", self.broker.bootstrap_servers]
        common += ["--checkpoint", str(self.checkpoint), "--broker-timeout", "2s", "--linger", "1ms"]
        result = CliRunner().invoke(app, ["run", *common, *map(str, args)], prog_name="replay")
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def sent(self) -> int:
        return self.broker.rows(self.topic)

    def left_behind(self) -> set[str]:
        """Everything in the state folder but the lock file, which stays on purpose."""
        return {path.name for path in self.state.rglob("*")} - {"job.json.lock"} if self.state.exists() else set()


@pytest.fixture(scope="module")
def broker() -> Iterator[MockBroker]:
    mock = MockBroker()
    yield mock
    mock.close()


@pytest.fixture
def site(broker: MockBroker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in [name for name in os.environ if name.startswith("REPLAY_")]:
        monkeypatch.delenv(name)
    (tmp_path / "in").mkdir()
    broker.make(topic)
    before = {number: signal.getsignal(number) for number in ASKING_TO_STOP}
    yield Site(broker, topic, tmp_path / "in", tmp_path / "state")
    for number, handler in before.items():  # the command takes them over
        signal.signal(number, handler)


def refused(outcome: Outcome, code: int, says: tuple[str, ...], broken: str) -> None:
    """One message that names the place and a remedy; no traceback, nothing that looks like a result."""
    told = f"{broken}\nexit {outcome.code}\n{outcome.err}"
    assert "Traceback" not in outcome.err + outcome.out, told
    assert "bug in replay" not in outcome.err, told
    assert outcome.code == code, told
    for text in says:
        assert text in outcome.err, f"the message does not say {text!r}; {told}"
    assert "\n  -> " in outcome.err or "Try 'replay run -h'" in outcome.err, f"no remedy; {told}"
    assert outcome.err.count(" ERROR ") <= 1, f"more than one error; {told}"
    assert outcome.out == "", f"{told}\n{outcome.out}"


def nothing_happened(site: Site, broken: str) -> None:
    assert site.sent() == 0, f"{broken}: {site.sent()} rows were sent"
    assert site.left_behind() == set(), broken


# --- input files --------------------------------------------------------------------------------------------


def table(rows: int = 3, *, options: dict[str, Any] | None = None, **columns: Any) -> Make:
    """A file of trades with some columns replaced."""
    return lambda folder: bad.write(folder / "bad.parquet", bad.trades(rows, **columns), **(options or {}))


def content(data: bytes, name: str = "bad.parquet") -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def changed(change: Callable[[Path], object], rows: int = bad.ROWS, **options: Any) -> Make:
    """A good file, then damaged."""

    def make(folder: Path) -> Path:
        path = bad.write(folder / "bad.parquet", bad.trades(rows), **options)
        change(path)
        return path

    return make


def renamed(*names: str) -> Make:
    """A good file whose columns have these names."""

    def make(folder: Path) -> Path:
        columns = list(bad.trades().columns) + [pa.array([1, 2, 3])] * (len(names) - 3)
        return bad.write(folder / "bad.parquet", pa.Table.from_arrays(columns, names=list(names)))

    return make


def given(text: str) -> Make:
    return lambda _: text


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "bad.parquet")
    return folder / "bad.parquet"


def unnamed(folder: Path) -> str:
    """An empty name, in a folder that holds a file nobody asked for."""
    bad.write(folder / "other.parquet", bad.trades())
    return ""


def loop(folder: Path) -> Path:
    (folder / "bad.parquet").symlink_to("bad.parquet")
    return folder / "bad.parquet"


def dangling(folder: Path) -> Path:
    (folder / "bad.parquet").symlink_to("nowhere.parquet")
    return folder / "bad.parquet"


def only_hidden(folder: Path) -> Path:
    bad.write(folder / "_bad.parquet", bad.trades())
    return folder


def two_types(folder: Path) -> Path:
    bad.write(folder / "a.parquet", bad.trades())
    bad.write(folder / "bad.parquet", bad.trades(price=[1, 2, 3]))
    return folder


def good_and_bad(folder: Path) -> Path:
    """The bad file comes second: nothing of the first may go out."""
    bad.write(folder / "a.parquet", bad.trades())
    bad.write(folder / "bad.parquet", bad.trades(price=[1.0, None, 2.0]))
    return folder


NOTHING = {"symbol": pa.array([], pa.string()), "price": pa.array([], pa.float64()), "event_time": bad.at()}


@dataclass(frozen=True, slots=True)
class Bad:
    id: str
    broken: str
    make: Make
    says: tuple[str, ...]
    args: tuple[str, ...] = ()
    code: int = 3


MAP_SYMBOL = ("column 'symbol'", "--map symbol=COLUMN", "--symbol NAME")
MAP_PRICE = ("column 'price'", "--map price=COLUMN")
MAP_TIME = ("column 'event_time'", "--map event_time=COLUMN")
ROW_1 = ("bad.parquet, row 1 (the first is 0)", "correct or remove the row")
LEAVE_OUT = ("column 'note'", "bad.parquet", "--fields")
NOTE = ("--fields", "note")
WHOLE = ("bad.parquet", "not a whole Parquet file", "write or fetch it again")

FILES = [
    Bad("missing", "a typo is an empty replay", given("no/such.parquet"), ("no/such.parquet", "check the path")),
    Bad("missing-below-a-file", "a path below a file is a bug", given("/etc/hostname/x.parquet"), ("check the path",)),
    # Once: exit 70, OSError ENAMETOOLONG from Path.is_dir()
    Bad("path-too-long", "an over-long path is a bug", given("/tmp/" + "a" * 5000), ("->",)),
    # Once: Path("") is the current folder, so all its Parquet files are sent: exit 0
    Bad("empty-name", "an unset shell variable replays the current folder", unnamed, ("->",)),
    Bad("link-dangling", "a dangling link is a bug", dangling, ("bad.parquet", "no such file", "check the path")),
    Bad("link-loop", "a link to itself hangs or is a bug", loop, ("bad.parquet", "check path")),
    Bad("fifo", "a named pipe hangs the replay", fifo, ("bad.parquet",)),
    Bad("folder-empty", "an empty folder counts as done", lambda f: f, ("no Parquet file here", "glob")),
    Bad("folder-hidden-only", "Spark's _temporary files are replayed", only_hidden, ("no Parquet file here",)),
    Bad("glob-nothing", "a glob that finds nothing is done", lambda f: f / "*.parquet", ("no Parquet file here",)),
    Bad(
        "glob-no-folder",
        "a typo before a glob is done",
        lambda f: f / "no/*.parquet",
        ("no such file or folder", "check the path"),
    ),
    Bad("remote-uri", "ftp:// is looked up as a local path", given("ftp://b/x.parquet"), ("ftp://b", "s3://", "->")),
    Bad("zero-length", "an empty file counts as done", content(b""), ("bad.parquet", "is empty", "write it again")),
    Bad("csv", "text is read as Parquet", content(b"symbol,price\nA,1\n"), WHOLE),
    Bad("magic-only", "four bytes of magic pass", content(b"PAR1"), WHOLE),
    Bad("magic-twice", "a footer of zero bytes passes", content(b"PAR1\0\0\0\0PAR1"), WHOLE),
    Bad("footer-length-lies", "a footer longer than the file crashes", content(b"PAR1\xff\xff\xff\x7fPAR1"), WHOLE),
    Bad("footer-length-negative", "a negative length crashes", content(b"PAR1\xff\xff\xff\xffPAR1"), WHOLE),
    Bad("footer-garbage", "noise is taken for a footer", content(b"PAR1" + b"\x99" * 64 + b"\x40\0\0\0PAR1"), WHOLE),
    Bad("encrypted", "an encrypted file crashes", content(b"PARE" + b"\0" * 64 + b"\x10\0\0\0PARE"), ("bad.parquet",)),
    Bad("tail-cut-1", "a copy that lacks a byte is replayed", changed(lambda p: bad.cut(p, 1)), WHOLE),
    Bad("tail-cut-footer", "a copy without its footer is replayed", changed(lambda p: bad.cut(p, 900)), WHOLE),
    Bad("cut-to-half", "half a file is replayed", changed(lambda p: bad.cut(p, p.stat().st_size // 2)), WHOLE),
    Bad(
        "middle-missing",
        "a file with a hole is replayed",
        changed(lambda p: p.write_bytes(p.read_bytes()[:400] + p.read_bytes()[900:])),
        ("bad.parquet", "->"),
    ),
    Bad("page-header-zeroed", "a damaged page header crashes", changed(lambda p: bad.patch(p, 4, b"\xff" * 16)), WHOLE),
    Bad(
        "page-flipped-gzip",
        "a page whose checksum fails is replayed",
        changed(lambda p: bad.flip_in_page(p, "price"), compression="gzip", use_dictionary=False),
        WHOLE,
    ),
    # Once: the page's CRC is not verified (ParquetFile(page_checksum_verification=True)): wrong prices are sent
    Bad(
        "page-flipped-with-crc",
        "a flipped byte sends wrong prices although the file's own CRC tells",
        changed(
            lambda p: bad.flip_in_page(p, "price"), compression="none", use_dictionary=False, write_page_checksum=True
        ),
        WHOLE,
    ),
    Bad(
        "rows-fewer-than-said",
        "rows that the footer promises are silently missing",
        changed(lambda p: bad.lie_about_rows(p, 5_000, whole_file=True)),
        ("bad.parquet", "footer", "->"),
    ),
    Bad(
        "rows-more-than-said",
        "rows that the footer hides are silently dropped",
        changed(lambda p: bad.lie_about_rows(p, 1_000, whole_file=True)),
        ("bad.parquet", "footer", "->"),
    ),
    # Once: exit 0 and "-5 of -5 rows"
    Bad(
        "rows-negative",
        "a negative number of rows counts as done",
        changed(lambda p: bad.lie_about_rows(p, -5, whole_file=True)),
        ("bad.parquet", "->"),
    ),
    Bad(
        "rows-int64-max",
        "2**63-1 rows overflow",
        changed(lambda p: bad.lie_about_rows(p, INT64_MAX, whole_file=True)),
        ("bad.parquet", "->"),
    ),
    Bad(
        "group-rows-lie",
        "a row group that lies shifts the resume's seek",
        changed(lambda p: bad.lie_about_rows(p, 1_000, whole_file=False)),
        ("bad.parquet", "->"),
    ),
    Bad(
        "group-rows-negative",
        "a negative row group crashes",
        changed(lambda p: bad.lie_about_rows(p, -7, whole_file=False)),
        ("bad.parquet", "->"),
    ),
    # Once: SIGABRT, and not a word
    Bad(
        "footer-aborts",
        "one bit ends the whole replay",
        lambda f: hostile.aborting(f / "bad.parquet"),
        ("bad.parquet", "not a whole Parquet file", "SIGABRT"),
    ),
    Bad(
        "footer-long",
        "half a gigabyte is read as a footer",
        lambda f: hostile.long_footer(f / "bad.parquet", 500_000_000),
        ("bad.parquet", "its footer has 500,000,008 bytes; at most 67,108,864 are read"),
    ),
    Bad(
        "columns-million",
        "a million columns take a gigabyte",
        lambda f: hostile.with_columns(f / "bad.parquet", 1_000_000),
        ("bad.parquet", "1,000,000 columns", "at most 10,000 are read"),
    ),
    Bad(
        "nested-deep",
        "structs in structs overflow the stack",
        lambda f: hostile.nested(f / "bad.parquet", 20_000),
        ("bad.parquet", "->"),
    ),
    # Once: the machine's memory
    Bad(
        "bomb-dictionary",
        "seven kilobytes become two gigabytes",
        lambda f: hostile.bomb(f / "bad.parquet", 2_000_000_000, dictionary=True),
        ("bad.parquet", "a dictionary of column 'symbol' becomes 2,000,000,000 bytes", "at most 134,217,728 are read"),
    ),
    Bad(
        "bomb-page",
        "seven kilobytes become two gigabytes",
        lambda f: hostile.bomb(f / "bad.parquet", 2_000_000_000, dictionary=False),
        ("bad.parquet", "a page of column 'symbol' becomes 2,000,000,000 bytes", "at most 536,870,912 are read"),
    ),
    Bad("no-rows", "a file without rows counts as done", table(0, **NOTHING), ("no rows", "check the inputs")),
    Bad(
        "no-columns",
        "a file without columns is a bug",
        lambda f: bad.write(f / "bad.parquet", pa.table({})),
        ("bad.parquet", "no column 'symbol'", "the file has: none"),
    ),
]

SCHEMAS = [
    Bad("no-symbol", "a missing symbol column is guessed", table(symbol=None), ("no column 'symbol'", *MAP_SYMBOL[1:])),
    Bad("no-price", "a missing price column is guessed", table(price=None), ("no column 'price'", *MAP_PRICE[1:])),
    Bad(
        "no-time",
        "a missing time column is guessed",
        table(event_time=None),
        ("no column 'event_time'", "'symbol', 'price'", *MAP_TIME[1:]),
    ),
    Bad("case-differs", "Price passes for price", renamed("symbol", "Price", "event_time"), ("no column 'price'",)),
    Bad("symbol-number", "numbers pass for symbols", table(symbol=[1, 2, 3]), MAP_SYMBOL),
    Bad("symbol-binary", "raw bytes pass for symbols", table(symbol=[b"A", b"B", b"C"]), MAP_SYMBOL),
    Bad("symbol-nested", "a struct passes for a symbol", table(symbol=[{"a": "x"}] * 3), MAP_SYMBOL),
    Bad("symbol-list", "a list passes for a symbol", table(symbol=[["x"]] * 3), MAP_SYMBOL),
    Bad("symbol-null-type", "a column of nothing passes for symbols", table(symbol=pa.nulls(3)), MAP_SYMBOL),
    Bad(
        "price-text",
        "text that is no number is sent as one",
        table(price=["1.5", "1,5", "2"]),
        ("column 'price' is not a number ('1,5')", *ROW_1),
    ),
    Bad("price-boolean", "true passes for a price", table(price=[True] * 3), MAP_PRICE),
    Bad("price-nested", "a struct passes for a price", table(price=[{"p": 1.5}] * 3), MAP_PRICE),
    Bad(
        "time-integer",
        "the unit of an integer time is guessed",
        table(event_time=[1, 2, 3]),
        ("column 'event_time'", "--time-unit"),
    ),
    Bad(
        "time-text",
        "a text time is parsed somehow",
        table(event_time=["2023-11-14"] * 3),
        ("not an ISO 8601 date and time", "bad.parquet, row 0"),
    ),
    Bad("time-date", "a date passes for a time", table(event_time=pa.array([1, 2, 3], pa.date32())), MAP_TIME),
    Bad(
        "time-duration",
        "a duration passes for a time",
        table(event_time=pa.array([1, 2, 3], pa.duration("us"))),
        MAP_TIME,
    ),
    Bad(
        "duplicate-price",
        "one of two price columns is picked",
        renamed("symbol", "price", "event_time", "price"),
        ("2 columns named 'price'", "bad.parquet", "--map price=COLUMN"),
    ),
    Bad(
        "mapped-missing",
        "a mistyped --map is ignored",
        table(),
        ("no column 'px'", "--map price="),
        ("--map", "price=px"),
    ),
    Bad(
        "mapped-into-nested",
        "s.name reaches into a struct by accident",
        table(s=[{"name": "x"}] * 3),
        ("no column 's.name'",),
        ("--map", "symbol=s.name"),
    ),
    Bad("field-missing", "a mistyped --fields is left out", table(), ("no column 'note'", "--fields"), NOTE),
    Bad(
        "field-duplicate",
        "one of two columns is picked",
        renamed("symbol", "price", "event_time", "note", "note"),
        ("2 columns named 'note'", "--fields"),
        NOTE,
    ),
    Bad(
        "field-twice-in-itself",
        "one of two values of a field is picked",
        table(note=pa.StructArray.from_arrays([pa.array([1, 2, 3])] * 2, names=["x", "x"])),
        LEAVE_OUT,
        NOTE,
    ),
    Bad(
        "types-differ",
        "rows of one file are written unlike those of another",
        two_types,
        ("bad.parquet", "a.parquet", "convert one of them"),
    ),
]

BEFORE_1970 = ("column 'event_time'", "1970-01-01", *ROW_1)
TOO_LATE = ("column 'event_time'", "2262", *ROW_1)

VALUES = [
    Bad("symbol-null", "rows without a key go anywhere", table(symbol=["A", None, "B"]),
        ("column 'symbol' is null", *ROW_1)),
    Bad("symbol-empty", "an empty key is sent", table(symbol=["A", "", "B"]),
        ("column 'symbol' is null or empty", *ROW_1)),
    Bad("symbol-not-utf8", "a key that is no text is sent",
        table(2, symbol=bad.broken_text(pa.string(), b"ok", b"\xff\xfe")), ("not valid UTF-8", "xff", *ROW_1)),
    Bad("symbol-not-utf8-large", "a key that is no text is sent",
        table(2, symbol=bad.broken_text(pa.large_string(), b"ok", b"\xff\xfe")), ("not valid UTF-8", *ROW_1)),
    Bad("symbol-not-utf8-view", "a key that is no text is sent",
        table(2, symbol=bad.broken_text(pa.string_view(), b"ok", b"\xff\xfe")), ("not valid UTF-8", *ROW_1)),
    Bad("symbol-surrogate", "half a surrogate pair is sent",
        table(2, symbol=bad.broken_text(pa.string(), b"ok", b"\xed\xa0\x80")), ("not valid UTF-8", *ROW_1)),
    # Once (both): checked only while sending, so rows before it are in the topic and a checkpoint is left; the
    # first one even escapes that check, which forgets the key, and ends with exit 7 and "run again", which never helps.
    Bad("symbol-600kB", "a key and value over the limit end in the producer",
        table(symbol=["A", "B" * 600_000, "C"]), ("bytes, and the limit is", "bad.parquet, row 1", "->")),
    Bad("symbol-2MB", "rows before one that is too large are sent",
        table(symbol=["A", "B" * 2_000_000, "C"]), ("bytes, and the limit is", "bad.parquet, row 1", "->")),
    Bad("price-null", "null is sent as a price", table(price=[1.0, None, 2.0]), ("column 'price' is null", *ROW_1)),
    Bad("price-nan", "NaN, which is no JSON, is sent", table(price=[1.0, float("nan"), 2.0]),
        ("column 'price' is not finite ('nan')", *ROW_1)),
    Bad("price-inf", "Infinity, which is no JSON, is sent", table(price=[1.0, float("inf"), 2.0]),
        ("column 'price' is not finite ('inf')", *ROW_1)),
    Bad("price-minus-inf", "-Infinity is sent", table(price=pa.array([1, -np.inf, 2], pa.float32())),
        ("column 'price' is not finite ('-inf')", *ROW_1)),
    Bad("price-null-second-file", "the good file before a bad one is sent", good_and_bad,
        ("column 'price' is null", *ROW_1)),
    Bad("time-null", "a row without a time gets one", table(event_time=bad.at(5_000, None, 6_000)),
        ("column 'event_time' is null", *ROW_1)),
    Bad("time-negative", "Kafka refuses the row half-way",
        table(event_time=bad.at(5_000, -1, 6_000)), ("1969-12-31", *BEFORE_1970)),
    Bad("time-zero", "Kafka writes now instead of 1970", table(event_time=bad.at(5_000, 0, 6_000)), BEFORE_1970),
    Bad("time-half-ms", "a time that rounds to 0 ms becomes now", table(event_time=bad.at(5_000, 999, 6_000)),
        BEFORE_1970),
    Bad("time-zero-as-is", "the check depends on the order", table(event_time=bad.at(5_000, 0, 6_000)), BEFORE_1970,
        ("--order", "as-is")),
    Bad("time-int64-min-ns", "the smallest time overflows", table(event_time=bad.at(1, -INT64_MAX - 1, 2, unit="ns")),
        ("column 'event_time'", "bad.parquet, row 0")),
    # Once (the next five): exit 70. statistics.min raises OverflowError in inputs._first_ns
    Bad("time-int64-min-us", "the smallest time is a bug", table(event_time=bad.at(5_000, -INT64_MAX - 1, 6_000)),
        BEFORE_1970),
    Bad("time-int64-min-ms", "the smallest time is a bug",
        table(event_time=bad.at(5_000, -INT64_MAX - 1, 6_000, unit="ms")), BEFORE_1970),
    Bad("time-year-10000", "a far future, first in its file, is a bug",
        table(2, event_time=bad.at(YEAR_10000_S, YEAR_10000_S + 1, unit="s")), ("column 'event_time'", "2262")),
    Bad("time-int64-max-us", "the largest time is a bug", table(1, event_time=bad.at(INT64_MAX)), ("2262",)),
    Bad("time-int64-max-ms", "the largest time is a bug", table(1, event_time=bad.at(INT64_MAX, unit="ms")), ("2262",)),
    Bad("time-int64-max-second", "the largest time overflows", table(event_time=bad.at(5_000, INT64_MAX, INT64_MAX)),
        TOO_LATE),
    Bad("time-year-9999", "a far future overflows",
        table(event_time=bad.at(5_000, 253_402_300_799_000_000, 7 * 10**18)), TOO_LATE),
    # Once: exit 70, ArrowInvalid: the bad value is shown with a cast that needs the zone's rules
    Bad("time-bad-zone", "showing a bad time in an unknown zone is a bug",
        table(event_time=pa.array([5_000, -1, 6_000], pa.timestamp("us", tz="Mars/Phobos"))), BEFORE_1970),
    Bad("unsorted", "a row that goes back in time is sent out of order",
        table(event_time=bad.at(7_000, 6_000, 8_000)), ("'event_time' goes back in time", ROW_1[0], "--order as-is")),
    Bad("unsorted-across-groups", "only one row group is checked",
        table(event_time=bad.at(7_000, 6_000, 8_000), options={"row_group_size": 1}),
        ("'event_time' goes back in time", ROW_1[0], "--order as-is")),
    Bad("field-not-utf8", "text that is no text is sent",
        table(2, note=bad.broken_text(pa.string(), b"ok", b"\xff")),
        ("column 'note' is not valid UTF-8", *ROW_1), NOTE),
    # Once (both): only event_time's range is checked. The first ends with exit 70 after the checkpoint is made, the
    # second sends "30489-11-1T 16:00:00.000000Z"
    Bad("field-time-int64-max", "a far time in a further column is a bug, half-way",
        table(note=pa.array([1, INT64_MAX, 2], pa.timestamp("ms"))), ("column 'note'", ROW_1[0]), NOTE),
    Bad("field-time-year-30489", "a five-digit year comes out as nonsense",
        table(note=pa.array([1, 900_000_000_000_000_000, 2], pa.timestamp("us"))), ("column 'note'", ROW_1[0]), NOTE),
]  # fmt: skip


@pytest.mark.parametrize("case", [*FILES, *SCHEMAS, *VALUES], ids=lambda case: case.id)
def test_an_input_that_cannot_be_replayed_is_refused_before_anything_is_sent(
    case: Bad, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: see the case; or rows go out before the replay fails, or a checkpoint is left of a job that never was."""
    monkeypatch.chdir(site.inputs)
    outcome = site.run(*case.args, case.make(site.inputs))
    refused(outcome, case.code, case.says, case.broken)
    nothing_happened(site, case.broken)


def test_statistics_that_lie_are_found_before_anything_is_sent(site: Site) -> None:
    """Broken: files would be merged in the wrong order. (tests/integration/test_wrong_statistics.py reads them back.)

    Once: found only while sending: rows are in the topic by then; and the message names the file by a number.
    """
    bad.write(site.inputs / "a.parquet", bad.trades(10))
    liar = bad.write(site.inputs / "b.parquet", bad.trades(10, event_time=bad.times(10, bad.T0_US - 500)))
    for old, claimed in ((bad.T0_US - 500, bad.T0_US + 900), (bad.T0_US - 491, bad.T0_US + 909)):
        bad.lie_about_times(liar, old, claimed)
    unchecked = site.run(site.inputs, "--no-check")
    assert unchecked.code == 3, unchecked.err
    for text in ("b.parquet", "statistics", "written by 'parquet-cpp-arrow version", "->"):
        assert text in unchecked.err
    site.checkpoint.unlink()
    site.checkpoint.with_name("job.json.prev").unlink()
    before = site.sent()
    outcome = site.run(site.inputs)
    assert outcome.code == 0, outcome.err
    assert "b.parquet: row 0" in outcome.err
    assert "statistics of column 'event_time'" in outcome.err
    assert site.sent() == before + 20


def test_no_damage_anywhere_in_a_file_is_a_bug(tmp_path: Path) -> None:
    """Broken: some truncation or flipped byte ends in a crash or a bug report instead of an input error.

    A flip may well go unnoticed by Parquet; a truncation never. All in a process of its own: some flips would make the
    Parquet reader abort its process (an exception of its C++ that pyarrow does not catch), if nobody looked first.
    """
    path = bad.write(tmp_path / "x.parquet", bad.trades(300), row_group_size=100)
    random_ = random.Random(4)
    size = path.stat().st_size
    cuts = [random_.randrange(size) for _ in range(60)] + [size - 1, size - 4, size - 8, 1, 4, 8, 11, 12]
    flips = [(random_.randrange(size), 1 << random_.randrange(8)) for _ in range(400)]
    code = f"""
import sys
from pathlib import Path
from contextlib import nullcontext
from replay.source import included
from replay.source.files.footers import Looker
from replay.source.options import SourceOptions
from replay.errors import InputError
from replay.source.source import Source
from replay.signals import ASKING_TO_STOP

looker = Looker()
included.looking = lambda: nullcontext(looker)  # one for all of them

path = Path({str(path)!r})
whole = path.read_bytes()

def check(what):
    try:
        for batch in Source(SourceOptions((str(path),))).checked():
            pass
    except InputError:
        return True
    except Exception as error:
        print(what, type(error).__name__, error)
        return True
    return False

for cut in {cuts!r}:
    path.write_bytes(whole[:cut])
    if not check(f"cut to {{cut}}"):
        print("accepted: cut to", cut)
for place, bit in {flips!r}:
    damaged = bytearray(whole)
    damaged[place] ^= bit
    path.write_bytes(bytes(damaged))
    check(f"byte {{place}} of {{len(whole)}}, bit {{bit}}")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (run.returncode, run.stdout) == (0, ""), run.stderr[-500:]


def test_what_is_made_to_harm_takes_no_memory(tmp_path: Path) -> None:
    """Broken: a file of some kilobytes, or a sparse one, takes the memory of everything else on the machine."""
    hostile.with_columns(tmp_path / "columns.parquet", 1_000_000)
    hostile.long_footer(tmp_path / "footer.parquet", 500_000_000)
    for dictionary in (True, False):
        hostile.bomb(tmp_path / f"bomb{dictionary:d}.parquet", 2_000_000_000, dictionary=dictionary)
    code = """
import sys
from pathlib import Path
from replay.errors import InputError
from replay.source.options import SourceOptions
from replay.source.source import Source
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        for batch in Source(SourceOptions((str(path),))).checked():
            pass
        print("taken:", path)
    except InputError:
        pass
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(run.stdout) < 300 << 10  # KiB; that of the process that looks at footers has a limit


# --- columns that must work ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Good:
    id: str
    broken: str
    table: pa.Table
    fields: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    expected: pa.Table | None = None


def text(kind: pa.DataType) -> pa.Array:
    return pa.array(["BTC", "ETH", "BTC"]).cast(kind)


AWKWARD = [
    'say "hi"', "back\\slash", "new\nline\ttab\r", "\x00\x01\x1f\x7f", "\u2028\u2029", "é漢😀", "</script>", " ",
    "'; --",
    "\ufeffBOM", "{}", "null", "a:b:100:smile:", "[red]x[/red]", "<level>", "%s %d", "x" * 5_000, "\u0301",
    "\U0010ffff",
]  # fmt: skip
QUOTED: dict[str, Any] = {'no"te\\': [1, 2, 3]}
DOTTED: dict[str, Any] = {"note.raw": [1, 2, 3], "symbol.raw": [4, 5, 6]}
DECIMALS = pa.array([1, 250_000, 3], pa.int32()).cast(pa.decimal128(12, 0)).cast(pa.decimal128(20, 4))

WORKS = [
    Good("large-string", "pandas's and polars's text columns are refused", bad.trades(symbol=text(pa.large_string()))),
    Good("string-view", "polars's text columns are refused", bad.trades(symbol=text(pa.string_view()))),
    Good("dictionary", "categorical symbols are refused", bad.trades(symbol=text(pa.string()).dictionary_encode())),
    Good("dictionary-int8", "small dictionaries are refused",
         bad.trades(symbol=text(pa.string()).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string())))),
    Good("dictionary-groups", "a dictionary per row group mixes up symbols",
         bad.trades(500, symbol=pa.array([f"S{i // 7}" for i in range(500)]).dictionary_encode()),
         options={"row_group_size": 50}),
    Good("awkward-symbols", "quotes or control characters break the JSON or the key",
         bad.trades(len(AWKWARD), symbol=AWKWARD)),
    Good("awkward-fields", "quotes or control characters break the JSON",
         bad.trades(len(AWKWARD), note=AWKWARD), fields=("note",)),
    Good("awkward-field-name", "a quote in a column's name breaks the JSON",
         bad.trades(3, **QUOTED), fields=('no"te\\',)),
    Good("field-large-string", "a further large_string column is refused",
         bad.trades(note=pa.array(["a", None, "é"], pa.large_string())), fields=("note",)),
    Good("field-string-view", "a further string_view column is refused",
         bad.trades(note=pa.array(["a", None, '"'], pa.string_view())), fields=("note",)),
    Good("field-dictionary", "a further categorical column is refused",
         bad.trades(note=pa.array(["a", None, "a"]).dictionary_encode()), fields=("note",)),
    Good("field-all-kinds", "numbers, booleans or nulls of further columns change",
         bad.trades(a=[INT64_MAX, None, -INT64_MAX - 1], b=[True, None, False], c=[0.1, None, 5e-324],
                    d=pa.array([2**64 - 1, 0, None], pa.uint64())), fields=("a", "b", "c", "d")),
    Good("price-integer", "integer prices are refused or become floats", bad.trades(price=[1, 2**60, -3])),
    Good("price-uint64", "prices beyond int64 overflow", bad.trades(price=pa.array([1, 2**64 - 1, 0], pa.uint64()))),
    Good("price-float32", "float32 prices change",
         bad.trades(price=pa.array([1.5, 0.25, 1e30], pa.float32())),
         expected=bad.trades(price=[1.5, 0.25, 1e30])),
    Good("price-decimal", "decimal prices lose digits", bad.trades(price=DECIMALS),
         expected=bad.trades(price=[1.0, 250_000.0, 3.0])),
    Good("price-extremes", "very large or small prices change",
         bad.trades(6, price=[1.7976931348623157e308, 5e-324, -0.1, 0.1 + 0.2, 1e22, 123456789.123456789])),
    Good("time-ms", "millisecond times change", bad.trades(event_time=bad.times(3, 1_700_000_000_000, unit="ms"))),
    Good("time-ns", "nanoseconds are lost",
         bad.trades(event_time=bad.times(3, 1_700_000_000_123_456_789, unit="ns"))),
    Good("time-naive", "a time without a zone is refused", bad.trades(event_time=bad.times(3, zone=None))),
    Good("time-new-york", "a zone shifts the times", bad.trades(event_time=bad.times(3, zone="America/New_York"))),
    Good("time-int96", "Spark's old timestamps are refused",
         bad.trades(event_time=bad.times(3, 1_700_000_000_123_456_789, unit="ns", zone=None)),
         options={"use_deprecated_int96_timestamps": True}),
    Good("time-1-ms", "the first millisecond of 1970 is refused", bad.trades(1, event_time=bad.at(1_000))),
    Good("time-2262", "the last nanosecond of int64 is refused",
         bad.trades(1, event_time=bad.at(INT64_MAX, unit="ns"))),
    Good("no-statistics", "a file without statistics is refused", bad.trades(50),
         options={"write_statistics": False, "row_group_size": 10}),
    Good("unsorted-as-is", "--order as-is refuses what it is for", bad.trades(event_time=bad.at(9_000, 7_000, 8_000)),
         args=("--order", "as-is")),
    Good("identical-rows", "identical trades are dropped",
         bad.trades(symbol=["A"] * 3, price=[1.0] * 3, event_time=bad.at(5_000, 5_000, 5_000))),
    Good("dots-in-names", "a dot in a column's name is taken for nesting",
         bad.trades(3, **DOTTED), fields=("note.raw",)),
    Good("other-columns-odd", "columns nobody asked for stop the replay",
         bad.trades(x=[{"a": [b"\xff"]}] * 3, y=pa.nulls(3))),
    Good("non-ascii-file", "a file name with blanks, quotes and umlauts is refused", bad.trades()),
]  # fmt: skip


@pytest.mark.parametrize("case", WORKS, ids=lambda case: case.id)
def test_unusual_but_valid_columns_replay_exactly(case: Good, site: Site) -> None:
    """Broken: a file that other tools write is refused, or a value reaches the topic changed."""
    path = bad.write(site.inputs / "trädes 'x' :b:.parquet", case.table, **case.options)
    fields = ("--fields", ",".join(case.fields)) if case.fields else ()
    outcome = site.run(path, *fields, *case.args)
    assert outcome.code == 0, f"{case.broken}\n{outcome.err}"
    expected = expected_records(case.expected if case.expected is not None else case.table, case.fields)
    verdict = compare(expected, read_topic(site.broker.bootstrap_servers, site.topic, deadline_s=10))
    assert verdict.exact, f"{case.broken}\n{verdict}"
    assert site.left_behind() == {"job.json", "job.json.prev", "job.json.inputs"}


def test_empty_files_beside_full_ones_do_no_harm(site: Site) -> None:
    """Broken: one day without trades stops a backfill."""
    bad.write(site.inputs / "a.parquet", bad.trades(0, **NOTHING))
    bad.write(site.inputs / "b.parquet", bad.trades())
    assert site.run(site.inputs).code == 0
    assert site.sent() == 3


def test_a_file_given_twice_is_replayed_once(site: Site) -> None:
    """Broken: a folder and a file inside it, both named, duplicate every row."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    (site.inputs / "link.parquet").symlink_to(path)
    assert site.run(site.inputs, path, f"{site.inputs}/*.parquet").code == 0
    assert site.sent() == 3


# --- checkpoints --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    id: str
    broken: str
    damage: Callable[[Path], object]
    says: tuple[str, ...]
    code: int = 4
    without_previous: bool = False


def edited(**changes: Any) -> Callable[[Path], object]:
    return lambda path: bad.edit_checkpoint(path, **changes)


def became_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def became_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def became_link(target: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return damage


UNREADABLE = ("job.json", "checkpoint is unreadable", "--restart")
FIELD = (*UNREADABLE, "a field is missing or wrong")
FRESH = {"first_offset": 0, "next_offset": 0, "ahead_rows": 0}
GONE = ({"first_offset": 0, "next_offset": 99, "ahead_rows": 0},) * 4

CHECKPOINTS = [
    State("empty", "an empty checkpoint starts at row 0", lambda p: p.write_bytes(b""), (*UNREADABLE, "empty")),
    State("blank", "a blank checkpoint starts at row 0", lambda p: p.write_bytes(b" \n"), (*UNREADABLE, "empty")),
    State("truncated", "half a checkpoint is believed", lambda p: bad.cut(p, 100), (*UNREADABLE, "not JSON")),
    State("cut-by-one", "a checkpoint without its last brace is believed", lambda p: bad.cut(p, 2),
          (*UNREADABLE, "not JSON")),
    State("zeros", "blocks lost by a power cut are believed", lambda p: p.write_bytes(b"\0" * 900), UNREADABLE),
    State("crc-wrong", "an edited row number is believed",
          lambda p: p.write_text(p.read_text().replace('"next_row": 3', '"next_row": 1')), (*UNREADABLE, "CRC")),
    State("crc-missing", "a checkpoint without a CRC is believed",
          lambda p: p.write_text(p.read_text().replace("crc32", "crc64")), (*UNREADABLE, "CRC")),
    State("version-future", "a newer format is misread", edited(version=3), (*UNREADABLE, "version 3", "version 2")),
    State("version-text", "a version that is no number is a bug", edited(version="x"), (*UNREADABLE, "version 'x'")),
    State("foreign-json", "any JSON is taken for a checkpoint", lambda p: p.write_text('{"next_row": 2}'),
          (*UNREADABLE, "some other file")),
    State("json-list", "a JSON list is a bug", lambda p: p.write_text("[]"), (*UNREADABLE, "some other file")),
    State("json-deep", "deep nesting is a bug", lambda p: p.write_text("[" * 100_000), UNREADABLE),
    State("not-utf8", "binary content is a bug", lambda p: p.write_bytes(b"\xff\xfe\x00\xd8"), UNREADABLE),
    State("row-negative", "a negative row is sought", edited(next_row=-1), FIELD),
    State("row-text", "a row that is text is a bug", edited(next_row="3"), FIELD),
    State("row-float", "a fractional row is sought", edited(next_row=1.5), FIELD),
    State("row-beyond", "a row beyond the inputs counts as done", edited(next_row=10**9), FIELD),
    State("offset-negative", "a negative offset is read from",
          edited(partitions=[{"first_offset": 0, "next_offset": -1, "ahead_rows": 0}] * 4), FIELD),
    State("state-unknown", "an unknown state is guessed", edited(state="paused"), FIELD),
    State("inputs-null", "missing inputs are a bug", edited(inputs=None), FIELD),
    # Once: exit 70, AttributeError ("options" is the one field whose type is not looked at)
    State("options-list", "options that are no table are a bug", edited(options=[]), UNREADABLE),
    State("other-topic", "progress of another topic is believed", edited(topic="elsewhere"),
          ("another job", "the topic was elsewhere, now trades-", "--restart")),
    State("other-cluster", "progress on another cluster is believed", edited(cluster_id="other"),
          ("another job", "the cluster id was other", "--restart")),
    State("other-encoder", "rows of two formats are mixed", edited(encoder="json-0", state="clean"),
          ("another job", "the encoder was json-0, now json-2")),
    State("fewer-partitions", "keys move to other partitions", edited(partitions=[FRESH]),
          ("another job", "the number of partitions was 1, now 4")),
    State("rows-gone", "a topic that lost rows counts as done", edited(partitions=list(GONE)),
          ("acknowledged rows are gone", "partition 0", "--restart")),
    State("folder", "a folder is a bug", became_folder, ("job.json", "the checkpoint is a folder"), code=2),
    State("link", "whoever may write to the folder leads the checkpoint to any file", became_link("../in/a.parquet"),
          ("job.json", "the checkpoint is a link (to ../in/a.parquet)", "the folder"), code=2),
    State("link-dangling", "a link to an unmounted disk starts at row 0", became_link("../away/job.json"),
          ("job.json", "the checkpoint is a link (to ../away/job.json)"), code=2),
    State("link-loop", "a link to itself is a bug", became_link("job.json"), ("job.json", "is a link"), code=2),
    State("pipe", "a named pipe hangs the run", became_pipe, ("job.json", "the checkpoint is a named pipe"), code=2),
    State("quarantine-pipe", "a named pipe hangs the run", lambda p: os.mkfifo(f"{p}.quarantine.parquet"),
          ("job.json.quarantine.parquet", "is a named pipe"), code=2),
    State("inputs-link", "a link leads what is noted of inputs to any file",
          lambda p: became_link("/etc/hosts")(p.with_name("job.json.inputs")),
          ("job.json.inputs", "is a link (to /etc/hosts)"), code=2),
    State("only-previous", "a deleted checkpoint starts at row 0 though its .prev is there", lambda p: p.unlink(),
          (*UNREADABLE, "missing", "job.json.prev")),
    State("empty-alone", "an empty checkpoint without .prev starts at row 0", lambda p: p.write_bytes(b""),
          (*UNREADABLE, "empty", "restore it from a backup"), without_previous=True),
]  # fmt: skip


@pytest.mark.parametrize("case", CHECKPOINTS, ids=lambda case: case.id)
def test_a_checkpoint_that_cannot_be_trusted_stops_the_run(case: State, site: Site) -> None:
    """Broken: see the case; a checkpoint that is not believed must never mean row 0, which would duplicate all."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    assert site.run(path).code == 0
    if case.without_previous:
        (site.state / "job.json.prev").unlink()
    case.damage(site.checkpoint)
    before, there = _content(site.checkpoint), site.left_behind()
    outcome = site.run(path)
    refused(outcome, case.code, case.says, case.broken)
    assert site.sent() == 3, case.broken
    assert (_content(site.checkpoint), site.left_behind()) == (before, there), "the evidence was changed"
    made = {each.name for each in site.state.parent.iterdir()}
    assert made == {"in", "state"}, "something was made where a link leads"


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def test_a_linked_state_folder_stays_a_link_and_resumes(site: Site) -> None:
    """Broken: state on another disk starts at row 0, or the link is replaced by a folder."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    assert site.run(path).code == 0
    disk = site.state.parent / "disk"
    site.state.rename(disk)
    site.state.symlink_to(disk)
    outcome = site.run(path)
    assert outcome.code == 0, outcome.err
    assert "nothing to do" in outcome.err
    assert site.sent() == 3
    assert site.state.is_symlink()


@pytest.mark.parametrize("mode", [0o777, 0o1777], ids=["open", "sticky"])
def test_a_state_folder_that_everyone_may_write_to_is_told(mode: int, site: Site) -> None:
    """Broken: nobody learns that any user can replace the checkpoint, or put one there that says `done`."""
    site.state.mkdir()
    site.state.chmod(mode)
    outcome = site.run(bad.write(site.inputs / "a.parquet", bad.trades()))
    assert outcome.code == 0, outcome.err
    told = [line for line in outcome.err.splitlines() if "WARNING" in line and str(site.state) in line]
    assert len(told) == 1, outcome.err
    assert ("replace or delete" if mode == 0o777 else "put files there") in told[0]
    if os.geteuid() == 0:  # whom else could the file belong to?
        os.chown(site.checkpoint, 12_345, -1)
        refused(site.run(site.inputs), 2, ("belongs to another user (uid 12345)", "--state-dir"), "it is believed")


def test_a_job_s_name_has_an_end(site: Site) -> None:
    """Broken: a name of a megabyte floods every line of the log, every label of the metrics, and the history."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    refused(site.run(path, "--job", "x" * 100_000), 2, ("--job", "100,000 characters; at most 500"), "it is taken")


@pytest.mark.parametrize("job", [
    "../../x", "/etc/x", "..", ".", "a/../../b", "x\n2026-01-01 INFO ok", "\u202ex", "x" * 500,
    "\x1b[2J", "\udcff",
])  # fmt: skip
def test_no_name_of_a_job_leads_out_of_the_state_folder(job: str, site: Site) -> None:
    """Broken: `--job ../../x` writes the checkpoint, or what lies beside it, to any place; or a name forges a log."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    before = {each.name for each in site.state.parent.iterdir()}
    outcome = site.run(path, "--checkpoint", "", "--state-dir", site.state, "--job", job, "--summary-json", "-")
    assert outcome.code == 0, outcome.err
    assert {each.name for each in site.state.parent.iterdir()} == before | {"state"}
    files = [each for each in site.state.rglob("*") if each.is_file()]
    assert {each.parent for each in files} == {site.state}
    assert all(each.name.isprintable() and len(each.name) < 255 for each in files)
    assert not set("\x1b\u202e") & set(outcome.err)
    assert "\n2026-01-01 INFO" not in outcome.err
    assert max(map(len, outcome.err.splitlines())) < 20_000


def test_a_clean_stop_with_an_edited_row_is_not_rewound(site: Site) -> None:
    """Broken: a checkpoint whose row does not fit its cursors would send rows again."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    assert site.run(path).code == 0
    bad.edit_checkpoint(site.checkpoint, state="clean", next_row=0)
    refused(site.run(path), 4, FIELD, "rows would be sent twice")
    assert site.sent() == 3


@pytest.mark.parametrize("what", ["input", "notes"])
def test_restart_never_overwrites_a_file_that_is_no_checkpoint(what: str, site: Site) -> None:
    """Broken: `--checkpoint FILE --restart` with the wrong FILE destroys it, the trades themselves for instance.

    Once: it is overwritten; so is the copy that `.prev` would have kept, as the start is saved twice. And the message
    of a run without --restart even suggests it.
    """
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    other = path if what == "input" else site.inputs / "notes.json"
    if what == "notes":
        other.write_text('{"mine": true}')
    before = other.read_bytes()
    outcome = site.run(path, "--checkpoint", other, "--restart")
    assert other.read_bytes() == before, "a file that is not ours was overwritten"
    refused(outcome, 4, (other.name,), "a file that is not ours was taken for a checkpoint")


def test_restart_replaces_a_damaged_checkpoint(site: Site) -> None:
    """Broken: the way out that every message names does not work."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    assert site.run(path).code == 0
    bad.cut(site.checkpoint, 50)
    outcome = site.run(path, "--restart")
    assert outcome.code == 0, outcome.err
    assert "--restart" in outcome.err
    assert site.sent() == 6


def _below_a_file(site: Site) -> Path:
    (site.inputs / "file").write_text("")
    return site.inputs / "file" / "job.json"


UNWRITABLE: list[tuple[str, str, Callable[[Site], Path]]] = [
    ("below-a-file", "a folder that cannot be made is a bug", _below_a_file),
    ("proc", "a file system that takes no files (for root neither) is a bug", lambda _: Path("/proc/self/job.json")),
    ("name-too-long", "an over-long name is a bug", lambda site: site.inputs / ("x" * 300)),
    # Once: exit 70, ValueError: PosixPath('/') has an empty name
    ("root-folder", "the root folder is a bug", lambda _: Path("/")),
]


@pytest.mark.parametrize(("broken", "place"), [case[1:] for case in UNWRITABLE], ids=[case[0] for case in UNWRITABLE])
def test_a_place_that_takes_no_checkpoint_stops_the_run(broken: str, place: Callable[[Site], Path], site: Site) -> None:
    """Broken: rows are sent whose progress cannot be saved."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    where = place(site)
    outcome = site.run(path, "--checkpoint", where)
    refused(outcome, 4 if str(where) == "/" else 8, (str(where), "--checkpoint"), broken)
    nothing_happened(site, broken)


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_checkpoint_without_the_right_to_write_stops_the_run(what: str, site: Site) -> None:
    """Broken: rows are sent whose progress cannot be saved."""
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere; see test_a_place_that_takes_no_checkpoint_stops_the_run")
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    assert site.run(path).code == 0
    target = site.state if what == "folder" else site.checkpoint
    target.chmod(0o500 if what == "folder" else 0o400)
    outcome = site.run(path, "--restart")
    target.chmod(0o700)
    refused(outcome, 8, ("job.json", "->"), "progress is lost")
    assert site.sent() == 3


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_disk_that_fails_leaves_the_old_checkpoint_and_no_scraps(
    call: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a full disk destroys the checkpoint, or fills up further with temporary files.

    Once: job.json.tmp (or job.json.prev.tmp) stays behind.
    """
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    assert site.run(path).code == 0
    before, there = site.checkpoint.read_bytes(), site.left_behind()

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"replay.checkpoint.file.os.{call}", fail)
    outcome = site.run(path, "--restart")
    monkeypatch.undo()
    refused(outcome, 8, ("job.json", "No space left", "--checkpoint"), "progress is lost")
    assert site.sent() == 3
    assert site.checkpoint.read_bytes() == before
    assert site.left_behind() == there


# --- options ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    id: str
    broken: str
    args: tuple[str, ...]
    says: tuple[str, ...]
    code: int = 2


def opt(name: str, value: str, broken: str, *says: str, id_: str = "") -> Option:
    """`--name value` that is refused with a message that names the option."""
    return Option(id_ or f"{name.lstrip('-')}={value[:24]}", broken, (name, value), (name, *says))


BIG = "9" * 400
ADDRESS = "is no broker address"

OPTIONS = [
    opt("--topic", "", "an unset variable is a topic", "no topic name"),
    opt("--topic", ".", "a name that Kafka refuses is tried", "no topic name"),
    opt("--topic", "..", "a name that Kafka refuses is tried", "no topic name"),
    opt("--topic", "x" * 250, "a name that Kafka refuses is tried", "249"),
    opt("--topic", "a b", "a name that Kafka refuses is tried", "no topic name"),
    opt("--topic", "träde", "a name that Kafka refuses is tried", "no topic name"),
    opt("--topic", "a/../b", "a topic's name leads the checkpoint out of its folder", "no topic name"),
    opt("--topic", "a\n", "a line break passes", "no topic name"),
    opt("--bootstrap-servers", "", "an unset variable is a broker", "no default", "--embedded"),
    opt("--bootstrap-servers", " ", "a blank is a broker", ADDRESS),
    opt("--bootstrap-servers", ":9092", "an empty host is tried", ADDRESS),
    opt("--bootstrap-servers", "host:0", "port 0 is tried", ADDRESS, "65535"),
    opt("--bootstrap-servers", "host:65536", "a port out of range is tried", ADDRESS, "65535"),
    opt("--bootstrap-servers", "host:-1", "a negative port is tried", ADDRESS),
    opt("--bootstrap-servers", "host:kafka", "a port by name is tried", ADDRESS),
    opt("--bootstrap-servers", "a:1,,b:2", "an empty entry is tried", ADDRESS),
    opt("--bootstrap-servers", "http://h:1/x", "a URL is tried", ADDRESS),
    # Once: exit 70, ValueError (more than 4,300 digits)
    opt("--bootstrap-servers", "h:" + "1" * 5_000, "an endless port is a bug", ADDRESS, id_="port-endless"),
    opt("--rate", "0", "a rate of 0 never ends", "above zero"),
    opt("--rate", "0/s", "a rate of 0 never ends", "above zero"),
    opt("--rate", "-5", "a negative rate never ends", "cannot read '-5'"),
    opt("--rate", "fast", "nonsense is a rate", "cannot read 'fast'"),
    opt("--rate", "", "an unset variable is a rate", "cannot read ''"),
    opt("--rate", "nan", "nan is a rate", "cannot read"),
    opt("--rate", "inf", "inf is a rate", "cannot read"),
    opt("--rate", "5000/x", "an unknown unit is guessed", "cannot read"),
    opt("--rate", "1,000", "a thousands comma is guessed", "cannot read"),
    # Once: exit 70, OverflowError, after a checkpoint was made
    opt("--rate", BIG, "a rate beyond float is a bug", id_="rate-endless"),
    opt("--speed", "0x", "a speed of 0 never ends", "above zero"),
    opt("--speed", "-1x", "a negative speed never ends", "cannot read"),
    opt("--speed", "quick", "nonsense is a speed", "cannot read"),
    Option("rate-and-speed", "one of two paces wins silently", ("--rate", "5/s", "--speed", "60x"),
           ("--rate", "--speed", "exclude each other")),
    Option("max-gap-alone", "--max-gap does nothing", ("--max-gap", "5s"), ("--max-gap", "--speed")),
    opt("--linger", "-1s", "a negative duration is taken", "cannot read"),
    opt("--broker-timeout", "soon", "nonsense is a duration", "cannot read", "5m"),
    opt("--broker-timeout", "11y", "an unknown unit is guessed", "cannot read"),
    opt("--drain-timeout", "4000d", "a duration beyond all sense overflows", "too long"),
    opt("--in-flight-rows", "0", "nothing is ever sent", "--in-flight-rows"),
    opt("--in-flight-bytes", "0", "nothing is ever sent", "--in-flight-bytes"),
    opt("--in-flight-bytes", "1TB", "an unknown unit is guessed", "cannot read"),
    # Once (both): exit 70, OverflowError
    opt("--batch-rows", BIG, "a number beyond float is a bug", id_="batch-rows-endless"),
    opt("--batch-size", BIG, "a number beyond float is a bug", id_="batch-size-endless"),
    # Once (the next five): the producer is made only after the start is saved, so a checkpoint (and a created topic)
    # is left behind; and the message blames -X and names librdkafka's property instead of the option given.
    opt("--batch-rows", "0", "a batch of 0 rows is tried"),
    opt("--batch-rows", "2M", "a batch beyond librdkafka's limit is tried"),
    opt("--batch-size", "0", "a batch of 0 bytes is tried"),
    opt("--linger", "1d", "a linger beyond librdkafka's limit is tried"),
    opt("--compression", "rar", "an unknown compression is tried", "rar"),
    opt("--create-topic", "0", "a topic without partitions is asked for", "start at 1"),
    opt("--create-topic", "6:0", "a topic without replicas is asked for", "start at 1"),
    opt("--create-topic", "many", "nonsense is a number of partitions", "cannot read"),
    opt("--topic-config", "retention.ms", "a setting without a value is taken", "name=value"),
    opt("--map", "foo=bar", "an unknown field is ignored", "foo", "no event field"),
    opt("--map", "price", "a mapping without a column is taken", "--map name=value"),
    # Once: exit 3, "there is no column ''; … name the column with --map price=COLUMN"
    opt("--map", "price=", "a mapping to nothing is looked up in the file"),
    Option("map-twice", "one of two mappings wins silently", ("--map", "price=a", "--map", "price=b"),
           ("--map", "given twice")),
    Option("symbol-and-map", "one of two symbols wins silently", ("--symbol", "A", "--map", "symbol=s"), ("--symbol",)),
    opt("--symbol", "", "an unset variable is a symbol", "is empty"),
    # Once: exit 70, UnicodeEncodeError, after a checkpoint was made
    opt("--symbol", "\udcff", "bytes of a shell that are no UTF-8 are a bug", id_="symbol-not-utf8"),
    opt("--fields", "a,,b", "an empty field name is looked up", "--fields"),
    opt("--fields", "price", "price is sent twice", "always part of the event"),
    opt("--fields", "a,a", "a field is sent twice", "given twice"),
    opt("--order", "random", "an unknown order is guessed", "event-time"),
    opt("--log-format", "xml", "an unknown format is guessed", "json"),
    opt("--progress-seconds", "0", "progress floods the log", "0.1"),
    opt("--progress-seconds", "nan", "progress lines never come"),
    Option("unknown-option", "a mistyped option is ignored", ("--chekpoint", "x"), ("--chekpoint", "No such option")),
    Option("embedded-and-broker", "rows meant for a broker vanish", ("--embedded",), ("--embedded", "drop")),
]  # fmt: skip


@pytest.mark.parametrize("case", OPTIONS, ids=lambda case: case.id)
def test_an_option_that_cannot_work_is_refused(case: Option, site: Site) -> None:
    """Broken: see the case; or something was made, or sent, before the option was looked at."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    outcome = site.run(path, *case.args)
    refused(outcome, case.code, case.says, case.broken)
    nothing_happened(site, case.broken)


REFUSED_SETTINGS = [
    ("acks", "1", "a leader that dies"),
    ("acks", "0", "a leader that dies"),
    ("request.required.acks", "1", "a leader that dies"),
    ("enable.idempotence", "false", "appended twice"),
    ("enable.gapless.guarantee", "false", "after a failed one"),
    ("message.timeout.ms", "300000", "passed by later ones"),
    ("delivery.timeout.ms", "1", "passed by later ones"),
    ("max.in.flight", "6", "up to 5 requests"),
    ("max.in.flight.requests.per.connection", "1000000", "up to 5 requests"),
    ("retries", "0", "a failed row"),
    ("message.send.max.retries", "3", "a failed row"),
    ("queuing.strategy", "lifo", "change places"),
    ("allow.auto.create.topics", "true", "--create-topic"),
    ("delivery.report.only.error", "true", "every record's delivery report"),
    ("transactional.id", "me", "transactional"),
    ("partitioner", "consistent", "murmur2"),
    ("bootstrap.servers", "h:1", "use --bootstrap-servers"),
    ("metadata.broker.list", "h:1", "use --bootstrap-servers"),
    ("queue.buffering.max.messages", "10", "use --in-flight-rows"),
    ("queue.buffering.max.kbytes", "10", "use --in-flight-bytes"),
    ("test.mock.num.brokers", "3", "use --embedded"),
    ("statistics.interval.ms", "0", "the job sets it itself"),
    ("group.id", "g", "the job sets it itself"),
]


@pytest.mark.parametrize(
    ("name", "value", "reason"), REFUSED_SETTINGS, ids=[f"{n}={v}" for n, v, _ in REFUSED_SETTINGS]
)
def test_a_setting_that_would_break_the_promise_is_refused_with_the_reason(
    name: str, value: str, reason: str, site: Site
) -> None:
    """Broken: a setting found on the web silently costs rows, order or uniqueness."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    broken = f"{name}={value} breaks the promise"
    refused(site.run(path, "-X", f"{name}={value}"), 2, ("-X", f"{name} is refused", reason, "drop it"), broken)
    nothing_happened(site, broken)


ODD_SETTINGS = [
    # Once (all but the marked): a checkpoint of a job that never was is left: the producer is made after it
    ("nonsense=1", "nonsense"),
    ("linger.ms=abc", "-X"),  # Once: the message names queue.buffering.max.ms, which nobody wrote
    ("linger.ms=-1", "-X"),
    ("batch.size=0", "batch.size"),
    ("message.max.bytes=abc", "message.max.bytes"),
    ("on_delivery=x", "on_delivery"),
    ("opaque=x", "opaque"),
    ("throttle_cb=x", "throttle_cb"),  # Once: exit 70, ValueError
    ("oauth_cb=x", "oauth_cb"),  # Once: exit 70, TypeError
    ("default.topic.config=x", "default.topic.config"),  # Once: exit 70, AttributeError
    ("error_cb=x", "error_cb"),  # Once: silently ignored
    ("stats_cb=x", "stats_cb"),  # Once: silently ignored
    ("logger=x", "logger"),  # Once: silently ignored
    ("debug=foo", "debug"),  # works
    ("security.protocol=foo", "security.protocol"),  # works
    ("plugin.library.paths=foo", "plugin"),  # works
    ("sasl.jaas.config=foo", "JAAS"),  # works
    ("=1", "name=value"),  # works
    ("acks", "name=value"),  # works
    ("", "name=value"),  # works
]


@pytest.mark.parametrize(("setting", "says"), ODD_SETTINGS, ids=[name or "empty" for name, _ in ODD_SETTINGS])
def test_a_setting_that_the_client_does_not_take_is_refused(setting: str, says: str, site: Site) -> None:
    """Broken: a mistyped setting is ignored, ends as a bug, or leaves something behind."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    refused(site.run(path, "-X", setting), 2, ("-X", says), f"-X {setting}")
    nothing_happened(site, f"-X {setting}")


SECRETS = [
    ("debug", ("-X", f"sasl.password={SECRET}", "-X", "sasl.username=me", "--debug", "-X", "debug=conf")),
    ("json-debug", ("-X", f"ssl.key.password={SECRET}", "--debug", "-X", "debug=all", "--log-format", "json")),
    ("beside-an-error", ("-X", f"sasl.password={SECRET}", "-X", "nonsense=1", "--debug")),
    ("beside-a-refusal", ("-X", f"sasl.password={SECRET}", "-X", "acks=1", "--debug")),
    ("twice", ("-X", f"sasl.password={SECRET}", "-X", f"sasl.password={SECRET}", "--debug")),
    ("no-name", ("-X", f"={SECRET}", "--debug")),
    ("misspelt-name", ("-X", f"sasl.passwort={SECRET}", "--debug")),
    ("other-secret", ("-X", f"sasl.oauthbearer.client.secret={SECRET}", "--debug")),
    ("key-pem", ("-X", f"ssl.key.pem={SECRET}", "-X", "security.protocol=ssl", "--debug")),
    # Once: without "=" the whole text is taken for the name and shown
    ("colon-for-equals", ("-X", f"sasl.password:{SECRET}", "--debug")),
    ("blank-for-equals", ("-X", f"sasl.password {SECRET}", "--debug")),
]


@pytest.mark.parametrize("args", [args for _, args in SECRETS], ids=[name for name, _ in SECRETS])
def test_a_secret_is_never_shown_or_saved(args: tuple[str, ...], site: Site) -> None:
    """Broken: a password ends in a log that others read."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    outcome = site.run(path, *args)
    assert SECRET not in outcome.err + outcome.out
    for each in site.state.rglob("*") if site.state.exists() else ():
        assert SECRET.encode() not in each.read_bytes()


# --- brokers and topics -------------------------------------------------------------------------------------


def test_a_broker_that_cannot_be_reached_ends_the_run_in_time(site: Site) -> None:
    """Broken: a run without a broker hangs, or claims something was wrong with the input.

    Once: a --broker-timeout of 1 s takes 5 s, as one metadata call may take that long.
    """
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    start = time.monotonic()
    outcome = site.run(path, "--bootstrap-servers", "127.0.0.1:1", "--broker-timeout", "1s")
    seconds = time.monotonic() - start
    refused(outcome, 5, ("Kafka", "within 1 s", "--bootstrap-servers", "run again"), "an outage is misreported")
    nothing_happened(site, "a checkpoint of a job that never began")
    assert seconds < 4, f"a timeout of 1 s took {seconds:.1f} s"


def test_a_topic_that_is_missing_is_not_made_by_accident(site: Site) -> None:
    """Broken: a mistyped topic is created with the broker's defaults and filled."""
    path = bad.write(site.inputs / "a.parquet", bad.trades())
    outcome = site.run(path, "--topic", "no-such-topic")
    refused(outcome, 2, ("there is no topic no-such-topic", "--create-topic"), "a topic was made up")
    nothing_happened(site, "a checkpoint of a job that never began")


@pytest.mark.parametrize("length", [200, 249])
def test_the_longest_topic_name_works_with_the_default_checkpoint(
    length: int, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a topic that Kafka takes cannot be replayed to.

    Once (249): TOPIC.json.prev.tmp is longer than the 255 bytes that a file name may have: exit 8.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(site.state))
    name = site.topic.ljust(length, "x")
    site.broker.make(name)
    outcome = site.run(bad.write(site.inputs / "a.parquet", bad.trades()), "--topic", name, "--checkpoint", "")
    assert outcome.code == 0, outcome.err
    assert site.broker.rows(name) == 3


def test_messages_show_names_as_they_are(site: Site) -> None:
    """Broken: the path in an error is not the path of the file.

    Once: rich replaces `:b:` and `:100:` by pictures (Console(emoji=False) helps).
    """
    outcome = site.run(f"{site.inputs}/a:b:100:smile:.parquet")
    refused(outcome, 3, ("/a:b:100:smile:.parquet",), "a name was changed")


def test_control_characters_of_a_file_do_not_reach_the_terminal(site: Site) -> None:
    """Broken: a column's name clears the screen, or forges a line of the log.

    Once: column names are shown raw in "the file has: …".
    """
    evil: dict[str, Any] = {"\x1b[2Jevil\n2026-01-01 00:00:00.000 INFO    all is well": [1, 2, 3]}
    columns = bad.trades(3, **{"price": None, **evil})
    outcome = site.run(bad.write(site.inputs / "a.parquet", columns))
    refused(outcome, 3, ("no column 'price'",), "a column's name writes the log")
    assert "\x1b" not in outcome.err
    assert "\n2026-01-01" not in outcome.err
