"""Batches as records, a slice at a time."""

from __future__ import annotations

from collections.abc import Iterator

from replay.delivery.options import Pace
from replay.kafka.partitioner import partitioner
from replay.model import Encoded, Position
from replay.record.encoder import Encoder
from replay.source.source import Source

ENCODE_ROWS = 16_384
"""Rows encoded at once: their lists stay in the cache, and the cost per call still vanishes."""

_PACED_S, _PACED_ROWS_MAX, _PACED_ROWS_MIN = 0.5, 4_096, 64
"""A paced replay encodes this much of its time at once (a call costs as much as 1,000 rows), but no more rows than can
be encoded between two bursts."""


def slices(rows: int, rows_max: int) -> Iterator[tuple[int, int]]:
    """First row and the row to stop before, of each slice."""
    for start in range(0, rows, rows_max):
        yield start, min(rows, start + rows_max)


def slice_rows(pace: Pace) -> int:
    """Rows that are encoded at once."""
    if pace.rows_per_s is not None:
        return max(_PACED_ROWS_MIN, min(_PACED_ROWS_MAX, int(pace.rows_per_s * _PACED_S)))
    return ENCODE_ROWS if pace.speed is None else ENCODE_ROWS // 8


def encoder_for(source: Source, partitions: int) -> Encoder:
    """As the source's options say, for a topic of so many partitions."""
    return source.encoder(partitioner(source.options.records.partitioner, partitions))


def encoded_from(source: Source, encoder: Encoder, position: Position) -> Iterator[Encoded]:
    """The rows from the position on, as records."""
    for batch in source.batches(position):
        yield from (encoder.encode(batch, first, stop) for first, stop in slices(len(batch), ENCODE_ROWS))
