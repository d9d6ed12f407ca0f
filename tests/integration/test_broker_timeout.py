"""Every command that asks a broker takes --broker-timeout, and says what is true of itself when it ends without one."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from tests.support.process import Jobs
from tests.support.scenario import Scenario, make_trades
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job

    Start = Callable[..., Job]

NOBODY = "127.0.0.1:1"

LOOKING = {
    "verify": ("verify",),
    "plan": ("plan",),
    "rebuild": ("checkpoint", "rebuild"),
}
SENDING = {"run": ("run",), "backfill": ("backfill",)}
MORE = {"rebuild": ("--checkpoint", "{folder}/c.json"), "backfill": ("--from", "2026-11-02", "--to", "2026-11-03")}


@pytest.fixture
def started(tmp_path: Path, jobs: Jobs) -> Start:
    """A command, by its name here, that looks for a broker where there is none."""
    trades = make_trades(tmp_path / "trades", 100)

    def start(name: str, *options: str) -> Job:
        more = [each.format(folder=tmp_path) for each in MORE.get(name, ())]
        where = ["--topic", "t", "--bootstrap-servers", NOBODY, "--state-dir", str(tmp_path / "state")]
        return jobs.start([*(LOOKING | SENDING)[name], str(trades.folder), *where, *more, *options])

    return start


@pytest.mark.parametrize("name", [*LOOKING, *SENDING])
def test_it_ends_in_time(name: str, started: Start) -> None:
    """Broken: a message names an option that this command refuses; it waits for five minutes, whatever one says."""
    retries = ("--retries", "0") if name == "backfill" else ()
    job = started(name, "--broker-timeout", "1s", *retries)
    assert job.wait(30) == 5, job.log
    assert "within 1 s" in job.log


@pytest.mark.parametrize("name", LOOKING)
def test_what_only_looks_has_nothing_to_go_on_from(name: str, started: Start) -> None:
    """Broken: a stopped `verify` promises to go on from here; one without a broker, that it resumes."""
    job = started(name)
    job.wait_log("Broker unreachable")
    job.signal(signal.SIGINT)
    assert job.wait(30) == 130, job.log
    assert "stopped by SIGINT" in job.log
    assert "begins anew" in job.log
    assert "go on from here" not in job.log
    waiting = started(name, "--broker-timeout", "1s")
    assert waiting.wait(30) == 5, waiting.log
    assert "run again once the broker is there" in waiting.log
    assert "resumes" not in waiting.log


def test_a_transaction_of_another_job_is_named_as_what_is_waited_for(
    kafka: KafkaCluster | Broker, topic: str, tmp_path: Path, jobs: Jobs
) -> None:
    """Broken: a night that waits for what another job left open says "not there yet" of the wrong topic, and nobody
    finds out why it does not begin."""
    servers, progress = kafka.bootstrap_servers, f"{topic}-progress"
    create_topic(servers, topic, 2)
    create_topic(servers, progress, 1, config={"cleanup.policy": "compact"})
    other = Producer({"bootstrap.servers": servers, "transactional.id": f"{topic}-other", "log_level": 0})
    other.init_transactions(30)
    other.begin_transaction()
    other.produce(progress, b"x", b"other")
    other.flush(30)
    options = ("--delivery", "transactional", "--progress-topic", progress)
    trades, checkpoint = make_trades(tmp_path / "trades", 100), tmp_path / "checkpoint.json"
    replay = Scenario(trades, servers, topic, checkpoint, jobs, options, isolation="read_committed")
    waiting = replay.run("--broker-timeout", "2s", code=5)
    told = "nothing came: an open transaction may hold it back; if that is of a job that is gone, the broker ends it"
    assert f"cannot read the end of topic {progress} within 2 s (--broker-timeout): {told}" in waiting.log
    other.abort_transaction(30)
    replay.finish()
