"""Arrow columns to Kafka records: keys, values, timestamps, partitions, headers. Column-wise; no Python per row.

The bytes of a record are part of the promise: a resume compares them with what the topic holds. So they depend
on nothing but the row and the options in the checkpoint; any change to them needs a new `ENCODER_VERSION`.

The value of a record is JSON:

    {"symbol": "BTCUSDT", "price": 50034.56, "event_time": "2026-11-22T00:00:00.032185Z", FIELDS...}

Numbers are written with the fewest digits that read back as the same value, decimals with all of theirs; times have six
digits after the second (nine for nanosecond columns). Further fields follow in the order they were asked for; null is
null. `json_text.py` says how each type looks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from replay.errors import InputError
from replay.model import NOW_MS, Batch, Encoded, Fate, Headers, Ints, SymbolTable, event_times_ns
from replay.partitioning import Partitioner
from replay.record.json_text import json_text, number_text
from replay.record.keys import Keys
from replay.record.options import DecimalAs, Records
from replay.units import NS_PER_UNIT

_NS_PER_MS = NS_PER_UNIT["ms"]
_HEADER_BYTES = 10  # the lengths of a header's name and value, as varints of up to 5 bytes
_ROW_DIGITS = 20  # of the largest row number, and the colon before it
_DEFAULT = Records()


class Encoder:
    """Encodes batches; remembers per symbol what is the same for each of its rows.

    `fields` are the further columns of a batch, `row_label` names the replay in row headers.
    """

    def __init__(
        self,
        symbols: SymbolTable,
        fields: Sequence[str],
        partitioner: Partitioner,
        records: Records = _DEFAULT,
        row_label: str = "",
    ) -> None:
        self._records, self._row_label = records, row_label
        self._keys = Keys(symbols, partitioner, records)
        self._format = JsonFormat(symbols, fields, records.decimal_as is DecimalAs.STRING)
        self._headers: Headers = [(name, value.encode()) for name, value in records.headers]
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
        values = self._format.values(rows)
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


class JsonFormat:
    """Writes the values of records; remembers how those of each symbol begin."""

    def __init__(self, symbols: SymbolTable, fields: Sequence[str], quote_decimals: bool) -> None:
        self._symbols, self._fields, self._quoted = symbols, tuple(fields), quote_decimals
        self._heads: pa.Array = pa.array([], pa.binary())

    def values(self, rows: pa.RecordBatch) -> pa.Array:
        """One join of columns and the constant text between them; fewer pieces are fewer passes over all rows."""
        self._learn_symbols()
        pieces: list[Any] = [self._heads.take(rows.column("symbol"))]
        between = ""
        for name in ("price", "event_time", *self._fields):
            # a price that is text is a number all the same: convert.to_price sees to it
            before, text, after = (number_text if name == "price" else json_text)(rows.column(name), self._quoted)
            label = "" if name == "price" else f", {_quoted(name)}: "  # heads end in the first
            if constant := between + label + before:
                pieces.append(constant.encode())
            pieces.append(text)
            between = after
        return pc.binary_join_element_wise(*pieces, (between + "}").encode(), b"")

    def _learn_symbols(self) -> None:
        if new := self._symbols.names[len(self._heads) :]:
            heads = [f'{{"symbol": {_quoted(name)}, "price": '.encode() for name in new]
            self._heads = pa.concat_arrays([self._heads, pa.array(heads, pa.binary())])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


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
