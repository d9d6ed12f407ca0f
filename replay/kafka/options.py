"""Options of the Kafka clients. Light: no client is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from replay.kafka.security import Secrets

LIBRDKAFKA_LOG = "replay.librdkafka"
"""The logger of librdkafka's own lines. Other clients in the same program have others."""


class Compression(StrEnum):
    NONE = "none"
    LZ4 = "lz4"
    ZSTD = "zstd"
    SNAPPY = "snappy"
    GZIP = "gzip"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to create if it is missing; a replication of None is the broker's default."""

    partitions: int
    replication: int | None = None


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """Everything the client needs to know. `settings` are the user's own, already checked, and
    hold no secret that `secrets` has a file for."""

    bootstrap_servers: str
    topic: str
    create_topic: TopicSpec | None = None
    topic_config: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
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
