"""Names of the hashes that choose a record's partition. `kafka/partitioner.py` has the hashes themselves."""

from __future__ import annotations

from collections.abc import Callable

MURMUR2 = "murmur2"  # Java's default, so that Java, Streams and ksqlDB consumers see co-partitioned keys
CRC32 = "crc32"  # librdkafka's default for records with a key

Partitioner = Callable[[bytes], int]
"""From a record's key to its partition."""
