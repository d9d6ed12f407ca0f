"""An input file that was found, wherever it is: identified and opened, and the bytes of its footer."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from replay.errors import InputError, NoInput
from replay.source.files import address, local, paths, remote
from replay.source.files.footers import FOOTER_BYTES_MAX, too_large
from replay.source.tables import states as tables

MAGIC, _ENCRYPTED = b"PAR1", b"PARE"  # with which a Parquet file begins and ends
_END_BYTES = 8  # a Parquet file ends with its footer's length (4 bytes) and the magic (4)
_TAIL_BYTES = 64 << 10  # what pyarrow itself reads first: one request for nearly every footer


Place = local.LocalFile | remote.RemoteFile


@dataclass(frozen=True, slots=True)
class InputPath:
    """An input file, not opened yet."""

    name: str
    """What identifies it on any machine: its Hive folders and its file name."""
    keys: paths.Keys
    """Its Hive partition keys, outermost first, decoded; null is None."""
    place: Place
    table: tables.TableState | None = field(default=None, repr=False, compare=False)
    """The state of the table whose file it is; `keys` then come from the table."""

    @property
    def shown(self) -> str:
        """The name for messages: as the user would write it, without credentials."""
        return self.place.shown

    @property
    def size_bytes(self) -> int:
        """As found."""
        return self.place.size_bytes

    @property
    def is_remote(self) -> bool:
        return isinstance(self.place, remote.RemoteFile)

    def open(self) -> pa.NativeFile:
        """The file, for random access. Raises `InputError` where it is no longer the one that was found."""
        try:
            with address.refusing(self.place.refusal):
                file = self.place.open()
                size = file.size()
        except NoInput:
            if self.table is None:
                raise
            raise tables.gone(self.table, self.shown) from None
        if size != self.size_bytes:
            file.close()
            raise InputError(
                f"the file changed since it was found: it had {self.size_bytes:,} bytes and now has {size:,}",
                where=self.shown,
                todo="if it is still being written, wait until it is whole; if it was replaced, put the old file back",
            )
        return file


def read_footer(path: InputPath, file: pa.NativeFile) -> bytes:
    """The last bytes of a whole Parquet file, from its metadata to the magic; any other file is an InputError.

    Remotely it costs one request, and a second one for a footer of more than 64 KiB.
    """
    size = path.size_bytes
    if size == 0:
        todo = "if it is still being written, wait until it is whole; else remove it, or write it again"
        raise InputError("the file is empty", where=path.shown, todo=todo)
    with address.refusing(path.place.refusal):
        tail = file.read_at(min(size, _TAIL_BYTES), max(0, size - _TAIL_BYTES))
        if tail.endswith(_ENCRYPTED):
            raise InputError("this Parquet file is encrypted", where=path.shown, todo="name a decrypted copy")
        if size <= _END_BYTES + len(MAGIC) or not tail.endswith(MAGIC):
            raise _not_whole(path, file.read_at(len(MAGIC), 0))
        footer_bytes = int.from_bytes(tail[-_END_BYTES : -len(MAGIC)], "little") + _END_BYTES
        if not _END_BYTES < footer_bytes <= size - len(MAGIC):
            raise _not_whole(path, b"")
        if footer_bytes > FOOTER_BYTES_MAX:
            raise too_large(path.shown, footer_bytes)
        return bytes(
            tail[-footer_bytes:] if footer_bytes <= len(tail) else file.read_at(footer_bytes, size - footer_bytes)
        )


def _not_whole(path: InputPath, head: bytes) -> InputError:
    reason = "it neither begins nor ends like one" if head else "its end contradicts itself"
    if head == MAGIC:
        reason = "it begins like one, but its end is missing"
    return InputError(
        f"this is not a whole Parquet file: {reason}",
        where=path.shown,
        todo="it may be still being written, truncated or damaged: wait until it is whole, or write or fetch it again",
    )
