"""From the columns of all files to one event: where each part comes from, and as which type.

Files may differ in the order, width and encoding of their columns, and in the unit of integer times; what cannot be
brought to one type is refused by file and column, before a row is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
from pyarrow import types

from replay.errors import InputError
from replay.identity import list_text, parts_text
from replay.record.formats.base import Column
from replay.record.json_text import supports
from replay.record.kinds import is_text
from replay.record.options import Records, ValueFormat
from replay.source.columns import convert
from replay.source.columns.names import check_names, fields_of, own_names, remedy
from replay.source.columns.symbol_pattern import symbol_pattern
from replay.source.columns.text_times import needs_ns
from replay.source.columns.unify import plain, unify, widen
from replay.source.files.parquet_file import FOOTERS_AT_ONCE, InputFile, open_parquet, unreadable
from replay.source.options import METADATA, Columns

_FIRST_ROWS = 1_024
"""Read of each file whose times are texts. A writer that has nanoseconds writes some within so many rows."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the event: its name there, the input column, and the type it is brought to."""

    name: str
    column: str
    kind: pa.DataType


@dataclass(frozen=True, slots=True)
class FileLayout:
    """What is peculiar to a file: its constant symbol (None: there is a column) and the unit of integer times, or of
    those that are text with more than six digits of a second."""

    symbol: str | None
    time_unit: str | None


@dataclass(frozen=True, slots=True)
class Layout:
    """How the columns of all files become events. `key` and `partition` are columns of their own, where asked for.
    `own_names` are the names of symbol, price and event time in a record."""

    symbol_column: str
    price: Part
    event_time: Part
    fields: tuple[Part, ...]
    key: Part | None
    partition: Part | None
    files: tuple[FileLayout, ...]
    own_names: Mapping[str, str]

    @property
    def parts(self) -> list[Part]:
        """All but the symbol."""
        return [part for part in (self.price, self.event_time, *self.fields, self.key, self.partition) if part]

    @property
    def columns(self) -> tuple[Column, ...]:
        """What is written into a record, in its order."""
        names = self.own_names
        symbol = Column("symbol", names["symbol"], pa.string(), nullable=False, source=self.symbol_column)
        own = [
            Column(part.name, names[part.name], part.kind, False, part.column) for part in (self.price, self.event_time)
        ]
        further = [Column(part.name, part.name, part.kind, True, part.column) for part in self.fields]
        return (symbol, *own, *further)

    def identity(self) -> dict[str, str]:
        """What decides the bytes, beside the options: types, and what was found out about the files."""
        symbols = sorted({file.symbol for file in self.files if file.symbol is not None})
        units = sorted({file.time_unit for file in self.files if file.time_unit is not None})
        return {
            "types": parts_text([(part.name, part.column, str(part.kind)) for part in self.parts]),
            "constant symbols": list_text(symbols),
            "time units": ",".join(units),
        }


def resolve(files: Sequence[InputFile], columns: Columns, records: Records) -> Layout:
    """Raises `InputError` for a file that lacks a column or contradicts the others in its type."""
    for file in files:
        check_names(file, columns, records)
    symbols = [_constant_symbol(file, columns) for file in files]
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:  # of some files rows are read
        units = list(pool.map(partial(_time_unit, columns=columns), files))
    layouts = tuple(map(FileLayout, symbols, units))
    part = partial(_part, list(zip(files, layouts, strict=True)))
    # Other formats say themselves which types they have.
    has_form = supports if records.value_format in (ValueFormat.JSON, ValueFormat.JSON_SCHEMA) else bool
    key, partition = records.key_column, records.partition_column
    return Layout(
        symbol_column=columns.symbol,
        price=part(
            "price",
            columns.price,
            lambda kind, _: convert.price_type(kind, scale=columns.price_scale),
            "a number, or text that is one",
        ),
        event_time=part(
            "event_time",
            columns.event_time,
            lambda kind, own: convert.time_type(kind, own.time_unit or columns.time_unit),
            "a timestamp, an integer or ISO 8601 text",
        ),
        fields=tuple(
            part(name, column, lambda kind, _: kind if has_form(plain(kind)) else None, "a type that has a JSON form")
            for name, column in fields_of(files, columns, records)
        ),
        key=part("key", key, lambda kind, _: pa.string() if is_text(kind) else None, "text") if key else None,
        partition=(
            part("partition", partition, lambda kind, _: pa.int64() if types.is_integer(kind) else None, "an integer")
            if partition
            else None
        ),
        files=layouts,
        own_names=own_names(columns),
    )


# -- one column over all files ------------------------------------------------------------------------------


Target = Callable[[pa.DataType, FileLayout], "pa.DataType | None"]
"""The type that a column of this type becomes in such a file; None if it cannot."""


def _part(files: Sequence[tuple[InputFile, FileLayout]], name: str, column: str, target: Target, needs: str) -> Part:
    kinds: list[tuple[InputFile, pa.DataType]] = []
    for file, own in files:
        if column not in file.schema.names:  # with `--fields *`, a column that this file does not have
            continue
        kind = file.schema.field(column).type
        became = target(kind, own)
        if became is None:
            raise InputError(
                f"column {column!r} has type {kind}, and {name} needs {needs}", where=file.shown, todo=remedy(name)
            )
        kinds.append((file, became))
    unified = kinds[0][1]
    for file, kind in kinds[1:]:
        try:
            unified = unify([unified, kind])
        except TypeError:
            raise InputError(
                f"column {column!r} has type {kind}, but {unified} in {kinds[0][0].shown}",
                where=file.shown,
                todo="convert one of them, or replay them as separate jobs",
            ) from None
    return Part(name, column, unify([unified]))


# -- what is peculiar to a file -----------------------------------------------------------------------------


def _constant_symbol(file: InputFile, columns: Columns) -> str | None:
    if columns.constant_symbol is not None:
        return columns.constant_symbol
    if not columns.symbol_from:
        return None
    found = (_symbol_from(pattern, file) for pattern in columns.symbol_from)
    symbol = next((symbol for symbol in found if symbol), None)
    if symbol is None:
        raise InputError(
            f"no symbol in its name or metadata by {' or '.join(columns.symbol_from)}",
            where=file.shown,
            todo="correct --symbol-from, leave the file out, or give all rows one symbol with --symbol NAME",
        )
    return symbol


def _symbol_from(pattern: str, file: InputFile) -> str | None:
    if pattern.startswith(METADATA):
        value = file.metadata.get(pattern.removeprefix(METADATA).encode())
        return None if value is None else value.decode(errors="replace")
    return symbol_pattern(pattern).symbol(file.shown)


def _time_unit(file: InputFile, columns: Columns) -> str | None:
    """The unit of integer times: given, or inferred from statistics. "ns" for texts that need it. Else None."""
    kind = file.schema.field(columns.event_time).type
    if is_text(kind):
        return "ns" if columns.time_unit is None and _has_ns(file, columns.event_time) else None
    if not types.is_integer(kind):
        return None
    if columns.time_unit is not None or not file.rows:
        return columns.time_unit or "us"  # of a file without rows nothing depends on it
    found = file.range_of(columns.event_time)
    unit: str | None = convert.infer_time_unit(found.first, found.last) if found.first is not None else None
    if unit is None:
        why = "has no statistics" if found.first is None else f"goes from {found.first} to {found.last}"
        raise InputError(
            f"column {columns.event_time!r} holds integers and {why}: the unit of these times cannot be told",
            where=file.shown,
            todo="name it with --time-unit s, ms, us or ns",
        )
    return unit


def _has_ns(file: InputFile, column: str) -> bool:
    """Whether the first texts of this column have more than six digits of a second. What later rows have then, and
    these have not, is refused by the reader, never rounded."""
    if column in file.keys or not file.rows:
        return False
    with open_parquet(file.path) as (parquet, _):
        try:
            batch = next(parquet.iter_batches(_FIRST_ROWS, columns=[column], use_threads=False), None)
            return batch is not None and needs_ns(widen(batch.column(column), pa.string()))
        except (UnicodeError, OSError, pa.ArrowException) as error:
            raise unreadable(file.shown, error) from None
