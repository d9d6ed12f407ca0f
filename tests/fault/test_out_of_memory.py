"""A job that runs out of memory in the middle: a clean end or death, and an exact topic after the next run."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.process import checkpoint_row
from tests.support.scenario import make_trades, with_notes
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.fault.conftest import MakeBoth
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job, Jobs
    from tests.support.scenario import Trades

ROWS = 4_000
SHORT, LONG = 1, 8_000
"""Bytes of the text that a row of the first and of the last file has: 16 MB of it are read at a time in the end."""

PREDICTABLE = {"MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""One heap, that grows when something is allocated: others set gigabytes of addresses aside, and no limit is met."""


@pytest.fixture(scope="module")
def wide_trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    made = make_trades(tmp_path_factory.mktemp("wide-trades") / "in", ROWS)
    return with_notes(made, lambda is_last, _: LONG if is_last else SHORT)


def limit_memory(job: Job, more_bytes: int) -> None:
    """From now on, so much more than it has."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{job.pid}/status").read_text().splitlines())
    limit = int(status["VmSize"].split()[0]) * 1024 + more_bytes
    resource.prlimit(job.pid, resource.RLIMIT_AS, (limit, limit))


@pytest.mark.parametrize("more_bytes", [0, 8 << 20])
def test_out_of_memory_in_the_middle(
    kafka: KafkaCluster | Broker, topic: str, wide_trades: Trades, jobs: Jobs, both: MakeBoth, more_bytes: int
) -> None:
    """Broken: a job that gets too little memory would be told that its file is damaged, or that replay has a bug; or
    what it leaves would cost rows, or send some twice."""
    create_topic(kafka.bootstrap_servers, f"{topic}-made", 1, config={"cleanup.policy": "compact"})
    options = (
        # Seconds go by before the long rows are read: also on a machine with much to do the limit is there by then.
        *("--rate", "500/s", "--no-check", "--fields", "note", "--checkpoint-interval", "50ms"),
        # It is there: who makes a topic has some memory to spare afterwards.
        *("--progress-topic", f"{topic}-made", "--transaction-ms", "50"),
    )
    replays = both(wide_trades, kafka.bootstrap_servers, *options)
    running = [jobs.start(replay.command, env=PREDICTABLE) for replay in replays]
    for replay, job in zip(replays, running, strict=True):
        job.wait_row(replay.checkpoint, 1)
        limit_memory(job, more_bytes)
        assert checkpoint_row(replay.checkpoint) < len(wide_trades.rows) / 3, "too late: the long rows may be there"
    for replay, job in zip(replays, running, strict=True):
        code = job.wait(30)
        assert code == 2 or code < 0, job.log  # minus a signal's number: librdkafka aborts where it gets no memory
        if code == 2:
            assert "out of memory" in job.log
            assert "run again: it resumes" in job.log
        assert 0 < checkpoint_row(replay.checkpoint) < len(wide_trades.rows)
        replay.finish()
