"""How a row that cannot be replayed is named. Pure."""

from __future__ import annotations

import pyarrow as pa

from replay.errors import InputError
from replay.model import Fate
from replay.source.files.parquet_file import InputFile

_BAD = "correct or remove the row and write the file again, or leave such rows out with --on-bad-row skip or quarantine"

_UNSORTED = (
    "sort the file by event time, let replay do it with --unsorted sort, or keep its row order with --order as-is"
)


def bad_row(file: InputFile, row: int, column: str, fate: Fate, value: pa.Array | None) -> InputError:
    """`value` is what stands in the column, an array of one; None where the file does not have it."""
    text = None if value is None else _text(value)
    what = f"{fate.reason} ({text!r:.60})" if text else fate.reason
    return _refusal(file, row, column, what, _BAD)


def goes_back(file: InputFile, row: int, column: str) -> InputError:
    return _refusal(file, row, column, "goes back in time", _UNSORTED)


def _refusal(file: InputFile, row: int, column: str, what: str, todo: str) -> InputError:
    where = f"{file.shown}, row {file.file_row(row):,} (the first is 0)"
    return InputError(f"column {column!r} {what}", where=where, todo=todo)


def _text(value: pa.Array) -> str | None:
    """The one value, if it has a text form; bytes that are no text as escapes."""
    try:
        kind = value.type.value_type if pa.types.is_dictionary(value.type) else value.type
        plain = value.cast(kind)
        if pa.types.is_timestamp(kind):
            plain = plain.cast(pa.timestamp(kind.unit))
        text: str | None = plain.cast(pa.string())[0].as_py()
    except UnicodeError:
        return str(plain.cast(pa.binary())[0].as_py())
    except pa.ArrowException:
        return None
    return text
