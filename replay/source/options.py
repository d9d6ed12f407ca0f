"""Which rows are replayed, from which columns, in which order. Light: no Arrow."""

from __future__ import annotations

from dataclasses import dataclass, field

from replay.record.options import Records
from replay.source.choices import Empty, OnBadRow, Order, SymbolCase, Unsorted
from replay.source.selection.select import Selection
from replay.source.tables.states import NEWEST, AskedState

ALL_FIELDS = ("*",)
"""The value of `Columns.fields` that stands for every column that is not used otherwise."""

METADATA = "metadata:"
"""`--symbol-from metadata:KEY`: the symbol is a value of the file's key-value metadata."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which input columns make up an event; a Hive partition key counts as a column.

    The symbol of a file without that column is `constant_symbol`, or what the first of `symbol_from` that fits finds in
    the file's name (`{symbol}-trades-*.parquet`) or metadata (`metadata:KEY`). `time_unit` is that of integer times
    (None: by their magnitude), `price_scale` the number of decimal places of integer prices, `price_undefined` the
    integer that stands for no price. `rename` maps columns to field names. Whatever is at its default is what `preset`,
    a well-known layout, says. `has_symbol` is False where records are sent as they are and nothing says what their
    symbol is: `constant_symbol` is then no more than a name for all of them.
    """

    symbol: str = "symbol"
    price: str = "price"
    event_time: str = "event_time"
    fields: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    constant_symbol: str | None = None
    symbol_from: tuple[str, ...] = ()
    symbol_case: SymbolCase = SymbolCase.KEEP
    time_unit: str | None = None
    price_scale: int | None = None
    price_undefined: int | None = None
    preset: str | None = None
    has_symbol: bool = True

    @property
    def has_symbol_column(self) -> bool:
        return self.constant_symbol is None and not self.symbol_from


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Which rows are replayed, and in which order.

    `trust_statistics`: row groups that statistics rule out are not looked at before they are left out.
    `without_statistics`: the footers (SHA-256) of files whose statistics are known to be wrong. `table_state` says
    what is read of a table that is an input.
    """

    inputs: tuple[str, ...]
    columns: Columns = field(default_factory=Columns)
    records: Records = field(default_factory=Records)
    order: Order = Order.EVENT_TIME
    unsorted: Unsorted = Unsorted.FAIL
    sort_memory_bytes: int = 256 << 20  # of all files being sorted at a time; what is larger goes over the disk
    selection: Selection = field(default_factory=Selection)
    on_bad_row: OnBadRow = OnBadRow.FAIL
    bad_rows_max: int | None = None  # more than this many end the run
    bad_share_max: float = 0.1  # of all rows; where no number is given: a wrong column or unit makes all rows bad
    empty: Empty = Empty.FAIL  # no row in the range of times, or none at all
    allow_empty: bool = False  # that, no row selected for whatever reason, and a listed symbol without any
    trust_statistics: bool = False
    without_statistics: frozenset[str] = frozenset()
    table_state: AskedState = NEWEST

    @property
    def sends_all(self) -> bool:
        """Whether no row can be left out."""
        return self.selection.takes_all and self.on_bad_row is OnBadRow.FAIL

    @property
    def may_be_empty(self) -> bool:
        """Whether it is no error that there is no row at all."""
        return self.allow_empty or self.empty is Empty.OK
