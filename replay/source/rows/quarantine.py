"""Bad rows in quarantine: one Parquet file beside the checkpoint, with place, reason and all their columns.

It is written while every row is looked at, before the first one is sent, and appears as a whole: temporary file, fsync,
rename. So a resume finds it complete, and no row is in it twice.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from replay import own_files
from replay.errors import CheckpointUnwritable, not_memory
from replay.fate import Fate
from replay.record.kinds import is_text
from replay.source.files.address import refusing
from replay.source.files.parquet_file import InputFile
from replay.source.rows.reader import BadRows

_OF = b"replay.source"
"""Key of the file's metadata: the label of the source whose bad rows it holds."""

_OURS = (pa.field("_file", pa.string()), pa.field("_row", pa.int64()), pa.field("_reason", pa.string()))


def place_beside(checkpoint: Path) -> Path:
    return checkpoint.with_name(checkpoint.name + ".quarantine.parquet")


def is_of(path: Path, label: str) -> bool:
    """Whether the file is there and holds the bad rows of this very source. Raises `UsageError` for no plain file."""
    own_files.check([path], "the quarantine file")
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (OSError, pa.ArrowException) as error:
        not_memory(error)
        return False
    return bool(metadata.get(_OF) == label.encode())


class Quarantine:
    """Collects bad rows in a temporary file; `finish` puts it in its place."""

    def __init__(self, path: Path, files: Sequence[InputFile], label: str) -> None:
        self._path, self._temporary = path, path.with_name(path.name + ".tmp")
        columns = _columns(files)
        self._names = _own_names(columns)
        schema = pa.schema([*_OURS, *(pa.field(self._names[each], kind) for each, kind in columns.items())])
        self._schema = schema.with_metadata({_OF: label.encode()})
        own_files.check([path, self._temporary], "the quarantine file")
        with refusing(self._unwritable):
            self._temporary.unlink(missing_ok=True)  # of a run that was killed
            self._writer = pq.ParquetWriter(self._temporary, self._schema)

    def add(self, bad: BadRows) -> None:
        raw = {self._names[each]: bad.raw.column(at) for at, each in enumerate(_numbered(bad.raw.schema.names))}
        columns = {
            "_file": pa.array([bad.file.shown] * len(bad.rows)),
            "_row": pa.array(bad.rows),
            "_reason": pa.array([Fate(fate).told for fate in bad.fates.tolist()]),
        }
        for field in self._schema:
            if field.name not in columns:
                array = raw.get(field.name, pa.nulls(len(bad.rows), field.type))
                columns[field.name] = _as(array, field.type)
        with refusing(self._unwritable):
            self._writer.write_table(pa.table(columns, schema=self._schema))

    def finish(self) -> None:
        with refusing(self._unwritable):
            self._writer.close()
            _sync(self._temporary)
            os.replace(self._temporary, self._path)
            _sync(self._path.parent)

    def discard(self) -> None:
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    def _unwritable(self, error: Exception) -> CheckpointUnwritable:
        reason = getattr(not_memory(error), "strerror", None) or str(error).splitlines()[0]
        return CheckpointUnwritable(
            f"bad rows cannot be written to the quarantine file: {reason}",
            where=str(self._path),
            todo="repair the folder, or leave bad rows out with --on-bad-row skip",
        )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_Nth = tuple[str, int]
"""A column's name, and how many before it in the same file have that name."""


def _numbered(names: Sequence[str]) -> list[_Nth]:
    numbers: defaultdict[str, Iterator[int]] = defaultdict(count)
    return [(name, next(numbers[name])) for name in names]


def _columns(files: Sequence[InputFile]) -> dict[_Nth, pa.DataType]:
    """All columns of all files; where files contradict each other, as text."""
    kinds: dict[_Nth, pa.DataType] = {}
    for file in files:
        for each, field in zip(_numbered(file.schema.names), file.schema, strict=True):
            # without its dictionary: each row group would have another one
            kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            if kinds.setdefault(each, kind) != kind:
                kinds[each] = pa.string()
    return kinds


def _own_names(columns: Iterable[_Nth]) -> dict[_Nth, str]:
    """A name for each: its own, but `value_2` for the second `value`, and for one that is called as ours are."""
    ours = {field.name for field in _OURS}
    taken = ours | {name for name, _ in columns}
    names: dict[_Nth, str] = {}
    for name, before in columns:
        own = name
        if before or name in ours:
            own = next(
                free for number in count(before + 1 + (name in ours)) if (free := f"{name}_{number}") not in taken
            )
            taken.add(own)
        names[name, before] = own
    return names


def _as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """The values in the column's type. Text that is not UTF-8 keeps its bytes as escapes; what has no text form is
    described."""
    if array.type == kind and not pa.types.is_string(kind):
        return array
    try:
        cast = array.cast(kind)
        cast.validate(full=True)
        return cast
    except (pa.ArrowException, UnicodeError) as error:
        not_memory(error)
        values = array.cast(pa.binary()).to_pylist() if is_text(array.type) else array.to_pylist()
        return pa.array([_text(value) for value in values], pa.string()).cast(kind)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
