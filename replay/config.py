"""Options with units in their names, the parsers of their text forms, and the librdkafka settings.

Pure: text in, frozen dataclasses out, `UsageError` where a value cannot work.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from replay.errors import UsageError

ENCODER_VERSION = "json-1"  # raise it with any change to the bytes of a record: a resume compares bytes
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


# -- text forms -------------------------------------------------------------------------------------------

_NUMBER = r"(\d+(?:_\d{3})*(?:\.\d+)?|\.\d+)"
_SCALES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_BYTE_SCALES = {
    "": 1,
    "b": 1,
    "kb": 1_000,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
}
_SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def _parse(text: str, pattern: str, option: str, forms: str) -> re.Match[str]:
    match = re.fullmatch(pattern, text.strip(), re.IGNORECASE)
    if match is None:
        raise UsageError(f"cannot read {text!r}", where=option, todo=f"write it like {forms}")
    return match


def _number(text: str, option: str) -> float:
    number = float(text.replace("_", ""))
    if number > 1e15:  # far beyond any use, and within what floats count exactly
        raise UsageError(f"{text[:20]}... is too large", where=option, todo="give at most 1e15")
    return number


Bounds = tuple[float, float]
"""Smallest and largest value of an option; the upper ones are librdkafka's."""

BATCH_ROWS: Bounds = (1, 1_000_000)
BATCH_BYTES: Bounds = (1, 2_147_483_647)
LINGER_S: Bounds = (0, 900)
IN_FLIGHT_ROWS: Bounds = (1, 2_000_000)  # librdkafka's own limit is 10 million; a row costs about 400 bytes there
IN_FLIGHT_BYTES: Bounds = (1, 512 << 30)
ANY: Bounds = (0, 1e15)
ONE_OR_MORE: Bounds = (1, 1e15)


def _within(bounds: Bounds, value: float, option: str) -> None:
    if not bounds[0] <= value <= bounds[1]:
        raise UsageError(f"{value:g} is out of range", where=option, todo=f"give {bounds[0]:g} to {bounds[1]:g}")


def parse_rate(text: str, option: str = "--rate") -> float | None:
    """`5000/s`, `5k/s`, `300000/m`, a bare number (rows per second); `max` is None."""
    if text.strip().lower() == "max":
        return None
    match = _parse(text, _NUMBER + r"\s*([km]?)\s*(?:/\s*(s|m|h))?", option, "5000/s, 5k/s, 300k/m or max")
    rate = _number(match[1], option) * _SCALES[match[2].lower()] / _SECONDS[(match[3] or "s").lower()]
    if rate <= 0:
        raise UsageError("a rate must be above zero", where=option, todo="write it like 5000/s, or max")
    return rate


def parse_speed(text: str, option: str = "--speed") -> float:
    """`60x` or `60`: how many times faster than the event times."""
    speed = _number(_parse(text, _NUMBER + r"\s*x?", option, "60x or 0.5x")[1], option)
    if speed <= 0:
        raise UsageError("a speed must be above zero", where=option, todo="write it like 60x")
    return speed


def parse_duration_s(text: str, option: str, bounds: Bounds = ANY) -> float:
    """`250ms`, `90s`, `5m`, `2h`; a bare number is seconds."""
    match = _parse(text, _NUMBER + r"\s*(ms|s|min|m|h|d)?", option, "250ms, 90s, 5m or 2h")
    seconds = _number(match[1], option) * _SECONDS[(match[2] or "").lower()]
    if not math.isfinite(seconds) or seconds > 10 * 365 * 86400:
        raise UsageError(f"{text!r} is too long", where=option, todo="give at most ten years")
    _within(bounds, seconds, option)
    return seconds


def parse_rows(text: str, option: str, bounds: Bounds = ANY) -> int:
    """`10M`, `500k`, `100000`."""
    match = _parse(text, _NUMBER + r"\s*([kmg]?)", option, "100000, 500k or 10M")
    rows = round(_number(match[1], option) * _SCALES[match[2].lower()])
    _within(bounds, rows, option)
    return rows


def parse_bytes(text: str, option: str, bounds: Bounds = ANY) -> int:
    """`64MiB`, `1MB`, `1000000`."""
    match = _parse(text, _NUMBER + r"\s*((?:[kmg]i?)?b)?", option, "64MiB, 1MB or 1000000")
    size = round(_number(match[1], option) * _BYTE_SCALES[(match[2] or "").lower()])
    _within(bounds, size, option)
    return size


def parse_offsets(text: str, option: str) -> list[int]:
    """`0,0,12`: an offset a partition."""
    _parse(text, r"\d+(\s*,\s*\d+)*", option, "0,0,12 (an offset for each partition)")
    return [int(part) for part in text.split(",")]


def parse_topic_spec(text: str, option: str = "--create-topic") -> TopicSpec:
    """`6` or `6:3`: partitions and replication."""
    match = _parse(text, r"(\d+)(?::(\d+))?", option, "6 or 6:3 (partitions:replication)")
    spec = TopicSpec(int(match[1]), int(match[2]) if match[2] else None)
    if spec.partitions < 1 or spec.replication == 0:
        raise UsageError("partitions and replication start at 1", where=option, todo="write it like 6:3")
    return spec


def parse_assignments(texts: list[str], option: str) -> dict[str, str]:
    """Repeated `key=value` options; the value may hold further `=`. The value is never repeated in an error."""
    pairs: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        key = key.strip()
        if not sign or not key:
            name = re.match(r"[\w.-]*", text)  # whatever follows may be a secret, written with a colon or a blank
            raise UsageError(
                f"an assignment needs a name and a value (got {name[0] if name else ''!r} and no =)",
                where=option,
                todo=f"write {option} name=value",
            )
        if key in pairs:
            raise UsageError(f"{key} is given twice", where=option, todo="keep one of them")
        pairs[key] = value.strip()
    return pairs


def parse_columns(maps: list[str], fields: str | None, symbol: str | None) -> Columns:
    """From `--map event_time=timestamp`, `--fields a,b` and `--symbol BTCUSDT`."""
    mapping = parse_assignments(maps, "--map")
    if "" in mapping.values():
        raise UsageError("a column name is empty", where="--map", todo="write event_time=COLUMN")
    unknown = set(mapping) - {"symbol", "price", "event_time"}
    if unknown:
        raise UsageError(
            f"{', '.join(sorted(unknown))} is no event field",
            where="--map",
            todo="write event_time=COLUMN, price=COLUMN or symbol=COLUMN; further columns go out with --fields",
        )
    if symbol is not None and not symbol:
        raise UsageError("the symbol is empty", where="--symbol", todo="give a name such as BTCUSDT")
    try:
        (symbol or "").encode()
    except UnicodeEncodeError:
        raise UsageError("the symbol is not UTF-8", where="--symbol", todo="give a name such as BTCUSDT") from None
    if symbol is not None and "symbol" in mapping:
        raise UsageError(
            "a constant symbol and a symbol column exclude each other",
            where="--symbol",
            todo="drop --symbol or --map symbol=…",
        )
    names = tuple(name.strip() for name in fields.split(",")) if fields else ()
    for name in names:
        if not name or names.count(name) > 1 or name in ("symbol", "price", "event_time"):
            raise UsageError(
                f"{name!r} is empty, given twice, or always part of the event",
                where="--fields",
                todo="name each further column once: --fields trade_id,quantity",
            )
    return Columns(**mapping, fields=names, constant_symbol=symbol)


def parse_pace(rate: str | None, speed: str | None, max_gap: str | None) -> Pace:
    if rate is not None and speed is not None:
        raise UsageError(
            "--rate and --speed exclude each other",
            where="--rate",
            todo="give rows per second (--rate) or a factor on event time (--speed)",
        )
    if max_gap is not None and speed is None:
        raise UsageError("--max-gap needs --speed", where="--max-gap", todo="add --speed 1x, or drop it")
    gap_max_s = parse_duration_s(max_gap, "--max-gap") if max_gap is not None else None
    if speed is not None:
        return Pace(speed=parse_speed(speed), gap_max_s=gap_max_s)
    return Pace(rows_per_s=parse_rate(rate) if rate is not None else None)


def check_topic_name(topic: str) -> str:
    """Kafka's own rule (org.apache.kafka.common.internals.Topic): 1 to 249 of [a-zA-Z0-9._-], not . or .. ."""
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", topic) or topic in (".", ".."):
        raise UsageError(
            f"{topic[:60]!r} is no topic name",
            where="--topic",
            todo="use 1 to 249 letters, digits, dots, dashes and underscores",
        )
    return topic


def check_bootstrap_servers(servers: str) -> str:
    """`host:port` pairs, comma-separated; a missing port is Kafka's 9092."""
    for server in servers.split(","):
        match = re.fullmatch(r"\s*(?:[A-Za-z_]+://)?(\[[0-9a-fA-F:.%]+\]|[^:/\s\[\]]+)(?::(\d{1,5}))?\s*", server)
        if match is None or (match[2] is not None and not 1 <= int(match[2]) <= 65535):
            raise UsageError(
                f"{server.strip()!r} is no broker address",
                where="--bootstrap-servers",
                todo="write host:port[,host:port…] with ports from 1 to 65535",
            )
    return servers


# -- librdkafka settings ----------------------------------------------------------------------------------

_ORDER = "records could be lost or change places"
_OURS = "the job sets it itself"

GUARDED: Mapping[str, tuple[frozenset[str], str]] = MappingProxyType(
    {
        # setting: (values that are allowed, why others are refused)
        "acks": (frozenset({"all", "-1"}), "a leader that dies could take its rows with it"),
        "request.required.acks": (
            frozenset({"all", "-1"}),
            "a leader that dies could take its rows with it",
        ),
        "enable.idempotence": (frozenset({"true"}), "a retried request could be appended twice"),
        "enable.gapless.guarantee": (frozenset({"true"}), "later rows could be appended after a failed one"),
        "message.timeout.ms": (
            frozenset({"0"}),
            f"a row that times out locally is passed by later ones: {_ORDER}",
        ),
        "delivery.timeout.ms": (
            frozenset({"0"}),
            f"a row that times out locally is passed by later ones: {_ORDER}",
        ),
        "max.in.flight": (frozenset("12345"), "idempotence keeps order only up to 5 requests in flight"),
        "max.in.flight.requests.per.connection": (
            frozenset("12345"),
            "idempotence keeps order only up to 5 requests in flight",
        ),
        "retries": (frozenset({"2147483647"}), "fewer retries turn a short outage into a failed row"),
        "message.send.max.retries": (
            frozenset({"2147483647"}),
            "fewer retries turn a short outage into a failed row",
        ),
        "queuing.strategy": (frozenset({"fifo"}), _ORDER),
        "allow.auto.create.topics": (
            frozenset({"false"}),
            "a mistyped name would become a topic; use --create-topic",
        ),
        "delivery.report.only.error": (frozenset({"false"}), "every record's delivery report is looked at"),
        "transactional.id": (frozenset(), "it is made from topic and job; choose --delivery transactional and --job"),
        "partitioner": (frozenset(), "the partition is murmur2 of the symbol, as Java computes it"),
        "partitioner_cb": (frozenset(), "the partition is murmur2 of the symbol, as Java computes it"),
        "bootstrap.servers": (frozenset(), "use --bootstrap-servers"),
        "metadata.broker.list": (frozenset(), "use --bootstrap-servers"),
        "queue.buffering.max.messages": (frozenset(), "use --in-flight-rows"),
        "queue.buffering.max.kbytes": (frozenset(), "use --in-flight-bytes"),
        "test.mock.num.brokers": (frozenset(), "use --embedded"),
        "statistics.interval.ms": (frozenset(), _OURS),
        "log_level": (frozenset("67"), "lost connections are learned from librdkafka's log"),
        "log.connection.close": (frozenset({"true"}), "lost connections are learned from librdkafka's log"),
        "log.queue": (frozenset(), _OURS),
        "retry.backoff.ms": (frozenset(), _OURS),
        "retry.backoff.max.ms": (frozenset(), _OURS),
        "enable.auto.commit": (frozenset(), _OURS),
        "isolation.level": (frozenset(), _OURS),
        "group.id": (frozenset(), _OURS),
    }
)

# What a consumer or an admin client of the same cluster needs of the user's settings; the rest is the producer's.
_SHARED_PREFIXES = (
    "security.", "ssl.", "sasl.", "enable.ssl.", "enable.sasl.", "https.", "socket.", "broker.", "client.",
    "reconnect.", "connections.", "metadata.", "topic.metadata.", "api.version.", "debug", "log", "resolve.",
    "receive.", "plugin.",
)  # fmt: skip


def check_settings(settings: Mapping[str, str]) -> Mapping[str, str]:
    """The user's `-X` settings, unless one of them would break the promise."""
    for name, value in settings.items():
        if name.endswith("_cb") or name in ("logger", "default.topic.config"):
            raise UsageError(f"{name} is not a setting with a text value", where="-X", todo="drop it")
        if name not in GUARDED:
            continue
        allowed, reason = GUARDED[name]
        if value.lower() not in allowed:
            raise UsageError(
                f"{name} is refused: {reason}",
                where="-X",
                todo=f"drop it, or set {name}={sorted(allowed)[-1]}" if allowed else "drop it",
            )
    return settings


def client_settings(options: KafkaOptions) -> dict[str, str | int | float | bool]:
    """What every client of this job shares: where the cluster is and how to get in."""
    shared = {k: v for k, v in options.settings.items() if k.startswith(_SHARED_PREFIXES)}
    return {
        "client.id": "replay",
        "topic.metadata.refresh.interval.ms": 30_000,  # a moved leader is found within this even when idle
        "reconnect.backoff.max.ms": 2_000,  # the default of 10 s would add itself to every broker restart
        "socket.connection.setup.timeout.ms": 10_000,
        "allow.auto.create.topics": False,
        **shared,
        "bootstrap.servers": options.bootstrap_servers,
    }


def producer_settings(options: KafkaOptions) -> dict[str, str | int | float | bool]:
    """The delivery guarantee as settings; the README explains each."""
    return {
        **client_settings(options),
        "linger.ms": options.linger_ms,
        "batch.size": options.batch_bytes,
        "batch.num.messages": options.batch_rows,
        "compression.type": str(options.compression),
        **options.settings,
        "acks": "all",
        "enable.idempotence": True,
        "enable.gapless.guarantee": True,
        "message.timeout.ms": 0,
        # Our own bounds come first; these only have to lie above them.
        "queue.buffering.max.messages": options.in_flight_rows_max + 1_000,
        "queue.buffering.max.kbytes": (options.in_flight_bytes_max * 2 >> 10) + 1_024,
        "statistics.interval.ms": 1_000,  # how soon a bump of the producer epoch is seen
        # A lost connection is seen by the job within 0.1 s, or after whatever read or save is under way, and must be
        # before librdkafka sends again (see deliver.py). A moved leader costs as much, which a replay does not mind.
        "retry.backoff.ms": 3_000,
        "retry.backoff.max.ms": 3_000,
    }


def transactional_settings(options: KafkaOptions, transactional_id: str) -> dict[str, str | int | float | bool]:
    """The same with transactions. Their timeout bounds how long a dead instance holds read_committed readers back."""
    return {
        **producer_settings(options),
        "transactional.id": transactional_id,
        "transaction.timeout.ms": int(min(60.0, max(10.0, options.broker_timeout_s)) * 1_000),
    }
