"""Rows compared with what statistics say of their row groups."""

from __future__ import annotations

import numpy as np
import pytest

from replay.model import Fate
from replay.source.files.parquet_file import RowGroup
from replay.source.rows.promised import first_contradiction

GROUPS = (RowGroup(0, 0, 3, {}), RowGroup(1, 3, 3, {}), RowGroup(2, 6, 2, {}))
PROMISED = [(10_000, 12_000), None, (20_000, 21_000)]
TIMES = np.array([10, 11, 12, 99, 0, 99, 20, 21], dtype=np.int64)
"""In microseconds; of the second row group nothing is promised."""


def contradiction(times: np.ndarray, first_row: int = 0, bad: int | None = None) -> int | None:
    fates = np.zeros(len(times), dtype=np.int8)
    if bad is not None:
        fates[bad] = Fate.TIME_MISSING
    return first_contradiction(GROUPS, PROMISED, 1_000, times, fates, first_row)


def test_times_at_the_edges_and_those_of_which_nothing_is_known_contradict_nothing():
    """Broken: right statistics are taken for wrong, and a file is read as if it had none."""
    assert contradiction(TIMES) is None
    assert contradiction(TIMES[4:], 4) is None


@pytest.mark.parametrize(("row", "time"), [(0, 9), (2, 13), (6, 19), (7, 22)])
def test_the_first_row_beyond_them_is_found_wherever_the_batch_begins(row, time):
    """Broken: rows come out of order because statistics that are wrong are believed, or another row is named."""
    times = TIMES.copy()
    times[row] = time
    assert contradiction(times) == row
    for first_row in range(row + 1):
        assert contradiction(times[first_row:], first_row) == row - first_row
    assert contradiction(times, bad=row) is None
