"""What the benchmarks say: tables, ratios of one interleaved run, goals; as Markdown and as JSON. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of two contenders' figures, round by round: machines are noisy, and a round is over before they change."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.2f} / {self.median:.2f} / {self.high:.2f}"


def ratio(figures: Sequence[float], others: Sequence[float]) -> Ratio:
    """Figure over the other one of the same round. Raises `ValueError` for rounds that do not fit."""
    each = [figure / other for figure, other in zip(figures, others, strict=True)]
    return Ratio(min(each), statistics.median(each), max(each))


@dataclass(frozen=True, slots=True)
class Goal:
    """`value` (a median, if there are several) has to be at least or at most `bound`."""

    text: str
    value: float
    bound: float
    at_least: bool = True

    @property
    def is_met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        return f"{self.text} {sign} {self.bound:g}: {self.value:.3g}, {'met' if self.is_met else 'MISSED'}"


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a report. Cells are text as it is to be read; `notes` say how it was made."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    goals: tuple[Goal, ...] = ()


def markdown(table: Table) -> str:
    lines = [f"### {table.title}", "", _line(table.columns), _line(("---",) * len(table.columns))]
    lines += [_line(row) for row in table.rows]
    remarks = [*table.notes, *map(str, table.goals)]
    if remarks:
        lines += ["", *(f"- {remark}" for remark in remarks)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def as_json(table: Table) -> dict[str, Any]:
    return {**asdict(table), "goals": [{**asdict(goal), "is_met": goal.is_met} for goal in table.goals]}
