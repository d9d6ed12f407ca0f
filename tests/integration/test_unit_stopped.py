"""`systemctl stop`: SIGTERM to every process of a unit at once, and to its main process alone (`KillMode=mixed`).

The test sends what systemd sends, on any machine; test_systemd_for_real.py asks a systemd for it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.conftest import KEPT_WHILE_IT_HANGS, own_cluster
from tests.support.kafka_cluster import KafkaCluster
from tests.support.night_folder import NightFolder
from tests.support.process import Job, Jobs, checkpoint

ROWS = 20_000


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    with own_cluster(tmp_path_factory.mktemp("kafka"), config=KEPT_WHILE_IT_HANGS) as cluster:
        yield cluster


@pytest.mark.parametrize("told", ["every process", "the main process"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_replay_of_a_backfill_drains(
    node: KafkaCluster, tmp_path: Path, jobs: Jobs, told: str, number: signal.Signals, topic: str
) -> None:
    """Broken: the second SIGTERM that a replay gets from its parent ends the drain: rows are left in flight, the
    stop is not clean, and the next start reads the topic's tail."""
    nights = NightFolder(tmp_path, node.bootstrap_servers, topic)
    nights.write("2026-11-01.parquet", "2026-11-01T01:00:00+00:00", rows=ROWS)
    job = jobs.start(
        ["backfill", str(nights.inputs / "{date}.parquet"), "--topic", topic, "--job", "j", "--create-topic", "1",
         "--bootstrap-servers", node.bootstrap_servers, "--state-dir", str(nights.state), "--rate", "4k/s",
         "--from", "2026-11-01", "--to", "2026-11-02"]
    )  # fmt: skip
    path = nights.state / "j" / "2026-11-01.json"
    job.wait_log("2026-11-01: replaying")
    job.wait_row(path, 2_000)
    (child,) = children(job)
    node.freeze_node(0)
    time.sleep(0.3)
    for pid in [job.pid, child] if told == "every process" else [job.pid]:
        os.kill(pid, number)
    time.sleep(3)
    assert job.exit_code is None, f"it did not wait for what is in flight: {job.log}"
    node.thaw_node(0)
    assert job.wait(60) == 128 + number, job.log
    assert checkpoint(path)["state"] == "clean", job.log
    nights.go("run", "--date", "2026-11-01", inputs=str(nights.inputs / "{date}.parquet"))
    times = nights.in_topic()
    assert len(times) == len(set(times)) == ROWS


def children(job: Job) -> list[int]:
    """Of whichever of its threads started them."""
    tasks = Path(f"/proc/{job.pid}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]
