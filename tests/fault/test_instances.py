"""More than one instance of a job, on purpose or by mistake; and an instance that goes on at the worst moment."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.process import KILLED, checkpoint
from tests.support.readback import compare, read_topic
from tests.support.transactions import committed_rows, progress_records, wait_committed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Broker
    from tests.fault.conftest import MakeScenario
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Scenario, Trades

PACED = ("--rate", "8k/s", "--transaction-ms", "50", "--checkpoint-interval", "50ms")
SOME_ROWS = 3_000
DELIVERIES = ("idempotent", "transactional")


@pytest.fixture
def replay_by(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario, topic: str
) -> Callable[..., Scenario]:
    """A replay in this delivery, whose progress records, if any, are in a topic of its own."""

    def make(delivery: str, *options: str) -> Scenario:
        more = ("--delivery", delivery, "--progress-topic", f"{topic}-progress")
        made = scenario(trades, kafka.bootstrap_servers, *more, *(options or PACED))
        made.isolation = "read_committed" if delivery == "transactional" else made.isolation
        return made

    return make


def elsewhere(replay: Scenario) -> Scenario:
    """The same job on another machine: it has no checkpoint yet."""
    return replace(replay, checkpoint=replay.checkpoint.with_name("elsewhere.json"))


# --- one checkpoint -----------------------------------------------------------------------------------------


def test_two_instances_with_one_checkpoint(replay_by: Callable[..., Scenario]) -> None:
    """Broken: two transactional jobs on one machine would throw each other out instead of one being refused. (The
    same in idempotent delivery: test_broker_faults.py.)"""
    replay = replay_by("transactional")
    job = replay.start()
    wait_committed(replay, job, SOME_ROWS)
    second = replay.run(code=6)
    assert f":{job.pid}" in second.log, "it says who holds the lock"
    assert job.wait() == 0, job.log
    replay.assert_exact()


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_checkpoint_that_was_copied_to_two_machines(replay_by: Callable[..., Scenario], delivery: str) -> None:
    """Broken: the second of two runs from copies of one checkpoint would send again what the first has sent."""
    first = replay_by(delivery)
    first.run(crash="after report 5000", code=KILLED)
    second = elsewhere(first)
    second.checkpoint.write_bytes(first.checkpoint.read_bytes())
    first.finish()
    second.finish()
    assert checkpoint(second.checkpoint)["state"] == "done"


# --- two checkpoints ----------------------------------------------------------------------------------------


def test_two_instances_with_two_checkpoints(replay_by: Callable[..., Scenario]) -> None:
    """Broken: what the README says of this limit of idempotent delivery would not be so. Nothing in Kafka tells the two
    apart, so each sends every row: twice in the topic, none lost, and `replay verify` says so."""
    first = replay_by("idempotent")
    jobs = [first.start(), elsewhere(first).start()]
    assert [job.wait() for job in jobs] == [0, 0], first.jobs.logs()
    verdict = compare(first.trades.rows, read_topic(first.bootstrap_servers, first.topic))
    assert (verdict.lost, verdict.duplicated, verdict.foreign) == (0, len(first.trades.rows), 0), str(verdict)
    where = ["--topic", first.topic, "--bootstrap-servers", first.bootstrap_servers]
    verify = first.jobs.start(["verify", str(first.trades.folder), *where])
    assert verify.wait() == 1, verify.log


# --- at the worst moment ------------------------------------------------------------------------------------


def test_progress_is_read_after_the_others_are_fenced(replay_by: Callable[..., Scenario]) -> None:
    """Broken: a new instance would read how far the job is, then wait for its turn, and begin where the old one was a
    while ago: all that was committed meanwhile is sent again."""
    old = replay_by("transactional")
    running = old.start()
    wait_committed(old, running, SOME_ROWS // 2)
    new = elsewhere(old)
    taking_over = new.start("--rate", "max", crash="stop before init 1")
    taking_over.wait_stopped()
    wait_committed(old, running, committed_rows(old) + SOME_ROWS)
    taking_over.signal(signal.SIGCONT)
    assert taking_over.wait() == 0, taking_over.log
    assert running.wait() == 6, running.log
    new.assert_exact()


def test_a_commit_that_comes_too_late(replay_by: Callable[..., Scenario]) -> None:
    """Broken: an instance that was replaced in the very moment of its last commit would not look at the answer: it
    says that the replay is done, and its rows are in no transaction that anybody will see."""
    replay = replay_by("transactional", "--rate", "max", "--transaction-ms", "600000")
    late = replay.start(crash="stop before commit 2")  # the claim was the first, and all rows go into one
    late.wait_stopped()
    other = elsewhere(replay)
    other.run(crash="after commit 1", code=KILLED)  # it has taken over, and sent nothing
    late.signal(signal.SIGCONT)
    assert late.wait(30) == 6, late.log
    assert "took over" in late.log
    assert checkpoint(replay.checkpoint)["state"] != "done"
    assert committed_rows(replay) == 0
    replay.finish()
    last = progress_records(replay.bootstrap_servers, f"{replay.topic}-progress", replay.topic)[-1]
    assert last.next_row == len(replay.trades.rows)
