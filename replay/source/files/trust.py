"""Statistics that the rows of their file contradict: said by file and writer, and then not used for that file.

Which row groups are part of a replay, and in which order files come, follows from statistics; positions follow from
that. So whether those of a file count is decided once, before the first row is sent, by looking: rows that are read are
compared with them, and of row groups that they rule out the columns by which they do so are read as well. The decision
is part of the replay's identity, and a resume takes it from the checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from replay.errors import InputError
from replay.source.files.parquet_file import InputFile
from replay.source.options import SourceOptions

NOT_USED = "statistics not used of"
"""Key in a replay's identity: the footers (SHA-256) of the files whose statistics do not count, as a JSON list."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A row that is not what the statistics of its file say. `row` is its place in the file, `column` which ones."""

    file: InputFile
    row: int
    column: str

    def __str__(self) -> str:
        what = f"contradicts the file's statistics of column {self.column!r} ({self.file.writer})"
        return f"row {self.row:,} (the first is 0) {what}"


class StatisticsWrong(InputError):
    """Found before anything was sent: begin again without the statistics of these files."""

    def __init__(self, found: Sequence[Contradiction]) -> None:
        self.found = tuple(found)
        super().__init__(
            str(self.found[0]),
            where=self.found[0].file.shown,
            todo="write the file again with a writer that is not known to be wrong",
        )

    @property
    def footers(self) -> frozenset[str]:
        return frozenset(each.file.footer_sha256 for each in self.found)


def until_true(options: SourceOptions, use: Callable[[SourceOptions], T], warn: Callable[[str], None]) -> T:
    """What `use` makes of the options, with the statistics of each file left aside that turn out to be wrong.

    `use` raises `StatisticsWrong` only as long as nothing was sent or saved.
    """
    while True:
        try:
            return use(options)
        except StatisticsWrong as wrong:
            if wrong.footers <= options.without_statistics:
                raise
            for each in wrong.found:
                warn(f"{each.file.shown}: {each}: the file is read as if it had none")
            options = replace(options, without_statistics=options.without_statistics | wrong.footers)


def identity(without_statistics: frozenset[str]) -> dict[str, str]:
    """Nothing, mostly: then it is as that of a replay that knows of no statistics."""
    return {NOT_USED: json.dumps(sorted(without_statistics))} if without_statistics else {}


def as_decided(options: SourceOptions, saved: Mapping[str, str]) -> SourceOptions:
    """The options of a replay that goes on, with what was decided when it began (`saved`: its identity)."""
    text = saved.get(NOT_USED, "")
    return replace(options, without_statistics=options.without_statistics.union(json.loads(text) if text else ()))
