"""From the columns of all files to one event: where each part comes from, and as which type.

Files may differ in the order, width and encoding of their columns, and in the unit of integer times; what cannot be
brought to one type is refused by file and column, before a row is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

import pyarrow as pa
from pyarrow import types

from replay.errors import InputError
from replay.identity import list_text, parts_text
from replay.model import TIMESTAMP
from replay.record.formats.base import Column
from replay.record.json_text import supports
from replay.record.kinds import is_text
from replay.record.options import Records, ValueFormat
from replay.source.columns import convert
from replay.source.columns.names import check_names, fields_of, own_names, remedy
from replay.source.columns.record_columns import TIMES, Target, asked_for
from replay.source.columns.symbol_pattern import symbol_pattern
from replay.source.columns.text_times import needs_ns
from replay.source.columns.unify import plain, unify, widen
from replay.source.files.pages import check_pages
from replay.source.files.parquet_file import FOOTERS_AT_ONCE, InputFile, open_parquet, opened_again
from replay.source.files.unreadable import unreadable
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
    those that are text with more than six digits of a second. `timestamp_unit` is that of the timestamps of records,
    where they have a column of their own."""

    symbol: str | None
    time_unit: str | None
    timestamp_unit: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How the columns of all files become events. There is no price where values are sent as they are. `of_record` are
    the parts of a record that have columns of their own, by their names in a batch (`KEY`). `own_names` are the names
    of symbol, price and event time in a record."""

    symbol_column: str
    price: Part | None
    event_time: Part
    fields: tuple[Part, ...]
    of_record: Mapping[str, Part]
    files: tuple[FileLayout, ...]
    own_names: Mapping[str, str]

    @property
    def parts(self) -> list[Part]:
        """All but the symbol."""
        return [part for part in (self.price, self.event_time, *self.fields, *self.of_record.values()) if part]

    @property
    def columns(self) -> tuple[Column, ...]:
        """What is written into a record, in its order."""
        names = self.own_names
        symbol = Column("symbol", names["symbol"], pa.string(), nullable=False, source=self.symbol_column)
        first = [part for part in (self.price, self.event_time) if part]
        own = [Column(part.name, names[part.name], part.kind, False, part.column) for part in first]
        further = [Column(part.name, part.name, part.kind, True, part.column) for part in self.fields]
        return (symbol, *own, *further)

    def identity(self) -> dict[str, str]:
        """What decides the bytes, beside the options: types, and what was found out about the files."""
        symbols = sorted({file.symbol for file in self.files if file.symbol is not None})
        units = sorted({file.time_unit for file in self.files if file.time_unit is not None})
        found = {
            "types": parts_text([(part.name, part.column, str(part.kind)) for part in self.parts]),
            "constant symbols": list_text(symbols),
            "time units": ",".join(units),
        }
        if TIMESTAMP in self.of_record:
            own = {file.timestamp_unit for file in self.files if file.timestamp_unit is not None}
            found["timestamp units"] = ",".join(sorted(own))
        return found


def resolve(files: Sequence[InputFile], columns: Columns, records: Records) -> Layout:
    """Raises `InputError` for a file that lacks a column or contradicts the others in its type."""
    for file in files:
        check_names(file, columns, records)
    symbols = [_constant_symbol(file, columns) for file in files]
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:  # of some files rows are read
        units = list(pool.map(partial(_time_unit, columns=columns), files))
    own_units = [_timestamp_unit(file, records.timestamp_column, columns.time_unit) for file in files]
    layouts = tuple(map(FileLayout, symbols, units, own_units))
    part = partial(_part, list(zip(files, layouts, strict=True)))
    # Other formats say themselves which types they have.
    has_form = supports if records.value_format in (ValueFormat.JSON, ValueFormat.JSON_SCHEMA) else bool
    price = None
    if records.value_column is None:
        price = part(
            "price",
            columns.price,
            lambda kind, _: convert.price_type(kind, scale=columns.price_scale),
            "a number, or text that is one",
        )
    of_record = asked_for(records, [name for file in files for name in file.schema.names])
    return Layout(
        symbol_column=columns.symbol,
        price=price,
        event_time=part(
            "event_time",
            columns.event_time,
            lambda kind, own: convert.time_type(kind, own.time_unit or columns.time_unit),
            TIMES,
        ),
        fields=tuple(
            part(name, column, lambda kind, _: kind if has_form(plain(kind)) else None, "a type that has a JSON form")
            for name, column in fields_of(files, columns, records)
        ),
        of_record={name: part(*asked) for name, asked in of_record.items()},
        files=layouts,
        own_names=own_names(columns),
    )


# -- one column over all files ------------------------------------------------------------------------------


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
    column, unit = columns.event_time, columns.time_unit
    kind = file.schema.field(column).type
    if is_text(kind):
        return "ns" if unit is None and _has_ns(file, column) else None
    if not types.is_integer(kind):
        return None
    return unit or _inferred_unit(file, column) or _refuse_unit(file, column)


def _timestamp_unit(file: InputFile, column: str | None, given: str | None) -> str | None:
    """The same of the timestamps of records. Text always has nanoseconds: no text depends on it. What is given is the
    unit of event times, so that of integers is told from their size where statistics show it."""
    kind = pa.null() if column is None else file.schema.field(column).type
    if is_text(kind):
        return "ns"
    if column is None or not types.is_integer(kind):
        return None
    return _inferred_unit(file, column) or given or _refuse_unit(file, column)


def _inferred_unit(file: InputFile, column: str) -> str | None:
    if not file.rows:
        return "us"  # of a file without rows nothing depends on it
    found = file.range_of(column)
    return None if found.first is None else convert.infer_time_unit(found.first, found.last)


def _refuse_unit(file: InputFile, column: str) -> NoReturn:
    found = file.range_of(column)
    why = "has no statistics" if found.first is None else f"goes from {found.first} to {found.last}"
    raise InputError(
        f"column {column!r} holds integers and {why}: the unit of these times cannot be told",
        where=file.shown,
        todo="name it with --time-unit s, ms, us or ns",
    )


def _has_ns(file: InputFile, column: str) -> bool:
    """Whether the first texts of this column have more than six digits of a second. What later rows have then, and
    these have not, is refused by the reader, never rounded."""
    if column in file.keys or not file.rows:
        return False
    with open_parquet(file.path, opened_again(file)) as (parquet, _):
        check_pages(file.path, parquet, [group.number for group in file.groups], [column])
        try:
            batch = next(parquet.iter_batches(_FIRST_ROWS, columns=[column], use_threads=False), None)
            return batch is not None and needs_ns(widen(batch.column(column), pa.string()))
        except (UnicodeError, OSError, pa.ArrowException) as error:
            raise unreadable(file.shown, error) from None
