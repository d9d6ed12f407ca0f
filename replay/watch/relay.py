"""A display that passes everything on to another one: the base of what watches a replay. Light."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.delivery.snapshot import Display, Snapshot


class Relay:
    """Passes everything on, unchanged."""

    def __init__(self, to: Display) -> None:
        self._to = to

    def info(self, message: str) -> None:
        self._to.info(message)

    def warning(self, message: str) -> None:
        self._to.warning(message)

    def phase(self, name: str, done_rows: int, rows: int) -> None:
        self._to.phase(name, done_rows, rows)

    def progress(self, snapshot: Snapshot) -> None:
        self._to.progress(snapshot)
