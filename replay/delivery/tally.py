"""What a run counts, from its beginning to its end. It belongs to the run; who displays it gets a `Snapshot`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from replay.counts import RowCounts, row_counts
from replay.delivery.lateness import Lateness
from replay.delivery.snapshot import Sent, Snapshot
from replay.kafka.statistics import BrokerStatistics
from replay.model import Ints, Progress
from replay.secrets import hidden

_SHOWN = [field.name for field in fields(Snapshot) if field.name not in ("lateness", "ack_latency", "sent")]
"""What a view has as it is: values that are never changed, only replaced, and lists that only grow."""

_COUNTED_RECORDS = 4_096
"""Records that are counted at once: what is handed over at once at full speed."""


class SentCounts:
    """Counts the records that are handed over, by symbol and by partition.

    They are counted once there are many, or somebody asks: that costs as much for ten records as for all symbols."""

    def __init__(self) -> None:
        self._counted = Sent(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), None)
        self._is_lent = False  # somebody has the arrays, so they stay as they are
        self._new: list[tuple[Ints, Ints, Ints]] = []
        self._new_records = 0

    def add(self, symbols: Ints, partitions: Ints, event_times_ns: Ints) -> None:
        """The symbol id, partition and event time of each record."""
        if len(event_times_ns) == 0:
            return
        self._new.append((symbols, partitions, event_times_ns))
        self._new_records += len(event_times_ns)
        if self._new_records >= _COUNTED_RECORDS:
            self._count_new()

    def view(self) -> Sent:
        self._count_new()
        self._is_lent = True
        return self._counted

    def _count_new(self) -> None:
        if not self._new:
            return
        symbols, partitions, times_ns = map(np.concatenate, zip(*self._new, strict=True))
        self._new.clear()
        self._new_records = 0
        old = self._counted
        first_ns, last_ns = old.events_ns or (int(times_ns[0]), int(times_ns[0]))
        self._counted = Sent(
            self._sum(old.by_symbol, np.bincount(symbols)),
            self._sum(old.by_partition, np.bincount(partitions)),
            (min(first_ns, int(times_ns.min())), max(last_ns, int(times_ns.max()))),
        )
        self._is_lent = False

    def _sum(self, sums: Ints, more: Ints) -> Ints:
        """Arrays of counts by number, of any length."""
        if len(sums) < len(more):
            sums = np.pad(sums, (0, len(more) - len(sums)))
        elif self._is_lent:
            sums = sums.copy()
        sums[: len(more)] += more
        return sums


@dataclass(slots=True)
class Tally:
    """`rows` are those of the replay; `pruned_rows` of INPUT are ruled out by statistics: not selected, and beside
    `rows`."""

    rows: int
    pruned_rows: int = 0
    counts: RowCounts = field(init=False)  # what is proven: all displays show this
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
    throttled_s: float = 0.0  # for a quota of the cluster's
    sending_since_s: float | None = None  # on the monotonic clock: when the first producer began
    sending_s: float = 0.0  # since then
    statistics: BrokerStatistics | None = None  # of the present producer
    cluster_id: str = ""
    nothing_selected: bool = False  # and that was allowed: there is no topic that this run would have made
    inputs: Sequence[str] = ()  # all files, as they may be shown
    symbol_names: Sequence[str] = ()  # by symbol id
    sent: SentCounts = field(default_factory=SentCounts)
    _viewed_outages: int = 0

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
    def has_unseen_outage(self) -> bool:
        """Whether an outage is counted that no view has."""
        return self.outages != self._viewed_outages

    def view(self) -> Snapshot:
        """As it is now. It is made every 0.1 s, so it costs little."""
        self._viewed_outages = self.outages
        self.outage_reason = self.outage_reason and hidden(self.outage_reason)  # a broker's words are on their way out
        return Snapshot(
            lateness=self.lateness.copy(),
            ack_latency=self.ack_latency.copy(),
            sent=self.sent.view(),
            **{name: getattr(self, name) for name in _SHOWN},
        )
