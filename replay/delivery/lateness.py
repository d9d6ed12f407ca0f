"""How late rows went out, or how long their acknowledgements took, as counts: hours of it need no memory."""

from __future__ import annotations

import math

import numpy as np

from replay.model import Floats, Ints

# Buckets are logarithmic: each is 10 % wider than the one before, from 10 microseconds up to about two hours.
_BUCKET_FIRST_S = 1e-5
_BUCKET_GROWTH = 1.1
_BUCKETS = 215
_COUNTED_ROWS = 10_000  # at once: 80 KB, and array operations cost little more for so many than for one


def bucket_edges_s() -> Floats:
    """The upper edge of each bucket; the last one takes whatever is above as well."""
    return _BUCKET_FIRST_S * np.power(_BUCKET_GROWTH, np.arange(_BUCKETS, dtype=np.float64))


class Lateness:
    """How late rows were handed over, in seconds after their deadline (of the schedule as shifted)."""

    __slots__ = ("_counts", "_max_s", "_new", "_new_rows")

    def __init__(self, counts: Ints | None = None, max_s: float = 0.0) -> None:
        self._counts: Ints = np.zeros(_BUCKETS, dtype=np.int64) if counts is None else counts
        self._max_s = max_s
        self._new: list[Floats] = []
        self._new_rows = 0

    @property
    def counts(self) -> Ints:
        """Rows by bucket."""
        self._count_new()
        return self._counts

    @property
    def max_s(self) -> float:
        self._count_new()
        return self._max_s

    def copy(self) -> Lateness:
        return Lateness(self.counts.copy(), self._max_s)

    def add(self, late_s: Floats) -> None:
        """Kept as they are until somebody asks, or there are many: ten rows cost as much to count as a thousand."""
        self._new.append(late_s)
        self._new_rows += len(late_s)
        if self._new_rows >= _COUNTED_ROWS:
            self._count_new()

    def add_one(self, seconds: float) -> None:
        """The same for one value, without the cost of arrays."""
        self._max_s = max(self._max_s, seconds)
        bucket = math.ceil(math.log(max(seconds, _BUCKET_FIRST_S) / _BUCKET_FIRST_S) / math.log(_BUCKET_GROWTH))
        self._counts[min(bucket, _BUCKETS - 1)] += 1

    def quantile_s(self, q: float) -> float:
        """The upper edge of the bucket that holds the quantile: at most 10 % above the true value."""
        counts = self.counts
        total = int(counts.sum())
        if total == 0:
            return 0.0
        bucket = int(np.searchsorted(np.cumsum(counts), math.ceil(q * total), side="left"))
        return min(self.max_s, _BUCKET_FIRST_S * _BUCKET_GROWTH**bucket)

    def _count_new(self) -> None:
        if not self._new_rows:
            return
        late_s = np.concatenate(self._new)
        self._new.clear()
        self._new_rows = 0
        self._max_s = max(self._max_s, float(late_s.max()))
        scaled = np.maximum(late_s, _BUCKET_FIRST_S) / _BUCKET_FIRST_S
        buckets = np.ceil(np.log(scaled) / math.log(_BUCKET_GROWTH)).astype(np.int64)
        self._counts += np.bincount(np.clip(buckets, 0, _BUCKETS - 1), minlength=_BUCKETS)
