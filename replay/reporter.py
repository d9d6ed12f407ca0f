"""The seam between the code that works and the code that displays."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Who is told: the terminal, a log, a test."""

    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def phase(self, name: str, done_rows: int, rows: int) -> None: ...
