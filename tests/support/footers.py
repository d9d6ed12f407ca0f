"""Footers of Parquet files, changed: whatever a writer may have noted wrongly. Not by Arrow, which reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastparquet.cencoding import from_buffer

_END_BYTES = 8  # length of the footer, and the magic


def change_footer(path: Path, change: Callable[[Any], object]) -> Path:
    """Hands over the file's Thrift `FileMetaData`, and writes it back as it then is."""
    data = path.read_bytes()
    start = len(data) - _END_BYTES - int.from_bytes(data[-_END_BYTES:-4], "little")
    metadata = from_buffer(data[start:-_END_BYTES], "FileMetaData")
    change(metadata)
    footer = metadata.to_bytes()
    path.write_bytes(data[:start] + footer + len(footer).to_bytes(4, "little") + data[-4:])
    return path


def chunk_statistics(metadata: Any, group: int, column: int) -> Any:
    return metadata.row_groups[group].columns[column].meta_data.statistics


def say(
    path: Path, column: int, first: bytes | int, last: bytes | int, *, groups: range | None = None, **more: Any
) -> Path:
    """These row groups (None: all) claim that the column lies between these two. Numbers are of 64 bits."""
    low, high = (value.to_bytes(8, "little") if isinstance(value, int) else value for value in (first, last))

    def change(metadata: Any) -> None:
        for group in groups if groups is not None else range(len(metadata.row_groups)):
            told = chunk_statistics(metadata, group, column)
            told.min_value, told.max_value = low, high
            told.min, told.max = (low, high) if told.min is not None else (None, None)
            for name, value in more.items():
                setattr(told, name, value)

    return change_footer(path, change)


def created_by(path: Path, text: str | None) -> Path:
    def change(metadata: Any) -> None:
        metadata.created_by = None if text is None else text.encode()

    return change_footer(path, change)


def only_deprecated(path: Path, column: int, first: bytes, last: bytes) -> Path:
    """As writers before the column orders: `min` and `max`, compared as signed bytes, and nothing else."""

    def change(metadata: Any) -> None:
        metadata.column_orders = None
        for group in range(len(metadata.row_groups)):
            told = chunk_statistics(metadata, group, column)
            told.min_value, told.max_value, told.min, told.max = None, None, first, last

    return change_footer(path, change)
