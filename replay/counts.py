"""What became of the rows of INPUT: the numbers that every display shows. Pure and light.

Once a replay is done, `in topic + not selected + bad = of rows`. Before that, the difference is still to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from replay.position import Progress

NOT_SELECTED = "not_selected"  # as the `Fate` is called


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Numbers of rows. `of_rows` are all rows of INPUT, also those in row groups and files that statistics rule out.

    `in_topic` rows are proven to be in the topic (transactional delivery: committed). `not_selected` and bad rows never
    get there. `bad_by_reason` has the names of the `Fate`s, as `price_missing`.
    """

    of_rows: int
    in_topic: int = 0
    not_selected: int = 0
    bad_by_reason: Mapping[str, int] = field(default_factory=dict)

    @property
    def bad(self) -> int:
        return sum(self.bad_by_reason.values())

    @property
    def settled(self) -> int:
        """Rows with which nothing more will happen."""
        return self.in_topic + self.not_selected + self.bad

    @property
    def left_out(self) -> dict[str, int]:
        """Rows that are not sent, by the name of the `Fate`."""
        return {**({NOT_SELECTED: self.not_selected} if self.not_selected else {}), **self.bad_by_reason}

    def named(self) -> dict[str, Any]:
        """By the names that machines read, the same everywhere."""
        return {
            "in_topic_rows": self.in_topic,
            "not_selected_rows": self.not_selected,
            "bad_rows": self.bad,
            "of_rows": self.of_rows,
        }

    def text(self) -> str:
        """`910 in topic, 60 not selected, 30 bad, of 1,000 rows`."""
        left_out = f"{self.not_selected:,} not selected, {self.bad:,} bad"
        return f"{self.in_topic:,} in topic, {left_out}, of {self.of_rows:,} rows"

    def short_text(self) -> str:
        """The same without what is 0: `910 in topic, 30 bad, of 1,000 rows`, or `970 of 1,000 rows`."""
        if not self.not_selected and not self.bad:
            return f"{self.in_topic:,} of {self.of_rows:,} rows"
        parts = [(self.in_topic, "in topic"), (self.not_selected, "not selected"), (self.bad, "bad")]
        shown = [f"{rows:,} {what}" for rows, what in parts if rows or what == "in topic"]
        return ", ".join([*shown, f"of {self.of_rows:,} rows"])


def row_counts(progress: Progress, rows: int, pruned_rows: int) -> RowCounts:
    """The counts of a replay of `rows` rows; statistics ruled out `pruned_rows` more.

    Rows beyond the position that are known to be in the topic count as in the topic."""
    position = progress.position
    ahead = sum(mark.ahead_rows for mark in progress.marks)
    bad = sum(position.bad.values())
    return RowCounts(
        of_rows=rows + pruned_rows,
        in_topic=position.records + ahead,
        not_selected=position.left_out - bad + pruned_rows,
        bad_by_reason=dict(position.bad),
    )


@dataclass(frozen=True, slots=True)
class ByName:
    """Records by name, the largest number first. `others` more names have `others_rows` together."""

    rows: Mapping[str, int] = field(default_factory=dict)
    others: int = 0
    others_rows: int = 0

    @property
    def names(self) -> int:
        return len(self.rows) + self.others
