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
from replay.fate import Fate
from replay.model import HEADERS, NOW_MS, Batch, Encoded, Headers, Ints, SymbolTable, event_times_ns, record_times_ns
from replay.partitioning import Partitioner
from replay.record import framing
from replay.record.formats.base import Format
from replay.record.formats.chosen import key_schema
from replay.record.headers import LENGTHS_BYTES, header_bytes, header_lists
from replay.record.keys import Keys
from replay.record.options import Records
from replay.units import NS_PER_UNIT

_NS_PER_MS = NS_PER_UNIT["ms"]
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
        self._header_bytes = sum(len(name) + len(value or b"") + LENGTHS_BYTES for name, value in self._headers)
        if records.row_header is not None:
            self._header_bytes += len(records.row_header) + len(row_label) + _ROW_DIGITS + LENGTHS_BYTES

    def encode(self, batch: Batch, start: int = 0, stop: int | None = None) -> Encoded:
        """Rows `start` to `stop` of the batch as records, in order; those that are left out have none."""
        stop = len(batch) if stop is None else stop
        rows, sent = _sent_rows(batch, start, stop)
        values = self._format.payloads(rows)
        if self._prefix:
            values = pc.binary_join_element_wise(self._prefix, values, b"")
        keys = self._keys.of(rows)
        sizes = pc.binary_length(values).fill_null(0).to_numpy() + keys.sizes + self._header_bytes
        if HEADERS in rows.schema.names:
            sizes += header_bytes(rows.column(HEADERS))
        return Encoded(
            keys=keys.keys,
            values=values.to_pylist(),
            timestamps_ms=self._timestamps_ms(rows),
            partitions=keys.partitions,
            event_times_ns=event_times_ns(rows),
            record_bytes=sizes,
            symbols=rows.column("symbol").to_numpy(),
            slice_rows=stop - start,
            rows=sent,
            headers=self._headers_of(rows, batch.start.row + start, sent),
            compared_headers=self._records.compared_headers,
        )

    def partitions(self, batch: Batch) -> Ints:
        """The partition of each record of a batch."""
        return self._keys.of(_sent_rows(batch, 0, len(batch))[0]).partitions

    def _timestamps_ms(self, rows: pa.RecordBatch) -> list[int]:
        if not self._records.has_event_times:
            return [NOW_MS] * rows.num_rows
        milliseconds: list[int] = (record_times_ns(rows) // _NS_PER_MS).tolist()
        return milliseconds

    def _headers_of(self, rows: pa.RecordBatch, first_row: int, sent: Ints | None) -> list[Headers] | None:
        """Those of the column, then those of all records, then `LABEL:ROW`: the row's number in the replay."""
        name, constant, count = self._records.row_header, self._headers, rows.num_rows
        lists = [constant] * count
        if HEADERS in rows.schema.names:
            lists = header_lists(rows.column(HEADERS))
            if constant:
                lists = [[*own, *constant] for own in lists]
        if name is not None:
            numbers = (np.arange(count) if sent is None else sent) + first_row
            label = self._row_label
            lists = [
                [*own, (name, f"{label}:{row}".encode())] for own, row in zip(lists, numbers.tolist(), strict=True)
            ]
        elif not constant and self._records.headers_column is None:
            return None
        return lists


def _sent_rows(batch: Batch, start: int, stop: int) -> tuple[pa.RecordBatch, Ints | None]:
    """The rows that are records, and which these are (None: all of them)."""
    rows = batch.table.slice(start, stop - start)
    if batch.fates is None or not batch.fates[start:stop].any():
        return rows, None
    sent = np.flatnonzero(batch.fates[start:stop] == Fate.SENT)
    return rows.take(pa.array(sent)), sent


def refuse_records(encoded: Encoded, bytes_max: int, partitions: int, where: Callable[[int], str]) -> None:
    """A record that `produce` would refuse in the middle of a burst: over its limit, or for no partition."""
    over = np.flatnonzero(encoded.record_bytes > bytes_max)
    if len(over):
        record = int(over[0])
        raise InputError(
            f"the record of this row has {int(encoded.record_bytes[record]):,} bytes, and the limit is {bytes_max:,}",
            where=where(encoded.row_of(record)),
            todo="raise the limit of topic and producer (-X message.max.bytes=…), or leave out long columns (--fields)"
            " or such rows (--where)",
        )
    astray = np.flatnonzero(encoded.partitions >= partitions)
    if len(astray):
        record = int(astray[0])
        raise InputError(
            f"its partition is {int(encoded.partitions[record])}, and the topic has {partitions} (the first is 0)",
            where=where(encoded.row_of(record)),
            todo="correct the column of partitions, or leave it out, so that keys decide; or give the topic more"
            " partitions before the replay begins",
        )
