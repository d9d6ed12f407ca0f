"""Well-known layouts of topic dumps, by name: which columns hold the parts of a record. Pure data.

The value, key and headers of a dump are bytes as the topic had them, so such files are replayed as they are.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dump:
    """A layout. `headers` is a column that a file may lack; `marks` are columns beside the others without which a file
    is not of this layout. `source` is where it is published."""

    name: str
    what: str
    source: str
    value: str = "value"
    key: str = "key"
    partition: str = "partition"
    timestamp: str = "timestamp"
    headers: str | None = None
    marks: tuple[str, ...] = ("offset",)

    def needed(self) -> frozenset[str]:
        """The columns that a file of this layout has."""
        return frozenset((self.value, self.key, self.partition, self.timestamp, *self.marks))

    def columns_text(self) -> str:
        """What is read from where, for people."""
        headers = f"; headers: {self.headers} (where there is one)" if self.headers is not None else ""
        return (
            f"value: {self.value}; key: {self.key}; partition: {self.partition}; timestamp: {self.timestamp}{headers}"
        )


DUMPS: tuple[Dump, ...] = (
    # It writes wall-clock times of the machine it ran on, without a zone: on a machine in UTC they are the topic's.
    # (kafka_replay_cli/schema.py and dump.py, release 0.4.0, as installed.)
    Dump(
        name="kafka-replay-cli",
        what="Topic dumps of kafka-replay-cli, without headers (made on a machine in UTC)",
        source="https://pypi.org/project/kafka-replay-cli",
    ),
    Dump(
        name="spark-kafka",
        what="Topic dumps of Spark: what its Kafka source reads, written as Parquet",
        source="https://spark.apache.org/docs/latest/structured-streaming-kafka-integration.html",
        headers="headers",
        marks=("topic", "offset", "timestampType"),
    ),
)


def named(name: str | None) -> Dump | None:
    """The layout of this name; None where it is none of a dump."""
    return next((dump for dump in DUMPS if dump.name == name), None)


def suggest(columns: Collection[str]) -> Dump | None:
    """The layout that a file with these columns looks like; of several the one that names most of them."""
    fits = [dump for dump in DUMPS if dump.needed() <= set(columns)]
    return max(fits, key=lambda dump: len(dump.needed()), default=None)
