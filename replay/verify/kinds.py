"""What a comparison finds, by kind, and the first few examples of each kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from replay.model import Ints

KINDS = ("lost", "duplicated", "out_of_order", "changed", "misplaced", "foreign")
"""Of differences; `compare.py` says what each means."""

EXAMPLES = 5
"""Shown of each kind: enough to see a pattern, few enough to read."""

OFFSET_BITS = 46  # of a record's place; 7e13 records a partition, 131,072 partitions

NONE = -1


@dataclass(frozen=True, slots=True, order=True)
class Example:
    """Where it is; NONE where there is no row, or no record."""

    row: int = NONE
    partition: int = NONE
    offset: int = NONE


@dataclass(slots=True)
class KindCounts:
    """Counts of each kind, and the first few of each: by row, or by partition and offset where there is none."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[Example]] = field(default_factory=dict)

    def add(self, kind: str, number: int, examples: Iterable[Example] = ()) -> None:
        self.counts[kind] = self[kind] + number
        self.examples[kind] = sorted([*self.examples.get(kind, ()), *examples])[:EXAMPLES]

    def add_places(self, kind: str, rows: Ints, records: Ints) -> None:
        """Row numbers and record places, one of each a case; NONE where a case has no row, or no record."""
        first = np.lexsort((records, rows))[:EXAMPLES]
        pairs = zip(rows[first].tolist(), records[first].tolist(), strict=True)
        self.add(kind, len(rows), (Example(row, *_record_at(place)) for row, place in pairs))

    def __getitem__(self, kind: str) -> int:
        return self.counts.get(kind, 0)


def place_of(partition: int, offset: int) -> int:
    """A record's place as one number."""
    return partition << OFFSET_BITS | offset


def _record_at(place: int) -> tuple[int, int]:
    return (NONE, NONE) if place == NONE else (place >> OFFSET_BITS, place & ((1 << OFFSET_BITS) - 1))
