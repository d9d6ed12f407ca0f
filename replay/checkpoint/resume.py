"""Where a replay starts: pure decisions from the checkpoint, the topic's watermarks and the topic's tail.

A restarted producer has a new producer id: the broker would take rows again that it had appended but whose
acknowledgement was never saved. So after an unclean stop the records behind the checkpointed offsets are matched,
per partition and in order, with the rows that come next; what is found is not sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import eq
from typing import Any

import numpy as np

from replay.checkpoint.content import Checkpoint, JobPrint, JobState
from replay.errors import StateConflict
from replay.identity import TABLES, without_tables
from replay.model import NOW_MS, Encoded, PartitionMark, Position, Progress
from replay.position import InputPrint

SETTLE_GAP_S = 0.5
"""Two equal high watermarks this far apart end the wait for late appends: a request still in a socket's buffer when
the old process died is appended within milliseconds once its broker runs."""

_LAG_FACTOR = 1.5
"""A broker looks for lagging replicas every half of replica.lag.time.max.ms (ReplicaManager, isr-expiration)."""

_SAVE_DELAY_S = 1.0
"""How much later than due a save may be: saves are looked after every 0.1 s, and a disk may be slow."""

_STRIDE_MIN = 8  # compared at once behind a difference; grows while all is equal, so that no long list is cut in vain
_SHOWN_MAX = 5  # differences named in one error; the rest is counted


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not what the checkpoint says."""

    what: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.what} was {self.old}, now {self.new}"


def differences(old: JobPrint, new: JobPrint) -> list[Difference]:
    """Everything that would change which bytes go where; empty means that the checkpoint fits the job."""
    pairs = [
        ("the topic", old.topic, new.topic),
        ("the cluster id", old.cluster_id, new.cluster_id),
        ("the topic id (it was deleted and created again)", old.topic_id, new.topic_id),
        ("the number of partitions", str(old.partitions), str(new.partitions)),
        ("the partitioner", old.partitioner, new.partitioner),
        ("the encoder", old.encoder, new.encoder),
        *_option_pairs(*(_compared(job, same_inputs=old.inputs == new.inputs) for job in (old, new))),
        *_input_pairs(old.inputs, new.inputs),
    ]
    return [Difference(what, before or "none", now or "none") for what, before, now in pairs if before != now]


def _compared(job: JobPrint, *, same_inputs: bool) -> Mapping[str, str]:
    """A table that has moved on is the same input as long as its files are the same."""
    return without_tables(job.options) if same_inputs else job.options


def _option_pairs(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in sorted(set(old) | set(new)):
        yield f"option {name}", old.get(name, ""), new.get(name, "")


def _input_pairs(old: Sequence[InputPrint], new: Sequence[InputPrint]) -> Iterator[tuple[str, str, str]]:
    if len(old) != len(new):
        yield "the number of input files", str(len(old)), str(len(new))
        shown_old, shown_new = ({each.name: _shown(each) for each in files} for files in (old, new))
        for name in sorted(shown_old.keys() | shown_new.keys()):
            yield f"input file {name}", shown_old.get(name, ""), shown_new.get(name, "")
        return
    for number, (before, now) in enumerate(zip(old, new, strict=True)):
        if before != now:
            yield f"input file {number}", _shown(before), _shown(now)


def _shown(file: InputPrint) -> str:
    return f"{file.name} ({file.rows:,} rows, {file.size_bytes:,} bytes, footer {file.footer_sha256[:8]})"


def places_of(old: Sequence[InputPrint], new: Sequence[InputPrint]) -> tuple[int, ...] | None:
    """Where the old files are among the new ones, in the same order; None where one of them is not."""
    places, at = [], 0
    for each in old:
        while at < len(new) and new[at] != each:
            at += 1
        if at == len(new):
            return None
        places.append(at)
        at += 1
    return tuple(places)


def has_grown(old: Sequence[InputPrint], new: Sequence[InputPrint]) -> bool:
    """Whether nothing went away, as far as names and numbers of rows tell, and something came."""
    if old == new:
        return False
    rows = {each.name: each.rows for each in new}
    return places_of(old, new) is not None or all(rows.get(each.name, -1) >= each.rows for each in old)


def check_same_job(saved: Checkpoint, job: JobPrint, where: str) -> None:
    """Raises `StateConflict` that names what differs, old and new."""
    found = differences(saved.job, job)
    if not found:
        return
    more = f"; and {len(found) - _SHOWN_MAX} more" if len(found) > _SHOWN_MAX else ""
    is_more = has_grown(saved.job.inputs, job.inputs) and not differences(replace(saved.job, inputs=job.inputs), job)
    is_table = any(each.what == f"option {TABLES}" for each in found)
    raise StateConflict(
        "this checkpoint belongs to another job: " + "; ".join(map(str, found[:_SHOWN_MAX])) + more,
        where=where,
        todo=("send what sorts after all that was sent with --when-changed append, " if is_more else "")
        + ("read the table as it was (--table-version, --snapshot), " if is_table else "")
        + "put back what changed, or name another file with --checkpoint, or start over on purpose with --restart",
    )


def check_watermarks(saved: Checkpoint, low: Sequence[int], high: Sequence[int], topic: str) -> None:
    """Acknowledged rows must still be below the high watermark, and an unclean tail must still be readable."""
    for partition, mark in enumerate(saved.progress.marks):
        if high[partition] < mark.next_offset:
            raise StateConflict(
                f"acknowledged rows are gone: the high watermark is {high[partition]:,}, and the checkpoint knows rows"
                f" up to offset {mark.next_offset - 1:,}",
                where=f"{topic}, partition {partition}",
                todo="the topic lost data (unclean leader election, a wiped log, a restored cluster): find out what it"
                " holds, then start over on purpose with --restart",
            )
        if saved.state is JobState.RUNNING and low[partition] > mark.next_offset:
            raise StateConflict(
                f"records behind the checkpoint were deleted (retention): offsets {mark.next_offset:,} to"
                f" {low[partition] - 1:,} would tell which rows are in the topic",
                where=f"{topic}, partition {partition}",
                todo="raise the topic's retention.ms; find out what it holds, then start over with --restart",
            )


def settle_s(saved: Checkpoint, now_s: float, replication: int, replica_lag_max_s: float) -> float:
    """How long late appends may still surface after an unclean stop.

    With one replica an append is visible at once. With more, the high watermark may stand behind a replica that
    hangs until the broker takes it out of the in-sync set. The time since the last row can have gone out counts.
    """
    if replication <= 1:
        return 0.0
    last_row_s = saved.saved_at_s + saved.interval_s + _SAVE_DELAY_S
    age_s = max(0.0, now_s - last_row_s)  # a clock that was set back waits in full
    return max(0.0, settle_max_s(replica_lag_max_s) - age_s)


def settle_max_s(replica_lag_max_s: float) -> float:
    """How long a replica that hangs can hold the high watermark back, as long as enough others are in sync."""
    return replica_lag_max_s * _LAG_FACTOR + SETTLE_GAP_S


@dataclass(slots=True)
class _Rows:
    """Rows that are looked for next in a partition, as columns. `at`: the first that was not found yet."""

    keys: Sequence[bytes | None]
    values: Sequence[bytes]
    times_ms: Sequence[int]
    at: int = 0


class TailMatch:
    """Matches the records behind the checkpoint with the rows that come next, per partition and in order.

    `rows` yields the encoded rows from the position on; it is read only as far as the records ask for, and never
    further than `lead_rows_max`, beyond which the old process cannot have sent anything.
    Records that are not the next expected row are other producers': they are counted and ignored. The same
    greedy rule finds the longest run of ours: they are in the partition once, in order and without a gap.
    Equal stretches are compared as whole lists: a record at a time would take four times as long.
    """

    def __init__(self, progress: Progress, rows: Iterator[Encoded], lead_rows_max: int) -> None:
        self._rows, self._rows_left = rows, lead_rows_max
        self._ahead = [mark.ahead_rows for mark in progress.marks]
        self._to_skip = list(self._ahead)
        self._expected: list[deque[_Rows]] = [deque() for _ in progress.marks]
        self._next_offsets = [mark.next_offset for mark in progress.marks]
        self._position = progress.position
        self._stride = _STRIDE_MIN
        self.matched = 0
        self.foreign = 0

    def found(
        self,
        partition: int,
        offsets: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        times_ms: Sequence[int | None],
    ) -> None:
        """The next records of a partition; a time of None is not compared (LogAppendTime)."""
        self._next_offsets[partition] = offsets[-1] + 1
        at = 0
        while at < len(offsets):
            expected = self._expect(partition)
            if expected is None:
                self.foreign += len(offsets) - at
                return
            stretch = min(len(offsets) - at, len(expected.values) - expected.at, self._stride)
            stop = at + stretch
            same = same_records(expected, stretch, keys[at:stop], values[at:stop], times_ms[at:stop])
            expected.at += same
            self._ahead[partition] += same
            self.matched += same
            at += same
            if same == stretch:
                self._stride *= 2
            else:
                self.foreign += 1
                at += 1
                self._stride = _STRIDE_MIN

    def progress(self, high_watermarks: Sequence[int]) -> Progress:
        """What is known once every record up to the high watermarks was handed to `found`."""
        marks = map(PartitionMark, self._next_offsets, self._ahead)
        return behind(Progress(self._position, tuple(marks)), high_watermarks)

    def _expect(self, partition: int) -> _Rows | None:
        """The rows that come next; None where no more can be there."""
        queue = self._expected[partition]
        while True:
            while queue and queue[0].at == len(queue[0].values):
                queue.popleft()
            if queue:
                return queue[0]
            encoded = next(self._rows, None) if self._rows_left > 0 else None
            if encoded is None:
                self._rows_left = 0
                return None
            self._distribute(encoded)

    def _distribute(self, encoded: Encoded) -> None:
        partitions = encoded.partitions[: encoded.records_within(self._rows_left)]
        pick = np.argsort(partitions, kind="stable").tolist()
        end = 0
        for partition, number in enumerate(np.bincount(partitions).tolist()):
            start, end = end, end + number
            skipped = min(self._to_skip[partition], number)
            self._to_skip[partition] -= skipped
            of_it = pick[start + skipped : end]
            if of_it:
                keys = list(map(encoded.keys.__getitem__, of_it))
                values = list(map(encoded.values.__getitem__, of_it))
                times_ms = list(map(encoded.timestamps_ms.__getitem__, of_it))
                self._expected[partition].append(_Rows(keys, values, times_ms))
        self._rows_left -= min(encoded.slice_rows, self._rows_left)


def same_records(
    expected: _Rows,
    stretch: int,
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    times_ms: Sequence[int | None],
) -> int:
    """How many of the next `stretch` records are the rows expected, one after the other."""
    start, stop = expected.at, expected.at + stretch
    columns: tuple[tuple[Sequence[Any], Sequence[Any], Callable[[Any, Any], bool]], ...] = (
        (keys, expected.keys[start:stop], eq),
        (values, expected.values[start:stop], eq),
        (times_ms, expected.times_ms[start:stop], _same_time),
    )
    for found, wanted, is_same in columns:
        if found != wanted:
            differs = (at for at, same in enumerate(map(is_same, found, wanted)) if not same)
            stretch = min(stretch, next(differs, stretch))
    return stretch


def _same_time(found_ms: int | None, sent_ms: int) -> bool:
    """A time that the broker or the moment of sending made is not compared."""
    return found_ms is None or sent_ms in (NOW_MS, found_ms)


def fresh_start(start: Position, high_watermarks: Sequence[int]) -> Progress:
    """A new job: row 0, and all that is in the topic now is not ours."""
    return Progress(start, tuple(PartitionMark(offset) for offset in high_watermarks))


def behind(progress: Progress, high_watermarks: Sequence[int]) -> Progress:
    """The same progress, once it is known that nothing up to the high watermarks adds to it."""
    marks = zip(progress.marks, high_watermarks, strict=True)
    return Progress(
        progress.position, tuple(PartitionMark(max(mark.next_offset, high), mark.ahead_rows) for mark, high in marks)
    )
