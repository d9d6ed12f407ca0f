"""Files of a folder that are not taken as input because of their endings. A folder in which half of the files are named
otherwise would pass for the whole. Pure."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replay.source.files.paths import is_ignored

if TYPE_CHECKING:
    from replay.reporter import Reporter

TAKEN = ".parquet, .parq or .pq"

_NOTES = frozenset({".md", ".rst"})
"""Endings of notes that people keep beside their data."""

_SHOWN_MAX = 5  # different endings in one line


@dataclass(frozen=True, slots=True)
class OtherEndings:
    """Files that were left out: the folder searched and the ending of each, by what identifies it."""

    files: dict[str, tuple[str, str]] = field(default_factory=dict)

    def note(self, identity: str, folder: str, below: str) -> None:
        """A file of a folder that was searched, with its path below it; hidden and unfinished ones do not count."""
        if below and not any(map(is_ignored, below.split("/"))):
            self.files[identity] = (folder, ending_of(below.rpartition("/")[2]))

    def forget(self, identities: Collection[str]) -> None:
        """Files that were named otherwise, too."""
        for identity in self.files.keys() & set(identities):
            del self.files[identity]

    @property
    def looks_like_input(self) -> bool:
        """Whether one of them may well be a Parquet file, by its name."""
        return any(
            not ending or "parq" in ending.lower() or ".pq" in ending.lower() for _, ending in self.files.values()
        )

    def __str__(self) -> str:
        """`3 files do not end in .parquet, .parq or .pq (2 in .parquet.gzip, 1 in nothing)`; "" for none."""
        if not self.files:
            return ""
        endings = Counter(ending for _, ending in self.files.values())
        shown = [f"{count:,} in {ending or 'nothing'}" for ending, count in endings.most_common(_SHOWN_MAX)]
        more = [f"{len(endings) - _SHOWN_MAX:,} more endings"] if len(endings) > _SHOWN_MAX else []
        verb = "file does" if len(self.files) == 1 else "files do"
        return f"{len(self.files):,} {verb} not end in {TAKEN} ({', '.join([*shown, *more])})"

    def line(self, taken: int) -> str:
        """The line for the log, beside so many files that are read; "" where nothing was left out."""
        if not self.files:
            return ""
        folders = list(dict.fromkeys(folder for folder, _ in self.files.values()))
        more = f" and {len(folders) - 1:,} more" if len(folders) > 1 else ""
        todo = f"; to read all whatever their ending, name {folders[0].rstrip('/')}/*" if self.looks_like_input else ""
        return f"{folders[0]}{more}: {self}: left out, {taken:,} read{todo}"

    def report(self, taken: int, reporter: Reporter) -> None:
        """Nothing is said where a folder holds a README beside its trades, and no more."""
        if _NOTES.issuperset(ending.lower() for _, ending in self.files.values()):
            return
        if line := self.line(taken):
            (reporter.warning if self.looks_like_input else reporter.info)(line)


def ending_of(name: str) -> str:
    """`.parquet.gzip` of `trades-1.2.parquet.gzip`: all that follows the name and looks like an ending; "" for none."""
    ending, rest = "", name
    while True:
        rest, last = os.path.splitext(rest)
        if not last[1:2].isalpha() or len(last) > 12:
            return ending
        ending = last + ending
