"""What a transactional replay is looked at with: readers of either isolation, and its progress records."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, TopicPartition

from tests.support.readback import compare, partition_count, read_topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from tests.support.process import Job
    from tests.support.scenario import Scenario


class Watcher:
    """A consumer at some isolation that notes when it got each record; it goes on as the topic does."""

    def __init__(self, bootstrap_servers: str, topic: str, isolation: str = "read_committed") -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "watcher-joins-no-group",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": isolation,
                "fetch.wait.max.ms": 20,
                "fetch.queue.backoff.ms": 5,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        count = partition_count(bootstrap_servers, topic)
        self._consumer.assign([TopicPartition(topic, p, 0) for p in range(count)])
        self.seen_s: dict[tuple[int, int], float] = {}
        """When each record came, by partition and offset."""

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def look(self, seconds: float = 0.02) -> int:
        """How many records have come by now."""
        for message in self._consumer.consume(10_000, seconds):
            if message.error() is None:
                self.seen_s.setdefault((message.partition(), message.offset()), time.monotonic())
        return len(self.seen_s)

    def wait(self, count: int, job: Job, timeout_s: float = 30) -> None:
        """Until `count` records have come, while the job runs."""
        deadline = time.monotonic() + timeout_s
        while self.look() < count:
            ended = job.exit_code is not None
            assert time.monotonic() < deadline, f"{len(self.seen_s)} of {count} records\n{job.log}"
            assert not ended or self.look(1) >= count, f"the job ended at {len(self.seen_s)} of {count}\n{job.log}"


def wait_committed(replay: Scenario, job: Job, count: int, isolation: str = "read_committed") -> None:
    """Until a reader sees `count` records of the topic, while the job runs."""
    with Watcher(replay.bootstrap_servers, replay.topic, isolation) as watcher:
        watcher.wait(count, job)


def assert_committed_exact(replay: Scenario) -> None:
    """A read_committed reader gets every row once, in order, and nothing else."""
    read = read_topic(replay.bootstrap_servers, replay.topic, "read_committed", deadline_s=60)
    verdict = compare(replay.trades.rows, read)
    assert verdict.exact, f"{verdict}\n{replay.jobs.logs()}"


def committed_rows(replay: Scenario) -> int:
    return sum(map(len, read_topic(replay.bootstrap_servers, replay.topic, "read_committed", deadline_s=60)))


@dataclass(frozen=True)
class ProgressSeen:
    """A progress record, as anybody may read it."""

    next_row: int
    instance: str
    timestamp_ms: int
    content: Mapping[str, Any]


def progress_records(bootstrap_servers: str, progress_topic: str, job: str) -> list[ProgressSeen]:
    """Every committed progress record of the job that compaction has left, oldest first."""
    (records,) = read_topic(bootstrap_servers, progress_topic, "read_committed", deadline_s=60)
    ours: Iterable[Any] = (record for record in records if record.key == job.encode())
    contents = [(json.loads(record.value), record.timestamp_ms) for record in ours]
    return [ProgressSeen(body["next_row"], body["instance"], time_ms, body) for body, time_ms in contents]


def forget_checkpoint(replay: Scenario) -> None:
    """The machine is lost: the checkpoint and all that lies beside it."""
    for path in replay.checkpoint.parent.glob(replay.checkpoint.name + "*"):
        path.unlink()
