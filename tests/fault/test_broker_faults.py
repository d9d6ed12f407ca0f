"""The broker dies, hangs, loses data or changes its topic, alone or together with the job."""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    NewPartitions,
)

from replay.signals import TOGETHER_S
from tests.fault.conftest import own_cluster
from tests.support.process import KILLED, checkpoint
from tests.support.readback import partition_count, read_topic
from tests.support.topics import create_topic, wait_partitions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fault.conftest import MakeBoth, MakeScenario
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job
    from tests.support.scenario import Scenario, Trades

SLOW = ("--rate", "6k/s", "--checkpoint-interval", "200ms")
"""A replay takes 2.7 s: long enough for something to happen in the middle."""

OUTAGE = "Broker unreachable since"

SOME_ROWS = 3_000
"""When the checkpoint is here, the replay is well under way and far from its end."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kafka-to-kill")


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[KafkaCluster]:
    with own_cluster(folder) as cluster:
        yield cluster


def under_way(replay: Scenario) -> Job:
    job = replay.start()
    job.wait_row(replay.checkpoint, SOME_ROWS)
    assert job.exit_code is None, job.log
    return job


def test_a_broker_killed_and_restarted_is_waited_for(
    node: KafkaCluster, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: a crash of the broker would end the replay, or rows in flight would be lost or doubled."""
    replay = scenario(trades, node.bootstrap_servers, *SLOW)
    job = under_way(replay)
    node.kill_node(0)
    job.wait_log("retrying until")
    node.start_node(0)
    assert job.wait() == 0, job.log
    assert "behind the checkpoint" in job.log, "the topic was not looked at before rows were sent again"
    replay.assert_exact()


def test_a_broker_away_for_too_long_ends_the_run_and_the_next_one_goes_on(
    node: KafkaCluster, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: the job would wait for ever, or end without saving, or the resume would lose or repeat rows."""
    replay = scenario(trades, node.bootstrap_servers, *SLOW, "--broker-timeout", "4s")
    job = under_way(replay)
    killed_s = time.monotonic()
    node.kill_node(0)
    assert job.wait(40) == 5, job.log
    assert 3.5 < time.monotonic() - killed_s < 20
    assert "connection refused" in job.log
    assert "--broker-timeout" in job.log
    assert "run again once the broker is there" in job.log
    saved = checkpoint(replay.checkpoint)
    assert saved["next_row"] >= SOME_ROWS
    assert saved["state"] == "running", "rows in flight may be in the topic: that is no clean stop"
    node.start()
    replay.finish()


def test_a_frozen_broker_shows_within_seconds(node: KafkaCluster, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: a broker that hangs without an error would look like a slow replay, or be an end."""
    replay = scenario(trades, node.bootstrap_servers, *SLOW)
    job = under_way(replay)
    node.freeze_node(0)
    frozen_s = time.monotonic()
    job.wait_log(OUTAGE, timeout_s=15)
    time.sleep(max(0.0, frozen_s + 6 - time.monotonic()))
    assert job.exit_code is None, job.log
    node.thaw_node(0)
    assert job.wait() == 0, job.log
    replay.assert_exact()


@pytest.mark.parametrize("first", ["job", "broker"])
def test_broker_and_job_both_killed(node: KafkaCluster, trades: Trades, scenario: MakeScenario, first: str) -> None:
    """Broken: a power cut of the whole machine would leave a topic that a resume completes wrongly."""
    replay = scenario(trades, node.bootstrap_servers, "--rate", "6k/s", "--checkpoint-interval", "500ms")
    job = under_way(replay)
    if first == "job":
        job.kill()
        node.kill_node(0)
    else:
        node.kill_node(0)
        time.sleep(0.7)  # rows pile up, and a checkpoint is saved while they do
        job.kill()
    assert job.exit_code == KILLED, job.log
    again = replay.start()  # before the broker is back
    node.start_node(0)
    assert again.wait() == 0, again.log
    replay.assert_exact()


def test_a_job_killed_while_the_broker_hangs(node: KafkaCluster, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: what the dead job had left in the broker's socket would be appended behind the resume's back."""
    replay = scenario(trades, node.bootstrap_servers, *SLOW)
    job = under_way(replay)
    node.freeze_node(0)
    time.sleep(0.7)
    job.kill()
    again = replay.start()
    time.sleep(1)
    node.thaw_node(0)
    assert again.wait() == 0, again.log
    replay.assert_exact()


def test_a_broker_that_hangs_while_a_resume_reads(node: KafkaCluster, trades: Trades, both: MakeBoth) -> None:
    """Broken: an answer that does not come would be taken for the end of what is there (the topic's tail, or the
    progress records): the rows in it would be sent again."""
    rarely = ("--rate", "16k/s", "--checkpoint-interval", "30s", "--transaction-ms", "50")
    replays = both(trades, node.bootstrap_servers, *rarely)
    for replay, crash in zip(replays, ("after report 5000", "after commit 5"), strict=True):
        replay.run(crash=crash, code=KILLED)
    resumed = [replay.start(crash="stop before read 1") for replay in replays]
    for job in resumed:
        job.wait_stopped()
    node.freeze_node(0)
    for job in resumed:
        job.signal(signal.SIGCONT)
    time.sleep(1.5)  # a read that takes a time-out for the end has ended by now
    node.thaw_node(0)
    for replay, job in zip(replays, resumed, strict=True):
        assert job.wait() == 0, job.log
        replay.assert_exact()


def test_a_broker_that_is_down_at_the_start(node: KafkaCluster, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: a new job or a resume would hang, go on without knowing the topic's tail, leave half a state, or
    give up on a broker that is coming up."""
    resumed = scenario(trades, node.bootstrap_servers)
    fresh = replace(resumed, topic=f"{resumed.topic}-2", checkpoint=resumed.checkpoint.with_name("fresh.json"))
    create_topic(node.bootstrap_servers, fresh.topic, 6)
    resumed.run(crash="after report 5000", code=KILLED)
    before = resumed.checkpoint.read_bytes()
    node.kill_node(0)
    for job in [each.start("--broker-timeout", "2s") for each in (resumed, fresh)]:
        assert job.wait(30) == 5, job.log
        assert "within 2 s" in job.log
    assert resumed.checkpoint.read_bytes() == before
    assert not fresh.checkpoint.exists()
    waiting = [each.start("--broker-timeout", "60s") for each in (resumed, fresh)]
    time.sleep(1)
    assert not any(job.exit_code for job in waiting)
    node.start_node(0)
    for job in waiting:
        assert job.wait() == 0, job.log
    resumed.assert_exact()
    fresh.assert_exact()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_drains_and_saves(
    node: KafkaCluster, trades: Trades, scenario: MakeScenario, number: signal.Signals, code: int
) -> None:
    """Broken: a stop on purpose would leave rows in flight, or claim to be clean without being it."""
    replay = scenario(trades, node.bootstrap_servers, "--rate", "6k/s", "--checkpoint-interval", "5s")
    job = replay.start()
    job.wait_row(replay.checkpoint, 0)
    time.sleep(1.2)
    job.signal(number)
    assert job.wait() == code, job.log
    saved = checkpoint(replay.checkpoint)
    assert saved["state"] == "clean"
    assert 0 < saved["next_row"] < len(trades.rows)
    assert replay.records() == saved["next_row"], "a clean stop leaves nothing behind its position"
    assert "clean stop" in replay.finish().log


def test_a_stop_while_the_broker_is_down_is_heard_at_once(
    node: KafkaCluster, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: SIGTERM would be ignored while the broker is away, or what is in flight be taken for sent."""
    replay = scenario(trades, node.bootstrap_servers, *SLOW, "--drain-timeout", "1500ms")
    job = under_way(replay)
    node.kill_node(0)
    time.sleep(0.5)
    asked_s = time.monotonic()
    job.signal(signal.SIGTERM)
    assert job.wait(30) == 143, job.log
    assert time.monotonic() - asked_s < 20
    assert checkpoint(replay.checkpoint)["state"] == "running"
    node.start_node(0)
    replay.finish()


def test_a_second_signal_ends_the_drain(node: KafkaCluster, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: whoever presses Ctrl-C twice would have to wait out the drain timeout, or lose rows."""
    replay = scenario(trades, node.bootstrap_servers, *SLOW, "--drain-timeout", "5m")
    job = under_way(replay)
    node.freeze_node(0)
    time.sleep(0.5)
    job.signal(signal.SIGINT)
    time.sleep(TOGETHER_S + 0.2)
    assert job.exit_code is None, job.log
    job.signal(signal.SIGINT)
    assert job.wait(30) == 130, job.log
    node.thaw_node(0)
    replay.finish()


def test_signals_that_come_together_are_one(node: KafkaCluster, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: systemd and a parent both send SIGTERM, the drain ends at once, and the stop is not clean."""
    replay = scenario(trades, node.bootstrap_servers, *SLOW, "--drain-timeout", "1m")
    job = under_way(replay)
    node.freeze_node(0)
    time.sleep(0.5)
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP):
        job.signal(number)
        time.sleep(0.3)
    time.sleep(1.0)
    assert job.exit_code is None, job.log
    node.thaw_node(0)
    assert job.wait(60) == 143, job.log
    assert checkpoint(replay.checkpoint)["state"] == "clean"
    replay.finish()


def test_a_broker_that_hangs_for_too_long(node: KafkaCluster, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: letting go of requests that nobody answers would end the job otherwise than with "run it again"."""
    replay = scenario(trades, node.bootstrap_servers, *SLOW, "--broker-timeout", "3s")
    job = under_way(replay)
    node.freeze_node(0)
    assert job.wait(40) == 5, job.log
    assert "no acknowledgement for" in job.log
    node.thaw_node(0)
    replay.run("--rate", "max", "--broker-timeout", "60s", code=0)  # it has to come to itself first
    replay.assert_exact()


def test_a_second_instance_is_refused_and_the_first_unharmed(
    node: KafkaCluster, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: cron starting a job that still runs would send every row twice."""
    replay = scenario(trades, node.bootstrap_servers, *SLOW)
    job = under_way(replay)
    job.signal(signal.SIGSTOP)  # so that it does not end before the others have tried
    second = replay.run(code=6)
    assert f":{job.pid}" in second.log, "it says who holds the lock"
    third = replay.run("--restart", code=6)
    assert "another replay holds this checkpoint" in third.log
    job.signal(signal.SIGCONT)
    assert job.wait() == 0, job.log
    replay.assert_exact()


def test_a_finished_job_sends_nothing_more_unless_told_to(
    node: KafkaCluster, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: running the nightly job again would double its rows; or --restart would not send them again."""
    replay = scenario(trades, node.bootstrap_servers, "--rate", "max")
    replay.run(code=0)
    saved = replay.checkpoint.read_bytes()
    again = replay.run(code=0)
    assert "nothing to do" in again.log
    assert replay.checkpoint.read_bytes() == saved
    replay.assert_exact()
    restarted = replay.run("--restart", code=0)
    assert "stay there" in restarted.log, "it says what that means"
    replay.assert_exact(copies=2)


def test_a_checkpoint_that_cannot_be_written_any_more(
    node: KafkaCluster, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: a full or broken disk would go unnoticed while rows are sent that nobody will know of."""
    replay = scenario(trades, node.bootstrap_servers, *SLOW)
    job = under_way(replay)
    blocker = replay.checkpoint.with_name(replay.checkpoint.name + ".tmp")
    while True:
        try:
            blocker.mkdir()
            break
        except FileExistsError:  # in the middle of a save
            time.sleep(0.001)
    assert job.wait(30) == 8, job.log
    blocker.rmdir()
    replay.finish()


# --- what the topic is not any more -------------------------------------------------------------------------


CHANGES = {"deleted": "deleted", "recreated": "created again", "more partitions": "was 6, now 9"}
"""And what the refusal says about it."""


@pytest.mark.parametrize(("change", "state"), [*((change, "killed") for change in CHANGES), ("recreated", "done")])
def test_another_topic_than_before_is_refused(
    node: KafkaCluster, trades: Trades, scenario: MakeScenario, change: str, state: str
) -> None:
    """Broken: half a replay would go into a new topic, or rows of one symbol into two partitions."""
    replay = scenario(trades, node.bootstrap_servers, "--rate", "max")
    if state == "done":
        replay.run(code=0)
    else:
        replay.run(crash="after report 5000", code=KILLED)
    before = replay.checkpoint.read_bytes()
    admin = AdminClient({"bootstrap.servers": node.bootstrap_servers, "log_level": 0})
    if change == "more partitions":
        admin.create_partitions([NewPartitions(replay.topic, 9)])[replay.topic].result(10)
        wait_partitions(node.bootstrap_servers, replay.topic, 9)
    else:
        admin.delete_topics([replay.topic])[replay.topic].result(10)
        wait_partitions(node.bootstrap_servers, replay.topic, 0)
    if change == "recreated":
        create_topic(node.bootstrap_servers, replay.topic, 6)
    records = 0 if change == "deleted" else replay.records()
    refused = replay.run(code=4)
    assert {"deleted": "deleted", "recreated": "created again", "more partitions": "was 6, now 9"}[
        change
    ] in refused.log
    assert replay.checkpoint.read_bytes() == before
    if change != "deleted":
        assert replay.records() == records, "a refused run sends nothing"


def test_acknowledged_rows_that_are_gone_are_no_secret(
    node: KafkaCluster, folder: Path, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: a broker that lost a partition would get the rest of it, and nobody would miss the beginning."""
    killed = scenario(trades, node.bootstrap_servers, *SLOW)
    done = replace(killed, topic=f"{killed.topic}-done", checkpoint=killed.checkpoint.with_name("done.json"))
    create_topic(node.bootstrap_servers, done.topic, 6)
    under_way(killed).kill()
    done.run("--rate", "max", code=0)
    before = [each.checkpoint.read_bytes() for each in (killed, done)]
    node.kill_node(0)
    logs = list(folder.glob(f"node0/data/{killed.topic}-*"))
    assert len(logs) == 12
    for log in logs:
        shutil.rmtree(log)
    node.start()
    for each in (killed, done):
        assert partition_count(node.bootstrap_servers, each.topic) == 6
        refused = each.run(code=4)
        assert "acknowledged rows are gone" in refused.log
        assert each.records() == 0
    assert [each.checkpoint.read_bytes() for each in (killed, done)] == before


def test_a_tail_that_retention_took_is_no_secret(node: KafkaCluster, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: rows that were in the topic, but cannot be found any more, would be sent again."""
    replay = scenario(trades, node.bootstrap_servers, "--checkpoint-interval", "5s")
    replay.run(crash="after report 8000", code=KILLED)
    records = replay.records()
    admin = AdminClient({"bootstrap.servers": node.bootstrap_servers, "log_level": 0})
    some = [TopicPartition(replay.topic, p, 1) for p in range(6) if p in busy_partitions(replay)]
    for future in admin.delete_records(some).values():
        future.result(10)
    refused = replay.run(code=4)
    assert "deleted (retention)" in refused.log
    assert replay.records() == records - len(some)


def busy_partitions(replay: Scenario) -> set[int]:
    return {p for p, records in enumerate(read_topic(replay.bootstrap_servers, replay.topic)) if records}


def test_a_wiped_broker_is_another_cluster_s_topic(node: KafkaCluster, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: a replay would go on in the middle on a broker that was set up anew."""
    replay = scenario(trades, node.bootstrap_servers, "--rate", "max")
    replay.run(crash="after report 5000", code=KILLED)
    node.kill_node(0)
    node.wipe_node(0)
    node.start()
    create_topic(node.bootstrap_servers, replay.topic, 6)
    refused = replay.run(code=4)
    assert "created again" in refused.log
    assert replay.records() == 0
