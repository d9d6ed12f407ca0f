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
from replay.source.files import compact
from replay.source.files.input_path import InputPath
from replay.source.files.unreadable import unreadable

PAGE_BYTES_MAX = 512 << 20
"""Not compressed. Most writers end a page at 1 MB; fastparquet, whose pages are the largest, at 500 MB."""

DICTIONARY_BYTES_MAX = 128 << 20
"""Not compressed. Writers give a dictionary up at 1 to 20 MB."""

_HEADER_BYTES = (256, 64 << 10, 16 << 20)
"""Read at a time: a header is short unless it holds long statistics; Arrow reads none of more than 16 MB."""

_DICTIONARY_PAGE = 2
_TYPE, _UNCOMPRESSED_SIZE, _COMPRESSED_SIZE = 1, 2, 3  # fields of PageHeader
_DATA_HEADERS = (5, 8)  # those of data pages, versions 1 and 2
_VALUES = 1  # their first field


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
    except (compact.BadBytes, OSError) as error:
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
        raise compact.BadBytes("a column lies outside of the file")
    for length in _HEADER_BYTES:
        data = file.read_at(length, start)
        with suppress(IndexError):  # it goes on
            return page_header(data)
        if len(data) < length:
            break
    raise compact.BadBytes("the header of a page does not end")


def page_header(data: bytes) -> PageHeader:
    """Raises `BadBytes` for bytes that do not begin a page, and `IndexError` for too few of them."""
    numbers, at = compact.numbers(data, into=_DATA_HEADERS)
    sizes = (numbers.get((each,), -1) for each in (_TYPE, _UNCOMPRESSED_SIZE, _COMPRESSED_SIZE))
    kind, size_bytes, compressed_bytes = sizes
    if min(kind, size_bytes, compressed_bytes) < 0:
        raise compact.BadBytes("the header of a page has no type or no size")
    values = (numbers.get((each, _VALUES), 0) for each in _DATA_HEADERS)
    return PageHeader(at, kind, size_bytes, compressed_bytes, max(0, *values))
