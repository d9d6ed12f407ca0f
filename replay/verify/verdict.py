"""What `replay verify` found, as numbers, as JSON and as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from replay.errors import ExitCode, printable
from replay.verify.decoding import Shown
from replay.verify.kinds import KINDS

LOG_APPEND_TIME = "the broker's own time (LogAppendTime)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One example. `row` is its number in the replay's order, `file_row` that in its file; both begin at 0.

    `expected` is the record of the row, `found` what the topic has, `differs` what people are told of both: the fields
    that are not the same, another schema, or that the record is gone.
    """

    kind: str
    row: int | None = None
    file: str | None = None
    file_row: int | None = None
    symbol: str | None = None
    partition: int | None = None
    offset: int | None = None
    expected: Shown | None = None
    found: Shown | None = None
    differs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n  ".join([self._place(), *self._contents()])

    def as_json(self) -> dict[str, Any]:
        """Without what there is none of."""
        return _given(asdict(self))

    def _contents(self) -> list[str]:
        """Fields that differ, or the record: both sides of one that is not what it should be differ by fields only."""
        expected, found = self.expected, self.found
        if found is None:
            return [*self.differs, *([] if expected is None else [f"expected {expected.value}"])]
        if expected is not None:
            return list(self.differs) or [found.value]
        time = "" if found.timestamp is None else f", {found.timestamp}"
        return [*self.differs, f"found key {found.key}{time}: {found.value}"]

    def _place(self) -> str:
        parts = []
        if self.row is not None:
            parts.append(printable(f"row {self.row:,} ({self.symbol}; {self.file}, row {self.file_row:,})"))
        if self.offset is not None:
            parts.append(f"partition {self.partition}, offset {self.offset:,}")
        elif self.partition is not None:
            parts.append(f"partition {self.partition}")
        return ": ".join(parts)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rows` = found + lost + changed + misplaced; `records` = found + duplicated + changed + misplaced + foreign.

    Records out of order are among the found. Every number is exact, except that `out_of_order` is an upper
    bound where `order_exact` is False: records were further from their place than the window.
    """

    topic: str
    isolation: str
    rows: int
    records: int
    found: int
    lost: int
    duplicated: int
    out_of_order: int
    changed: int
    misplaced: int
    foreign: int
    order_exact: bool
    timestamps_compared: bool
    allow_foreign: bool
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    examples: tuple[Finding, ...]

    @property
    def exact(self) -> bool:
        """Every row once, in order, unchanged, and nothing else (but foreign records, where they are allowed)."""
        return not self._differences()

    def differences(self) -> str:
        """`3 lost, 1 duplicated`."""
        return ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in self._differences())

    def _differences(self) -> list[tuple[str, int]]:
        kinds = [kind for kind in KINDS if kind != "foreign" or not self.allow_foreign]
        return [(kind, number) for kind in kinds if (number := getattr(self, kind))]

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.DONE if self.exact else ExitCode.DIFFERENT

    def as_json(self) -> dict[str, Any]:
        return {"exact": self.exact, **asdict(self), "examples": [each.as_json() for each in self.examples]}


def _given(found: dict[str, Any]) -> dict[str, Any]:
    made = {name: _given(value) if isinstance(value, dict) else value for name, value in found.items()}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in made.items()
        if value not in (None, ())
    }


def verdict_table(verdict: Verdict) -> Table:
    """Counts, and the first few of whatever is wrong."""
    title = f"topic {verdict.topic}, {verdict.isolation}: " + ("as the source" if verdict.exact else "DIFFERENT")
    table = Table("", "records", "the first of them", title=title)
    table.columns[1].justify = "right"
    table.add_row("expected", f"{verdict.rows:,}", "")
    table.add_row("found", f"{verdict.found:,}", "")
    for kind in KINDS:
        count = getattr(verdict, kind)
        bound = "" if verdict.order_exact or kind != "out_of_order" else "at most "
        shown = "\n".join(str(each) for each in verdict.examples if each.kind == kind)
        table.add_row(kind.replace("_", " "), f"{bound}{count:,}", Text(shown))  # Text: brackets are no markup
    if not verdict.timestamps_compared:
        table.caption = f"timestamps not compared: they are {LOG_APPEND_TIME}"
    return table
