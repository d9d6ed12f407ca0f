"""Numbers of a variable length, as Avro and Confluent's framing write lengths and places. Pure."""

from __future__ import annotations


def zigzag_varint(number: int) -> bytes:
    """A number that is not negative: seven bits a byte, the lowest first (Avro 1.12, "Binary encoding")."""
    left, found = number << 1, bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)
