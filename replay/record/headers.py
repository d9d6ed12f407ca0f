"""Headers of records from a column: what each record has, in order, with names that repeat. Pure."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from replay.model import Headers, Ints
from replay.record.kinds import offsets

HEADERS_TYPE = pa.list_(pa.struct([pa.field("name", pa.string()), pa.field("value", pa.binary())]))
"""A null value is a header without one; a null list is one without headers."""

LENGTHS_BYTES = 10  # the lengths of a header's name and value, as varints of up to 5 bytes


def header_lists(column: pa.Array) -> list[Headers]:
    """The headers of each record, from a column of `HEADERS_TYPE` in which each header has a name."""
    names, values = (child.to_pylist() for child in pc.list_flatten(column).flatten())
    pairs = list(zip(names, values, strict=True))
    ends = offsets(column).to_pylist()
    return [pairs[start:end] for start, end in pairwise(ends)]


def header_bytes(column: pa.Array) -> Ints:
    """How many bytes they take in each record, or a few more."""
    names, values = (pc.binary_length(child).fill_null(0).to_numpy() for child in pc.list_flatten(column).flatten())
    before = np.concatenate([[0], np.cumsum(names.astype(np.int64) + values + LENGTHS_BYTES)])
    sizes: Ints = np.diff(before[offsets(column).to_numpy()])
    return sizes
