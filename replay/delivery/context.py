"""What a replay works with: from its beginning, and once its topic is known; and how its progress is written down."""

from __future__ import annotations

from dataclasses import dataclass

from replay.checkpoint.content import Checkpoint, JobPrint, JobState
from replay.checkpoint.file import CheckpointFile, this_instance
from replay.delivery import emptiness
from replay.delivery.flight import lead_rows_max
from replay.delivery.options import RunOptions
from replay.delivery.snapshot import Display
from replay.delivery.tally import Tally
from replay.kafka.cluster import Cluster
from replay.kafka.topic import Topic
from replay.kafka.topic_watch import TopicWatch
from replay.model import Clock, Progress
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
class Saving:
    """Writes a generation of the checkpoint a call. `first_offsets` is where the replay began in each partition;
    `appended`: to a replay that was done; `checked`: every row was, or will have been, looked at before the first one
    is sent."""

    context: Context
    job: JobPrint
    first_offsets: tuple[int, ...]
    appended: bool = False
    checked: bool = True

    def save(self, progress: Progress, state: JobState) -> None:
        """Raises `CheckpointUnwritable`."""
        options = self.context.options
        self.context.file.save(
            Checkpoint(
                job=self.job,
                progress=progress,
                first_offsets=self.first_offsets,
                state=state,
                lead_rows_max=lead_rows_max(options.kafka.in_flight_rows_max),
                interval_s=options.checkpoint_interval_s,
                saved_at_s=self.context.clock.now(),
                instance=this_instance(),
                pruned_rows=self.context.source.pruned_rows,
                appended=self.appended,
                checked=self.checked,
            )
        )

    def save_end(self, progress: Progress) -> None:
        """There are no more rows: `DONE`, or `EMPTY` where none was sent. Raises `NothingSelected` where rows that
        were not looked at beforehand turn out not to be those that were meant."""
        self.save(progress, JobState.DONE if self._has_sent(progress) else JobState.EMPTY)

    def _has_sent(self, progress: Progress) -> bool:
        source = self.context.source
        if progress.position.row == progress.position.left_out:
            emptiness.check_nothing(source)
            return False
        if not self.checked and source.options.selection.symbols:
            emptiness.check_by_reading(source)
        return True


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
