"""Further columns of a file converted to fields, key and partition of a record, and what is wrong with each row.

What is bad in a column is null (0 for a partition), so that no kernel stumbles over it. Column-wise. Pure.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from replay.fate import Fate
from replay.model import Bytes
from replay.record.kinds import is_text
from replay.source.columns import fates
from replay.source.columns.unify import decoded, widen
from replay.units import NS_PER_UNIT

PARTITIONS_MAX = 2**31  # Kafka numbers partitions in 32 bits

_FOUR_DIGIT_YEARS_S = (-62_135_596_800, 253_402_300_800)  # years 1 to 9999 (RFC 3339), in seconds since 1970


class DoesNotFit(ValueError):
    """A value has no place in the type of its column over all files."""


def to_field(array: pa.Array, kind: pa.DataType) -> tuple[pa.Array, Bytes]:
    """Values as `kind`, the type of this column over all files. Raises `DoesNotFit`, such as for a time that the finer
    unit of another file cannot hold."""
    array, found = _readable(array)
    try:
        array = widen(array, kind)
    except pa.ArrowInvalid as error:
        raise DoesNotFit(str(error)) from None
    return _with_four_digit_years(array) if pa.types.is_timestamp(kind) else (array, found)


def to_key(array: pa.Array, kind: pa.DataType) -> tuple[pa.Array, Bytes]:
    """Values as those of a record's key. Every row needs one: a missing key is bad."""
    array, found = to_field(array, kind)
    if array.null_count:
        found = np.where(found == Fate.SENT, fates.where(fates.mask(pc.is_null(array)), Fate.KEY_MISSING), found)
    return array, found


def to_partition(array: pa.Array) -> tuple[pa.Array, Bytes]:
    """Partition numbers (int64), from integers or text; whatever cannot be one is bad."""
    array = decoded(array)
    if is_text(array.type):  # such as `partition=3`, a folder of Kafka Connect
        digits = pc.match_substring_regex(array, r"^[0-9]{1,10}$")
        array = pc.if_else(digits, array, pa.scalar(None, array.type)).cast(pa.int64())
    numbers = array.fill_null(0).to_numpy()
    wrong = fates.mask(pc.is_null(array)) | (numbers < 0) | (numbers >= PARTITIONS_MAX)
    return pa.array(np.where(wrong, 0, numbers).astype(np.int64)), fates.where(wrong, Fate.PARTITION_WRONG)


def _readable(array: pa.Array) -> tuple[pa.Array, Bytes]:
    """The column with nulls where a text, also one inside a nested value, is not valid UTF-8."""
    found = fates.all_sent(len(array))
    try:
        array.validate(full=True)
        return array, found
    except pa.ArrowInvalid:
        array = decoded(array)  # a bad entry of a dictionary is bad only where it is used
        unreadable = np.array([not _is_readable(array[at : at + 1]) for at in range(len(array))])
    found[unreadable] = Fate.FIELD_NOT_TEXT
    return pc.if_else(pa.array(unreadable), pa.scalar(None, array.type), array), found


def _is_readable(value: pa.Array) -> bool:
    try:
        pa.concat_arrays([value]).validate(full=True)  # a copy: a slice is validated with all that it was cut from
    except pa.ArrowInvalid:
        return False
    return True


def _with_four_digit_years(times: pa.Array) -> tuple[pa.Array, Bytes]:
    """The times with nulls where a time has no text form (RFC 3339)."""
    found = fates.all_sent(len(times))
    per_second = NS_PER_UNIT["s"] // NS_PER_UNIT[times.type.unit]
    low, high = (bound * per_second for bound in _FOUR_DIGIT_YEARS_S)
    if abs(low) >= 2**63:  # nanoseconds cannot leave these years
        return times, found
    units = times.view(pa.int64())
    beyond = pc.or_(pc.less(units, low), pc.greater_equal(units, high)).fill_null(False)
    if not pc.any(beyond).as_py():
        return times, found
    found[fates.mask(beyond)] = Fate.FIELD_TOO_LATE
    return pc.if_else(beyond, pa.scalar(None, times.type), times), found
