"""SIGKILL to the job, at random moments and at exact ones; then the same command again, and the topic is read."""

from __future__ import annotations

import random
import shutil
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import seeds
from tests.support.process import KILLED, checkpoint, checkpoint_row

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.fault.conftest import MakeScenario
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Trades

SEEDS = 20
IN_STARTUP = 3
"""So many of the seeds kill while the process starts up."""

QUICK_SEEDS = (0, 5, 9, 14, 19)
"""One in the start-up, and early, in the middle and late; the resume after it is killed never, once and twice."""

SENDING_S = 1.0
"""From the first checkpoint on, a replay cannot take less: 16,000 rows at 16,000/s."""

FIRST_RUN = [
    "before save 1",  # no checkpoint, nothing sent
    "after save 1",  # the start checkpoint, without its copy
    "after save 2",
    "after send 1",  # rows that no report and no checkpoint knows
    "after report 1",  # acknowledged, not saved
    "after report 5000",
    "before save 3",  # the first with progress
    "amid write 1 of save 3",
    "before fsync 1 of save 3",
    "after link 1 of save 3",
    "after replace 1 of save 3",  # the old generation has two names
    "after replace 2 of save 3",  # the new generation, not yet safe from a power cut
    "before done 1",  # every row acknowledged, nobody knows
    "after done 1",
]
RESUMED_RUN = [
    "amid read 1",
    "after read 1",  # the tail was read, the start checkpoint not saved
    "after save 1",
    "after send 1",
    "before done 1",
]


@pytest.mark.parametrize("seed", seeds(SEEDS, QUICK_SEEDS))
def test_killed_at_a_random_moment(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario, seed: int
) -> None:
    """Broken: a kill -9 would lose or duplicate trades, or change their order."""
    rng = random.Random(seed)
    replay = scenario(trades, kafka.bootstrap_servers, "--checkpoint-interval", rng.choice(["50ms", "200ms", "5s"]))
    replay.add_foreign()
    in_startup = seed < IN_STARTUP
    # Each seed has a slice of the time of its own, so that all together cover it.
    share = (seed - IN_STARTUP + rng.random()) / (SEEDS - IN_STARTUP)
    after_s = 0.4 * rng.random() if in_startup else SENDING_S * share
    job = replay.start()
    if not in_startup:  # on a busy machine, delays from the start would all end in the start-up
        job.wait_row(replay.checkpoint, 0)
    time.sleep(after_s)
    job.kill()
    assert job.exit_code == KILLED, job.log
    for _ in range((0, 1, 0, 2)[seed % 4]):
        replay.add_foreign()
        again = replay.start()
        if checkpoint(replay.checkpoint).get("state") == "running":
            again.wait_log("resuming at row")
        time.sleep(rng.random() * 1.2)  # the tail is read after 0.5 s
        again.kill()
        if again.exit_code == 0:  # only the last rows were left
            break
        assert again.exit_code == KILLED, again.log
    replay.add_foreign()
    replay.run(code=0)
    replay.assert_exact()


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_full_speed(
    kafka: KafkaCluster | Broker, many_trades: Trades, scenario: MakeScenario, seed: int
) -> None:
    """Broken: with a full queue (tens of thousands of rows unacknowledged) a kill would lose or repeat some."""
    rng = random.Random(seed)
    interval = rng.choice(["50ms", "5s"])
    replay = scenario(many_trades, kafka.bootstrap_servers, "--rate", "max", "--checkpoint-interval", interval)
    report = rng.randrange(1, 75_000)
    replay.run(crash=f"after report {report}", code=KILLED)
    assert 0 <= checkpoint_row(replay.checkpoint) <= report
    replay.add_foreign()
    replay.run(code=0)
    replay.assert_exact()


@pytest.mark.parametrize("crash", FIRST_RUN)
def test_killed_at_an_exact_place(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario, crash: str
) -> None:
    """Broken: a crash right there would leave a state from which a resume goes wrong."""
    replay = scenario(trades, kafka.bootstrap_servers, "--rate", "48k/s", "--checkpoint-interval", "50ms")
    replay.add_foreign()
    replay.run(crash=crash, code=KILLED)
    replay.add_foreign()
    replay.run(code=0)
    replay.assert_exact()


@pytest.mark.parametrize("crash", RESUMED_RUN)
def test_a_resume_killed_at_an_exact_place(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario, crash: str
) -> None:
    """Broken: a crash of the resume itself would make the run after it lose or repeat what the first had sent."""
    replay = scenario(trades, kafka.bootstrap_servers, "--rate", "48k/s", "--checkpoint-interval", "5s")
    replay.run(crash="after report 5000", code=KILLED)
    assert checkpoint_row(replay.checkpoint) == 0, "this test needs a tail that the checkpoint does not know"
    replay.add_foreign()
    replay.run(crash=crash, code=KILLED)
    replay.add_foreign()
    resumed = replay.run(code=0)
    assert "resuming at row" in resumed.log
    replay.assert_exact()


def test_the_generation_before_is_as_good(kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: the advice given for a damaged checkpoint (copy NAME.prev over it) would lose or repeat rows."""
    replay = scenario(trades, kafka.bootstrap_servers, "--checkpoint-interval", "100ms")
    job = replay.start()
    job.wait_row(replay.checkpoint, 8_000)
    job.kill()
    newest = checkpoint_row(replay.checkpoint)
    replay.checkpoint.write_bytes(replay.checkpoint.read_bytes()[:-40])
    refused = replay.run(code=4)
    assert "copy it over" in refused.log
    previous = replay.checkpoint.with_name(replay.checkpoint.name + ".prev")
    shutil.copy(previous, replay.checkpoint)
    assert checkpoint(replay.checkpoint)["next_row"] < newest
    replay.run(code=0)
    replay.assert_exact()


def test_the_generation_before_never_hides_a_tail(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: after a clean stop, a resume and a crash, the older generation would still say "clean": whoever
    copies it back would send again what the resume had sent."""
    replay = scenario(trades, kafka.bootstrap_servers, "--checkpoint-interval", "5s")
    job = replay.start()
    job.wait_row(replay.checkpoint, 0)
    time.sleep(0.5)
    job.signal(signal.SIGTERM)
    assert job.wait() == 143, job.log
    assert checkpoint(replay.checkpoint)["state"] == "clean"
    replay.run(crash="after report 5000", code=KILLED)
    shutil.copy(replay.checkpoint.with_name(replay.checkpoint.name + ".prev"), replay.checkpoint)
    replay.run(code=0)
    replay.assert_exact()


def test_killed_before_it_saved_any_progress(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: without a checkpoint that says where the replay began, a run that was killed early would be unknown to
    the next one, and its rows be sent again."""
    replay = scenario(trades, kafka.bootstrap_servers, "--checkpoint-interval", "30s")
    replay.add_foreign()
    replay.run(crash="after report 5000", code=KILLED)
    replay.finish()


def test_rows_that_wait_for_a_fuller_batch_are_not_saved(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: the checkpoint would count rows that were handed over, and these are in this process only: a kill takes
    them away, and nobody sends them again."""
    lingering = ("--rate", "max", "--linger", "20s", "--checkpoint-interval", "50ms")
    replay = scenario(trades, kafka.bootstrap_servers, *lingering)
    replay.run(crash="after save 3", code=KILLED)  # the first that is due while rows are out
    replay.run("--linger", "5ms", code=0)
    replay.assert_exact()


def test_the_power_fails(kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: a checkpoint would have its name before its bytes are on disk: after a power cut it is empty."""
    replay = scenario(trades, kafka.bootstrap_servers, "--rate", "48k/s", "--checkpoint-interval", "50ms")
    replay.run(crash="cut after report 5000", code=KILLED)
    replay.finish()


def test_the_power_fails_after_a_clean_stop_and_a_resume(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: rows would be sent while only this machine's memory says that the checkpoint is not clean any more: after
    a power cut the old one is back, says that nothing is behind it, and what was sent is sent again."""
    replay = scenario(trades, kafka.bootstrap_servers, "--checkpoint-interval", "5s")
    job = replay.start()
    job.wait_row(replay.checkpoint, 0)
    job.signal(signal.SIGTERM)
    assert job.wait() == 143, job.log
    assert checkpoint(replay.checkpoint)["state"] == "clean"
    replay.run(crash="cut after report 5000", code=KILLED)
    replay.finish()


def test_frozen_for_longer_than_it_would_wait_for_a_broker(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario
) -> None:
    """Broken: a laptop that slept would take the time for an outage of the broker and send rows in flight twice, or
    lose them."""
    replay = scenario(trades, kafka.bootstrap_servers, "--broker-timeout", "1s", "--checkpoint-interval", "50ms")
    job = replay.start()
    job.wait_row(replay.checkpoint, 3_000)
    job.signal(signal.SIGSTOP)
    time.sleep(2.5)
    job.signal(signal.SIGCONT)
    if job.wait() != 0:  # rows that were in flight have waited for all that time
        assert job.exit_code == 5, job.log
    replay.finish()
