"""Values as they are: the bytes of a column, to the byte."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from replay.model import VALUE
from replay.record.formats.base import Schema
from replay.record.schema_ids import translated


class PayloadFormat:
    """Hands on the values of the column `VALUE`. A null stays one: a tombstone.

    `ids`: the schema ids that become others. Rows whose value has another one are bad, and are not given to it.
    """

    schema: Schema | None = None
    encoder = "payload-1"

    def __init__(self, ids: Mapping[int, int]) -> None:
        self._ids = ids

    def misfits(self, name: str, values: pa.Array) -> None:
        """None: every value is sent as it is."""

    def payloads(self, rows: pa.RecordBatch) -> pa.Array:
        """The values; nothing is copied unless ids are replaced."""
        values = rows.column(VALUE)
        return translated(values, self._ids) if self._ids else values
