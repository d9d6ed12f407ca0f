"""What a user may choose where rows are read: values of options. Light, so that help answers at once."""

from __future__ import annotations

from enum import StrEnum


class Order(StrEnum):
    """EVENT_TIME merges all inputs by (event time, file, row); AS_IS keeps path order and row order."""

    EVENT_TIME = "event-time"
    AS_IS = "as-is"


class Unsorted(StrEnum):
    """What to do with rows that go back in time inside a file, where the order is that of event times."""

    FAIL = "fail"
    SORT = "sort"
    KEEP = "keep"


class OnBadRow(StrEnum):
    """What to do with a row that cannot be a record."""

    FAIL = "fail"
    SKIP = "skip"
    QUARANTINE = "quarantine"


class Empty(StrEnum):
    """What to do where a replay has no row to send: a date without trades."""

    FAIL = "fail"
    OK = "ok"


class SymbolCase(StrEnum):
    KEEP = "keep"
    UPPER = "upper"
    LOWER = "lower"
