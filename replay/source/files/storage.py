"""Input files, wherever they are: found, identified and opened. Nothing else knows file systems.

A search is strict: what cannot be listed or vanishes meanwhile is an error, or the rest would pass for the whole.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from replay.errors import InputError, NoInput
from replay.source.files import address, lake, local, paths, remote
from replay.source.files.endings import TAKEN, OtherEndings
from replay.source.tables import marks
from replay.source.tables import states as tables

_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
_END_BYTES = 8  # a Parquet file ends with its footer's length (4 bytes) and the magic (4)
_TAIL_BYTES = 64 << 10  # what pyarrow itself reads first: one request for nearly every footer

# -- what is found ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InputPath:
    """An input file, not opened yet. `size_bytes` is as found."""

    shown: str
    """As the user would name it, for messages; without credentials."""
    name: str
    """What identifies it on any machine: its Hive folders and its file name."""
    keys: paths.Keys
    """Its Hive partition keys, outermost first, decoded; null is None."""
    size_bytes: int
    place: local.LocalFile | remote.RemoteFile = field(repr=False, compare=False)
    table: tables.TableState | None = field(default=None, repr=False, compare=False)
    """The state of the table whose file it is; `keys` are those that the table tells then."""

    @property
    def is_remote(self) -> bool:
        return isinstance(self.place, remote.RemoteFile)

    def open(self) -> pa.NativeFile:
        """For random access. A file that is no longer the one that was found is an InputError."""
        try:
            file = self.place.open()
        except NoInput:
            if self.table is None:
                raise
            raise tables.gone(self.table, self.shown) from None
        try:
            size = file.size()
        except (OSError, pa.ArrowException) as error:
            raise self.refusal(error) from None
        if size != self.size_bytes:
            file.close()
            raise InputError(
                f"the file changed since it was found: it had {self.size_bytes:,} bytes and now has {size:,}",
                where=self.shown,
                todo="if it is still being written, wait until it is whole; if it was replaced, put the old file back",
            )
        return file

    def refusal(self, error: Exception) -> InputError:
        """What a read of this file failed with, as an error for the operator."""
        if isinstance(self.place, remote.RemoteFile):
            return address.refusal(self.place.address, error)
        return local.refusal(self.shown, error)


def read_footer(path: InputPath, file: pa.NativeFile) -> bytes:
    """The last bytes of a whole Parquet file, from its metadata to the magic; any other file is an InputError.

    Remotely it costs one request, and a second one for a footer of more than 64 KiB.
    """
    size = path.size_bytes
    if size == 0:
        todo = "if it is still being written, wait until it is whole; else remove it, or write it again"
        raise InputError("the file is empty", where=path.shown, todo=todo)
    try:
        tail = file.read_at(min(size, _TAIL_BYTES), max(0, size - _TAIL_BYTES))
        if tail.endswith(_ENCRYPTED):
            raise InputError("this Parquet file is encrypted", where=path.shown, todo="name a decrypted copy")
        if size <= _END_BYTES + len(_MAGIC) or not tail.endswith(_MAGIC):
            raise _not_whole(path, file.read_at(len(_MAGIC), 0))
        footer_bytes = int.from_bytes(tail[-_END_BYTES : -len(_MAGIC)], "little") + _END_BYTES
        if not _END_BYTES < footer_bytes <= size - len(_MAGIC):
            raise _not_whole(path, b"")
        return bytes(
            tail[-footer_bytes:] if footer_bytes <= len(tail) else file.read_at(footer_bytes, size - footer_bytes)
        )
    except (OSError, pa.ArrowException) as error:
        raise path.refusal(error) from None


def _not_whole(path: InputPath, head: bytes) -> InputError:
    if head == _MAGIC:
        reason = "it begins like one, but its end is missing"
    else:
        reason = "its end contradicts itself" if not head else "it neither begins nor ends like one"
    return InputError(
        f"this is not a whole Parquet file: {reason}",
        where=path.shown,
        todo="it may be still being written, truncated or damaged: wait until it is whole, or write or fetch it again",
    )


_Stores = dict[tuple[object, ...], remote.Store]

# -- finding ----------------------------------------------------------------------------------------------


def find(
    inputs: Sequence[str],
    others: OtherEndings | None = None,
    asked: tables.Asked = tables.Asked(),  # noqa: B008 - frozen
) -> list[InputPath]:
    """The files that files, folders, patterns and URIs name, in natural order, each once however it is named; of a
    table's folder those of one state of it.

    `others` takes note of the files in folders that are not taken because of their endings.
    """
    others = others if others is not None else OtherEndings()
    found: dict[str, InputPath] = {}
    stores: _Stores = {}
    noticed = marks.Noticed()
    for given in inputs:
        is_remote = address.is_uri(given) and not given.startswith(local.FILE)
        found_here = _remote(given, stores, others, asked) if is_remote else _local(given, noticed, others, asked)
        for path in found_here:
            found.setdefault(path.place.identity, path)
    others.forget(found)
    return sorted(found.values(), key=lambda path: (paths.natural_key(path.shown), path.shown))


def _of_table(content: tables.Content, near: address.Address | None, store: remote.Store | None) -> list[InputPath]:
    """The files of a table; their folders' names tell nothing."""
    state, files = content
    found = []
    for file in files:
        at = lake.place_of(file.location, near) if near is not None else lake.local_path(file.location)
        if isinstance(at, str):
            place: local.LocalFile | remote.RemoteFile = local.LocalFile(at, os.path.realpath(at), file.size_bytes)
            shown, full = at, at
        else:
            assert store is not None
            place, shown, full = remote.RemoteFile(at, file.size_bytes, store), at.shown, at.path
        found.append(InputPath(shown, paths.identify(full)[0], file.keys, file.size_bytes, place, state))
    if not found:
        raise NoInput(f"{state.text} has no rows", where=near.shown if near else "INPUT", todo="check the table")
    return found


def _input_path(file: local.LocalFile | remote.RemoteFile) -> InputPath:
    if isinstance(file, local.LocalFile):
        shown, full = file.path, os.path.abspath(file.path)  # by its links: they may be what gives it its keys
    else:
        shown, full = file.address.shown, file.address.path
    try:
        name, keys = paths.identify(full)
    except InputError as error:
        raise InputError(error.what, where=shown, todo=error.todo) from None
    return InputPath(shown, name, keys, file.size_bytes, file)


def _nothing(where: str, others: OtherEndings) -> InputError:
    if others.looks_like_input:
        todo = f"name the files whatever their ending: {where.rstrip('/')}/*; or give them an ending {TAKEN}"
        return NoInput(f"no Parquet file here: {others}", where=where, todo=todo)
    todo = "name a .parquet file, a folder that holds some, or a glob"
    return NoInput("no Parquet file here", where=where, todo=todo)


def _remote(given: str, stores: _Stores, others: OtherEndings, asked: tables.Asked) -> list[InputPath]:
    place = address.parse(given)
    key = (place.scheme, place.authority, place.parameters)
    if key not in stores:  # many URIs of one bucket share a connection
        stores[key] = remote.connect(place)
    store = stores[key]
    if root := lake.metadata_file(place.path):
        near = replace(place, path=root)
        return _of_table(lake.far(near, marks.ICEBERG, store, asked, place.path), near, store)
    format = None if paths.is_pattern(place.path) else remote.table_at(place, store)
    if format is not None:
        return _of_table(lake.far(place, format, store, asked), place, store)
    passed = OtherEndings()
    found = remote.find(place, store, passed)
    if not found:
        raise _nothing(place.shown, passed)
    others.files.update(passed.files)
    return list(map(_input_path, found))


# -- finding local files ----------------------------------------------------------------------------------


def _local(given: str, noticed: marks.Noticed, others: OtherEndings, asked: tables.Asked) -> list[InputPath]:
    if not given:
        raise InputError("the path is empty", where="INPUT", todo="is a variable of your shell not set?")
    path = local.path_of_url(given) if given.startswith(local.FILE) else given
    path = path.rstrip("/") or "/"
    passed = OtherEndings()
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a null byte
        if not (isinstance(error, FileNotFoundError | NotADirectoryError) and paths.is_pattern(path)):
            raise local.refusal(path, error) from None
        found = local.search(*paths.split_pattern(path), passed)
    else:
        content = _table_here(os.path.abspath(path), status, noticed, asked)
        if content is not None:
            return _of_table(content, None, None)
        if stat.S_ISREG(status.st_mode):
            found = iter([local.LocalFile(path, os.path.realpath(path), status.st_size)])
        elif not stat.S_ISDIR(status.st_mode):
            raise InputError("this is not a file that can be read twice", where=path, todo="save it as a file first")
        else:
            _no_table(path, path, noticed)
            found = local.search(path, paths.FOLDER, passed)
    files = sorted(found, key=lambda file: file.linked)  # a file is named as itself, not as a link to it
    for file in files:
        _no_table(file.path, os.path.dirname(file.path), noticed)
        _no_table(file.path, os.path.dirname(file.real), noticed)
    if not files:
        raise _nothing(path, passed)
    others.files.update(passed.files)
    return list(map(_input_path, files))


def _table_here(
    whole: str, status: os.stat_result, noticed: marks.Noticed, asked: tables.Asked
) -> tables.Content | None:
    """Of the table that this very folder is, or that this file describes."""
    if stat.S_ISREG(status.st_mode):
        root = lake.metadata_file(whole)
        return lake.local(marks.Table(marks.ICEBERG, root), asked, whole) if root else None
    table = noticed.at(whole) if stat.S_ISDIR(status.st_mode) else None
    return lake.local(table, asked) if table is not None and table.root == whole else None


def _no_table(where: str, folder: str, noticed: marks.Noticed) -> None:
    table = noticed.at(os.path.abspath(folder))
    if table is not None:
        marks.refuse(table, where)
