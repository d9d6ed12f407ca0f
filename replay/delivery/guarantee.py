"""What makes a delivery exact: the seam between the session, which sends rows, and who keeps account of them.

There are two: `by_checkpoint` (idempotent delivery) and `by_transaction` (transactional delivery).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from replay.model import Progress, Resync

ACK_WAIT_S = 0.01
"""How long to wait for a report while no more rows can go out; a report ends it."""

Wait = Callable[[float], None]
"""Serves reports for up to so many seconds, until the first one; raises whatever ends the session."""


class Guarantee(Protocol):
    """Asked before rows go out, ten times a second, and at the end. It saves or commits when that is due."""

    @property
    def proven(self) -> Progress:
        """What is in the topic for certain, as it is shown."""

    @property
    def committed_row(self) -> int | None:
        """Rows before it are committed; None: there are no transactions."""

    @property
    def unconfirmed_rows(self) -> int:
        """Rows of which the next run has to find out whether they are in the topic."""

    def before_chunk(self, rows: int, records: int, wait: Wait) -> None:
        """So many records are about to be handed over, and with them so many rows (skipped and left out ones too) are
        dealt with. Returns once they may. Raises `Resync` where they never may."""

    def tick(self, now_s: float, wait: Wait) -> None:
        """Every 0.1 s."""

    def start_over_after(self, codes: Collection[int]) -> type[Resync] | None:
        """What to raise where records failed for good with these error codes; None: they would fail again."""

    def finish(self, wait: Wait) -> None:
        """Every row was handed over: see each acknowledged, then say on record that the replay is done."""

    def end(self, drain_s: float, *, may_be_clean: bool) -> bool:
        """Something else ends the session: drain what can be drained, let go of the producer, record what is proven.
        True if that is all that was handed over."""
