"""More than one instance of a job, on purpose or by mistake; and an instance that goes on at the worst moment."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.process import KILLED, checkpoint
from tests.support.readback import compare, read_topic
from tests.support.transactions import committed_rows, wait_committed

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.fault.conftest import MakeBoth
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Scenario, Trades

PACED = ("--rate", "8k/s", "--transaction-ms", "50", "--checkpoint-interval", "50ms")


@pytest.fixture
def replays(kafka: KafkaCluster | Broker, trades: Trades, both: MakeBoth) -> list[Scenario]:
    """The same replay, idempotent and transactional."""
    return both(trades, kafka.bootstrap_servers, *PACED)


def elsewhere(replay: Scenario) -> Scenario:
    """The same job on another machine: it has no checkpoint yet."""
    return replace(replay, checkpoint=replay.checkpoint.with_name("elsewhere.json"))


# --- one checkpoint -----------------------------------------------------------------------------------------


def test_a_checkpoint_that_was_copied_to_two_machines(replays: list[Scenario]) -> None:
    """Broken: the second of two runs from copies of one checkpoint would send again what the first has sent."""
    jobs = [replay.start(crash="after report 5000") for replay in replays]
    for first, job in zip(replays, jobs, strict=True):
        assert job.wait() == KILLED, job.log
        second = elsewhere(first)
        second.checkpoint.write_bytes(first.checkpoint.read_bytes())
        first.finish()
        second.finish()
        assert checkpoint(second.checkpoint)["state"] == "done"


# --- two checkpoints ----------------------------------------------------------------------------------------


def test_two_instances_with_two_checkpoints(replays: list[Scenario]) -> None:
    """Broken: what the README says of this limit of idempotent delivery would not be so. Nothing in Kafka tells the two
    apart, so each sends every row: twice in the topic, none lost, and `replay verify` says so."""
    first = replays[0]
    jobs = [first.start(), elsewhere(first).start()]
    assert [job.wait() for job in jobs] == [0, 0], first.jobs.logs()
    verdict = compare(first.trades.rows, read_topic(first.bootstrap_servers, first.topic))
    assert (verdict.lost, verdict.duplicated, verdict.foreign) == (0, len(first.trades.rows), 0), str(verdict)
    where = ["--topic", first.topic, "--bootstrap-servers", first.bootstrap_servers]
    verify = first.jobs.start(["verify", str(first.trades.folder), *where])
    assert verify.wait() == 1, verify.log


# --- at the worst moment ------------------------------------------------------------------------------------


def test_progress_is_read_after_the_others_are_fenced(replays: list[Scenario]) -> None:
    """Broken: a new instance would read how far the job is, then wait for its turn, and begin where the old one was a
    while ago: all that was committed meanwhile is sent again. And one with the same checkpoint would not be refused."""
    old = replays[1]
    running = old.start("--rate", "1k/s")
    wait_committed(old, running, 500)
    assert f":{running.pid}" in old.run(code=6).log, "it says who holds the lock"
    new = elsewhere(old)
    taking_over = new.start("--rate", "max", crash="stop before init 1")
    taking_over.wait_stopped()
    wait_committed(old, running, committed_rows(old) + 1_000)
    taking_over.signal(signal.SIGCONT)
    assert taking_over.wait() == 0, taking_over.log
    assert running.wait() == 6, running.log
    assert "took over" in running.log
    assert f":{taking_over.pid}:" in running.log, "it says who"
    new.assert_exact()


def test_a_commit_that_comes_too_late(replays: list[Scenario]) -> None:
    """Broken: an instance that was replaced in the very moment of its last commit would not look at the answer: it
    says that the replay is done, and its rows are in no transaction that anybody will see."""
    replay = replays[1]
    # the claim is the first commit, and all rows go into one
    late = replay.start("--rate", "max", "--transaction-ms", "600000", crash="stop before commit 2")
    late.wait_stopped()
    other = elsewhere(replay)
    other.run(crash="after commit 1", code=KILLED)  # it has taken over, and sent nothing
    late.signal(signal.SIGCONT)
    assert late.wait(30) == 6, late.log
    assert "took over" in late.log
    assert checkpoint(replay.checkpoint)["state"] != "done"
    assert committed_rows(replay) == 0
    replay.finish()
