"""The broker's disk is full: it dies, or refuses, and rows may be half-written. Both deliveries at once."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import own_cluster, under_way

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fault.conftest import MakeBoth
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Trades

SLOW = ("--rate", "4k/s", "--checkpoint-interval", "200ms", "--transaction-ms", "100", "--compression", "none")
"""A replay takes 4 s."""

SOME_ROWS = 3_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Where the node of `folder` keeps its data: 64 MB, which an idle broker uses a tenth of."""
    data = tmp_path / "kafka" / "node0" / "data"
    data.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(data)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.strip()}")
    yield data
    subprocess.run(["umount", "--lazy", str(data)], check=True)


@pytest.fixture
def node(small_disk: Path) -> Iterator[KafkaCluster]:
    with own_cluster(small_disk.parent.parent) as cluster:
        yield cluster


def fill(ballast: Path) -> None:
    """Takes all the space there is."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 12))
        except OSError:
            return


def test_a_full_disk_and_space_again(node: KafkaCluster, small_disk: Path, trades: Trades, both: MakeBoth) -> None:
    """Broken: rows that the broker could not write would be taken for written, or those that it wrote before it gave
    up be sent again."""
    replays = both(trades, node.bootstrap_servers, *SLOW)
    jobs = under_way(replays, SOME_ROWS)
    ballast = small_disk / "ballast"
    fill(ballast)
    deadline_s = time.monotonic() + 10
    while node.alive(0) and any(job.exit_code is None for job in jobs) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert 0 not in [job.exit_code for job in jobs], "there was room for all rows: this proves nothing"
    assert "No space left on device" in node.log(0)
    node.kill_node(0)
    ballast.unlink()
    node.start()
    for replay, job in zip(replays, jobs, strict=True):
        if job.wait() != 0:
            assert job.exit_code in (5, 7), job.log
            replay.run("--rate", "max", code=0)
        replay.assert_exact()
