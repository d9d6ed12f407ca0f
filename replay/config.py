"""What a replay can be told, as frozen dataclasses with units in their names. `parse.py` makes them of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.selection.select import Selection

ENCODER_VERSION = "json-2"  # raise it with any change to the bytes of a record: a resume compares bytes
MURMUR2 = "murmur2"  # Java's default, so that Java, Streams and ksqlDB consumers see co-partitioned keys
CRC32 = "crc32"  # librdkafka's default for records with a key
PROGRESS_S = 10.0  # between progress lines: rare enough for a night's log
KEY_SYMBOL = "symbol"
KEY_NONE = "none"


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


class Unsorted(StrEnum):
    """What to do with rows that go back in time inside a file, where the order is that of event times."""

    FAIL = "fail"
    SORT = "sort"
    KEEP = "keep"


class OnBadRow(StrEnum):
    """What to do with a row that cannot be a record."""

    FAIL = "fail"
    SKIP = "skip"
    QUARANTINE = "quarantine"


class Empty(StrEnum):
    """What to do where a replay has no row to send: a date without trades."""

    FAIL = "fail"
    OK = "ok"


class WhenChanged(StrEnum):
    """What to do where the inputs are not what they were: refuse, or send what sorts after all that was sent."""

    FAIL = "fail"
    APPEND = "append"


class SymbolCase(StrEnum):
    KEEP = "keep"
    UPPER = "upper"
    LOWER = "lower"


class DecimalAs(StrEnum):
    """How decimals are written in JSON; either way with all digits."""

    NUMBER = "number"
    STRING = "string"


class Timestamp(StrEnum):
    """The timestamp of a record."""

    EVENT = "event"
    NOW = "now"


ALL_FIELDS = ("*",)
"""As `Columns.fields`: every column that is not used otherwise."""

METADATA = "metadata:"
"""`--symbol-from metadata:KEY`: the symbol is a value of the file's key-value metadata."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which input columns make up an event; a Hive partition key counts as a column.

    The symbol of a file without that column is `constant_symbol`, or what the first of `symbol_from` that fits finds in
    the file's name (`{symbol}-trades-*.parquet`) or metadata (`metadata:KEY`). `time_unit` is that of integer times
    (None: by their magnitude), `price_scale` the number of decimal places of integer prices, `price_undefined` the
    integer that stands for no price. `rename` maps columns to field names. Whatever is at its default is what `preset`,
    a well-known layout, says.
    """

    symbol: str = "symbol"
    price: str = "price"
    event_time: str = "event_time"
    fields: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    constant_symbol: str | None = None
    symbol_from: tuple[str, ...] = ()
    symbol_case: SymbolCase = SymbolCase.KEEP
    time_unit: str | None = None
    price_scale: int | None = None
    price_undefined: int | None = None
    preset: str | None = None

    @property
    def has_symbol_column(self) -> bool:
        return self.constant_symbol is None and not self.symbol_from


@dataclass(frozen=True, slots=True)
class Records:
    """How an event becomes a record. `key` is "symbol", "none" or a column; `partitioner` is "murmur2", "crc32" or
    "column:NAME".

    `row_header` names a header that identifies the row: consumers can drop what they have seen.
    """

    key: str = KEY_SYMBOL
    partitioner: str = MURMUR2
    timestamp: Timestamp = Timestamp.EVENT
    decimal_as: DecimalAs = DecimalAs.NUMBER
    headers: tuple[tuple[str, str], ...] = ()
    row_header: str | None = None

    @property
    def has_event_times(self) -> bool:
        """Whether the time of a trade is that of its record."""
        return self.timestamp is Timestamp.EVENT

    @property
    def key_column(self) -> str | None:
        return None if self.key in (KEY_SYMBOL, KEY_NONE) else self.key

    @property
    def partition_column(self) -> str | None:
        prefix, _, column = self.partitioner.partition(":")
        return column if prefix == "column" else None


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Which rows are replayed, and in which order.

    `trust_statistics`: row groups that statistics rule out are not looked at before they are left out.
    `without_statistics`: the footers (SHA-256) of files whose statistics are known to be wrong. Of a table that is an
    input, `table_version` (Delta) or `snapshot` (Iceberg) is read; else the number that `known_tables` tells of its id,
    as a checkpoint remembers it; else the newest.
    """

    inputs: tuple[str, ...]
    columns: Columns = field(default_factory=Columns)
    records: Records = field(default_factory=Records)
    order: Order = Order.EVENT_TIME
    unsorted: Unsorted = Unsorted.FAIL
    sort_memory_bytes: int = 256 << 20  # of all files being sorted at a time; what is larger goes over the disk
    selection: Selection | None = None
    on_bad_row: OnBadRow = OnBadRow.FAIL
    bad_rows_max: int | None = None  # more than this many end the run
    bad_share_max: float = 0.1  # of all rows; where no number is given: a wrong column or unit makes all rows bad
    empty: Empty = Empty.FAIL  # no row in the range of times, or none at all
    allow_empty: bool = False  # that, no row selected for whatever reason, and a listed symbol without any
    trust_statistics: bool = False
    without_statistics: frozenset[str] = frozenset()
    table_version: int | None = None
    snapshot: int | None = None
    known_tables: tuple[tuple[str, int], ...] = ()

    @property
    def may_be_empty(self) -> bool:
        """Whether it is nobody's mistake where there is no row at all."""
        return self.allow_empty or self.empty is Empty.OK


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
    rows_max: int = 524_288  # at full speed a commit a second, in which nothing is sent: a few per cent
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

    source: SourceOptions
    checkpoint: Path
    kafka: KafkaOptions
    pace: Pace = field(default_factory=Pace)
    check: bool = True
    restart: bool = False
    when_changed: WhenChanged = WhenChanged.FAIL
    checkpoint_interval_s: float = 1.0
    drain_timeout_s: float = 30.0
    progress_interval_s: float = PROGRESS_S
    settle_s: float | None = None
    delivery: Delivery = Delivery.IDEMPOTENT
    transactions: Transactions = field(default_factory=Transactions)
