"""Statistics of a column chunk: of which column they are, and whether they can be believed. Pure.

Row groups are left out, and files put in order, by the smallest and the largest value that a writer noted. So only what
is surely those of the column is used, and everything else counts as unknown: it is read.

| column | believed of |
|---|---|
| timestamps and signed integers (INT32, INT64) | every writer: there was never more than one order of them |
| unsigned integers and text | writers known to compare them as Parquet demands (`_COMPARES_UNSIGNED`) |
| INT96, decimals, floats (NaN), fixed-size binary, nested and repeated columns, any other logical type | no writer |

Old writers compared bytes and unsigned numbers as signed ones (PARQUET-686, parquet-mr before 1.10, parquet-cpp before
1.3), or noted a buffer that they had used again (PARQUET-251, parquet-mr before 1.8).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from replay.errors import not_memory

_TIME_UNITS = {"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}

_BITS = {"INT32": 32, "INT64": 64}

_TEXTS = {"String", "Enum"}

_COMPARES_UNSIGNED = {
    "parquet-mr": (1, 10),
    "parquet-cpp": (1, 3),
    "parquet-cpp-arrow": (1,),
    "parquet-rs": (5,),
    "duckdb": (0, 10),
    "fastparquet-python": (2021,),
}
"""Since which version text and unsigned numbers are compared byte by byte, without a sign, by `created_by`."""


@dataclass(frozen=True, slots=True)
class ValueRange:
    """Smallest and largest value of a column chunk that can be believed; None where the statistics do not say.

    Both are of the rows that have a value. `nulls` is how many have none; None where that is unknown.
    """

    first: Any = None
    last: Any = None
    nulls: int | None = None

    @property
    def is_of_all_rows(self) -> bool:
        """Whether every row has a value between these two."""
        return self.first is not None and self.last is not None and self.nulls == 0


class Sort(StrEnum):
    """What the values of a column are compared as, of those kinds whose statistics may be believed."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    TEXT = "text"


def leaf_of(paths: Sequence[Sequence[str]], column: str) -> int | None:
    """The place of a flat column in the schema, by the path of every leaf (its names from the root on, not joined: a
    struct's field `event.time` is not the column "event.time"). None where none is, or several are, of this name."""
    found = [place for place, path in enumerate(paths) if list(path) == [column]]
    return found[0] if len(found) == 1 else None


def may_be_named(paths: Sequence[Sequence[str]], column: str) -> bool:
    """Whether the column is the only leaf of this spelling: Arrow, which joins names by dots, can find it by that."""
    return [".".join(path) for path in paths].count(column) == 1


def sort_of(physical: str, logical: Mapping[str, Any]) -> Sort | None:
    """How a column of these Parquet types is compared; None: its statistics are believed of no writer."""
    kind = logical.get("Type")
    if physical == "BYTE_ARRAY":
        return Sort.TEXT if kind in _TEXTS else None
    if physical not in _BITS:
        return None
    if kind == "Int":
        return Sort.SIGNED if logical.get("isSigned") else Sort.UNSIGNED
    is_time = kind == "Timestamp" and physical == "INT64" and logical.get("timeUnit") in _TIME_UNITS
    return Sort.SIGNED if is_time or kind == "None" else None


def believed(created_by: str | None, physical: str, logical: Mapping[str, Any]) -> Sort | None:
    """How the smallest and the largest value of such a column are to be compared, if this writer can be believed."""
    sort = sort_of(physical, logical)
    if sort is None or sort is Sort.SIGNED:
        return sort
    application, version = writer(created_by)
    since = _COMPARES_UNSIGNED.get(application)
    return sort if since is not None and version >= since else None


def writer(created_by: str | None) -> tuple[str, tuple[int, ...]]:
    """Application (in lower case) and version of `parquet-mr version 1.8.1 (build …)`; empty where it is unknown."""
    match = re.match(r"\s*([^\s(]+) version v?(\d+(?:\.\d+)*)", created_by or "", re.IGNORECASE | re.ASCII)
    return (match[1].lower(), tuple(map(int, match[2].split(".")))) if match is not None else ("", ())


@dataclass(frozen=True, slots=True)
class Column:
    """A column whose statistics are believed: its place among the leaves, and how its values are compared. `required`:
    it has no nulls by its definition. `time_unit` is that of timestamps; None for any other column."""

    leaf: int
    sort: Sort
    required: bool
    time_unit: str | None


def column_of(parquet: pq.ParquetFile, name: str) -> Column | None:
    """None where its statistics are not believed."""
    leaf = leaf_of(parquet.reader.column_paths, name)
    if leaf is None:
        return None
    described = parquet.schema.column(leaf)
    logical = json.loads(described.logical_type.to_json())  # its name as `Type`, and its parameters
    sort = believed(parquet.metadata.created_by, described.physical_type, logical)
    if sort is None or described.max_repetition_level:
        return None
    return Column(leaf, sort, described.max_definition_level == 0, _TIME_UNITS.get(logical.get("timeUnit", "")))


def range_of(group: pq.RowGroupMetaData, column: Column) -> ValueRange:
    """The range of the column in a row group.

    Text is text. All else is the stored number, which has every digit and none of the limits of Python's dates.
    """
    if group.num_rows <= 0:
        return ValueRange()
    try:
        chunk = group.column(column.leaf)
        statistics = chunk.statistics
        if statistics is None or not statistics.has_min_max:
            return ValueRange()
        first, last = statistics.min_raw, statistics.max_raw
        if column.sort is Sort.TEXT:
            first, last = first.decode(), last.decode()
        elif column.sort is Sort.UNSIGNED:
            first, last = (value % (1 << _BITS[chunk.physical_type]) for value in (first, last))
        nulls = 0 if column.required else statistics.null_count if statistics.has_null_count else None
    except (ValueError, OverflowError, OSError, UnicodeError, pa.ArrowException) as error:  # bytes that are no value
        not_memory(error)
        return ValueRange()
    return ValueRange(first, last, nulls) if first <= last else ValueRange()
