"""Parquet files and checkpoints with exactly one thing wrong, for the tests of bad input.

Nothing here comes from the tool under test, but for the checkpoint's checksum, which is written out again.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

T0_US = 1_700_000_000_000_000
"""2023-11-14T22:13:20Z; every row is a microsecond later than the one before it."""

ROWS = 1_234
"""A number whose varint (two bytes) is rare enough to be found again in a footer."""


def times(rows: int, start: int = T0_US, step: int = 1, unit: str = "us", zone: str | None = "UTC") -> pa.Array:
    return pa.array([start + row * step for row in range(rows)], pa.timestamp(unit, tz=zone))


def at(*values: int | None, unit: str = "us") -> pa.Array:
    """Event times as plain numbers since 1970."""
    return pa.array(values, pa.timestamp(unit, tz="UTC"))


def trades(rows: int = 3, **columns: Any) -> pa.Table:
    """A good table; `columns` replaces columns (None drops one) and adds further ones."""
    good: dict[str, Any] = {
        "symbol": [f"S{row % 5}" for row in range(rows)],
        "price": [100.0 + row / 4 for row in range(rows)],
        "event_time": times(rows),
    }
    return pa.table({name: column for name, column in (good | columns).items() if column is not None})


def write(path: Path, table: pa.Table, **options: Any) -> Path:
    pq.write_table(table, path, **options)
    return path


def cut(path: Path, missing_bytes: int) -> Path:
    """The file without its end, as an interrupted copy leaves it."""
    data = path.read_bytes()
    path.write_bytes(data[: max(0, len(data) - missing_bytes)])
    return path


def patch(path: Path, offset: int, data: bytes) -> Path:
    """Overwrites bytes; a negative offset counts from the end."""
    whole = bytearray(path.read_bytes())
    start = offset if offset >= 0 else len(whole) + offset
    whole[start : start + len(data)] = data
    path.write_bytes(bytes(whole))
    return path


def flip_in_page(path: Path, column: str, group: int = 0) -> Path:
    """Inverts four bytes at the end of a column chunk's data."""
    chunks = pq.read_metadata(path).row_group(group)
    chunk = next(c for c in map(chunks.column, range(chunks.num_columns)) if c.path_in_schema == column)
    first = chunk.dictionary_page_offset or chunk.data_page_offset
    end = first + chunk.total_compressed_size
    old = path.read_bytes()[end - 6 : end - 2]
    return patch(path, end - 6, bytes(byte ^ 0xFF for byte in old))


def _varint(number: int) -> bytes:
    """A number as Thrift's compact protocol writes an i64: zigzag, seven bits a byte."""
    value, out = number << 1 if number >= 0 else (-number << 1) - 1, bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def lie_about_rows(path: Path, claimed: int, *, whole_file: bool) -> Path:
    """Rewrites the footer's row count (of the file, or of its last row group); the data stays as it is.

    The file's count is the first i64 of ROWS in the footer, the row group's the last.
    """
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    pages, footer = data[:start], data[start:-8]
    needle = b"\x16" + _varint(ROWS)  # 0x16: the next field, an i64
    place = footer.find(needle) if whole_file else footer.rfind(needle)
    if place < 0:
        raise ValueError("write the file with ROWS rows")
    footer = footer[:place] + b"\x16" + _varint(claimed) + footer[place + len(needle) :]
    path.write_bytes(pages + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return path


def lie_about_times(path: Path, old: int, claimed: int) -> Path:
    """Replaces an event time in the footer's statistics."""
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = data[start:]
    before, now = (number.to_bytes(8, "little", signed=True) for number in (old, claimed))
    if before not in footer:
        raise ValueError("no such time in the footer")
    path.write_bytes(data[:start] + footer.replace(before, now))
    return path


def broken_text(kind: pa.DataType, *values: bytes) -> pa.Array:
    """A text column that holds these bytes, whether they are UTF-8 or not."""
    wide = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
    raw = pa.array(values, wide[kind])
    return pa.Array.from_buffers(kind, len(values), raw.buffers())


# --- checkpoints --------------------------------------------------------------------------------------------


def edit_checkpoint(path: Path, **changes: Any) -> Path:
    """Changes fields and makes the checksum fit again: only the content is wrong."""
    body = json.loads(path.read_bytes())
    del body["crc32"]
    body |= changes
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    path.write_text(json.dumps({**body, "crc32": f"{zlib.crc32(canonical.encode()):08x}"}))
    return path
