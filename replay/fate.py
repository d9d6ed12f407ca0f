"""What becomes of a row, and how many rows became what. Light: no arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import IntEnum

from replay.iso8601 import Problem


class Fate(IntEnum):
    """What becomes of a row. Every row counts in positions, whatever its fate, so that a resume is exact.

    `reason` is why a bad row is bad; it completes "column X …".
    """

    reason: str

    def __new__(cls, number: int, reason: str = "") -> Fate:
        made = int.__new__(cls, number)
        made._value_, made.reason = number, reason
        return made

    SENT = 0
    NOT_SELECTED = 1
    SYMBOL_MISSING = 2, "is null or empty"
    SYMBOL_NOT_TEXT = 3, "is not valid UTF-8"
    PRICE_MISSING = 4, "is null or empty"
    PRICE_NOT_FINITE = 5, "is not finite"
    PRICE_NOT_A_NUMBER = 6, "is not a number"
    TIME_MISSING = 7, "is null or empty"
    TIME_NOT_A_TIME = 8, Problem.NO_TIME.value
    TIME_TOO_EARLY = 9, "is not after 1970-01-01T00:00:00.000Z"
    TIME_TOO_LATE = 10, "is beyond the year 2262"
    FIELD_NOT_TEXT = 11, "is not valid UTF-8"
    FIELD_TOO_LATE = 12, "is not in the years 1 to 9999"
    KEY_MISSING = 13, "is null"
    PARTITION_WRONG = 14, "is no partition of the topic"
    TIME_NEEDS_NS = 15, "has more than six digits of a second, unlike the first rows: take nine with --time-unit ns"
    TIME_TOO_FINE = 16, Problem.TOO_FINE.value
    TIME_LEAP_SECOND = 17, Problem.LEAP_SECOND.value
    TIME_NO_CLOCK = 18, Problem.NO_CLOCK.value
    TIME_NO_DATE = 19, Problem.NO_DATE.value
    TIME_ZONE_NAME = 20, Problem.ZONE_NAME.value
    TIME_LONG_YEAR = 21, Problem.LONG_YEAR.value
    TIME_NUMBER = 22, Problem.NUMBER.value
    FIELD_MISFIT = 23, "has no place in its field of the schema"
    KEY_NEEDED = 24, "is null, and nothing else says which partition the record is for"
    RECORD_HEADER_NAME = 25, "has a header whose name is null, not UTF-8, or holds a NUL"
    VALUE_SCHEMA_ID = 26, "begins with a schema id that --translate-schema-ids does not name"
    KEY_SCHEMA_ID = 27, "begins with a schema id that --translate-key-schema-ids does not name"
    ROW_MISFIT = 28, "is not what the schema takes as a whole"

    @property
    def told(self) -> str:
        """`price is null`."""
        return f"{self.name.partition('_')[0].lower()} {self.reason}"

    @property
    def key(self) -> str:
        """`price_missing`: as checkpoints, history and metrics call it."""
        return self.name.lower()

    @property
    def is_bad(self) -> bool:
        return self > Fate.NOT_SELECTED


def fates_of(bad: Mapping[str, int]) -> Counter[Fate]:
    """Counts by name, as positions have them, by fate."""
    return Counter({Fate[name.upper()]: rows for name, rows in bad.items()})


def reasons(counts: Mapping[Fate, int]) -> str:
    """`price is null 7, symbol is empty 2`."""
    return ", ".join(f"{fate.told} {rows:,}" for fate, rows in sorted(counts.items()))
