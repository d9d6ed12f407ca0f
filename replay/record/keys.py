"""The keys of records, and the partitions that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from replay.model import KEY, PARTITION, Ints, SymbolTable
from replay.partitioning import Partitioner
from replay.record.options import KEY_NONE, Records


@dataclass(frozen=True, slots=True)
class Keyed:
    """Of each record its key (None: it has none), the bytes of that, and its partition."""

    keys: list[bytes | None]
    sizes: Ints
    partitions: Ints


class Keys:
    """Keys of batches; remembers those of the symbols, so that a symbol is encoded and hashed once."""

    def __init__(self, symbols: SymbolTable, partitioner: Partitioner, records: Records) -> None:
        self._symbols, self._partitioner, self._records = symbols, partitioner, records
        self._keys = np.array([], dtype=object)
        self._sizes: Ints = np.array([], dtype=np.int64)
        self._partitions: Ints = np.array([], dtype=np.int64)

    def of(self, rows: pa.RecordBatch) -> Keyed:
        """Keys from the symbols or a column of their own. Partitions from the keys, without any from the symbols, or
        from a column of their own."""
        self._learn_symbols()
        ids = rows.column("symbol").to_numpy()
        sizes, partitions = self._sizes[ids], self._partitions[ids]
        if self._records.key_column is not None:
            distinct = rows.column(KEY).cast(pa.binary()).dictionary_encode()
            at, names = distinct.indices.to_numpy(), distinct.dictionary.to_pylist()
            keys = np.array(names, dtype=object)[at].tolist()  # the same bytes object for each row of a key
            sizes, partitions = self._sizes_of(names)[at], self._partitions_of(names)[at]
        elif self._records.key == KEY_NONE:
            keys, sizes = [None] * len(ids), np.zeros(len(ids), dtype=np.int64)
        else:
            keys = self._keys[ids].tolist()  # the same bytes object for each row of a symbol
        if self._records.partition_column is not None:
            partitions = rows.column(PARTITION).to_numpy()
        return Keyed(keys, sizes, partitions)

    def _learn_symbols(self) -> None:
        keys = [name.encode() for name in self._symbols.names[len(self._keys) :]]
        if keys:
            self._keys = np.concatenate([self._keys, np.array(keys, dtype=object)])
            self._sizes = np.concatenate([self._sizes, self._sizes_of(keys)])
            self._partitions = np.concatenate([self._partitions, self._partitions_of(keys)])

    def _sizes_of(self, keys: list[bytes]) -> Ints:
        return np.array([len(key) for key in keys], dtype=np.int64)

    def _partitions_of(self, keys: list[bytes]) -> Ints:
        return np.array([self._partitioner(key) for key in keys], dtype=np.int64)
