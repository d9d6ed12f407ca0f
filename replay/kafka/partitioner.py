"""Which partition a key belongs to."""

from __future__ import annotations

import zlib

from confluent_kafka import murmur2

from replay.partitioning import CRC32, Partitioner


def partitioner(name: str, partitions: int) -> Partitioner:
    """Java's default, (murmur2(key) & 0x7fffffff) mod partitions, or librdkafka's, crc32 of the key."""
    if name == CRC32:
        return lambda key: zlib.crc32(key) % partitions
    return lambda key: int(murmur2(key, partitions))
