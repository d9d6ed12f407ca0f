"""How far a replay has come, written down: a generation of its checkpoint a call."""

from __future__ import annotations

from dataclasses import dataclass

from replay.checkpoint.content import Checkpoint, JobPrint, JobState
from replay.checkpoint.file import CheckpointFile, this_instance
from replay.delivery import emptiness
from replay.delivery.flight import lead_rows_max
from replay.delivery.options import RunOptions
from replay.model import Clock, Progress
from replay.source.source import Source


@dataclass(frozen=True, slots=True)
class Saving:
    """`first_offsets` is where the replay began in each partition; `appended`: to a replay that was done; `checked`:
    every row was, or will have been, looked at before the first one is sent."""

    options: RunOptions
    source: Source
    file: CheckpointFile
    clock: Clock
    job: JobPrint
    first_offsets: tuple[int, ...]
    appended: bool = False
    checked: bool = True

    def save(self, progress: Progress, state: JobState) -> None:
        """Raises `CheckpointUnwritable`."""
        self.file.save(
            Checkpoint(
                job=self.job,
                progress=progress,
                first_offsets=self.first_offsets,
                state=state,
                lead_rows_max=lead_rows_max(self.options.kafka.in_flight_rows_max),
                interval_s=self.options.checkpoint_interval_s,
                saved_at_s=self.clock.now(),
                instance=this_instance(),
                pruned_rows=self.source.pruned_rows,
                appended=self.appended,
                checked=self.checked,
            )
        )

    def save_end(self, progress: Progress) -> None:
        """There are no more rows: `DONE`, or `EMPTY` where none was sent. Raises `NothingSelected` where rows that
        were not looked at beforehand turn out not to be those that were meant."""
        self.save(progress, JobState.DONE if self._has_sent(progress) else JobState.EMPTY)

    def _has_sent(self, progress: Progress) -> bool:
        if progress.position.row == progress.position.left_out:
            emptiness.check_nothing(self.source)
            return False
        selection = self.options.source.selection
        if not self.checked and selection is not None and selection.symbols:
            emptiness.check_by_reading(self.source)
        return True
