"""The keys of records, and the partitions that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from replay.model import KEY, PARTITION, Ints, SymbolTable
from replay.partitioning import Partitioner
from replay.record import framing
from replay.record.formats.chosen import key_payload, key_schema
from replay.record.options import KEY_NONE, Records
from replay.record.schema_ids import translated


class Keyed(NamedTuple):
    """Of each record its key (None: it has none), the bytes of that, and its partition."""

    keys: list[bytes | None]
    sizes: Ints
    partitions: Ints


class _Known(NamedTuple):
    """The same of each distinct key, from which that of records is taken."""

    keys: npt.NDArray[Any]
    sizes: Ints
    partitions: Ints

    def taken(self, at: Ints) -> Keyed:
        # the same bytes object for each row of a key
        return Keyed(self.keys[at].tolist(), self.sizes[at], self.partitions[at])


class Keys:
    """Keys of batches; remembers those of the symbols, so that a symbol is encoded and hashed once."""

    def __init__(self, symbols: SymbolTable, partitioner: Partitioner, records: Records) -> None:
        self._symbols, self._partitioner, self._records = symbols, partitioner, records
        self._prefix = framing.prefix(key_schema(records), records.schema_ids.key, records.schema_id_in)
        self._payload = key_payload(records)
        self._ids = dict(records.key_ids)
        self._hashes = records.partition_column is None
        self._of_symbols = self._known([])

    def of(self, rows: pa.RecordBatch) -> Keyed:
        """Keys from the symbols or a column of their own. Partitions from the keys, without any from the symbols, or
        from a column of their own."""
        has_column = self._records.key_column is not None
        keyed = self._from_column(rows) if has_column else self._from_symbols(rows)
        if self._records.partition_column is not None:
            return keyed._replace(partitions=rows.column(PARTITION).to_numpy())
        return keyed

    def _from_symbols(self, rows: pa.RecordBatch) -> Keyed:
        self._learn_symbols()
        keyed = self._of_symbols.taken(rows.column("symbol").to_numpy())
        if self._records.key == KEY_NONE:
            return keyed._replace(keys=[None] * rows.num_rows, sizes=np.zeros(rows.num_rows, dtype=np.int64))
        return keyed

    def _from_column(self, rows: pa.RecordBatch) -> Keyed:
        distinct = rows.column(KEY).cast(pa.binary()).dictionary_encode()
        names = translated(distinct.dictionary, self._ids) if self._ids else distinct.dictionary
        known, at = self._known([*names.to_pylist(), None]), distinct.indices
        if not at.null_count:
            return known.taken(at.to_numpy())
        missing = np.asarray(at.is_null().to_numpy(zero_copy_only=False))
        keyed = known.taken(at.fill_null(len(names)).to_numpy())
        if self._hashes:
            of_symbols = self._from_symbols(rows).partitions
            return keyed._replace(partitions=np.where(missing, of_symbols, keyed.partitions))
        return keyed

    def _learn_symbols(self) -> None:
        if new := self._symbols.names[len(self._of_symbols.keys) :]:
            added = self._known([name.encode() for name in new])
            self._of_symbols = _Known(*map(np.concatenate, zip(self._of_symbols, added, strict=True)))

    def _known(self, texts: Sequence[bytes | None]) -> _Known:
        """As they are sent: partitions follow from the bytes of the key."""
        keys = list(texts)
        if self._payload is not None and self._records.key != KEY_NONE:
            keys = [None if text is None else self._prefix + self._payload(text.decode()) for text in texts]
        sizes = np.array([len(key or b"") for key in keys], dtype=np.int64)
        if self._hashes:
            partitions = np.array([0 if key is None else self._partitioner(key) for key in keys], dtype=np.int64)
        else:
            partitions = np.zeros(len(keys), dtype=np.int64)
        return _Known(np.array(keys, dtype=object), sizes, partitions)
