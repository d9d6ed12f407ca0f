"""A reporter that keeps what it is told."""

from __future__ import annotations


class Lines:
    """`said`: information and warnings, in their order."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, text: str) -> None:
        self.said.append(text)

    warning = info

    def phase(self, *_: object) -> None: ...
