"""From the columns of all files to one event: where each part comes from, and as which type. Pure.

Files may differ in the order, width and encoding of their columns, and in the unit of integer times; what cannot be
brought to one type is refused by file and column, before a row is read.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn

import pyarrow as pa

from replay.errors import InputError, UsageError
from replay.identity import list_text, parts_text
from replay.record.json_text import supports
from replay.record.options import Records
from replay.source.columns import convert, presets
from replay.source.columns.symbol_pattern import symbol_pattern
from replay.source.columns.unify import unify
from replay.source.files.parquet_file import InputFile
from replay.source.options import ALL_FIELDS, METADATA, Columns

MADE_BY_US = ("symbol", "price", "event_time")
"""The names of the first three fields of every record."""


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
    """How the columns of all files become events. `key` and `partition` are columns of their own, where asked for."""

    symbol_column: str
    price: Part
    event_time: Part
    fields: tuple[Part, ...]
    key: Part | None
    partition: Part | None
    files: tuple[FileLayout, ...]

    def identity(self) -> dict[str, str]:
        """What decides the bytes, beside the options: types, and what was found out about the files."""
        parts = [part for part in (self.price, self.event_time, *self.fields, self.key, self.partition) if part]
        symbols = sorted({file.symbol for file in self.files if file.symbol is not None})
        units = sorted({file.time_unit for file in self.files if file.time_unit is not None})
        return {
            "types": parts_text([(part.name, part.column, str(part.kind)) for part in parts]),
            "constant symbols": list_text(symbols),
            "time units": ",".join(units),
        }


def resolve(
    files: Sequence[InputFile],
    columns: Columns,
    records: Records,
    text_units: Callable[[Sequence[InputFile], str], Mapping[str, str]] = lambda _files, _column: {},
) -> Layout:
    """Raises `InputError` for a file that lacks a column or contradicts the others in its type.

    `text_units` tells what the texts of a column of times need, by file.
    """
    for file in files:
        _check_names(file, columns, records)
    symbols = [_constant_symbol(file, columns) for file in files]
    texts = [
        file for file in files if columns.time_unit is None and is_text(file.schema.field(columns.event_time).type)
    ]
    units_of_texts = text_units(texts, columns.event_time) if texts else {}
    units = [units_of_texts.get(file.shown) or _time_unit(file, columns) for file in files]
    time_types = partial(_time_type, columns, dict(zip((file.shown for file in files), units, strict=True)))
    price_type = partial(convert.price_type, scale=columns.price_scale)
    part = partial(_part, files)
    return Layout(
        symbol_column=columns.symbol,
        price=part("price", columns.price, lambda _, kind: price_type(kind), "a number, or text that is one"),
        event_time=part("event_time", columns.event_time, time_types, "a timestamp, an integer or ISO 8601 text"),
        fields=tuple(
            part(name, column, lambda _, kind: kind if supports(kind) else None, "a type that has a JSON form")
            for name, column in _fields(files, columns, records)
        ),
        key=part("key", records.key_column, _text_type, "text") if records.key_column else None,
        partition=(
            part("partition", records.partition_column, _integer_type, "an integer")
            if records.partition_column
            else None
        ),
        files=tuple(map(FileLayout, symbols, units)),
    )


def with_preset(columns: Columns, file: InputFile | None) -> Columns:
    """The columns of a well-known layout, in the spelling of this file, where the options do not say otherwise."""
    if columns.preset is None or file is None:
        return columns
    if columns.preset not in presets.names():
        close = difflib.get_close_matches(columns.preset, presets.names(), n=1)
        raise UsageError(
            f"there is no preset {columns.preset!r}" + (f" (did you mean {close[0]}?)" if close else ""),
            where="--preset",
            todo="see them all with: replay presets",
        )
    preset = presets.fitting(columns.preset, file.schema.names)
    if preset is None:
        raise InputError(
            f"this is not the layout {columns.preset}; the file has: {', '.join(map(repr, file.schema.names))}",
            where=file.shown,
            todo="see the columns of each layout with: replay presets; or name them with --map",
        )
    default = Columns()
    symbol = preset.symbol or preset.hive_symbol
    says: dict[str, Any] = {
        "price": preset.price,
        "event_time": preset.event_time,
        "time_unit": preset.time_unit or None,
        "price_scale": None if preset.price_scale is None else -Decimal(preset.price_scale).adjusted(),
        "price_undefined": preset.price_undefined,
        "fields": tuple(field for field in preset.fields if field in file.schema.names),
    }
    if columns.has_symbol_column:  # nothing was said of symbols
        says |= {"symbol": symbol or default.symbol, "symbol_from": () if symbol else preset.symbol_from}
    return replace(columns, **{k: v for k, v in says.items() if getattr(columns, k) == getattr(default, k)})


def is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


# -- one column over all files ------------------------------------------------------------------------------


Target = Callable[[InputFile, pa.DataType], "pa.DataType | None"]
"""The type that a column of this type becomes in this file; None if it cannot."""


def _part(files: Sequence[InputFile], name: str, column: str, target: Target, needs: str) -> Part:
    kinds: list[tuple[InputFile, pa.DataType]] = []
    for file in files:
        if column not in file.schema.names:  # with `--fields *`, a column that this file does not have
            continue
        kind = file.schema.field(column).type
        became = target(file, kind)
        if became is None:
            raise InputError(
                f"column {column!r} has type {kind}, and {name} needs {needs}", where=file.shown, todo=_remedy(name)
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


def _time_type(
    columns: Columns, units: Mapping[str, str | None], file: InputFile, kind: pa.DataType
) -> pa.DataType | None:
    found: pa.DataType | None = convert.time_type(kind, units[file.shown] or columns.time_unit)
    return found


def _text_type(_: InputFile, kind: pa.DataType) -> pa.DataType | None:
    return pa.string() if is_text(kind) else None


def _integer_type(_: InputFile, kind: pa.DataType) -> pa.DataType | None:
    return pa.int64() if pa.types.is_integer(kind) else None


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
            todo="mend --symbol-from, leave the file out, or give all rows one symbol with --symbol NAME",
        )
    return symbol


def _symbol_from(pattern: str, file: InputFile) -> str | None:
    if pattern.startswith(METADATA):
        value = file.metadata.get(pattern.removeprefix(METADATA).encode())
        return None if value is None else value.decode(errors="replace")
    return symbol_pattern(pattern).symbol(file.shown)


def _time_unit(file: InputFile, columns: Columns) -> str | None:
    """Of integer times: given, or inferred from the statistics; None if there is nothing to decide."""
    if not pa.types.is_integer(file.schema.field(columns.event_time).type):
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


# -- names --------------------------------------------------------------------------------------------------


def _fields(files: Sequence[InputFile], columns: Columns, records: Records) -> list[tuple[str, str]]:
    """Output name and input column of each further field."""
    wanted = list(columns.fields)
    if columns.fields == ALL_FIELDS:
        used = {columns.price, columns.event_time, records.partition_column}
        used |= {columns.symbol} if columns.has_symbol_column else set()
        wanted = [name for name in dict.fromkeys(name for f in files for name in f.schema.names) if name not in used]
    names = dict(columns.rename)
    if unknown := names.keys() - set(wanted):
        raise UsageError(
            f"{', '.join(sorted(unknown))} is not among the fields that are sent",
            where="--rename",
            todo="name it with --fields, or use --fields all",
        )
    fields = [(names.get(column, column), column) for column in wanted]
    seen = set(MADE_BY_US)
    for name, column in fields:
        if name in seen:
            raise UsageError(
                f"column {column!r} would be the second field named {name!r}",
                where="--fields",
                todo=f"give it another name with --rename {column}=NAME",
            )
        seen.add(name)
    return fields


def _check_names(file: InputFile, columns: Columns, records: Records) -> None:
    needed = [("price", columns.price), ("event_time", columns.event_time)]
    if columns.has_symbol_column:
        needed.insert(0, ("symbol", columns.symbol))
    if columns.fields != ALL_FIELDS:
        needed += [("field", column) for column in columns.fields]
    needed += [("key", column) for column in (records.key_column,) if column]
    needed += [("partition", column) for column in (records.partition_column,) if column]
    for part, column in needed:
        count = file.schema.names.count(column)
        if count != 1:
            _refuse_name(file, part, column, count)
        if part == "symbol" and file.rows and not is_text(file.schema.field(column).type):
            raise InputError(
                f"column {column!r} has type {file.schema.field(column).type}, and symbol needs text",
                where=file.shown,
                todo=_remedy(part),
            )
    if columns.fields == ALL_FIELDS and len(set(file.schema.names)) != len(file.schema.names):
        twice = next(name for name in file.schema.names if file.schema.names.count(name) > 1)
        _refuse_name(file, "field", twice, file.schema.names.count(twice))


def _refuse_name(file: InputFile, part: str, column: str, count: int) -> NoReturn:
    what = f"there are {count} columns named {column!r}" if count else f"there is no column {column!r}"
    todo = _remedy(part)
    if count:
        todo = f"which of them is meant cannot be said: rename one and write the file again, or {todo}"
    if not count and part in MADE_BY_US and (preset := presets.suggest(file.schema, file.path.name)):
        todo = f"it looks like a file of {preset.name}: try --preset {preset.name}; or {todo}"
    raise InputError(
        f"{what}; the file has: {', '.join(map(repr, file.schema.names)) or 'none'}", where=file.shown, todo=todo
    )


def _remedy(part: str) -> str:
    if part == "symbol":
        return "name the column with --map symbol=COLUMN, or give all rows one symbol with --symbol NAME"
    if part in MADE_BY_US:
        return f"name the column with --map {part}=COLUMN"
    return {"key": "check --key", "partition": "check --partitioner"}.get(part, "check --fields, or leave it out")
