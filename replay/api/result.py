"""How a replay ended that was called from Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as calendar_date
from enum import StrEnum
from pathlib import Path
from typing import Any


class Outcome(StrEnum):
    """All of them are successes: whatever else happens is an error."""

    DONE = "done"
    WAS_DONE = "was done"
    """All rows were in the topic when the replay began: nothing was sent."""
    EMPTY = "empty"
    """No row is selected, and `empty` or `allow_empty` says that this is no failure."""
    DAY_OFF = "a day off"
    """The date has no file, and the calendar expects none."""
    SKIPPED = "skipped"
    """The date has no file, and `missing="skip"` says that this is no failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """What the topic holds of the input once `replay()` has returned.

    `of_rows` is the sum of `in_topic`, `not_selected` and `bad`. All four are numbers of rows of the whole replay,
    whichever call sent them; `sent_rows` are those that this call has brought into the topic. `bad_by_reason` says why
    rows are bad. `seconds` is the time that the call took, `sending_seconds` that since its first producer began.
    `verdict` is what reading the topic back found, as `replay verify --output json` has it; None without `verify`.
    `warnings` are those that were logged.
    """

    outcome: Outcome
    topic: str
    job: str
    date: calendar_date | None
    checkpoint: Path
    of_rows: int = 0
    in_topic: int = 0
    not_selected: int = 0
    bad: int = 0
    bad_by_reason: Mapping[str, int] = field(default_factory=dict)
    sent_rows: int = 0
    seconds: float = 0.0
    sending_seconds: float = 0.0
    verdict: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def nothing_to_do(self) -> bool:
        """No row was sent, and none had to be."""
        return self.outcome is not Outcome.DONE
