"""What a replay can be told, as frozen dataclasses with units in their names. `parse.py` makes them of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

ENCODER_VERSION = "json-2"  # raise it with any change to the bytes of a record: a resume compares bytes
PARTITIONER = "murmur2"  # Java's default, so that Java, Streams and ksqlDB consumers see co-partitioned keys


class Delivery(StrEnum):
    """What makes a resume exact: the topic's tail, or a progress record in the same transaction as the rows."""

    IDEMPOTENT = "idempotent"
    TRANSACTIONAL = "transactional"


class Compression(StrEnum):
    NONE = "none"
    LZ4 = "lz4"
    ZSTD = "zstd"
    SNAPPY = "snappy"
    GZIP = "gzip"


class Order(StrEnum):
    """EVENT_TIME merges all inputs by (event time, file, row); AS_IS keeps path order and row order."""

    EVENT_TIME = "event-time"
    AS_IS = "as-is"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which input columns make up an event, and a constant symbol for files that have no such column."""

    symbol: str = "symbol"
    price: str = "price"
    event_time: str = "event_time"
    fields: tuple[str, ...] = ()
    constant_symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast: at most one of `rows_per_s` and `speed`; neither means as fast as Kafka acknowledges.

    `speed` divides the gaps between event times; no gap is taken for longer than `gap_max_s`.
    """

    rows_per_s: float | None = None
    speed: float | None = None
    gap_max_s: float | None = None

    def __str__(self) -> str:
        if self.rows_per_s is not None:
            return f"{self.rows_per_s:,g} rows/s"
        return "max" if self.speed is None else f"{self.speed:g}x event time"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to create if it is missing; a replication of None is the broker's default."""

    partitions: int
    replication: int | None = None


@dataclass(frozen=True, slots=True)
class Transactions:
    """How rows are put into transactions. `job` names the progress record and, with the topic, the producer."""

    job: str = "replay"
    progress_topic: str = "replay-progress"
    rows_max: int = 131_072  # at full speed a commit every quarter of a second; costs a few per cent
    open_ms_max: float = 1_000.0  # a slow replay does not hold read_committed readers back for longer


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """Everything the client needs to know. `settings` are the user's own, already checked."""

    bootstrap_servers: str
    topic: str
    create_topic: TopicSpec | None = None
    topic_config: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    linger_ms: float = 50.0
    batch_bytes: int = 1_000_000  # librdkafka's default; a broker's own default limit is 1,048,588
    batch_rows: int = 10_000  # librdkafka's default
    compression: Compression = Compression.NONE
    in_flight_rows_max: int = 100_000  # what 50 ms of linger and a slow broker need at 0.5 M rows/s, twice
    in_flight_bytes_max: int = 64 << 20
    broker_timeout_s: float = 300.0

    @property
    def record_bytes_max(self) -> int:
        """What `produce` accepts: librdkafka's message.max.bytes (default 1,000,000), less room for headers."""
        return int(self.settings.get("message.max.bytes", 1_000_000)) - 512


@dataclass(frozen=True, slots=True)
class RunOptions:
    """One replay, fully described."""

    inputs: tuple[str, ...]
    checkpoint: Path
    kafka: KafkaOptions
    columns: Columns = field(default_factory=Columns)
    order: Order = Order.EVENT_TIME
    pace: Pace = field(default_factory=Pace)
    check: bool = True
    restart: bool = False
    allow_appended: bool = False
    checkpoint_interval_s: float = 1.0
    drain_timeout_s: float = 30.0
    progress_interval_s: float = 10.0
    settle_s: float | None = None
    delivery: Delivery = Delivery.IDEMPOTENT
    transactions: Transactions = field(default_factory=Transactions)
