"""Where in the source a stretch of records belongs, by a sample of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from replay.model import Ints
from replay.verify.pending import Identity
from replay.verify.spill import fingerprints

ATLAS_ROWS = 1_000_000  # 16 MB; of 10 G rows every 10,000th is known, and half a window holds several of those


class Atlas:
    """The `Guide` of lanes. It knows every so many-th row, chosen by the fingerprint of its content.

    `source` is read once, and only if a lane ever asks.
    """

    def __init__(self, source: Callable[[], Iterator[tuple[Ints, Ints]]], rows: int) -> None:
        self._source, self._every = source, rows // ATLAS_ROWS + 1
        self._known: tuple[Ints, Ints] | None = None

    def __call__(self, partition: int, row: int, records: Sequence[Identity]) -> bool:
        if self._known is None:
            self._known = self._sample()
        known, rows = self._known
        full = fingerprints([partition] * len(records), zip(*records, strict=True))
        full = full[self._chosen(full)]
        at = np.searchsorted(known, full)
        at, full = at[at < len(known)], full[at < len(known)]
        ahead = (known[at] == full) & (rows[at] > row)
        return 2 * int(ahead.sum()) > len(ahead)

    def _sample(self) -> tuple[Ints, Ints]:
        parts = [(full[hits], rows[hits]) for full, rows in self._source() for hits in [self._chosen(full)]]
        known, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(known, kind="stable")
        return known[order], rows[order]

    def _chosen(self, full: Ints) -> Ints:
        return np.flatnonzero(full % self._every == 0)
