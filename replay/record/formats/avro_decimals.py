"""Decimals as Avro writes them: the number without its point, in big-endian two's complement. Column-wise. Pure.

Source: Apache Avro 1.12.0, specification, "Decimal". Bytes are as few as hold the number, as those of Java's
`BigInteger.toByteArray`: 0 is 00, 127 is 7f, 128 is 00 80, -128 is 80.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from replay.model import Bools
from replay.record.kinds import with_scale

_Raw = npt.NDArray[np.uint8]
"""A row for each number, of the bytes of its type, the highest first."""

DIGITS_MAX = 76
"""Of Arrow's widest decimal. A number with more digits has no place here, whatever the schema allows."""

_DECIMAL128_DIGITS = 38
_DECIMAL128_BYTES = 16
_INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}
_UINT64_DIGITS = 20
_SIGN_BIT = 0x80


def decimal_type(kind: pa.DataType) -> pa.DataType:
    """The decimal of at least 128 bits that an integer or decimal column becomes without a change of values."""
    if types.is_decimal(kind):
        return kind if kind.bit_width >= 128 else pa.decimal128(kind.precision, kind.scale)
    return pa.decimal128(_UINT64_DIGITS if types.is_uint64(kind) else _INTEGER_DIGITS[kind.bit_width], 0)


def with_room(kind: pa.DataType, precision: int, scale: int) -> pa.DataType:
    """The decimal for those values of `kind` that fit into so many digits, at this scale."""
    digits = min(precision, kind.precision - kind.scale + scale)
    is_narrow = digits <= _DECIMAL128_DIGITS
    return pa.decimal128(_DECIMAL128_DIGITS, scale) if is_narrow else pa.decimal256(DIGITS_MAX, scale)


def misfits(column: pa.Array, precision: int, scale: int) -> Bools | None:
    """The values with more digits than so many at this scale, or with digits beyond it. Nulls fit."""
    kind, fits = column.type, pc.is_valid(column)
    digits = precision - scale + kind.scale  # that the number without its point may have
    if digits < kind.precision:
        numbers = with_scale(column, 0)
        limit = pa.scalar(Decimal(10) ** max(digits, 0), numbers.type)
        fits = pc.less(pc.abs(numbers), limit)
    if scale < kind.scale:
        cut = column.cast(_like(kind, scale), safe=False)
        fits = pc.and_(fits, pc.equal(cut.cast(kind), column))
    bad: Bools = pc.invert(fits.fill_null(True)).to_numpy(zero_copy_only=False)
    return bad if bad.any() else None


def _like(kind: pa.DataType, scale: int) -> pa.DataType:
    return (pa.decimal128 if kind.bit_width == 128 else pa.decimal256)(kind.precision, scale)


def minimal(column: pa.Array) -> pa.Array:
    """Each number in as few bytes as hold it (binary)."""
    raw, sizes = _sized(column)
    ends = np.zeros(len(column) + 1, np.int32)
    np.cumsum(sizes, out=ends[1:])
    width = raw.shape[1]
    data = raw[np.arange(width) >= (width - sizes)[:, None]]
    return pa.Array.from_buffers(pa.binary(), len(column), [_validity(column), pa.py_buffer(ends), pa.py_buffer(data)])


def of_size(column: pa.Array, size: int) -> pa.Array:
    """Each number in so many bytes (fixed size binary); they hold it."""
    raw = _raw(column)
    missing = size - raw.shape[1]
    if missing > 0:
        signs = np.where(raw[:, :1] >= _SIGN_BIT, 0xFF, 0).astype(np.uint8)
        raw = np.concatenate([np.repeat(signs, missing, axis=1), raw], axis=1)
    data = np.ascontiguousarray(raw[:, -size:])
    return pa.Array.from_buffers(pa.binary(size), len(column), [_validity(column), pa.py_buffer(data)])


def _sized(column: pa.Array) -> tuple[_Raw, npt.NDArray[np.int64]]:
    """The bytes of each number, and how many of them, from the end, hold it."""
    if column.type.bit_width == 8 * _DECIMAL128_BYTES:
        words = np.frombuffer(_bytes(column), "<i8").reshape(len(column), 2)
        numbers = words[:, 0]
        if (words[:, 1] == numbers >> 63).all():  # as of nearly all prices: eight bytes hold each
            sizes = np.ones(len(column), np.int64)
            magnitudes = numbers ^ (numbers >> 63)
            for size in range(1, 8):
                sizes += magnitudes >= 1 << (8 * size - 1)
            return numbers.astype(">i8").view(np.uint8).reshape(len(column), 8), sizes
    raw = _raw(column)
    magnitudes = np.where(raw[:, :1] >= _SIGN_BIT, ~raw, raw)
    first = (magnitudes != 0).argmax(axis=1)  # 0 also where all are 0
    highest = magnitudes[np.arange(len(column)), first]
    sizes = raw.shape[1] - first + (highest >= _SIGN_BIT)
    return raw, np.where(highest == 0, 1, sizes)


def _raw(column: pa.Array) -> _Raw:
    return np.frombuffer(_bytes(column), np.uint8).reshape(len(column), column.type.bit_width // 8)[:, ::-1]


def _bytes(column: pa.Array) -> memoryview:
    width = column.type.bit_width // 8
    data = memoryview(column.buffers()[1] or b"")
    return data[column.offset * width : (column.offset + len(column)) * width]


def _validity(column: pa.Array) -> pa.Buffer | None:
    if not column.null_count:
        return None
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    return pa.py_buffer(np.packbits(valid, bitorder="little"))
