"""Arrow columns to Kafka records: keys, values, timestamps, partitions, headers. Column-wise; no Python per row.

The bytes of a record are part of the promise: a resume compares them with what the topic holds. So they depend
on nothing but the row and the options in the checkpoint. `formats/` says how values are written.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from replay.errors import InputError
from replay.model import NOW_MS, Batch, Encoded, Fate, Headers, Ints, SymbolTable, event_times_ns
from replay.partitioning import Partitioner
from replay.record import framing
from replay.record.formats.base import Format
from replay.record.formats.chosen import key_schema
from replay.record.keys import Keys
from replay.record.options import Records
from replay.units import NS_PER_UNIT

_NS_PER_MS = NS_PER_UNIT["ms"]
_HEADER_BYTES = 10  # the lengths of a header's name and value, as varints of up to 5 bytes
_ROW_DIGITS = 20  # of the largest row number, and the colon before it
_DEFAULT = Records()


class Encoder:
    """Encodes batches; remembers per symbol what is the same for each of its rows.

    `row_label` names the replay in row headers.
    """

    def __init__(
        self,
        symbols: SymbolTable,
        value_format: Format,
        partitioner: Partitioner,
        records: Records = _DEFAULT,
        row_label: str = "",
    ) -> None:
        self._format, self._records, self._row_label = value_format, records, row_label
        self._keys = Keys(symbols, partitioner, records)
        schema, ids, id_in = value_format.schema, records.schema_ids, records.schema_id_in
        self._prefix = framing.prefix(schema, ids.value, id_in)
        self._headers: Headers = [(name, value.encode()) for name, value in records.headers]
        self._headers += framing.header(framing.VALUE_HEADER, schema, ids.value, id_in)
        self._headers += framing.header(framing.KEY_HEADER, key_schema(records), ids.key, id_in)
        self._header_bytes = sum(len(name) + len(value) + _HEADER_BYTES for name, value in self._headers)
        if records.row_header is not None:
            self._header_bytes += len(records.row_header) + len(row_label) + _ROW_DIGITS + _HEADER_BYTES

    def encode(self, batch: Batch, start: int = 0, stop: int | None = None) -> Encoded:
        """Rows `start` to `stop` of the batch as records, in order; those that are left out have none."""
        stop = len(batch) if stop is None else stop
        rows, sent = batch.table.slice(start, stop - start), None
        if batch.fates is not None and batch.fates[start:stop].any():
            sent = np.flatnonzero(batch.fates[start:stop] == Fate.SENT)
            rows = rows.take(pa.array(sent))
        values = self._format.payloads(rows)
        if self._prefix:
            values = pc.binary_join_element_wise(self._prefix, values, b"")
        keys = self._keys.of(rows)
        times_ns = event_times_ns(rows)
        return Encoded(
            keys=keys.keys,
            values=values.to_pylist(),
            timestamps_ms=self._timestamps_ms(times_ns),
            partitions=keys.partitions,
            event_times_ns=times_ns,
            record_bytes=pc.binary_length(values).to_numpy() + keys.sizes + self._header_bytes,
            symbols=rows.column("symbol").to_numpy(),
            slice_rows=stop - start,
            rows=sent,
            headers=self._headers_of(batch.start.row + start, rows.num_rows, sent),
        )

    def _timestamps_ms(self, times_ns: Ints) -> list[int]:
        if not self._records.has_event_times:
            return [NOW_MS] * len(times_ns)
        milliseconds: list[int] = (times_ns // _NS_PER_MS).tolist()
        return milliseconds

    def _headers_of(self, first_row: int, records: int, sent: Ints | None) -> list[Headers] | None:
        """The one list for all, or, with row headers, one for each: `LABEL:ROW`, the row's number in the replay."""
        name = self._records.row_header
        if name is None:
            return [self._headers] * records if self._headers else None
        rows = (np.arange(records) if sent is None else sent) + first_row
        return [[*self._headers, (name, f"{self._row_label}:{row}".encode())] for row in rows.tolist()]


def refuse_records(encoded: Encoded, bytes_max: int, partitions: int, where: Callable[[int], str]) -> None:
    """A record that `produce` would refuse in the middle of a burst: over its limit, or for no partition."""
    over = np.flatnonzero(encoded.record_bytes > bytes_max)
    if len(over):
        record = int(over[0])
        raise InputError(
            f"the record of this row has {int(encoded.record_bytes[record]):,} bytes, and the limit is {bytes_max:,}",
            where=where(encoded.row_of(record)),
            todo="leave out long columns (--fields), or raise the limit of topic and producer (-X message.max.bytes=…)",
        )
    astray = np.flatnonzero(encoded.partitions >= partitions)
    if len(astray):
        record = int(astray[0])
        raise InputError(
            f"its partition is {int(encoded.partitions[record])}, and the topic has {partitions} (the first is 0)",
            where=where(encoded.row_of(record)),
            todo="correct the column of --partitioner, or give the topic more partitions before the replay begins",
        )
