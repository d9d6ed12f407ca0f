"""Single figures beside their goals, as a table: for what is not a comparison of contenders. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.table import Goal, Table


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` as `shown`; `goal` as told, and whether it is met: no goal where there is no `bound`."""

    what: str
    value: float
    shown: str
    goal_shown: str = ""
    bound: float | None = None
    is_floor: bool = False
    note: str = ""


def at_most(what: str, value: float, bound: float, shown: str, goal_shown: str, note: str = "") -> Figure:
    return Figure(what, value, shown, f"≤ {goal_shown}", bound, False, note)


def at_least(what: str, value: float, bound: float, shown: str, goal_shown: str, note: str = "") -> Figure:
    return Figure(what, value, shown, f"≥ {goal_shown}", bound, True, note)


def table(title: str, figures: Sequence[Figure], *notes: str) -> Table:
    goals = tuple(Goal(f.what, f.value, f.bound, f.is_floor) for f in figures if f.bound is not None)
    rows = tuple((f.what, f.shown, f.goal_shown, f.note) for f in figures)
    return Table(title, ("", "measured", "goal", ""), rows, notes, goals)
