"""The keys of records, and the partitions that follow from them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from replay.model import KEY, PARTITION, Ints, SymbolTable
from replay.partitioning import Partitioner
from replay.record import framing
from replay.record.formats.chosen import key_payload, key_schema
from replay.record.options import KEY_NONE, Records


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


class Keys:
    """Keys of batches; remembers those of the symbols, so that a symbol is encoded and hashed once."""

    def __init__(self, symbols: SymbolTable, partitioner: Partitioner, records: Records) -> None:
        self._symbols, self._partitioner, self._records = symbols, partitioner, records
        self._prefix = framing.prefix(key_schema(records), records.schema_ids.key, records.schema_id_in)
        self._payload = key_payload(records)
        self._of_symbols = self._known([])

    def of(self, rows: pa.RecordBatch) -> Keyed:
        """Keys from the symbols or a column of their own. Partitions from the keys, without any from the symbols, or
        from a column of their own."""
        if self._records.key_column is not None:
            distinct = rows.column(KEY).cast(pa.binary()).dictionary_encode()
            known, at = self._known(distinct.dictionary.to_pylist()), distinct.indices.to_numpy()
        else:
            self._learn_symbols()
            known, at = self._of_symbols, rows.column("symbol").to_numpy()
        partitions = known.partitions[at]
        if self._records.partition_column is not None:
            partitions = rows.column(PARTITION).to_numpy()
        if self._records.key == KEY_NONE:
            return Keyed([None] * len(at), np.zeros(len(at), dtype=np.int64), partitions)
        # the same bytes object for each row of a key
        return Keyed(known.keys[at].tolist(), known.sizes[at], partitions)

    def _learn_symbols(self) -> None:
        if new := self._symbols.names[len(self._of_symbols.keys) :]:
            added = self._known([name.encode() for name in new])
            self._of_symbols = _Known(*map(np.concatenate, zip(self._of_symbols, added, strict=True)))

    def _known(self, texts: list[bytes]) -> _Known:
        """As they are sent: partitions follow from the bytes of the key."""
        keys = texts
        if self._payload is not None and self._records.key != KEY_NONE:
            keys = [self._prefix + self._payload(text.decode()) for text in texts]
        sizes = np.array([len(key) for key in keys], dtype=np.int64)
        partitions = np.array([self._partitioner(key) for key in keys], dtype=np.int64)
        return _Known(np.array(keys, dtype=object), sizes, partitions)
