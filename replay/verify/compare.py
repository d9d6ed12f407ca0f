"""Expected rows compared with found records: lost, duplicated, out of order, changed, misplaced, foreign. Pure.

A `Lane` compares one partition while both sides stream by. Equal stretches are compared as whole lists. Where the
sides differ, rows without a record and records without a row wait for each other, each for as long as its own
side is less than `window` further; what has waited in vain goes to a `Spill` on disk.

`spill.settle` then joins what was spilled, bucket by bucket, so that every count but one is that of a full comparison
in memory, whatever the size of the damage. The one is `out_of_order`: a record found again only in the spill is
further from its place than the window, and counts as out of order: an upper bound, and the verdict says so.

What is what, per partition; the n-th record of some content stands for the n-th row of that content:
found         the record of a row
out of order  found, but to be moved to bring each symbol in row order (the fewest that do: a longest increasing run)
duplicated    one more record of a row's content than there are such rows
misplaced     a lost row's record in another partition
changed       a record that agrees with a lost row in symbol and timestamp, or in symbol and value
lost, foreign the rows and records that are left
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from operator import eq

from replay.verify.kinds import NONE, Example, KindCounts
from replay.verify.pending import Identity, Pending, Stretch, WaitingRecords
from replay.verify.spill import Spill

Guide = Callable[[int, int, Sequence[Identity]], bool]
"""(partition, row, records): whether most of these records are rows of the source behind that row."""

STRIDE_MIN = 64  # compared at once behind a difference; grows while all is equal, so that no long slice is in vain


class _Order:
    """Found records of a partition in offset order: how many would have to move, per symbol.

    `tails[symbol][i]` is the smallest row that ends an increasing run of i + 1 records (patience sorting). A record
    that still waits for its row holds back those behind it.
    """

    def __init__(self, partition: int, window: int, counts: KindCounts) -> None:
        self._partition, self._window, self._counts = partition, window, counts
        self._tails: dict[bytes | None, list[int]] = {}
        self._log: deque[WaitingRecords | tuple[bytes | None, int, int]] = deque()

    def waits(self, record: WaitingRecords) -> None:
        self._log.append(record)

    def found(self, key: bytes | None, row: int, offset: int) -> None:
        if self._log:
            self._log.append((key, row, offset))
        else:
            self._found(key, row, offset)

    def settled(self) -> None:
        """A record no longer waits: those that it held back can be looked at."""
        while self._log:
            record = self._log[0]
            if isinstance(record, tuple):
                self._found(*record)
            elif record.waits:
                break
            elif record.row != NONE:
                self._found(record.identity[0], record.row, record.place)
            self._log.popleft()

    def _found(self, key: bytes | None, row: int, offset: int) -> None:
        tails = self._tails.setdefault(key, [])
        at = bisect_left(tails, row)
        if at < len(tails):
            tails[at] = row
            self._counts.add("out_of_order", 1, [Example(row, self._partition, offset)])
            return
        tails.append(row)
        if len(tails) > 4 * self._window:  # no later record belongs before the last `window` rows
            del tails[: 2 * self._window]

    def forget(self) -> None:
        """Every row to come lies behind every row so far."""
        self._tails.clear()


class Lane:
    """One partition: hand in stretches of both sides in order, and `advance`."""

    def __init__(self, partition: int, window: int, counts: KindCounts, spill: Spill, guide: Guide) -> None:
        self._partition, self._window, self._counts, self._guide = partition, window, counts, guide
        self._rows = Pending(window, partial(spill.add, partition))
        self._records = Pending(window, partial(spill.add_record, partition))
        self._order = _Order(partition, window, counts)
        self._expected: deque[Stretch] = deque()
        self._found: deque[Stretch] = deque()
        self._barren = 0  # steps since the last match
        self._go_on = (True, True)  # who goes on where nothing matches: rows, records
        self._stride = STRIDE_MIN
        self.buffered = 0  # records handed in and not looked at
        self.found_ended = self.expected_ended = False

    @property
    def hungry(self) -> bool:
        """Whether it can go on only with more records."""
        return not self.found_ended and not self._found and (bool(self._expected) or self.expected_ended)

    def expect(self, stretch: Stretch) -> None:
        self._expected.append(stretch)

    def find(self, stretch: Stretch) -> None:
        self._found.append(stretch)
        self.buffered += stretch.left

    def advance(self) -> None:
        """Compare until one side has no more for now."""
        while self._expected and self._found:
            e, f = self._expected[0], self._found[0]
            before = f.at
            if self._rows or self._records or not self._match_stretch(e, f):
                self._match_slowly(e, f)
            self.buffered -= f.at - before
            for waiting in (self._expected, self._found):
                if not waiting[0].left:
                    waiting.popleft()
        if self.found_ended and not self._found:
            while self._expected:
                self._only_expected(self._expected.popleft())
        if self.expected_ended and not self._expected:
            while self._found:
                self._only_found(self._found.popleft())
            if self.found_ended:
                self._end()

    def _match_stretch(self, e: Stretch, f: Stretch) -> bool:
        """The equal stretch at the head of both; False where there is none."""
        self._order.forget()
        n = min(e.left, f.left, self._stride)
        self._stride *= 4
        pairs = [
            (mine[e.at : e.at + n], theirs[f.at : f.at + n])
            for mine, theirs in ((e.contents, f.contents), (e.keys, f.keys), (e.times, f.times))
        ]
        if not all(mine == theirs for mine, theirs in pairs):
            n = min(_common(mine, theirs) for mine, theirs in pairs)
            self._stride = STRIDE_MIN
        e.at, f.at = e.at + n, f.at + n
        self._counts.add("found", n)
        return n > 0

    def _match_slowly(self, e: Stretch, f: Stretch) -> None:
        """One by one, until one stretch is used up or nothing waits any more."""
        rows, records = self._rows, self._records
        found = 0
        while e.left and f.left:
            expected, record = e.head(), f.head()
            if record in rows:
                self._place(record, rows.take(record).place, f)
            elif expected in records:
                self._claim(expected, e)
            elif expected == record:
                self._place(record, e.places[e.at], f)
                e.at += 1
                rows.step()
            else:
                self._pass(expected, e, record, f)
                continue
            found += 1
            self._barren, self._go_on = 0, (True, True)
            if not (rows or records):
                break
        self._counts.add("found", found)

    def _place(self, record: Identity, row: int, f: Stretch) -> None:
        """The next record stands for this row."""
        self._order.found(record[0], row, f.places[f.at])
        f.at += 1
        self._step_records()

    def _claim(self, expected: Identity, e: Stretch) -> None:
        """The next row has its record already: one that waits."""
        self._records.take(expected).row = e.places[e.at]
        self._order.settled()
        e.at += 1
        self._rows.step()

    def _pass(self, expected: Identity, e: Stretch, record: Identity, f: Stretch) -> None:
        """No match: both sides go on, or the one that is behind, once nothing has matched for half a window."""
        self._barren += 1
        if self._barren % max(1, self._window // 2) == 0:
            ahead = self._guide(self._partition, e.places[e.at], self._records.newest(max(1, self._window // 2)))
            self._go_on = (ahead, not ahead)
        rows_go_on, records_go_on = self._go_on
        if rows_go_on:
            self._rows.add(expected, e.places[e.at])
            e.at += 1
            self._rows.step()
        if records_go_on:
            self._order.waits(self._records.add(record, f.places[f.at]))
            f.at += 1
            self._step_records()

    def _step_records(self) -> None:
        if self._records.step():
            self._order.settled()

    def _only_expected(self, e: Stretch) -> None:
        """There are no more records: each row has one that waits, or none."""
        while e.left:
            expected = e.head()
            if expected in self._records:
                self._claim(expected, e)
                self._counts.add("found", 1)
            else:
                self._rows.give_up(expected, e.places[e.at])
                e.at += 1

    def _only_found(self, f: Stretch) -> None:
        """There are no more rows."""
        self.buffered -= f.left
        while f.left:
            record = f.head()
            if record in self._rows:
                self._place(record, self._rows.take(record).place, f)
                self._counts.add("found", 1)
            else:
                self._records.give_up(record, f.places[f.at])
                f.at += 1
                self._step_records()

    def _end(self) -> None:
        self._rows.drop_all()
        self._records.drop_all()
        self._order.settled()


def _common(mine: Sequence[object], theirs: Sequence[object]) -> int:
    return next((at for at, same in enumerate(map(eq, mine, theirs)) if not same), len(mine))
