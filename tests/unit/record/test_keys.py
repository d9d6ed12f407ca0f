"""Keys decide on partitions, as Java's producers do."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.record.encoding import encode


def java_murmur2(data: bytes) -> int:
    """org.apache.kafka.common.utils.Utils.murmur2, from its Java source."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_murmur2_of_this_test_is_javas(key, signed):
    """The vectors of Kafka's own UtilsTest.testMurmur2."""
    assert java_murmur2(key) == signed % 2**32


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=5), st.integers(1, 500))
def test_the_partition_is_the_one_that_java_takes(symbols, partitions):
    """Other producers and joins rely on it: the same key, the same partition."""
    encoded = encode(symbols, pa.array([1] * len(symbols), pa.timestamp("us")), partitions=partitions)
    expected = [(java_murmur2(s.encode()) & 0x7FFFFFFF) % partitions for s in symbols]
    assert encoded.partitions.tolist() == expected
