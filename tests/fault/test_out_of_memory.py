"""A job that runs out of memory in the middle: a clean end or death, and an exact topic after the next run."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.process import checkpoint
from tests.support.readback import expected_records
from tests.support.scenario import Scenario, Trades, make_trades
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job, Jobs

ROWS = 4_000
SHORT, LONG = 1, 8_000
"""Bytes of the text that a row of the first and of the last file has: 16 MB of it are read at a time in the end."""

PREDICTABLE = {"MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""One heap, that grows when something is allocated: others set gigabytes of addresses aside, and no limit is met."""


def widen(trades: Trades) -> Trades:
    """The same trades with a text in each row: a long one in the last file."""
    *others, last = sorted(trades.folder.iterdir())
    tables = []
    for path in (*others, last):
        table = pq.read_table(path)
        text = "x" * (LONG if path == last else SHORT)
        tables.append(table.append_column("note", pa.array([text] * len(table))))
        pq.write_table(tables[-1], path)
    return Trades(trades.folder, expected_records(pa.concat_tables(tables), ["note"]))


@pytest.fixture(scope="module")
def wide_trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return widen(make_trades(tmp_path_factory.mktemp("wide-trades") / "in", ROWS))


def limit_memory(job: Job, more_bytes: int) -> None:
    """From now on, so much more than it has."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{job.pid}/status").read_text().splitlines())
    limit = int(status["VmSize"].split()[0]) * 1024 + more_bytes
    resource.prlimit(job.pid, resource.RLIMIT_AS, (limit, limit))


@pytest.mark.parametrize("delivery", ["idempotent", "transactional"])
@pytest.mark.parametrize("more_bytes", [0, 8 << 20])
def test_out_of_memory_in_the_middle(
    kafka: KafkaCluster | Broker,
    wide_trades: Trades,
    topic: str,
    tmp_path: Path,
    jobs: Jobs,
    delivery: str,
    more_bytes: int,
) -> None:
    """Broken: a job that gets too little memory would be told that its file is damaged, or that replay has a bug; or
    what it leaves would cost rows, or send some twice."""
    create_topic(kafka.bootstrap_servers, topic, 6, config={"retention.ms": "-1"})
    options = ("--rate", "8k/s", "--no-check", "--fields", "note", "--checkpoint-interval", "50ms")
    more = ("--delivery", delivery, "--transaction-ms", "50", "--progress-topic", f"{topic}-progress")
    file = tmp_path / "checkpoint.json"
    replay = Scenario(wide_trades, kafka.bootstrap_servers, topic, file, jobs, (*options, *more))
    replay.isolation = "read_committed" if delivery == "transactional" else replay.isolation
    job = jobs.start(replay.command, env=PREDICTABLE)
    job.wait_row(replay.checkpoint, 1)
    limit_memory(job, more_bytes)
    code = job.wait(30)
    assert code == 2 or code < 0, job.log  # minus a signal's number: librdkafka aborts where it gets no memory
    if code == 2:
        assert "out of memory" in job.log
        assert "run again: it resumes" in job.log
    saved = checkpoint(replay.checkpoint)
    assert 0 < saved["next_row"] < len(wide_trades.rows)
    replay.finish()
