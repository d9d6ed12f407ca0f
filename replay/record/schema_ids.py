"""Schema ids before values, as registries frame them: a zero byte, then the id in four bytes, most significant first
(Confluent's wire format). Found and replaced column-wise. Pure.

A value that does not begin so is not framed: it has no id, and stays as it is. So does a null.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from replay.model import Bools, Ints

PREFIX_BYTES = 5  # the zero byte, and the id

_SHIFTS = (24, 16, 8, 0)  # of the four bytes of an id


def ids_in(column: pa.Array) -> set[int]:
    """The distinct schema ids of a binary column."""
    _, ids = _framed(column)
    return set(np.unique(ids).tolist())


def unknown(column: pa.Array, table: Mapping[int, int]) -> Bools | None:
    """Which values of a binary column are framed with an id that is not in the table; None: none."""
    rows, ids = _framed(column)
    _, known = _looked_up(ids, table)
    if known.all():
        return None
    found = np.zeros(len(column), dtype=bool)
    found[rows[~known]] = True
    return found


def translated(column: pa.Array, table: Mapping[int, int]) -> pa.Array:
    """A binary column with the other id in place of each that is in the table; all else as it is."""
    rows, ids = _framed(column)
    replaced, known = _looked_up(ids, table)
    rows, replaced = rows[known], replaced[known]
    if not len(rows):
        return column
    starts = _offsets(column)
    first, end = int(starts[0]), int(starts[-1])
    values = np.frombuffer(column.buffers()[2], dtype=np.uint8)[first:end].copy()
    places = starts[rows] - first
    for place, shift in enumerate(_SHIFTS, 1):
        values[places + place] = (replaced >> shift) & 0xFF
    valid = pa.array(_is_valid(column)).buffers()[1] if column.null_count else None
    offsets = pa.py_buffer((starts - first).astype(np.int32))
    return pa.Array.from_buffers(pa.binary(), len(column), [valid, offsets, pa.py_buffer(values)])


def _framed(column: pa.Array) -> tuple[Ints, Ints]:
    """The rows whose values begin with an id, and these ids."""
    starts, data = _offsets(column), column.buffers()[2]
    long_enough = np.diff(starts) >= PREFIX_BYTES
    if column.null_count:
        long_enough &= _is_valid(column)
    rows = np.flatnonzero(long_enough)
    if data is None or not len(rows):
        return rows[:0], rows[:0]
    values = np.frombuffer(data, dtype=np.uint8)
    rows = rows[values[starts[rows]] == 0]
    begins, ids = starts[rows], np.zeros(len(rows), dtype=np.int64)
    for place, shift in enumerate(_SHIFTS, 1):
        ids |= values[begins + place].astype(np.int64) << shift
    return rows, ids


def _offsets(column: pa.Array) -> Ints:
    """Where each value begins in the column's data, and where the last one ends."""
    if not len(column):
        return np.zeros(1, dtype=np.int64)
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)
    return offsets[column.offset : column.offset + len(column) + 1].astype(np.int64)


def _is_valid(column: pa.Array) -> Bools:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=bool)


def _looked_up(ids: Ints, table: Mapping[int, int]) -> tuple[Ints, Bools]:
    """What each id becomes, and whether it is in the table: where it is not, it becomes anything."""
    if not table:
        return ids, np.zeros(len(ids), dtype=bool)
    known = np.array(sorted(table), dtype=np.int64)
    became = np.array([table[each] for each in sorted(table)], dtype=np.int64)
    at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return became[at], known[at] == ids
