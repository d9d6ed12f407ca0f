"""What a running replay tells, and how it is told to stop: the seam between the job and its surroundings."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from replay.counts import RowCounts, row_counts
from replay.errors import GO_ON, Stopped
from replay.model import Bytes, Fate, Ints, Progress
from replay.pace import Lateness
from replay.signals import is_another_request
from replay.watch.broker_statistics import BrokerStatistics
from replay.watch.details import Counts

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
class Stop:
    """Set by signal handlers: the first signal asks for a drain, a second one ends the drain, unless it came with the
    first (`signals.TOGETHER_S`)."""

    signal_number: int = 0
    signals: int = 0  # requests, each of one or more signals
    first_s: float = 0.0
    again: str = GO_ON  # what there is to do afterwards

    def request(self, signal_number: int, now_s: float | None = None) -> None:
        """Safe in a signal handler. `now_s` is the monotonic clock's."""
        now_s = time.monotonic() if now_s is None else now_s
        if not self.signals:
            self.first_s = now_s
        elif not is_another_request(self.first_s, now_s):
            return
        self.signal_number = signal_number
        self.signals += 1

    def check(self) -> None:
        if self.signals:
            raise Stopped(self.signal_number, f"stopped by {signal.Signals(self.signal_number).name}", self.again)

    @property
    def how(self) -> str:
        """What whoever stops it did: `Ctrl-C`, `SIGTERM`."""
        is_key = self.signal_number == signal.SIGINT
        return "Ctrl-C" if is_key else signal.Signals(self.signal_number).name

    def impatient(self) -> bool:
        return self.signals > 1


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

    def symbols_sent(self, names_max: int) -> Counts:
        """Records of this run by symbol."""
        self._count_new_sent()
        return _counts(self._by_symbol, names_max, lambda number: self.symbol_names[number])

    def partitions_sent(self, names_max: int) -> Counts:
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


class Reporter(Protocol):
    """Who is told: the terminal, a log, a test."""

    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def phase(self, name: str, done_rows: int, rows: int) -> None: ...
    def progress(self, snapshot: Snapshot) -> None: ...


def _added(sums: Ints, more: Ints) -> Ints:
    """Arrays of counts by number, of any length."""
    if len(sums) < len(more):
        sums = np.pad(sums, (0, len(more) - len(sums)))
    sums[: len(more)] += more
    return sums


def _counts(by_number: Ints, names_max: int, name: Callable[[int], str]) -> Counts:
    """The largest by name, the most first, and what is left: a million symbols cost no more than a few milliseconds."""
    numbers = np.flatnonzero(by_number)
    if len(numbers) > names_max:
        largest = np.argpartition(by_number[numbers], len(numbers) - names_max)[len(numbers) - names_max :]
        named = numbers[largest]
    else:
        named = numbers
    named = named[np.argsort(-by_number[named], kind="stable")]
    rows = {name(int(number)): int(by_number[number]) for number in named}
    return Counts(rows, len(numbers) - len(named), int(by_number.sum()) - sum(rows.values()))


def count_fates(fates: Bytes) -> Counter[Fate]:
    """How many rows are left out, and why."""
    counts = enumerate(np.bincount(fates).tolist())
    return Counter({Fate(fate): rows for fate, rows in counts if rows and fate != Fate.SENT})


def fates_of(bad: Mapping[str, int]) -> Counter[Fate]:
    """Counts by name, as positions have them, by fate."""
    return Counter({Fate[name.upper()]: rows for name, rows in bad.items()})


def reasons(counts: Mapping[Fate, int]) -> str:
    """`price is null 7, symbol is empty 2`."""
    return ", ".join(f"{fate.told} {rows:,}" for fate, rows in sorted(counts.items()))


def clock_time(seconds: float) -> str:
    """`21:40:22`, local time, as in the log lines."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M:%S")


def duration(seconds: float) -> str:
    """`850 ms`, `12.3 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min"


def utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
