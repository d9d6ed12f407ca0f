"""SIGKILL to the replay of a topic's dump; then the same command again, and the topic is compared record by record:
key, value, headers, timestamp and partition."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import ISOLATION, PARTITIONS, seeds
from tests.support.dumps import AS_IT_IS, Kept, Restored, by_partition, kept_of, made_up, produce, write_dump
from tests.support.process import KILLED, checkpoint, replay_command
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job, Jobs

MADE_UP = made_up(16_000, PARTITIONS)
SEEDS = 3


def merged(records: Sequence[Kept]) -> list[Kept]:
    """Of two files in turn: by time, then file, then row."""
    order = sorted(range(len(records)), key=lambda at: (records[at].timestamp_ms, at % 2, at))
    return [records[at] for at in order]


RECORDS = merged(MADE_UP)


@dataclass
class Dump:
    """The replay of one dump into one topic."""

    bootstrap_servers: str
    topic: str
    folder: Path
    jobs: Jobs
    delivery: str
    foreign: list[Kept] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "checkpoint.json"

    def start(self, *more: str, crash: str | None = None) -> Job:
        options = [*AS_IT_IS, "--delivery", self.delivery, "--rate", "16k/s", *more]
        inputs = sorted(self.folder.glob("*.parquet"))
        return self.jobs.start(replay_command(inputs, self.topic, self.bootstrap_servers, self.file, *options), crash)

    def run(self, *more: str, code: int, crash: str | None = None) -> Job:
        job = self.start(*more, crash=crash)
        assert job.wait() == code, job.log
        return job

    def add_foreign(self) -> None:
        """Of each partition what comes next, but with other headers."""
        there = kept_of(self.bootstrap_servers, self.topic)
        for wanted, found in zip(by_partition(RECORDS, PARTITIONS), there, strict=True):
            ours = sum(one not in self.foreign for one in found)
            twins = [replace(one, headers=(*one.headers, ("other", b"1"))) for one in wanted[ours : ours + 3]]
            produce(self.bootstrap_servers, self.topic, twins)
            self.foreign += twins

    def finish(self) -> None:
        self.run("--rate", "max", "--verify", code=0)
        wanted = by_partition(RECORDS, PARTITIONS)
        restored = Restored(self.bootstrap_servers, self.topic, wanted, self.jobs, ISOLATION[self.delivery])
        restored.assert_exact(self.foreign)


@pytest.fixture
def dump(kafka: KafkaCluster | Broker, topic: str, tmp_path: Path, jobs: Jobs) -> Callable[[str], Dump]:
    def make(delivery: str) -> Dump:
        create_topic(kafka.bootstrap_servers, topic, PARTITIONS, config={"retention.ms": "-1"})
        for name, part in (("a", MADE_UP[::2]), ("b", MADE_UP[1::2])):  # merged by their times
            write_dump(tmp_path / f"{name}.parquet", part, 3_000)
        return Dump(kafka.bootstrap_servers, topic, tmp_path, jobs, delivery)

    return make


@pytest.mark.parametrize("crash", ["after send 1", "after report 5000"])
def test_killed_while_others_write_the_same_with_other_headers(dump: Callable[[str], Dump], crash: str) -> None:
    """Broken: a record of others that differs in its headers alone is taken for one of the dump, which is lost; or a
    tombstone, a record without a key or one with headers is not found again, and sent twice."""
    replay = dump("idempotent")
    replay.run(crash=crash, code=KILLED)
    replay.add_foreign()
    replay.finish()


@pytest.mark.parametrize("crash", ["after send 1", "before commit 4", "after commit 4"])
def test_killed_in_a_transaction_of_a_dump(dump: Callable[[str], Dump], crash: str) -> None:
    """Broken: a kill -9 between two transactions loses or repeats records of a dump."""
    replay = dump("transactional")
    replay.run("--transaction-rows", "1000", crash=crash, code=KILLED)
    replay.finish()


@pytest.mark.parametrize("seed", seeds(SEEDS, (0,)))
@pytest.mark.parametrize("delivery", ISOLATION)
def test_a_dump_killed_at_random_moments(dump: Callable[[str], Dump], delivery: str, seed: int) -> None:
    """Broken: a topic that is restored with interruptions is not what it was."""
    rng, replay = random.Random(seed), dump(delivery)
    for _ in range(3):
        job = replay.start("--rate", "6k/s", "--checkpoint-interval", "200ms")
        job.wait_row(replay.file, min(len(RECORDS), checkpoint(replay.file).get("next_row", 0) + 500))
        time.sleep(rng.random() * 0.3)
        job.kill()
        if job.exit_code == 0:  # only the last rows were left
            break
    replay.finish()
