"""How far a replay has come, written down: a generation of its checkpoint a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replay.checkpoint.content import Checkpoint, JobPrint, JobState
from replay.checkpoint.file import this_instance
from replay.delivery import emptiness
from replay.delivery.flight import lead_rows_max
from replay.model import Progress

if TYPE_CHECKING:
    from replay.delivery.context import Context


@dataclass(frozen=True, slots=True)
class Saving:
    """`first_offsets` is where the replay began in each partition; `appended`: to a replay that was done; `checked`:
    every row was, or will have been, looked at before the first one is sent."""

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
        if not progress.position.records:
            emptiness.check_nothing(source)
            return False
        if not self.checked and source.options.selection.symbols:
            emptiness.check_by_reading(source)
        return True
