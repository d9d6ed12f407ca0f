"""The rules by which the rows of all files of a replay are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from replay.model import Bools, SymbolTable
from replay.source.columns.schema import Layout
from replay.source.options import Columns, OnBadRow, Order, SourceOptions
from replay.source.selection.select import Selection
from replay.units import NS_PER_UNIT


@dataclass(slots=True)
class Wanted:
    """Which symbols are selected, by id; kept up to date with the symbol table."""

    symbols: SymbolTable
    wants: Callable[[str], bool]
    _known: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def ids(self) -> Bools:
        """Whether it is selected, for each id of the table."""
        if len(self._known) < len(self.symbols.names):
            new = [self.wants(name) for name in self.symbols.names[len(self._known) :]]
            self._known = np.concatenate([self._known, np.array(new, dtype=bool)])
        return self._known


@dataclass(frozen=True, slots=True)
class RowRules:
    """`columns` are those of the options with what a preset says of them; new symbols are added to the table of
    `wanted`."""

    options: SourceOptions
    columns: Columns
    layout: Layout
    wanted: Wanted

    @property
    def selection(self) -> Selection | None:
        return self.options.selection

    @property
    def by_time(self) -> bool:
        return self.options.order is Order.EVENT_TIME

    @property
    def is_tolerant(self) -> bool:
        """Whether a row that cannot be a record is left out."""
        return self.options.on_bad_row is not OnBadRow.FAIL

    @property
    def unit_ns(self) -> int:
        """Nanoseconds in a unit of the event time."""
        return NS_PER_UNIT[self.layout.event_time.kind.unit]
