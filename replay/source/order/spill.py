"""Rows spilled to disk, to be read back once each: in files without a name, so that nothing is left over,
whatever ends the process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from replay.errors import InputError
from replay.source.rows.times import order_times_ns

SEGMENT_BYTES = 256 << 20
"""A file is given back once all of it has been taken: small against what is spilled, and few files are open."""

_IPC = pa.ipc.IpcWriteOptions()
"""Once for all: without it pyarrow looks into the environment each time. Not compressed: with LZ4 a row of a merge
costs half as much again."""


@dataclass(slots=True)
class _Segment:
    """`pieces_left` are in it and not taken yet."""

    file: IO[bytes]
    size_bytes: int = 0
    pieces_left: int = 0

    @property
    def is_full(self) -> bool:
        return self.size_bytes >= SEGMENT_BYTES


@dataclass(frozen=True, slots=True)
class Piece:
    """Sorted rows that are taken at once: where they lie, and their smallest and largest time."""

    segment: _Segment
    offset: int
    size_bytes: int
    rows: int
    first_ns: int
    last_ns: int


class SpillFiles(AbstractContextManager["SpillFiles"]):
    """The place for them: no file before the first row, none once it is closed. `folder` None: where the system keeps
    temporary files. Raises `InputError` where the disk does not take or give rows."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._segments: list[_Segment] = []  # the last is written to, until it is full

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, table: pa.RecordBatch) -> Piece:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema, options=_IPC) as stream:
            stream.write_batch(table)
        view = memoryview(sink.getvalue())
        times = order_times_ns(table)
        with self._refusing():
            if not self._segments or self._segments[-1].is_full:
                file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 (see `close`)
                self._segments.append(_Segment(file))
            segment = self._segments[-1]
            piece = Piece(segment, segment.size_bytes, len(view), len(times), int(times[0]), int(times[-1]))
            segment.size_bytes += len(view)
            segment.pieces_left += 1
            while view:
                view = view[os.write(segment.file.fileno(), view) :]
        return piece

    def take(self, piece: Piece) -> pa.RecordBatch:
        """The rows of a piece; once."""
        with self._refusing():
            written = pa.allocate_buffer(piece.size_bytes)  # in Arrow's memory: a column of it may live for long
            os.preadv(piece.segment.file.fileno(), [memoryview(written)], piece.offset)
        self.drop(piece)
        return pa.ipc.open_stream(written).read_next_batch()

    def drop(self, piece: Piece) -> None:
        """Gives a piece up without reading it."""
        segment = piece.segment
        segment.pieces_left -= 1
        if segment.is_full and not segment.pieces_left:
            self._segments.remove(segment)
            segment.file.close()

    def close(self) -> None:
        for segment in self._segments:
            segment.file.close()
        self._segments.clear()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"rows cannot be written to disk for sorting: {error.strerror}",
                where=str(self._folder or tempfile.tempdir or "the folder for temporary files"),
                todo="make room there, or name another folder with TMPDIR; one file alone needs none with a larger "
                "--sort-memory",
            ) from None
