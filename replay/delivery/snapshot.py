"""What a running replay tells, and how it is told to stop: the seam between the job and its surroundings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from replay.counts import ByName, RowCounts, row_counts
from replay.delivery.pace import Lateness
from replay.kafka.statistics import BrokerStatistics
from replay.model import Ints, Progress
from replay.reporter import Reporter

BEGINNING = "beginning"
"""The phase in which all was looked at that could keep a replay from being one."""

SETTLING = "waiting until no row of the last run can surface any more"
TAIL = "reading the topic's tail"
STARTING_OVER = "starting over from what Kafka has committed"
RESUMING = frozenset({SETTLING, TAIL, STARTING_OVER})
"""Phases in which no row goes out, since it is being found out which row comes next."""

_COUNTED_RECORDS = 4_096
"""Records that are counted at once: what is handed over at once at full speed."""


@dataclass(slots=True)
class Snapshot:
    """The state of a running replay, for whoever shows it."""

    rows: int
    pruned_rows: int = 0  # of INPUT, ruled out by statistics: not selected, and beside `rows`
    counts: RowCounts = field(init=False)  # what is proven: all displays tell this
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
    schedule_end_ns: int | None = None  # the event time of the last row, where event times make the schedule
    schedule_left_s: float | None = None  # until that row is due
    is_end_at_most: bool = False  # it may be due earlier
    outage_since_s: float | None = None  # seconds since 1970
    outage_left_s: float = 0.0
    outage_reason: str = ""
    outages: int = 0
    outages_s: float = 0.0
    sending_since_s: float | None = None  # on the monotonic clock: when the first producer began
    sending_s: float = 0.0  # since then
    first_ack_s: float | None = None
    statistics: BrokerStatistics | None = None  # of the present producer
    cluster_id: str = ""
    nothing_selected: bool = False  # and that was allowed: there is no topic that this run would have made
    inputs: Sequence[str] = ()  # all files, as they may be shown
    symbol_names: Sequence[str] = ()  # by symbol id
    _by_symbol: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    _by_partition: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    _events_ns: tuple[int, int] | None = None
    _new_sent: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)  # not counted yet
    _new_records: int = 0

    def __post_init__(self) -> None:
        self.counts = RowCounts(self.rows + self.pruned_rows, not_selected=self.pruned_rows)

    def proven(self, progress: Progress) -> None:
        """So far the replay has come, whoever sent the rows."""
        self.counts = row_counts(progress, self.rows, self.pruned_rows)

    def knows(self, progress: Progress, *, transactional: bool = False) -> None:
        """What a checkpoint says, before anything was sent."""
        self.first_row = self.done_rows = progress.position.row
        if transactional:
            self.committed_row = progress.position.row
        self.proven(progress)

    def begins(self, progress: Progress) -> None:
        """A producer is about to go on from here: nothing is in flight, and what the topic holds is known."""
        self.proven(progress)
        if self.begun_in_topic is None:
            self.first_row = self.done_rows = progress.position.row
            self.begun_in_topic = self.counts.in_topic
        self.resent_rows = max(self.resent_rows, self.sent_rows - self.delivered_rows)

    @property
    def delivered_rows(self) -> int:
        """Rows that this run has brought into the topic."""
        return 0 if self.begun_in_topic is None else max(0, self.counts.in_topic - self.begun_in_topic)

    @property
    def unconfirmed_rows(self) -> int:
        """Rows handed over of which it is not known whether they are in the topic."""
        return max(0, self.sent_rows - self.delivered_rows - self.resent_rows)

    def count_sent(self, symbols: Ints, partitions: Ints, event_times_ns: Ints) -> None:
        """Records that were handed over: the symbol id, partition and event time of each.

        Counted once there are many, or somebody asks: that costs as much for ten records as for all symbols."""
        if len(event_times_ns) == 0:
            return
        self._new_sent.append((symbols, partitions, event_times_ns))
        self._new_records += len(event_times_ns)
        if self._new_records >= _COUNTED_RECORDS:
            self._count_new_sent()

    def symbols_sent(self, names_max: int) -> ByName:
        """Records of this run by symbol."""
        self._count_new_sent()
        return _counts(self._by_symbol, names_max, lambda number: self.symbol_names[number])

    def partitions_sent(self, names_max: int) -> ByName:
        self._count_new_sent()
        return _counts(self._by_partition, names_max, str)

    def events_sent_ns(self) -> tuple[int, int] | None:
        """First and last event time of the records that this run has handed over."""
        self._count_new_sent()
        return self._events_ns

    def _count_new_sent(self) -> None:
        if not self._new_sent:
            return
        symbols, partitions, times_ns = map(np.concatenate, zip(*self._new_sent, strict=True))
        self._new_sent.clear()
        self._new_records = 0
        self._by_symbol = _added(self._by_symbol, np.bincount(symbols))
        self._by_partition = _added(self._by_partition, np.bincount(partitions))
        first_ns, last_ns = self._events_ns or (int(times_ns[0]), int(times_ns[0]))
        self._events_ns = min(first_ns, int(times_ns.min())), max(last_ns, int(times_ns.max()))


def _added(sums: Ints, more: Ints) -> Ints:
    """Arrays of counts by number, of any length."""
    if len(sums) < len(more):
        sums = np.pad(sums, (0, len(more) - len(sums)))
    sums[: len(more)] += more
    return sums


def _counts(by_number: Ints, names_max: int, name: Callable[[int], str]) -> ByName:
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
