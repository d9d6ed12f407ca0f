"""The states of a transactional replay, and which may follow which. Pure.

NEW ── claim ──▶ CLAIMED ── begin ──▶ OPEN ──▶ COMMITTING ── commit ──▶ CLAIMED … ▶ DONE
                    ▲                   └───────────┴── abort ──▶ ABORTED
                    └── claim ── LOST, FENCED ◀── of whatever was claimed
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class TransactionState(Enum):
    """Of one instance of a job, over all of its producers."""

    NEW = "no claim of this instance is in Kafka yet"
    CLAIMED = "the claim is committed, and with it every row that was sent; no transaction is open"
    OPEN = "rows go out in a transaction"
    COMMITTING = "no row goes out until those of the transaction are acknowledged and committed"
    ABORTED = "the open transaction was taken back, or is left to Kafka; no row goes out any more"
    LOST = "an outcome was not proven: another producer has to claim the job, and reads what is committed"
    FENCED = "the same, since Kafka refused this one: another instance is at work, or its transaction timed out"
    DONE = "the progress record says that there are no more rows"


_S = TransactionState

ALLOWED: Mapping[TransactionState, frozenset[TransactionState]] = {
    _S.NEW: frozenset({_S.CLAIMED}),
    _S.CLAIMED: frozenset({_S.OPEN, _S.LOST, _S.FENCED, _S.DONE}),
    _S.OPEN: frozenset({_S.COMMITTING, _S.ABORTED, _S.LOST, _S.FENCED}),
    _S.COMMITTING: frozenset({_S.CLAIMED, _S.ABORTED, _S.LOST, _S.FENCED}),
    _S.ABORTED: frozenset({_S.LOST, _S.FENCED}),
    _S.LOST: frozenset({_S.CLAIMED, _S.LOST, _S.FENCED}),
    _S.FENCED: frozenset({_S.CLAIMED, _S.LOST, _S.FENCED}),
    _S.DONE: frozenset(),
}


class TransactionSteps:
    """Where the instance stands. A step that the table does not allow is a bug: it raises `AssertionError`."""

    def __init__(self) -> None:
        self.state = _S.NEW

    @property
    def is_open(self) -> bool:
        """Whether Kafka holds rows that are neither committed nor taken back."""
        return self.state in (_S.OPEN, _S.COMMITTING)

    @property
    def has_claimed(self) -> bool:
        return self.state is not _S.NEW

    def to(self, state: TransactionState) -> None:
        if state not in ALLOWED[self.state]:
            raise AssertionError(f"a transaction cannot go from {self.state.name} to {state.name}")
        self.state = state

    def lost(self, *, fenced: bool) -> None:
        """The producer is gone. An instance that has not claimed the job yet is as new as before."""
        if self.has_claimed:
            self.to(_S.FENCED if fenced else _S.LOST)
