"""Thrift's compact protocol, as far as it takes to look into Parquet's headers before Arrow does. Pure.

By its specification (thrift, doc/specs/thrift-compact-protocol.md). All of it raises `BadBytes` for what is not in this
protocol, and `IndexError` where the bytes end too early.
"""

from __future__ import annotations

from collections.abc import Collection

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)

_DEPTH_MAX = 8  # statistics in a data page's header, in the page's header: three


class BadBytes(ValueError):
    """These bytes are not what they should be."""


def numbers(data: bytes, into: Collection[int] = ()) -> tuple[dict[tuple[int, ...], int], int]:
    """Of a struct: its I32 values by the number of their field, and the place behind it. Those of the structs in it
    that are named in `into` have both numbers: (5, 1) is field 1 of field 5."""
    found: dict[tuple[int, ...], int] = {}
    number = at = 0
    while data[at]:
        kind, number, at = field(data, at, number)
        if kind == I32:
            found[(number,)], at = zigzag(data, at)
        elif kind == STRUCT and number in into:
            inner, length = numbers(data[at:])
            found |= {(number, *path): value for path, value in inner.items()}
            at += length
        else:
            at = _behind(data, at, kind, _DEPTH_MAX)
    return found, at + 1


def field(data: bytes, at: int, before: int) -> tuple[int, int, int]:
    """Type and number of a field, and where its value begins; `before` is the number of the field before it."""
    kind, delta = data[at] & 0x0F, data[at] >> 4
    if delta:
        return kind, before + delta, at + 1
    number, at = zigzag(data, at + 1)
    return kind, number, at


def list_header(data: bytes, at: int) -> tuple[int, int, int]:
    """How many items there are, their type, and where the first begins."""
    count, kind, at = data[at] >> 4, data[at] & 0x0F, at + 1
    if count == 15:
        count, at = varint(data, at)
    return count, kind, at


def zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise BadBytes("a number is too long")


def _behind(data: bytes, at: int, kind: int, depth: int) -> int:
    """The place behind a value of this type."""
    if depth == 0:
        raise BadBytes("it is nested too deep")
    if kind in (TRUE, FALSE):
        return at
    if kind in (BYTE, DOUBLE):
        return at + (1 if kind == BYTE else 8)
    if kind in (I16, I32, I64):
        return varint(data, at)[1]
    if kind == BINARY:
        length, at = varint(data, at)
        return at + length
    if kind in (LIST, SET):
        return _behind_list(data, at, depth - 1)
    if kind == STRUCT:
        number = 0
        while data[at]:
            inner, number, at = field(data, at, number)
            at = _behind(data, at, inner, depth - 1)
        return at + 1
    raise BadBytes("it holds what is in no header of Parquet")  # maps, and types that there are not


def _behind_list(data: bytes, at: int, depth: int) -> int:
    count, kind, at = list_header(data, at)
    for _ in range(count):
        at = _behind(data, at, BYTE if kind in (TRUE, FALSE) else kind, depth)  # there, a truth value takes a byte
        if at > len(data):
            raise IndexError
    return at
