"""What a running replay shows: its figures at one moment, and the protocol of a display. Nothing is decided from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from replay.counts import ByName, RowCounts
from replay.delivery.lateness import Lateness
from replay.kafka.statistics import BrokerStatistics
from replay.model import Ints
from replay.reporter import Reporter

BEGINNING = "beginning"
"""The phase in which all was looked at that could keep a replay from being one."""

SETTLING = "waiting until no row of the last run can surface any more"
TAIL = "reading the topic's tail"
STARTING_OVER = "starting over from what Kafka has committed"
RESUMING = frozenset({SETTLING, TAIL, STARTING_OVER})
"""Phases in which no row goes out, since it is being found out which row comes next."""


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """Records that a run has handed over: their number by symbol id and by partition, first and last event time."""

    by_symbol: Ints
    by_partition: Ints
    events_ns: tuple[int, int] | None


@dataclass(slots=True, eq=False)
class Figures:
    """What a run counts and what is shown of it. `rows` are those of the replay."""

    rows: int
    counts: RowCounts = field(default_factory=lambda: RowCounts(0))  # what is proven: all displays show this
    first_row: int = 0
    done_rows: int = 0
    committed_row: int | None = None  # transactional delivery only: rows before it are committed
    sent_rows: int = 0
    already_there_rows: int = 0
    resent_rows: int = 0  # handed over again, since they were lost on their way
    begun_in_topic: int | None = None  # `counts.in_topic` when the first producer began; None: not yet
    in_flight_rows: int = 0
    lateness: Lateness = field(default_factory=Lateness)
    ack_latency: Lateness = field(default_factory=Lateness)  # from handing a chunk over to its last report
    shifted_s: float = 0.0
    schedule_left_s: float | None = None  # until the last row is due, where event times make the schedule
    is_end_at_most: bool = False  # it may be due earlier
    outage_since_s: float | None = None  # seconds since 1970
    outage_left_s: float = 0.0
    outage_reason: str = ""
    outages: int = 0
    outages_s: float = 0.0
    sending_s: float = 0.0  # since the first producer began
    statistics: BrokerStatistics | None = None  # of the present producer
    cluster_id: str = ""
    nothing_selected: bool = False  # and that was allowed: there is no topic that this run would have made
    inputs: Sequence[str] = ()  # all files, as they may be shown
    symbol_names: Sequence[str] = ()  # by symbol id

    @property
    def delivered_rows(self) -> int:
        """Rows that this run has brought into the topic."""
        return 0 if self.begun_in_topic is None else max(0, self.counts.in_topic - self.begun_in_topic)


@dataclass(slots=True, eq=False, kw_only=True)
class Snapshot(Figures):
    """A running replay at one moment. A `Tally` makes it, and nobody changes it."""

    sent: Sent

    @property
    def unconfirmed_rows(self) -> int:
        """Rows handed over of which it is not known whether they are in the topic."""
        return max(0, self.sent_rows - self.delivered_rows - self.resent_rows)

    def symbols_sent(self, names_max: int) -> ByName:
        """Records of this run by symbol."""
        return _by_name(self.sent.by_symbol, names_max, lambda number: self.symbol_names[number])

    def partitions_sent(self, names_max: int) -> ByName:
        return _by_name(self.sent.by_partition, names_max, str)


def _by_name(by_number: Ints, names_max: int, name: Callable[[int], str]) -> ByName:
    """The largest by name, the most first, and what is left: a million symbols cost no more than a few milliseconds."""
    numbers = np.flatnonzero(by_number)
    if len(numbers) > names_max:
        largest = np.argpartition(by_number[numbers], len(numbers) - names_max)[len(numbers) - names_max :]
        named = numbers[largest]
    else:
        named = numbers
    named = named[np.argsort(-by_number[named], kind="stable")]
    rows = {name(int(number)): int(by_number[number]) for number in named}
    return ByName(rows, len(numbers) - len(named), int(by_number.sum()) - sum(rows.values()))


class Display(Reporter, Protocol):
    """Who is also shown how far a replay has come."""

    def progress(self, snapshot: Snapshot) -> None: ...
