"""Rows and records on their way into a comparison, and those of one side that wait for the other. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from replay.model import Content
from replay.verify.kinds import NONE

Identity = tuple[bytes | None, Content, int | None]
"""Key, value (with headers where these are compared), timestamp in ms since 1970 (None: not compared)."""


@dataclass(slots=True)
class Stretch:
    """Consecutive rows or records of a partition; `places` are row numbers or offsets. `at`: the next to look at."""

    keys: Sequence[bytes | None]
    contents: Sequence[Content]
    times: Sequence[int | None]
    places: Sequence[int]
    at: int = 0

    @property
    def left(self) -> int:
        return len(self.places) - self.at

    def head(self) -> Identity:
        return self.keys[self.at], self.contents[self.at], self.times[self.at]


@dataclass(slots=True, eq=False)
class WaitingRecords:
    """A row or record that waits for the other. `row`: of a record, once it is known; NONE when there is none."""

    identity: Identity
    place: int
    number: int
    waits: bool = True
    row: int = NONE


class Pending:
    """Who waits on one side, the oldest first, and no longer than `window` steps of this side."""

    def __init__(self, window: int, give_up: Callable[[Identity, int], None]) -> None:
        self._window, self.give_up = window, give_up
        self._by_identity: dict[Identity, list[WaitingRecords]] = {}
        self._ages: deque[WaitingRecords] = deque()
        self._now = 0

    def __bool__(self) -> bool:
        return bool(self._by_identity)

    def __contains__(self, identity: Identity) -> bool:
        return identity in self._by_identity

    def add(self, identity: Identity, place: int) -> WaitingRecords:
        waiting = WaitingRecords(identity, place, self._now)
        self._by_identity.setdefault(identity, []).append(waiting)
        self._ages.append(waiting)
        return waiting

    def take(self, identity: Identity) -> WaitingRecords:
        same = self._by_identity[identity]
        taken = same.pop(0)
        taken.waits = False
        if not same:
            del self._by_identity[identity]
            if not self._by_identity:
                self._ages.clear()
        return taken

    def step(self) -> bool:
        """This side went on by one; True where somebody's time is over."""
        self._now += 1
        oldest = self._now - self._window
        if not self._ages or self._ages[0].number > oldest:
            return False
        while self._ages and self._ages[0].number <= oldest:
            self._drop(self._ages.popleft())
        return True

    def drop_all(self) -> None:
        while self._ages:
            self._drop(self._ages.popleft())

    def newest(self, number: int) -> list[Identity]:
        return [each.identity for each, _ in zip(reversed(self._ages), range(number), strict=False) if each.waits]

    def _drop(self, waiting: WaitingRecords) -> None:
        if waiting.waits:
            self.take(waiting.identity)  # the oldest of its content, which is this one
            self.give_up(waiting.identity, waiting.place)
