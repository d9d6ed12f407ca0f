"""Pages that would take all memory are refused before Arrow decodes them: a few kilobytes may stand for gigabytes.

What a page becomes is in its header, and nowhere else: the footer may say anything. So the headers of all pages that
are about to be read are looked at: some 20 bytes of each, in Thrift's compact protocol (parquet-format, `PageHeader`).
Arrow takes a page of 2 GB, and asks for that much memory before it decompresses a byte.

Of files in object stores they are not looked at: each header would cost a request of tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from replay.errors import InputError
from replay.source.files.input_path import InputPath
from replay.source.files.parquet_file import unreadable

PAGE_BYTES_MAX = 512 << 20
"""Not compressed. Most writers end a page at 1 MB; fastparquet, whose pages are the largest, at 500 MB."""

DICTIONARY_BYTES_MAX = 128 << 20
"""Not compressed. Writers give a dictionary up at 1 to 20 MB."""

_HEADER_BYTES = (256, 64 << 10, 16 << 20)
"""Read at a time: a header is short unless it holds long statistics; Arrow reads none of more than 16 MB."""

_DICTIONARY_PAGE = 2
_TYPE, _UNCOMPRESSED_SIZE, _COMPRESSED_SIZE = 1, 2, 3  # fields of PageHeader
_DATA_HEADERS = (5, 8)  # those of data pages, versions 1 and 2; their first field is the number of values
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_VALUES = -1  # a key for what is no field of PageHeader itself
_DEPTH_MAX = 8  # statistics in a data page's header, in the page's header: three


class BadHeader(ValueError):
    """These bytes are no header of a page."""


class PageHeader(NamedTuple):
    """Of a page: the length of its header, its kind, its size without and with compression in bytes, and how many
    values of a column it holds (0 for a dictionary)."""

    header_bytes: int
    kind: int
    size_bytes: int
    compressed_bytes: int
    values: int


def check_pages(path: InputPath, parquet: pq.ParquetFile, groups: Sequence[int], columns: Sequence[str]) -> None:
    """Looks at all pages of these columns in these row groups, where the file is on this machine. Raises `InputError`
    for one that is too large, and for what is no page."""
    if path.is_remote:
        return
    places = [place for place, names in enumerate(parquet.reader.column_paths) if names[0] in columns]
    file = path.open()
    try:
        for number in groups:
            group = parquet.metadata.row_group(number)
            for place in places:
                _check_chunk(path.shown, file, group.column(place))
    except (BadHeader, OSError) as error:
        raise unreadable(path.shown, error) from None
    finally:
        file.close()


def _check_chunk(shown: str, file: pa.NativeFile, chunk: pq.ColumnChunkMetaData) -> None:
    """As Arrow goes over the pages: from the dictionary on, until there are as many values as the footer says."""
    dictionary, start, values = chunk.dictionary_page_offset, chunk.data_page_offset, 0
    if dictionary is not None and 0 < dictionary < start:
        start = dictionary
    end = start + chunk.total_compressed_size
    while start < end and values < chunk.num_values:
        page = _header_at(file, start)
        is_dictionary = page.kind == _DICTIONARY_PAGE
        bound, what = (DICTIONARY_BYTES_MAX, "dictionary") if is_dictionary else (PAGE_BYTES_MAX, "page")
        if page.size_bytes > bound:
            raise InputError(
                f"a {what} of column {chunk.path_in_schema!r} becomes {page.size_bytes:,} bytes"
                f" ({page.compressed_bytes:,} in the file); at most {bound:,} are read",
                where=shown,
                todo="write the file again with smaller pages (1 MB is usual); do not trust it if it is a stranger's",
            )
        start += page.header_bytes + page.compressed_bytes
        values += page.values


def _header_at(file: pa.NativeFile, start: int) -> PageHeader:
    if start < 0:
        raise BadHeader("a column lies outside of the file")
    for length in _HEADER_BYTES:
        data = file.read_at(length, start)
        with suppress(IndexError):  # it goes on
            return page_header(data)
        if len(data) < length:
            break
    raise BadHeader("the header of a page does not end")


def page_header(data: bytes) -> PageHeader:
    """Raises `BadHeader` for bytes that do not begin a page, and `IndexError` for too few of them."""
    found, at = _struct(data, 0, _DEPTH_MAX)
    kind, size_bytes, compressed_bytes = (found.get(each, -1) for each in (_TYPE, _UNCOMPRESSED_SIZE, _COMPRESSED_SIZE))
    if min(kind, size_bytes, compressed_bytes) < 0:
        raise BadHeader("the header of a page has no type or no size")
    return PageHeader(at, kind, size_bytes, compressed_bytes, max(0, found.get(_VALUES, 0)))


def _struct(data: bytes, at: int, depth: int) -> tuple[dict[int, int], int]:
    """Its numbers by field, and the place behind it; the values of a page as `_VALUES`."""
    found: dict[int, int] = {}
    field = 0
    while data[at]:
        kind, field, at = _field(data, at, field)
        if kind == _I32:
            found[field], at = _zigzag(data, at)
        elif kind == _STRUCT and depth == _DEPTH_MAX and field in _DATA_HEADERS:
            inner, at = _struct(data, at, depth - 1)
            found[_VALUES] = inner.get(1, 0)
        else:
            at = _behind(data, at, kind, depth)
    return found, at + 1


def _field(data: bytes, at: int, before: int) -> tuple[int, int, int]:
    """Type and number of a field, and where its value begins; `before` is the number of the field before it."""
    kind, delta = data[at] & 0x0F, data[at] >> 4
    if delta:
        return kind, before + delta, at + 1
    number, at = _zigzag(data, at + 1)
    return kind, number, at


def _behind(data: bytes, at: int, kind: int, depth: int) -> int:
    """The place behind a value of this type."""
    if depth == 0:
        raise BadHeader("the header of a page is nested too deep")
    if kind in (_TRUE, _FALSE):
        return at
    if kind in (_BYTE, _DOUBLE):
        return at + (1 if kind == _BYTE else 8)
    if kind in (_I16, _I32, _I64):
        return _varint(data, at)[1]
    if kind == _BINARY:
        length, at = _varint(data, at)
        return at + length
    if kind in (_LIST, _SET):
        count, inner, at = data[at] >> 4, data[at] & 0x0F, at + 1
        if count == 15:
            count, at = _varint(data, at)
        for _ in range(count):
            at = _item(data, at, inner, depth - 1)
        return at
    if kind == _STRUCT:
        return _struct(data, at, depth - 1)[1]
    raise BadHeader("the header of a page holds what is in none")  # maps, and types that there are not


def _item(data: bytes, at: int, kind: int, depth: int) -> int:
    """In a list, a truth value takes a byte."""
    if kind in (_TRUE, _FALSE):
        kind = _BYTE
    if at >= len(data):
        raise IndexError
    return _behind(data, at, kind, depth)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise BadHeader("a number in the header of a page is too long")


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at
