"""What every format of values is: what it is given, and what it gives. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa

from replay.model import Bools, SymbolTable

# The formats find them here; what must not import Arrow takes them from there.
from replay.record.options import Naming as Naming  # noqa: PLC0414
from replay.record.options import Reference as Reference  # noqa: PLC0414


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a batch that becomes a field of a record.

    `name` is that in the batch (`symbol`, `price`, `event_time`, a further field), `field` that in the record,
    `source` the input column, for messages. `kind` is plain (see `source/columns/unify.py`). Symbols are text here.
    `nullable`: a row may be sent in which it is null.
    """

    name: str
    field: str
    kind: pa.DataType
    nullable: bool
    source: str


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema as a registry keeps it.

    `kind` is what registries call it: AVRO, PROTOBUF, JSON. `name` is the full name of the record, after which a
    subject may be named. `message_indexes` is the path of the message in its file (Protobuf; empty elsewhere).
    `references` has those of references, too; each stands before what names it.
    """

    kind: str
    text: str
    name: str
    message_indexes: tuple[int, ...] = ()
    references: tuple[Reference, ...] = ()


class Format(Protocol):
    """Writes the values of records."""

    @property
    def schema(self) -> Schema | None:
        """None: values have none."""

    @property
    def encoder(self) -> str:
        """What decides the bytes of a value: our own version of the format, and the library that writes it with its
        version. A checkpoint keeps it; a resume with another one is refused."""

    def misfits(self, name: str, values: pa.Array) -> Bools | None:
        """Which values of this column of a batch have no place in their field; None: none. Of symbols: of the distinct
        ones, as text. Rows with such a value are bad ones, and are never given to `payloads`."""

    def payloads(self, rows: pa.RecordBatch) -> pa.Array:
        """The value of each record, without what frames it (binary, no nulls but tombstones). `rows` is a part of a
        batch's table: symbols are ids."""


@runtime_checkable
class WholeRows(Protocol):
    """What a format has beside, whose schema may look at several fields of a record together."""

    @property
    def row_keywords(self) -> tuple[str, ...]:
        """What in the schema does so, to be told once, since it costs some time for each row. Empty: nothing does."""

    def misfit_rows(self, rows: pa.RecordBatch) -> Bools | None:
        """Which of these rows the schema does not take as a whole; None: it takes them all. `rows` are as those of
        `payloads`, without any that is bad already. What is found is bad, too, and is never given to `payloads`."""


class SymbolTexts:
    """The symbols of a batch as text. Learns those that are new."""

    def __init__(self, symbols: SymbolTable) -> None:
        self._symbols = symbols
        self._known: pa.Array = pa.array([], pa.string())

    def of(self, ids: pa.Array) -> pa.Array:
        """The text of each."""
        if new := self._symbols.names[len(self._known) :]:
            self._known = pa.concat_arrays([self._known, pa.array(new, pa.string())])
        return self._known.take(ids)


def by_field(columns: Sequence[Column]) -> dict[str, Column]:
    """The columns by their names in the record."""
    return {column.field: column for column in columns}
