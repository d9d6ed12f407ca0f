"""Numbers of any two types, brought to types that Arrow compares exactly and without an error. Pure.

Left to itself, Arrow refuses whole numbers beyond 2**53 next to floats, signed next to unsigned 64-bit ones, and
decimals whose digits together exceed 38.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal
from typing import Any

import pyarrow as pa

_EXACT = Context(prec=1_000)
"""More digits than a literal (308 before or after the point) and a decimal column (76) have between them."""

_DIGITS_MAX = 76
"""What Arrow's widest decimal holds."""

_INT_DIGITS = 20
"""2**64 has 20 digits."""


def comparable(left: Any, right: Any) -> tuple[Any, Any] | None:
    """Both sides in types that can be compared; None where their digits do not fit any.

    Each is an array, a float scalar, or a `Decimal` as written; at least one is an array.
    """
    if isinstance(left, Decimal):
        pair = comparable(right, left)
        return pair and (pair[1], pair[0])
    if isinstance(right, Decimal):
        return _with_literal(left, right)
    return _alike(left, right)


def _with_literal(array: pa.Array, value: Decimal) -> tuple[Any, Any] | None:
    kind = array.type
    if pa.types.is_floating(kind):
        return array, pa.scalar(float(value), kind)  # in the column's own precision: 0.1 finds a float32 0.1
    whole = pa.types.is_integer(kind)
    if whole and value == value.to_integral_value(context=_EXACT):
        wide = pa.uint64() if pa.types.is_unsigned_integer(kind) else pa.int64()
        first, last = (0, 2**64 - 1) if wide == pa.uint64() else (-(2**63), 2**63 - 1)
        if first <= value <= last:
            return array, pa.scalar(int(value), wide)
    digits, scale = _digits(kind)
    if max(digits - scale, 0) + 1 + max(scale, 0) + 1 > _DIGITS_MAX:
        return None
    return _alike(array, pa.scalar(_stepped(value, digits - scale, scale)))


def _stepped(value: Decimal, whole_digits: int, scale: int) -> Decimal:
    """A short number that compares with every value of a column as `value` does.

    Beyond the column's largest it is one step beyond, between two of its steps it is half-way.
    """
    bound = Decimal(10) ** max(whole_digits, 0)
    if abs(value) > bound:
        return bound.copy_sign(value)
    step = Decimal(1).scaleb(-max(scale, 0))
    floor = value.quantize(step, ROUND_FLOOR, _EXACT)
    return floor if floor == value else _EXACT.add(floor, step / 2)


def _alike(left: Any, right: Any) -> tuple[Any, Any] | None:
    kinds = left.type, right.type
    if any(map(pa.types.is_floating, kinds)):
        return left.cast(pa.float64(), safe=False), right.cast(pa.float64(), safe=False)
    if all(map(pa.types.is_integer, kinds)):
        signed = sum(map(pa.types.is_signed_integer, kinds))
        if signed != 1 or pa.uint64() not in kinds:
            return left, right
    sizes = [_digits(kind) for kind in kinds]
    scale = max(0, *(scale for _, scale in sizes))
    digits = scale + max(precision - scale for precision, scale in sizes)
    if digits > _DIGITS_MAX:
        return None
    common = pa.decimal128(max(digits, 1), scale) if digits <= 38 else pa.decimal256(digits, scale)
    return left.cast(common), right.cast(common)


def _digits(kind: pa.DataType) -> tuple[int, int]:
    """Of an integer or a decimal: how many digits, and how many of them are behind the point."""
    return (_INT_DIGITS, 0) if pa.types.is_integer(kind) else (kind.precision, kind.scale)
