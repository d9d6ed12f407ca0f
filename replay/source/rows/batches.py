"""Batches of rows between the reader and the delivery: how large, what they are ordered by, how they leave. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from replay.model import FATE, ORDER_NS, Batch, Fate, Ints, Position, event_times_ns

BATCH_ROWS_MAX = 65_536
"""Rows decoded at a time: large enough that the cost per call vanishes, small enough to stay in the cache."""

BATCH_ROWS_MIN = 512
"""Below this, the cost per call outweighs the rows: more than 1,024 overlapping files need more memory."""


def order_times_ns(table: pa.RecordBatch) -> Ints:
    """What the rows are ordered by, in ns since 1970: `ORDER_NS` where it is there, else the event time."""
    if ORDER_NS in table.schema.names:
        return np.asarray(table.column(ORDER_NS).to_numpy())
    return event_times_ns(table)


def batch_of(start: Position, table: pa.RecordBatch, files: Ints | int) -> Batch:
    """The table as it leaves the source: fates beside it, no internal order."""
    fates = table.column(FATE).to_numpy() if FATE in table.schema.names else None
    inner = [name for name in (FATE, ORDER_NS) if name in table.schema.names]
    return Batch(start, table.drop_columns(inner) if inner else table, files, fates)


def up_to(batch: Batch, limit: int) -> Batch:
    """The batch as far as the record that is the last one within the limit (of records since the first row of all)."""
    left = limit - (batch.start.row - batch.start.left_out)
    if batch.fates is None:
        return batch.first(left) if left < len(batch) else batch
    sent = np.flatnonzero(batch.fates == Fate.SENT)
    return batch.first(int(sent[left - 1]) + 1) if left <= len(sent) else batch
