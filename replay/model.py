"""What travels between the stages: positions, batches, encoded records; and the seam `Clock`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from replay.fate import Fate

# The stages find them here; what must not import arrays takes them from there.
from replay.position import PartitionMark as PartitionMark  # noqa: PLC0414
from replay.position import Position as Position  # noqa: PLC0414
from replay.position import Progress as Progress  # noqa: PLC0414
from replay.units import NS_PER_UNIT

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

SpanNs = tuple[int, int] | None
"""First and last event time in ns since 1970; None: unknown."""

NOW_MS = 0
"""librdkafka takes a timestamp of 0 for "now"."""

Headers = list[tuple[str, bytes | None]]

Content = bytes | None | tuple[bytes | None, tuple[tuple[str, bytes | None], ...]]
"""What a record is compared by when it is read back, beside its key and its time: the value, or value and headers."""

DeliveryCallback = Callable[[Any, Any], None]
"""librdkafka's delivery report: (error or None, message)."""


FATE = "\0fate"
"""Column of the tables between reader and session: the `Fate` of each row (int8). Missing: all are sent."""

ORDER_NS = "\0order_ns"
"""Column of the same tables: the time a row is ordered by (int64, ns since 1970), where that is not its event time."""


KEY = "\0key"
"""Column of a batch: the record's key (text or binary; null: it has none), where that is not the symbol."""

PARTITION = "\0partition"
"""Column of a batch: the record's partition (int64), where the input tells it."""

VALUE = "\0value"
"""Column of a batch: the record's value (binary; null: a tombstone), where records are sent as they are."""

HEADERS = "\0headers"
"""Column of a batch: the record's headers (`record/headers.py`), where the input tells them."""

TIMESTAMP = "\0timestamp"
"""Column of a batch: the record's timestamp (as an event time), where that is not the event time."""


@dataclass(slots=True)
class SymbolTable:
    """Every distinct symbol once; rows carry its index, so that work per symbol is done once."""

    names: list[str] = field(default_factory=list)
    _ids: dict[str, int] = field(default_factory=dict)

    def id_of(self, name: str) -> int:
        found = self._ids.get(name)
        if found is None:
            found = self._ids[name] = len(self.names)
            self.names.append(name)
        return found


def event_times_ns(table: pa.RecordBatch) -> Ints:
    """The event times of the rows, in ns since 1970, whatever they are ordered by."""
    return _times_ns(table.column("event_time"))


def record_times_ns(table: pa.RecordBatch) -> Ints:
    """The times of the rows that records have for a timestamp, in ns since 1970."""
    return _times_ns(table.column(TIMESTAMP if TIMESTAMP in table.schema.names else "event_time"))


def _times_ns(times: pa.Array) -> Ints:
    return np.asarray(times.view(pa.int64()).to_numpy()) * NS_PER_UNIT[times.type.unit]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows in replay order, as columns.

    `table` has the columns `symbol` (int32 index into the symbol table), `price` (not where records are sent as they
    are), `event_time` (timestamp without zone, UTC), the further fields under their own names, and parts of records
    such as `KEY`. `files` is the input file of each row, or one number where all rows are of one file. `fates` is the
    `Fate` of each row; None: all are sent. `start` is the position of the first row.
    """

    start: Position
    table: pa.RecordBatch
    files: Ints | int
    fates: Bytes | None = None

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def sent(self) -> slice | Bools:
        """An index into columns: the rows that are sent."""
        return slice(None) if self.fates is None else self.fates == Fate.SENT

    def position_after(self, rows: int) -> Position:
        """The position once the first `rows` rows of this batch are done."""
        cursors = np.array(self.start.cursors, dtype=np.int64)
        if isinstance(self.files, int):
            cursors[self.files] += rows
        else:
            cursors += np.bincount(self.files[:rows], minlength=len(cursors))
        left_out, bad = self.start.left_out, self.start.bad
        if self.fates is not None:
            left_out += int(np.count_nonzero(self.fates[:rows]))
            bad = _with_bad(bad, self.fates[:rows])
        return Position(self.start.row + rows, tuple(cursors.tolist()), left_out, bad)

    def up_to(self, limit: int) -> Batch:
        """As far as the record that is the last one within the limit (of records since the first row of all)."""
        left, rows, fates = limit - self.start.records, len(self), self.fates
        if fates is None:
            rows = min(left, rows)
        elif left <= len(sent := np.flatnonzero(fates == Fate.SENT)):
            rows = int(sent[left - 1]) + 1
        files = self.files if isinstance(self.files, int) else self.files[:rows]
        return Batch(self.start, self.table.slice(0, rows), files, None if fates is None else fates[:rows])


def _with_bad(before: Mapping[str, int], fates: Bytes) -> Mapping[str, int]:
    """Bad rows by the name of their fate, with those of these fates. Mostly there are none: that costs little."""
    if int(fates.max(initial=0)) <= Fate.NOT_SELECTED:
        return before
    bad = fates[fates > Fate.NOT_SELECTED]
    added = {Fate(fate).key: rows for fate, rows in enumerate(np.bincount(bad).tolist()) if rows}
    return {name: before.get(name, 0) + added.get(name, 0) for name in sorted({*before, *added})}


@dataclass(frozen=True, slots=True)
class Encoded:
    """The records of a slice of rows, ready to be produced; all lists have one entry a record.

    `event_times_ns` are for pacing (ns since 1970), `timestamps_ms` are what Kafka stores (`NOW_MS`: the moment of
    sending), `record_bytes` are of key, value and headers, `symbols` are ids. The slice has `slice_rows` rows; record n
    is that of row `rows[n]` of the slice (None: every row has a record). `headers` are those of each record, where
    there are any; `compared_headers` are those of them that are compared when records are read back (None: none are).
    """

    keys: list[bytes | None]
    values: list[bytes | None]
    timestamps_ms: list[int]
    partitions: Ints
    event_times_ns: Ints
    record_bytes: Ints
    symbols: Ints
    slice_rows: int
    rows: Ints | None = None
    headers: list[Headers] | None = None
    compared_headers: slice | None = None

    @property
    def contents(self) -> Sequence[Content]:
        """What each is compared by when it is read back."""
        return contents(self.values, self.headers or [], self.compared_headers)

    def only(self, records: Ints) -> Encoded:
        """These records of it, in order; of the same slice."""
        picked = records.tolist()
        return replace(
            self,
            keys=[self.keys[at] for at in picked],
            values=[self.values[at] for at in picked],
            timestamps_ms=[self.timestamps_ms[at] for at in picked],
            partitions=self.partitions[records],
            event_times_ns=self.event_times_ns[records],
            record_bytes=self.record_bytes[records],
            symbols=self.symbols[records],
            rows=records if self.rows is None else self.rows[records],
            headers=None if self.headers is None else [self.headers[at] for at in picked],
        )

    def row_of(self, record: int) -> int:
        """The row of the slice that the record stands for."""
        return record if self.rows is None else int(self.rows[record])

    def records_within(self, rows: int) -> int:
        """How many records the first `rows` rows of the slice have."""
        return min(rows, len(self)) if self.rows is None else int(np.searchsorted(self.rows, rows))

    def rows_through(self, records: int) -> int:
        """How many rows of the slice are done with once the first `records` records are."""
        return self.slice_rows if records == len(self) else self.row_of(records - 1) + 1

    def __len__(self) -> int:
        return len(self.values)


def contents(
    values: Sequence[bytes | None], headers: Sequence[Headers | None], compared: slice | None
) -> Sequence[Content]:
    """What records are compared by: their values, with those of their headers that are `compared` (None: none are)."""
    if compared is None:
        return values
    return [(value, tuple(own[compared]) if own else ()) for value, own in zip(values, headers, strict=True)]


class Resync(Exception):
    """This producer can no longer tell what is in the topic: drain, and start a new one as after a crash."""


class Fenced(Resync):
    """A newer producer of the same job is there, or a transaction was open too long: Kafka says the same of both."""


class Clock(Protocol):
    """The one seam to time: tests hand in a clock that they move themselves."""

    def monotonic(self) -> float:
        """Seconds on a clock that never steps back; for waiting and pacing."""

    def now(self) -> float:
        """Seconds since 1970; for what is written down."""

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The real one."""

    monotonic = staticmethod(time.monotonic)
    now = staticmethod(time.time)
    sleep = staticmethod(time.sleep)


def count_fates(fates: Bytes) -> Counter[Fate]:
    """How many rows are left out, and why."""
    counts = enumerate(np.bincount(fates).tolist())
    return Counter({Fate(fate): rows for fate, rows in counts if rows and fate != Fate.SENT})
