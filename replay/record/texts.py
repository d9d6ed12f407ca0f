"""Values as the text that every format writes for them where it has no type for them. Null where the value is. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from replay.record.kinds import with_scale

_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}

_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), np.uint16)
"""Two hexadecimal digits of each byte."""

_UUID_BYTES, _UUID_LETTERS = 16, 36
_UUID_HYPHENS = (8, 13, 18, 23)


def decimal_texts(column: pa.Array) -> pa.Array:
    """All digits of the scale, never an exponent: "1.50", "-0.000001"."""
    texts = column.cast(pa.string())
    data = texts.buffers()[2]
    if data is None or b"E" not in data.to_pybytes():  # as bytes: a kernel over all texts costs 30 times as much
        return texts
    exponents = pc.match_substring(texts, "E").fill_null(False)
    return pc.replace_with_mask(texts, exponents, _without_exponent(column.filter(exponents)))


def _without_exponent(column: pa.Array) -> pa.Array:
    """Decimals that Arrow writes with an exponent: those under 0.000001, and all of a negative scale."""
    scale = column.type.scale
    digits = with_scale(column, 0).cast(pa.string())
    if scale < 0:
        return pc.if_else(pc.equal(digits, "0"), digits, pc.binary_join_element_wise(digits, "0" * -scale, ""))
    sign = pc.if_else(pc.starts_with(digits, "-"), "-", "")
    return pc.binary_join_element_wise(sign, "0.", pc.ascii_lpad(pc.utf8_ltrim(digits, "-"), scale, "0"), "")


def duration_texts(column: pa.Array) -> pa.Array:
    """ISO 8601 in seconds, with as many digits behind the point as the unit has: "PT1.500S", "-PT0.001S"."""
    integers = column.cast(pa.int64()).cast(pa.decimal128(38, 0))  # 38: its largest precision
    seconds = decimal_texts(with_scale(integers, _DIGITS[column.type.unit]))
    sign = pc.if_else(pc.starts_with(seconds, "-"), "-PT", "PT")
    return pc.binary_join_element_wise(sign, pc.utf8_ltrim(seconds, "-"), "S", "")


def uuid_texts(column: pa.Array) -> pa.Array:
    """8-4-4-4-12 hexadecimal digits (RFC 9562 section 4), in lower case."""
    rows = len(column)
    raw = np.frombuffer(column.storage.buffers()[1] or b"", np.uint8)
    first = column.storage.offset * _UUID_BYTES
    digits = _HEX[raw[first : first + rows * _UUID_BYTES]].view(np.uint8).reshape(rows, 2 * _UUID_BYTES)
    texts = np.full((rows, _UUID_LETTERS), ord("-"), np.uint8)
    texts[:, np.delete(np.arange(_UUID_LETTERS), _UUID_HYPHENS)] = digits
    ends = pa.array(np.arange(rows + 1, dtype=np.int32) * _UUID_LETTERS)
    whole = pa.Array.from_buffers(pa.string(), rows, [None, ends.buffers()[1], pa.py_buffer(texts)])
    return pc.if_else(column.storage.is_valid(), whole, None) if column.storage.null_count else whole
