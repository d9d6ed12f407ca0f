"""Who else brings trades into Kafka, and how each is called. What is not installed says so and does not take part."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.bench.lines import lines
from tests.bench.setting import replay_run
from tests.support.kafka_cluster import jars


@dataclass(frozen=True, slots=True)
class Tls:
    """The listener of the same broker that speaks TLS, and who signed for it."""

    servers: str
    authority: str


@dataclass(frozen=True, slots=True)
class Load:
    """Trades in a folder, to be brought into topics; `lines` and `messages` are the same, encoded beforehand.

    Schemas are registered at `registry_url`.
    """

    folder: Path
    rows: int
    value_bytes: int
    lines: Path
    messages: Path
    bootstrap_servers: str
    compression: str
    registry_url: str
    tls: Tls | None = None


Command = Callable[[Load, str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Contender:
    """`command(load, topic)` is the process; `missing` says why there is none here, "" if there is."""

    name: str
    command: Command
    missing: str = ""


_PYTHON = sys.executable
_LIBRDKAFKA = {
    "acks": "all",
    "enable.idempotence": "true",
    "linger.ms": "50",
    "queue.buffering.max.messages": "1000000",  # kcat gives up where its queue is full; it retries with this one
    "queue.buffering.max.kbytes": "1048576",
}
"""For kcat; batches have librdkafka's own sizes (1 MB, 10,000 messages), as a replay's."""


def replay(delivery: str, value_format: str = "json") -> Command:
    def command(load: Load, topic: str) -> Sequence[str]:
        options = ["--delivery", delivery, "--compression", load.compression]
        if value_format != "json":
            options += ["--format", value_format, "--registry", load.registry_url, "--schema-register"]
        return replay_run(load.folder, topic, load.bootstrap_servers, load.lines.parent, *options)

    return command


def replay_over_tls(delivery: str) -> Command:
    def command(load: Load, topic: str) -> Sequence[str]:
        assert load.tls is not None
        options = ["--delivery", delivery, "--compression", load.compression]
        options += ["--security", "tls", "--ca", load.tls.authority]
        return replay_run(load.folder, topic, load.tls.servers, load.lines.parent, *options)

    return command


def _kcat(load: Load, topic: str, *, over_tls: bool = False) -> str:
    settings = {**_LIBRDKAFKA, "compression.codec": load.compression}
    servers = load.bootstrap_servers
    if over_tls:
        assert load.tls is not None
        servers = load.tls.servers
        settings |= {"security.protocol": "ssl", "ssl.ca.location": shlex.quote(load.tls.authority)}
    options = " ".join(f"-X {name}={value}" for name, value in settings.items())
    return f"kcat -P -b {servers} -t {topic} -K '\t' {options}"


def _kcat_ready(load: Load, topic: str) -> Sequence[str]:
    return ["bash", "-c", f"{_kcat(load, topic)} < {shlex.quote(str(load.lines))}"]


def _kcat_over_tls(load: Load, topic: str) -> Sequence[str]:
    return ["bash", "-c", f"{_kcat(load, topic, over_tls=True)} < {shlex.quote(str(load.lines))}"]


def _kcat_piped(load: Load, topic: str) -> Sequence[str]:
    encoder = shlex.join([_PYTHON, "-m", "tests.bench.lines", str(load.folder)])
    return ["bash", "-o", "pipefail", "-c", f"{encoder} | {_kcat(load, topic)}"]


def _producer_performance(load: Load, topic: str) -> Sequence[str]:
    properties = [
        f"bootstrap.servers={load.bootstrap_servers}", "acks=all", "enable.idempotence=true", "linger.ms=50",
        "batch.size=262144", "buffer.memory=268435456", f"compression.type={load.compression}",
    ]  # fmt: skip
    return ["java", "-cp", f"{jars()}/*", "org.apache.kafka.tools.ProducerPerformance", "--topic", topic,
            "--num-records", str(load.rows), "--record-size", str(load.value_bytes), "--throughput", "-1",
            "--producer-props", *properties]  # fmt: skip


def _arrow_sink(load: Load, topic: str) -> Sequence[str]:
    arguments = [str(load.folder), topic, load.bootstrap_servers, load.registry_url, load.compression]
    return [_PYTHON, "-m", "tests.bench.arrow_sink", *arguments]


def _replay_cli(load: Load, topic: str) -> Sequence[str]:
    return [_PYTHON, "-m", "kafka_replay_cli.cli", "replay", "--input", str(load.messages), "--topic", topic,
            "--bootstrap-servers", load.bootstrap_servers, "--quiet"]  # fmt: skip


def _textbook(load: Load, topic: str) -> Sequence[str]:
    return [_PYTHON, "-m", "tests.bench.textbook", str(load.folder), topic, load.bootstrap_servers]


_NO_KCAT = "" if shutil.which("kcat") else "kcat is not installed (Debian's package kcat)"


def _unless_found(package: str) -> str:
    return "" if find_spec(package) else f"{package} is not installed (pip install -e '.[bench]')"


IDEMPOTENT = Contender("replay, idempotent", replay("idempotent"))
TRANSACTIONAL = Contender("replay, transactional", replay("transactional"))
AVRO = Contender("replay, avro", replay("idempotent", "avro"))
PROTOBUF = Contender("replay, protobuf", replay("idempotent", "protobuf"))
JSON_SCHEMA = Contender("replay, json-schema", replay("idempotent", "json-schema"))
KCAT_READY = Contender("kcat, lines encoded beforehand", _kcat_ready, _NO_KCAT)
KCAT_OVER_TLS = Contender("kcat over TLS, lines encoded beforehand", _kcat_over_tls, _NO_KCAT)
OVER_TLS = Contender("replay, idempotent, over TLS", replay_over_tls("idempotent"))
TRANSACTIONAL_OVER_TLS = Contender("replay, transactional, over TLS", replay_over_tls("transactional"))
KCAT_PIPED = Contender("columnar encoder, piped into kcat", _kcat_piped, _NO_KCAT)
PRODUCER_PERFORMANCE = Contender("Kafka's ProducerPerformance", _producer_performance)
ARROW_SINK = Contender("arrow-kafka-pyo3 (Avro)", _arrow_sink, _unless_found("arrow_kafka_pyo3"))
REPLAY_CLI = Contender("kafka-replay-cli, as it is", _replay_cli, _unless_found("kafka_replay_cli"))
TEXTBOOK = Contender("textbook loop", _textbook)


def write_ready(folder: Path, to: Path) -> tuple[Path, Path, int]:
    """The trades of the folder as lines and as messages (what kafka-replay-cli reads), and the mean size of a value."""
    ready, messages = to / "lines", to / "messages.parquet"
    schema = pa.schema(
        [("timestamp", pa.timestamp("ms")), ("key", pa.binary()), ("value", pa.binary()), ("partition", pa.int32()),
         ("offset", pa.int64())]
    )  # fmt: skip
    rows = size = 0
    with ready.open("wb") as file, pq.ParquetWriter(messages, schema) as writer:
        for buffer in lines(folder):
            file.write(buffer)
            whole = pa.array(buffer.to_pybytes().decode().splitlines())
            parts = pc.split_pattern(whole, "\t").flatten().cast(pa.binary())  # key, value, key, value, …
            keys, values = (parts.take(pa.array(range(first, len(parts), 2))) for first in (0, 1))
            nothing = pa.nulls(len(whole), pa.int64())
            columns = [nothing.cast(pa.timestamp("ms")), keys, values, nothing.cast(pa.int32()), nothing]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            rows += len(whole)
            size += int(pc.sum(pc.binary_length(values)).as_py())
    os.sync()  # what is written back later would be written in the middle of somebody's run
    return ready, messages, round(size / rows)
