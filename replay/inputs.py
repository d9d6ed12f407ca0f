"""Input files: found, opened, and their footers understood. No row is read here.

Everything that can be wrong with a file as a whole is said here, by path and column, before a replay starts.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
import pyarrow.parquet as pq

from replay.checkpoint import InputPrint
from replay.config import Columns
from replay.errors import InputError
from replay.json_text import supports


@dataclass(frozen=True, slots=True)
class InputFile:
    """A Parquet file as its footer describes it. Times are in ns since 1970, from statistics; None: unknown."""

    path: str
    name: str
    rows: int
    size_bytes: int
    footer_sha256: str
    schema: pa.Schema
    row_group_rows: tuple[int, ...]
    row_group_first_ns: tuple[int | None, ...]

    @property
    def print(self) -> InputPrint:
        return InputPrint(self.name, self.rows, self.size_bytes, self.footer_sha256)

    def first_ns(self, row: int) -> int | None:
        """No event time at or after this row is smaller (in a sorted file); None where statistics are missing."""
        for rows, first in zip(self.row_group_rows, self.row_group_first_ns, strict=True):
            if row < rows:
                return first
            row -= rows
        return None


# -- finding files ----------------------------------------------------------------------------------------


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """`day-2` before `day-10`: runs of digits compare as numbers."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def find_files(inputs: Sequence[str]) -> list[str]:
    """Paths of files, folders (their *.parquet, recursively) and globs, in natural order, each file once."""
    found: dict[str, str] = {}
    for given in inputs:
        if not given:
            raise InputError("the path is empty", where="INPUT", todo="is a variable of your shell not set?")
        if given.startswith("file://"):
            given = url2pathname(urlsplit(given).path)  # noqa: PLW2901
        if "://" in given:
            raise InputError("only local files can be read", where=given, todo="copy it here first, then name the copy")
        try:
            paths = _expand(given)
        except OSError as error:
            raise InputError(error.strerror or str(error), where=given, todo="check path and rights") from None
        if not paths:
            raise InputError(
                "no Parquet file here",
                where=given,
                todo="name a .parquet file, a folder that holds some, or a glob",
            )
        for path in paths:
            found.setdefault(os.path.realpath(path), path)
    return sorted(found.values(), key=lambda path: (natural_key(path), path))


def _expand(given: str) -> list[str]:
    path = Path(given)
    if path.is_dir():
        inside = (p for p in path.rglob("*.parquet") if p.is_file())
        return [str(p) for p in inside if not any(part[0] in "._" for part in p.relative_to(path).parts)]
    if path.exists():
        return [given]
    if any(letter in given for letter in "*?["):
        return [p for p in glob.glob(given, recursive=True) if Path(p).is_file()]
    raise InputError("there is no such file or folder", where=given, todo="check the path")


def open_file(path: str, columns: Columns) -> InputFile:
    """Read the footer and check the columns; nothing else of the file."""
    try:
        return _open_file(path, columns)
    except (UnicodeError, pa.ArrowException) as error:  # a damaged footer, or a path that is not UTF-8
        raise unreadable(path, error) from None


def _open_file(path: str, columns: Columns) -> InputFile:
    with open_parquet(path) as parquet:
        metadata = parquet.metadata
        schema = parquet.schema_arrow
        _check_schema(path, schema, columns)
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        if metadata.num_rows != sum(group.num_rows for group in groups) or any(g.num_rows < 0 for g in groups):
            raise unreadable(path, ValueError("the footer's row counts contradict each other"))
        leaves = [parquet.schema.column(i).path for i in range(len(parquet.schema))]
        time_leaf = leaves.index(columns.event_time) if columns.event_time in leaves else None
        size, digest = footer(path)
        return InputFile(
            path=path,
            name=Path(path).name,
            rows=metadata.num_rows,
            size_bytes=size,
            footer_sha256=digest,
            schema=schema,
            row_group_rows=tuple(group.num_rows for group in groups),
            row_group_first_ns=tuple(_first_ns(group, time_leaf) for group in groups),
        )


def open_parquet(path: str, text_column: str | None = None) -> pq.ParquetFile:
    """`text_column` is read as a dictionary: each distinct value once."""
    try:
        if os.path.getsize(path) == 0:
            raise InputError("the file is empty", where=path, todo="remove it, or write it again")
        # No pre-buffering: it would hold whole row groups in memory, however large.
        dictionaries = [text_column] if text_column else None
        return pq.ParquetFile(
            pa.OSFile(os.fsencode(path)),  # by bytes: a path need not be UTF-8
            pre_buffer=False,
            buffer_size=1 << 20,
            read_dictionary=dictionaries,
            page_checksum_verification=True,
        )
    except OSError as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise InputError(error.strerror or str(error), where=path, todo="check path and rights") from None
        raise unreadable(path, error) from None
    except (UnicodeError, pa.ArrowException) as error:
        raise unreadable(path, error) from None


def unreadable(path: str, error: Exception) -> InputError:
    reason = str(error).strip().splitlines()[0]
    return InputError(
        f"this is not a whole Parquet file: {reason}",
        where=path,
        todo="it may be truncated, damaged or still being written: write or fetch it again",
    )


def footer(path: str) -> tuple[int, str]:
    """Size, and a hash of the footer: it holds the place, size and statistics of every column chunk."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size - 8)
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, size - 8 - length))
        return size, hashlib.sha256(file.read()).hexdigest()


def _first_ns(group: Any, index: int | None) -> int | None:
    try:
        statistics = group.column(index).statistics if index is not None and group.num_rows else None
        smallest = statistics.min if statistics is not None and statistics.has_min_max else None
    except (ValueError, OverflowError, pa.ArrowException):  # some values have no Python form
        return None
    if not isinstance(smallest, datetime):
        return None
    since_1970 = (smallest if smallest.tzinfo else smallest.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_1970 // timedelta(microseconds=1)) * 1_000


# -- columns ----------------------------------------------------------------------------------------------


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_price(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _is_field(kind: pa.DataType) -> bool:
    return _is_text(kind) or supports(kind)


_NEEDED: dict[str, tuple[Callable[[pa.DataType], bool], str]] = {
    "symbol": (_is_text, "text"),
    "price": (_is_price, "a number (float, integer or decimal)"),
    "event_time": (lambda kind: bool(pa.types.is_timestamp(kind)), "a timestamp"),
}


def wanted_columns(columns: Columns) -> dict[str, str]:
    """Event field to input column, in the order of the event."""
    wanted = {"symbol": columns.symbol, "price": columns.price, "event_time": columns.event_time}
    if columns.constant_symbol is not None:
        del wanted["symbol"]
    return wanted | {name: name for name in columns.fields}


def _check_schema(path: str, schema: pa.Schema, columns: Columns) -> None:
    for field, column in wanted_columns(columns).items():
        count = schema.names.count(column)
        if count != 1:
            what = f"there are {count} columns named {column!r}" if count else f"there is no column {column!r}"
            raise InputError(
                f"{what}; the file has: {', '.join(map(repr, schema.names)) or 'none'}",
                where=path,
                todo=_remedy(field),
            )
        kind = schema.field(column).type
        fits, name = _NEEDED.get(field, (_is_field, "text, a number, a boolean or a timestamp"))
        if not fits(kind):
            raise InputError(
                f"column {column!r} has type {kind}, and {field} needs {name}",
                where=path,
                todo=_remedy(field) if field in _NEEDED else "leave it out of --fields",
            )


def _remedy(field: str) -> str:
    if field == "symbol":
        return "name the column with --map symbol=COLUMN, or give all rows one symbol with --symbol NAME"
    if field in _NEEDED:
        return f"name the column with --map {field}=COLUMN"
    return "check --fields"


def check_alike(files: Sequence[InputFile], columns: Columns) -> None:
    """All files give each event field the same type, or rows of one would be written unlike those of another."""
    first = files[0]
    for file in files[1:]:
        for field, column in wanted_columns(columns).items():
            ours, theirs = (plain_type(f.schema.field(column).type) for f in (file, first))
            if ours != theirs and field != "symbol":
                raise InputError(
                    f"column {column!r} has type {ours}, but {theirs} in {first.path}",
                    where=file.path,
                    todo="convert one of them, or replay them as separate jobs",
                )


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type a column is handed on in: text as string, times without zone (they are UTC already)."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp(kind.unit)
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    return pa.string() if _is_text(kind) else kind
