"""Which state of a table is read, and what the table says of its files. Pure: `delta.py` and `iceberg.py` ask."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from replay.errors import InputError, ReplayError, StateConflict, UsageError, install_extra
from replay.source.tables.marks import DELTA, ICEBERG


@dataclass(frozen=True, slots=True)
class AskedState:
    """Which state of a table: a Delta version, an Iceberg snapshot, or by a table's id the one that is `known` from a
    checkpoint; else the newest."""

    version: int | None = None
    snapshot: int | None = None
    known: tuple[tuple[str, int], ...] = ()

    def of(self, table_id: str) -> int | None:
        return dict(self.known).get(table_id)


NEWEST = AskedState()


@dataclass(frozen=True, slots=True)
class TableState:
    """A table at one moment. `number` is its version (Delta) or its snapshot's id (Iceberg). `schema` (pyarrow's) has
    the columns of then; a file that lacks one has null there. `field_ids` are the names of its fields by their number,
    where files have such numbers."""

    format: str
    table_id: str
    number: int
    schema: Any = field(default=(), compare=False)
    field_ids: tuple[tuple[int, str], ...] = ()

    @property
    def text(self) -> str:
        """`Delta 3f2a… version 5`: for people, and for a checkpoint to remember."""
        return f"{self.format} {self.table_id} {_NUMBERS[self.format]} {self.number}"


_NUMBERS = {DELTA: "version", ICEBERG: "snapshot"}


def check_asked(asked: AskedState, formats: Collection[str]) -> None:
    """An option for tables where there is none would be passed over."""
    for option, value, format in (("--table-version", asked.version, DELTA), ("--snapshot", asked.snapshot, ICEBERG)):
        if value is not None and format not in formats:
            todo = f"drop it, or name the folder of {'a Delta' if format == DELTA else 'an Iceberg'} table"
            raise UsageError(f"no input is a table of {format}", where=option, todo=todo)


def check_one_state(states: Collection[TableState]) -> None:
    """Two states of one table hold the same rows: sent together, most of them would come twice."""
    numbers: dict[str, TableState] = {}
    for state in sorted(states, key=lambda each: each.number):
        if numbers.setdefault(state.table_id, state).number != state.number:
            raise UsageError(
                f"two states of one table are named: {numbers[state.table_id].text} and {state.number}",
                where="INPUT",
                todo="name the table once",
            )


def text_of(states: Iterable[TableState]) -> str:
    """The states of all tables of a replay, as a checkpoint has them."""
    return ", ".join(sorted({state.text for state in states}))


def known_from(text: str) -> tuple[tuple[str, int], ...]:
    """The number of each table, by its id, from that text."""
    words = [each.split() for each in text.split(", ") if each]
    return tuple((each[1], int(each[3])) for each in words if len(each) == 4 and each[3].isdecimal())


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a table: a URI or local path, its size, and the columns that only the table knows, as text."""

    location: str
    size_bytes: int
    keys: tuple[tuple[str, str | None], ...]


Content = tuple[TableState, list[DataFile]]


def missing_extra(format: str, root: str) -> InputError:
    package, extra = ("deltalake", "delta") if format == DELTA else ("pyiceberg", "iceberg")
    return InputError(
        f"this is a folder of {'a Delta' if format == DELTA else 'an Iceberg'} table, and {package}, which tells which"
        " files are part of it, is not installed",
        where=root,
        todo=f"{install_extra(extra)}; or write one version of the table elsewhere as"
        " plain Parquet files, and name those",
    )


def not_honoured(format: str, root: str, what: str) -> InputError:
    """The error for what would change rows and is not supported."""
    how = next((f" ({each})" for words, each in _REWRITES.items() if words in what), "")
    return InputError(
        f"the {format} table has {what}, which replay does not honour",
        where=root,
        todo=f"rewrite the table without{how}, or write one version elsewhere as plain Parquet files, and name those",
    )


_REWRITES = {
    "deletion vectors (rows": "REORG TABLE ... APPLY (PURGE)",
    "delete files": "rewrite_data_files with delete-file-threshold 1",
}
"""What others call it."""


def gone(state: TableState, where: str) -> StateConflict:
    """A file of the table is not there any more."""
    return StateConflict(
        f"this file of {state.text} is gone: old files of the table were removed (vacuum, expired snapshots)",
        where=where,
        todo="restore the file; or replay the newest state of the table as a job of its own, or with --restart",
    )


def no_such_state(format: str, root: str, number: int, newest: int, why: str) -> ReplayError:
    """What was asked for is not there: never was, or not any more."""
    what = f"there is no {_NUMBERS[format]} {number} of this table (the newest is {newest}): {why}"
    todo = "name one that is there; or replay the newest as a job of its own, or with --restart"
    if format == DELTA and number > newest:
        return InputError(what, where=root, todo=todo)
    return StateConflict(what, where=root, todo=todo)


def as_key(value: Any) -> str | None:
    """A partition's value as text, as a Hive folder would have it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
