"""One replay on one topic, as the fault tests tell it: start, kill, start again, and compare at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Producer, murmur2

from replay.cli.options.looking import SampleLayout
from replay.cli.sample_trades import SampleSpec, write_sample
from tests.support.process import replay_command
from tests.support.readback import Row, compare, expected_records, partition_count, read_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.support.process import Job, Jobs
    from tests.support.readback import Record

FOREIGN = 40
"""Records of each kind that another producer writes at a time."""


@dataclass(frozen=True)
class Trades:
    """Input files, and what each of their rows should look like in the topic, in replay order."""

    folder: Path
    rows: list[Row]


def make_trades(folder: Path, rows: int, symbols: int = 8, layout: SampleLayout = SampleLayout.BY_DAY) -> Trades:
    """Generated trades; in event-time order, ties in file order, then row order."""
    paths = write_sample(folder, SampleSpec(rows, symbols, 2, layout, row_group_rows=max(1, rows // 5)))
    table = pa.concat_tables([pq.read_table(path) for path in sorted(paths)])
    at = pa.array(range(table.num_rows))
    table = table.append_column("at", at).sort_by([("event_time", "ascending"), ("at", "ascending")])
    return Trades(folder, expected_records(table))


def with_notes(trades: Trades, note_bytes: Callable[[bool, int], int]) -> Trades:
    """The same trades with a text in each row, so long as `note_bytes` says for whether it is of the last file, and for
    the number of the row."""
    paths = sorted(trades.folder.iterdir())
    tables: list[pa.Table] = []
    for path in paths:
        table, first = pq.read_table(path), sum(map(len, tables))
        notes = ["x" * note_bytes(path == paths[-1], first + n) for n in range(len(table))]
        tables.append(table.append_column("note", pa.array(notes)))
        pq.write_table(tables[-1], path)
    return Trades(trades.folder, expected_records(pa.concat_tables(tables), ["note"]))


@dataclass
class Scenario:
    """The same command again and again, until the topic is what it should be."""

    trades: Trades
    bootstrap_servers: str
    topic: str
    checkpoint: Path
    jobs: Jobs
    options: Sequence[str] = ()
    foreign: Counter[Row] = field(default_factory=Counter)
    isolation: str = "read_uncommitted"
    """As which reader the topic is looked at."""
    decode: Callable[[Record], Record] | None = None
    """Makes of a record of this replay one whose value is JSON, as that of the rows; None: it is."""
    way_in: str = ""
    """The listener that the replay itself takes, where that is not the tests' own."""

    @property
    def command(self) -> list[str]:
        servers = self.way_in or self.bootstrap_servers
        return replay_command([self.trades.folder], self.topic, servers, self.checkpoint, *self.options)

    def start(self, *more: str, crash: str | None = None) -> Job:
        return self.jobs.start([*self.command, *more], crash)

    def run(self, *more: str, code: int, crash: str | None = None, timeout_s: float = 60) -> Job:
        """Run to the end, which must be `code`."""
        job = self.start(*more, crash=crash)
        ended = job.wait(timeout_s)
        assert ended == code, f"exit {ended} instead of {code}:\n{job.log}"
        return job

    def finish(self) -> Job:
        """The rest at full speed, and the comparison."""
        job = self.run("--rate", "max", code=0)
        self.assert_exact()
        return job

    def add_foreign(self) -> None:
        """What another producer could put in between: other keys; our keys with other values; our very records
        with another time; no value at all. All in the partitions where ours are."""
        count = partition_count(self.bootstrap_servers, self.topic)
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        step = max(1, len(self.trades.rows) // FOREIGN)
        for row in self.trades.rows[::step]:
            home = murmur2(row.key, count)
            for other in (
                Row(b"someone-else", row.value, row.timestamp_ms),
                Row(row.key, row.value.replace(b'"price": ', b'"price": 9'), row.timestamp_ms),
                Row(row.key, row.value, row.timestamp_ms + 1),
                Row(row.key, b"", row.timestamp_ms),
            ):
                self.foreign[other] += 1
                producer.produce(self.topic, other.value, other.key, home, timestamp=other.timestamp_ms)
        assert producer.flush(30) == 0

    def assert_exact(self, copies: int = 1) -> None:
        """Every row `copies` times, each copy in order; every foreign record still there; nothing else."""
        read = read_topic(self.bootstrap_servers, self.topic, self.isolation, deadline_s=90)
        left = self.foreign.copy()
        ours = []
        for records in read:
            kept = []
            for record in records:
                seen = Row(record.key or b"", record.value or b"", record.timestamp_ms)
                if left[seen]:
                    left[seen] -= 1
                else:
                    kept.append(record if self.decode is None else self.decode(record))
            ours.append(kept)
        assert not +left, f"{left.total()} foreign records are gone"
        verdict = compare(self.trades.rows * copies, ours)
        assert verdict.exact, f"{verdict}\n{self.jobs.logs()}"

    def records(self) -> int:
        """How many records the topic has, without the foreign ones."""
        read = read_topic(self.bootstrap_servers, self.topic, deadline_s=60)
        return sum(map(len, read)) - self.foreign.total()
