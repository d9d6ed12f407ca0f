"""What to do about a date without a file. Light: no file is looked for here."""

from __future__ import annotations

from enum import StrEnum


class Missing(StrEnum):
    FAIL = "fail"
    SKIP = "skip"
    WAIT = "wait"
