"""Records of a topic that has all that Kafka allows, dumps of them in Parquet, and what a topic has that is restored.

Imports nothing from the tool under test.
"""

from __future__ import annotations

import ctypes
import random
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import confluent_kafka
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Producer

from tests.support.readback import read_topic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.process import Jobs

T0_MS = 1_700_000_000_000

HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))

AS_IT_IS = (
    *("--value-column", "value", "--key-column", "key", "--headers-column", "headers"),
    *("--partition-column", "partition", "--timestamp-column", "timestamp"),
)
"""How `replay` is told of a dump of `write_dump`."""


@dataclass(frozen=True, slots=True)
class Kept:
    """All of a record that a dump keeps."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int


def made_up(count: int, partitions: int, seed: int = 1) -> list[Kept]:
    """Tombstones, empty values, bytes that are no text, keys that are none or empty, headers with names that repeat and
    with null values, records that differ in their headers alone. Each partition's times go up, many are the same."""
    rng = random.Random(seed)
    names, values = ["a", "b", "ä", ""], [None, b"", b"\0\xff", b"text"]
    made: list[Kept] = []
    for number in range(count):
        time_ms = T0_MS + number // 3
        headers = tuple((rng.choice(names), rng.choice(values)) for _ in range(rng.randrange(4)))
        if number % 7 == 6:  # the record before it with other headers, or the very same again
            made.append(replace(made[-1], headers=headers if number % 2 else made[-1].headers, timestamp_ms=time_ms))
            continue
        value = rng.choice([None, b"", rng.randbytes(rng.randrange(1, 60)), b'{"n": %d}' % number])
        key = rng.choice([None, b"", b"k%d" % rng.randrange(50), b"\0\0\0\0\x07" + rng.randbytes(3)])
        made.append(Kept(rng.randrange(partitions), key, value, headers, time_ms))
    return made


def write_dump(path: Path, records: Sequence[Kept], rows_of_group: int = 1_000) -> Path:
    """All parts of the records, in their order."""
    headers = [None if not each.headers else [{"key": k, "value": v} for k, v in each.headers] for each in records]
    table = pa.table(
        {
            "timestamp": pa.array([each.timestamp_ms for each in records], pa.timestamp("ms")),
            "key": pa.array([each.key for each in records], pa.binary()),
            "value": pa.array([each.value for each in records], pa.binary()),
            "headers": pa.array(headers, HEADERS),
            "partition": pa.array([each.partition for each in records], pa.int32()),
        }
    )
    pq.write_table(table, path, row_group_size=rows_of_group)
    return path


def produce(bootstrap_servers: str, topic: str, records: Sequence[Kept]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "log_level": 0, "linger.ms": 5})
    for number, each in enumerate(records):
        producer.produce(
            topic, each.value, each.key, each.partition, timestamp=each.timestamp_ms, headers=list(each.headers)
        )
        if number % 1_000 == 0:
            producer.poll(0)
    assert producer.flush(30) == 0


def produce_unreadable(bootstrap_servers: str, topic: str, partition: int) -> None:
    """A record with a header whose name is no UTF-8, as a client in C may send it: Python's cannot, so this asks the
    library under it."""
    (path,) = (Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs").glob("librdkafka*")
    library, error = ctypes.CDLL(str(path)), ctypes.create_string_buffer(512)
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(library, function).restype = ctypes.c_void_p
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    library.rd_kafka_conf_set(conf, b"bootstrap.servers", bootstrap_servers.encode(), error, len(error))
    producer = ctypes.c_void_p(library.rd_kafka_new(0, conf, error, len(error)))
    headers, one = ctypes.c_void_p(library.rd_kafka_headers_new(ctypes.c_size_t(1))), ctypes.c_ssize_t(1)
    library.rd_kafka_header_add(headers, b"\xff", one, b"v", one)
    where = (1, topic.encode(), 3, ctypes.c_int32(partition))  # enum rd_kafka_vtype_t of rdkafka.h
    assert library.rd_kafka_producev(producer, *where, 4, b"x", ctypes.c_size_t(1), 10, headers, 0) == 0
    assert library.rd_kafka_flush(producer, 30_000) == 0
    library.rd_kafka_destroy(producer)


def kept_of(bootstrap_servers: str, topic: str, isolation: str = "read_uncommitted") -> list[list[Kept]]:
    """What a topic holds, by partition and in order."""
    return [
        [Kept(each.partition, each.key, each.value, each.headers, each.timestamp_ms) for each in partition]
        for partition in read_topic(bootstrap_servers, topic, isolation, deadline_s=60)
    ]


def by_partition(records: Sequence[Kept], partitions: int) -> list[list[Kept]]:
    return [[each for each in records if each.partition == number] for number in range(partitions)]


@dataclass
class Restored:
    """A topic that a dump is replayed into."""

    bootstrap_servers: str
    topic: str
    wanted: list[list[Kept]]
    jobs: Jobs
    isolation: str = "read_uncommitted"

    def assert_exact(self, foreign: Sequence[Kept] = ()) -> None:
        """Every record once, in the order of its partition, with all its parts; and those of others, anywhere."""
        found = kept_of(self.bootstrap_servers, self.topic, self.isolation)
        left = Counter(foreign)
        ours: list[list[Kept]] = []
        for partition in found:
            kept = []
            for each in partition:
                if left[each]:
                    left[each] -= 1
                else:
                    kept.append(each)
            ours.append(kept)
        assert not +left, "records of others are gone"
        for number, (wanted, there) in enumerate(zip(self.wanted, ours, strict=True)):
            assert len(there) == len(wanted), f"partition {number}: {len(there)} of {len(wanted)}\n{self.jobs.logs()}"
            differs = next((at for at, pair in enumerate(zip(wanted, there, strict=True)) if pair[0] != pair[1]), None)
            assert differs is None, f"partition {number}, record {differs}: {wanted[differs]} is {there[differs]}"
