"""The names of columns: which the files need to have, and which become further fields of a record. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from replay.errors import InputError, UsageError
from replay.record.kinds import is_text
from replay.record.options import Records
from replay.source.columns import dumps, presets
from replay.source.files.parquet_file import InputFile
from replay.source.options import ALL_FIELDS, Columns

_REMEDIES = {
    "key": "check --key or --key-column",
    "partition": "check --partition-column or --partitioner",
    "value": "check --value-column",
    "headers": "check --headers-column",
    "timestamp": "name the column of times with --timestamp-column COLUMN",
}

MADE_BY_US = ("symbol", "price", "event_time")
"""The names of the first three fields of every record."""


def own_names(columns: Columns) -> dict[str, str]:
    """Under which names symbol, price and event time go out: their own, or those of `--rename`, where they may be
    called by their columns, too."""
    renamed = {column: name for column, name in columns.rename if column not in columns.fields}
    columns_of = zip(MADE_BY_US, (columns.symbol, columns.price, columns.event_time), strict=True)
    return {name: renamed.get(column, renamed.get(name, name)) for name, column in columns_of}


def fields_of(files: Sequence[InputFile], columns: Columns, records: Records) -> list[tuple[str, str]]:
    """Output name and input column of each further field."""
    wanted = list(columns.fields)
    if columns.fields == ALL_FIELDS:
        used = {columns.price, columns.event_time, records.partition_column}
        used |= {columns.symbol} if columns.has_symbol_column else set()
        wanted = [name for name in dict.fromkeys(name for f in files for name in f.schema.names) if name not in used]
    names = dict(columns.rename)
    own = {*MADE_BY_US, columns.symbol, columns.price, columns.event_time}
    if unknown := names.keys() - set(wanted) - own:
        raise UsageError(
            f"{', '.join(sorted(unknown))} is not among the fields that are sent",
            where="--rename",
            todo="name it with --fields, or use --fields all",
        )
    fields = [(names.get(column, column), column) for column in wanted]
    seen = set(own_names(columns).values())
    if len(seen) < len(MADE_BY_US):
        raise UsageError(
            f"two of {', '.join(MADE_BY_US)} would have the same name", where="--rename", todo="give each its own"
        )
    for name, column in fields:
        if name in seen:
            raise UsageError(
                f"column {column!r} would be the second field named {name!r}",
                where="--fields",
                todo=f"give it another name with --rename {column}=NAME",
            )
        seen.add(name)
    return fields


def check_names(file: InputFile, columns: Columns, records: Records) -> None:
    needed = [("price", columns.price), ("event_time", columns.event_time)]
    if records.value_column is not None:
        needed = [("value", records.value_column), ("timestamp", columns.event_time)]
    if columns.has_symbol_column:
        needed.insert(0, ("symbol", columns.symbol))
    if columns.fields != ALL_FIELDS:
        needed += [("field", column) for column in columns.fields]
    needed += [("key", column) for column in (records.key_column,) if column]
    needed += [("partition", column) for column in (records.partition_column,) if column]
    needed += [("timestamp", column) for column in (records.timestamp_column,) if column]
    if records.headers_column is not None and not records.headers_optional:
        needed.append(("headers", records.headers_column))
    for part, column in needed:
        count = file.schema.names.count(column)
        if count != 1:
            _refuse_name(file, part, column, count)
        if part == "symbol" and file.rows and not is_text(file.schema.field(column).type):
            raise InputError(
                f"column {column!r} has type {file.schema.field(column).type}, and symbol needs text",
                where=file.shown,
                todo=remedy(part),
            )
    if columns.fields == ALL_FIELDS and len(set(file.schema.names)) != len(file.schema.names):
        twice = next(name for name in file.schema.names if file.schema.names.count(name) > 1)
        _refuse_name(file, "field", twice, file.schema.names.count(twice))


def _refuse_name(file: InputFile, part: str, column: str, count: int) -> NoReturn:
    what = f"there are {count} columns named {column!r}" if count else f"there is no column {column!r}"
    todo = remedy(part)
    if count:
        todo = f"which of them is meant cannot be said: rename one and write the file again, or {todo}"
    if not count and part in MADE_BY_US:
        if preset := presets.suggest(file.schema, file.path.name):
            todo = f"it looks like a file of {preset.name}: try --preset {preset.name}; or {todo}"
        elif dump := dumps.suggest(file.schema.names):
            todo = f"it looks like a topic dump of {dump.name}: try --preset {dump.name}; or {todo}"
    raise InputError(
        f"{what}; the file has: {', '.join(map(repr, file.schema.names)) or 'none'}", where=file.shown, todo=todo
    )


def remedy(part: str) -> str:
    if part == "symbol":
        return "name the column with --map symbol=COLUMN, or give all rows one symbol with --symbol NAME"
    if part in MADE_BY_US:
        return f"name the column with --map {part}=COLUMN"
    return _REMEDIES.get(part, "check --fields, or leave it out")
