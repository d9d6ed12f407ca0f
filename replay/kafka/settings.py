"""The librdkafka settings: what the promise needs, what is refused, what the user may add."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from replay.errors import UsageError
from replay.kafka.login import credentials
from replay.kafka.login.token_source import tokens_of
from replay.kafka.options import KafkaOptions

_ORDER = "records could be lost or change places"
_OURS = "the job sets it itself"
_LOG = "lost connections are learned from librdkafka's log"

_RULES = (
    # settings (the second name of one is librdkafka's or Java's), values that are allowed, why others are refused
    ("acks request.required.acks", "all -1", "a leader that dies could take its rows with it"),
    ("enable.idempotence", "true", "a retried request could be appended twice"),
    ("enable.gapless.guarantee", "true", "later rows could be appended after a failed one"),
    (
        "message.timeout.ms delivery.timeout.ms",
        "0",
        f"a row that times out locally is passed by later ones: {_ORDER}",
    ),
    (
        "max.in.flight max.in.flight.requests.per.connection",
        "1 2 3 4 5",
        "idempotence keeps order only up to 5 requests in flight",
    ),
    ("retries message.send.max.retries", "2147483647", "fewer retries turn a short outage into a failed row"),
    ("queuing.strategy", "fifo", _ORDER),
    ("allow.auto.create.topics", "false", "a mistyped name would become a topic; use --create-topic"),
    ("delivery.report.only.error", "false", "every record's delivery report is looked at"),
    ("transactional.id", "", "it is made from topic and job; choose --delivery transactional and --job"),
    ("partitioner partitioner_cb", "", "the partition is murmur2 of the symbol, as Java computes it"),
    ("bootstrap.servers metadata.broker.list", "", "use --bootstrap-servers"),
    ("queue.buffering.max.messages", "", "use --in-flight-rows"),
    ("queue.buffering.max.kbytes", "", "use --in-flight-bytes"),
    ("test.mock.num.brokers", "", "use --embedded"),
    ("log_level", "6 7", _LOG),
    ("log.connection.close", "true", _LOG),
    ("statistics.interval.ms log.queue retry.backoff.ms retry.backoff.max.ms", "", _OURS),
    ("enable.auto.commit isolation.level group.id", "", _OURS),
)

GUARDED: Mapping[str, tuple[frozenset[str], str]] = MappingProxyType(
    {name: (frozenset(allowed.split()), why) for names, allowed, why in _RULES for name in names.split()}
)
"""Of each setting that could break the promise: the values that are allowed, and why others are refused."""

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


def client_settings(options: KafkaOptions) -> dict[str, Any]:
    """What every client of this job shares: where the cluster is and how to get in. Reads the files of secrets: raises
    `UsageError` where one cannot be read."""
    shared = {k: v for k, v in options.settings.items() if k.startswith(_SHARED_PREFIXES)}
    tokens = tokens_of(options)
    return {
        "client.id": "replay",
        "topic.metadata.refresh.interval.ms": 30_000,  # a moved leader is found within this even when idle
        "reconnect.backoff.max.ms": 2_000,  # the default of 10 s would add itself to every broker restart
        "socket.connection.setup.timeout.ms": 10_000,
        "allow.auto.create.topics": False,
        **shared,
        **credentials.read(options.secrets),
        **({"oauth_cb": tokens.for_librdkafka} if tokens is not None else {}),
        "bootstrap.servers": options.bootstrap_servers,
    }


def producer_settings(options: KafkaOptions) -> dict[str, Any]:
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
        # A bump of the producer epoch is in the log when it begins (debug eos), and in the statistics afterwards.
        "debug": ",".join(filter(None, [options.settings.get("debug"), "eos"])),
        "statistics.interval.ms": 1_000,
        # A lost connection is seen by the job within 0.1 s, or after whatever read or save is under way, and must be
        # before librdkafka sends again (see producer.py). A moved leader costs as much, which a replay does not mind.
        "retry.backoff.ms": 3_000,
        "retry.backoff.max.ms": 3_000,
    }


def transactional_settings(options: KafkaOptions, transactional_id: str) -> dict[str, Any]:
    """The same with transactions. Their timeout bounds how long a dead instance holds read_committed readers back."""
    return {
        **producer_settings(options),
        # Its retries are safe (see producer.py). A new instance asks the coordinator again until the old one is out.
        "retry.backoff.ms": 100,
        "retry.backoff.max.ms": 1_000,
        "transactional.id": transactional_id,
        # A cluster may allow less than a minute (transaction.max.timeout.ms): the user's word counts.
        "transaction.timeout.ms": options.settings.get(
            "transaction.timeout.ms", int(min(60.0, max(10.0, options.broker_timeout_s)) * 1_000)
        ),
    }
