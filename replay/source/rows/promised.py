"""Rows compared with what statistics say of the event times of their row groups. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from replay.model import Bytes, Fate, Ints, SpanNs
from replay.source.files.parquet_file import RowGroup


def first_contradiction(
    groups: Sequence[RowGroup], promised: Sequence[SpanNs], unit_ns: int, times: Ints, bad: Bytes, first_row: int
) -> int | None:
    """The first row of a batch whose time (in units) lies beyond what is `promised` of its row group; None: no row.

    The batch begins with row `first_row` of these row groups. A row with a bad time contradicts nothing.
    """
    start = 0
    for group, span in zip(groups, promised, strict=True):
        begin, end = max(start - first_row, 0), min(start + group.rows - first_row, len(times))
        start += group.rows
        if span is None or begin >= end:
            continue
        these, low, high = times[begin:end], span[0] // unit_ns, span[1] // unit_ns
        if low <= these.min() and these.max() <= high:
            continue
        wrong = (bad[begin:end] == Fate.SENT) & ((these < low) | (these > high))
        if wrong.any():
            return begin + int(np.argmax(wrong))
    return None
