"""What a running replay shows: a frozen view, and the protocol of a display. Nothing is decided from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A running replay at one moment. A `Tally` makes it, and says what its fields are."""

    rows: int
    counts: RowCounts
    first_row: int
    done_rows: int
    committed_row: int | None
    sent_rows: int
    already_there_rows: int
    resent_rows: int
    begun_in_topic: int | None
    delivered_rows: int
    in_flight_rows: int
    lateness: Lateness
    ack_latency: Lateness
    shifted_s: float
    schedule_left_s: float | None
    is_end_at_most: bool
    outage_since_s: float | None
    outage_left_s: float
    outage_reason: str
    outages: int
    outages_s: float
    throttled_s: float
    sending_s: float
    statistics: BrokerStatistics | None
    cluster_id: str
    nothing_selected: bool
    inputs: Sequence[str]
    symbol_names: Sequence[str]
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
