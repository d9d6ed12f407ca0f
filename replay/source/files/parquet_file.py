"""Input files as their footers describe them. No row is read here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import accumulate
from threading import Lock

import pyarrow as pa
import pyarrow.parquet as pq

from replay.errors import InputError
from replay.position import InputPrint
from replay.source.files import statistics
from replay.source.files.footers import Looker, looking
from replay.source.files.input_path import MAGIC, InputPath, read_footer
from replay.source.files.statistics import ValueRange
from replay.source.files.unreadable import unreadable
from replay.source.tables.iceberg import check_fields

FOOTERS_AT_ONCE = 16
"""Footers read side by side: an object store answers one request in tens of milliseconds, but many at a time."""

BUFFER_BYTES_MAX = 1 << 20
"""Read of a column at a time: as much as a page has, so that a store far away is asked once a page."""

_LARGE_FOOTER_BYTES = 1 << 20
"""From here on one is taken apart at a time: it takes ten times as much memory."""

_large_footers = Lock()

Trusts = Callable[[bytes], str]
"""Takes a footer and gives its SHA-256. Raises `InputError` for one that Arrow must not be given in this process."""

_HELD_AS_DICTIONARY = {"PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED"}
"""Encodings that Arrow can read as a dictionary (PLAIN and the first two), and those of levels beside them. The DELTA
ones of text, which other engines write, it cannot."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """`number` and `first_row` are places in the file; `ranges` are by column, of those with statistics to believe.
    `size_bytes` is that of all columns, not compressed."""

    number: int
    first_row: int
    rows: int
    ranges: Mapping[str, ValueRange]
    size_bytes: int = 0

    def range_of(self, column: str) -> ValueRange:
        return self.ranges.get(column, ValueRange())


@dataclass(frozen=True, slots=True)
class InputFile:
    """A Parquet file. `schema` holds its columns and, behind them, the keys of its Hive folders as text, and
    those that its table has and it has not.

    `keys` are those that are no columns of the file itself. Statistics of times are integers, counted in `time_units`
    of the column (missing: a plain integer column). `created_by` is who wrote it, "" where it does not say.
    """

    path: InputPath
    footer_sha256: str
    schema: pa.Schema
    keys: Mapping[str, str | None]
    metadata: Mapping[bytes, bytes]
    groups: tuple[RowGroup, ...]
    time_units: Mapping[str, str]
    created_by: str = ""

    @property
    def shown(self) -> str:
        return self.path.shown

    @property
    def size_bytes(self) -> int:
        return self.path.size_bytes

    @property
    def writer(self) -> str:
        """Who wrote it, for messages."""
        return f"written by {self.created_by!r}" if self.created_by else "by an unknown writer"

    @property
    def rows(self) -> int:
        return sum(group.rows for group in self.groups)

    @property
    def print(self) -> InputPrint:
        return InputPrint(self.path.name, self.rows, self.size_bytes, self.footer_sha256)

    def range_of(self, column: str) -> ValueRange:
        """The range over all row groups; unknown as soon as one is."""
        ranges = [group.range_of(column) for group in self.groups if group.rows]
        firsts, lasts = [each.first for each in ranges], [each.last for each in ranges]
        known = bool(ranges) and None not in firsts and None not in lasts
        return ValueRange(min(firsts), max(lasts)) if known else ValueRange()

    def without_statistics(self) -> InputFile:
        """The same file, of which nothing is known before it is read."""
        return replace(self, groups=tuple(replace(group, ranges={}) for group in self.groups))

    @property
    def group_bounds(self) -> list[int]:
        """The first rows of those groups that are replayed, and behind them the number of their rows."""
        return [0, *accumulate(group.rows for group in self.groups)]

    def file_row(self, row: int) -> int:
        """The place in the file of a row of those groups that are replayed."""
        for group in self.groups:
            if row < group.rows:
                return group.first_row + row
            row -= group.rows
        last = self.groups[-1] if self.groups else None
        return row + (last.first_row + last.rows if last else 0)


def open_files(paths: Sequence[InputPath], statistics_of: Sequence[str], looker: Looker) -> tuple[InputFile, ...]:
    """The footers of all files; statistics are kept of these columns only."""
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:
        return tuple(pool.map(lambda path: open_file(path, statistics_of, looker), paths))


def open_file(path: InputPath, statistics_of: Sequence[str] = (), looker: Looker | None = None) -> InputFile:
    """Raises `InputError` for whatever is no whole Parquet file. `looker` looks at footers first; None: one of its
    own."""
    with nullcontext(looker) if looker is not None else looking() as looks:
        trusts: Trusts = partial(looks.look, path.shown, columns=statistics_of)
        with open_parquet(path, trusts) as (parquet, footer_sha256):
            try:
                return _described(path, parquet, footer_sha256, statistics_of)
            except (UnicodeError, pa.ArrowException) as error:
                raise unreadable(path.shown, error) from None


def opened_again(file: InputFile) -> Trusts:
    """Trusts the footer that the file had when it was opened, and no other."""

    def trusts(footer: bytes) -> str:
        found = sha256(footer).hexdigest()
        if found != file.footer_sha256:
            raise InputError(
                "the file changed while it was being replayed",
                where=file.shown,
                todo="put the old file back and run again, or start over with --restart",
            )
        return found

    return trusts


def _described(path: InputPath, parquet: pq.ParquetFile, footer_sha256: str, statistics_of: Sequence[str]) -> InputFile:
    metadata, schema = parquet.metadata, parquet.schema_arrow
    believed = {name: column for name in statistics_of if (column := statistics.column_of(parquet, name)) is not None}
    groups = tuple(_groups(metadata, believed))
    if metadata.num_rows != sum(group.rows for group in groups) or any(group.rows < 0 for group in groups):
        raise unreadable(path.shown, ValueError("the footer's row counts contradict each other"))
    keys = {key: value for key, value in path.keys if key not in schema.names}
    for key in keys:
        schema = schema.append(pa.field(key, pa.string()))
    if path.table is not None:
        check_fields(path.shown, schema, path.table)
        for field in path.table.schema:
            if field.name not in schema.names:  # added to the table after this file was written
                keys[field.name], schema = None, schema.append(pa.field(field.name, field.type))
    return InputFile(
        path=path,
        footer_sha256=footer_sha256,
        schema=schema,
        keys=keys,
        metadata=metadata.metadata or {},
        groups=groups,
        time_units={name: column.time_unit for name, column in believed.items() if column.time_unit is not None},
        created_by=metadata.created_by or "",
    )


@contextmanager
def open_parquet(
    path: InputPath, trusts: Trusts, dictionaries: Sequence[str] = (), buffer_bytes: int = BUFFER_BYTES_MAX
) -> Iterator[tuple[pq.ParquetFile, str]]:
    """The file, and a hash of its footer: that holds the place, size and statistics of every column chunk.

    `dictionaries` are columns to read as such where their encoding allows it: each distinct value once. `buffer_bytes`
    are read at a time of each column (more where a page is larger), and stay in memory until they are used up.
    """
    file = path.open()
    try:
        footer = read_footer(path, file)
        footer_sha256 = trusts(footer)
        try:
            with _large_footers if len(footer) > _LARGE_FOOTER_BYTES else nullcontext():
                # The footer is read once: far away, each look costs a request.
                known = pq.ParquetFile(pa.BufferReader(MAGIC + footer))
            parquet = pq.ParquetFile(
                file,
                metadata=known.metadata,
                pre_buffer=False,  # it would hold whole row groups in memory, however large
                buffer_size=buffer_bytes,
                read_dictionary=[name for name in dictionaries if _can_be_dictionary(known, name)] or None,
                page_checksum_verification=True,
            )
        except (UnicodeError, OSError, pa.ArrowException) as error:
            raise unreadable(path.shown, error) from None
        yield parquet, footer_sha256
    finally:
        file.close()


def _can_be_dictionary(parquet: pq.ParquetFile, column: str) -> bool:
    paths, metadata = parquet.reader.column_paths, parquet.metadata
    index = statistics.leaf_of(paths, column)
    if index is None or not statistics.may_be_named(paths, column):
        return False
    groups = range(metadata.num_row_groups)
    return all(_HELD_AS_DICTIONARY.issuperset(metadata.row_group(g).column(index).encodings) for g in groups)


def _groups(metadata: pq.FileMetaData, believed: Mapping[str, statistics.Column]) -> Iterator[RowGroup]:
    first_row = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        ranges = {name: statistics.range_of(group, column) for name, column in believed.items()}
        yield RowGroup(number, first_row, group.num_rows, ranges, group.total_byte_size)
        first_row += group.num_rows
