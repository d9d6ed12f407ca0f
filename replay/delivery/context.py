"""What a replay works with: from its beginning, and once its topic is known."""

from __future__ import annotations

from dataclasses import dataclass

from replay.checkpoint.file import CheckpointFile
from replay.delivery.options import RunOptions
from replay.delivery.saving import Saving
from replay.delivery.snapshot import Display
from replay.delivery.tally import Tally
from replay.kafka.cluster import Cluster
from replay.kafka.topic import Topic
from replay.kafka.topic_watch import TopicWatch
from replay.model import Clock
from replay.record.encoder import Encoder
from replay.signals import Stop
from replay.source.source import Source

SLEEP_MAX_S = 0.05
"""How long a signal or a report may wait while nothing is due."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a replay works with from beginning to end."""

    options: RunOptions
    source: Source
    file: CheckpointFile
    cluster: Cluster
    stop: Stop
    report: Display
    clock: Clock
    tally: Tally


@dataclass(frozen=True, slots=True)
class Ready(Context):
    """The same once the topic is known."""

    topic: Topic
    encoder: Encoder
    saving: Saving
    watch: TopicWatch

    def sleep(self, seconds: float) -> None:
        """Wait, unless a signal asks for the end."""
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            self.stop.check()
            self.clock.sleep(min(left, SLEEP_MAX_S))
