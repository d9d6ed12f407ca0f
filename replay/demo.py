"""`replay demo`: the main job on the shipped trades, killed half-way, resumed, and checked against the topic.

The embedded broker lives in this process; the first replay is a child process that gets a real SIGKILL, the second
one runs here, with the checkpoint and the topic that the first left behind.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loguru import logger
from rich.table import Table

from replay import job
from replay.checkpoint import loads
from replay.cluster import Cluster, EmbeddedBroker, Found, Patience, murmur2_partitioner
from replay.config import KafkaOptions, Pace, RunOptions
from replay.encode import Encoder
from replay.errors import BrokerUnavailable, InputError
from replay.model import Encoded, SystemClock
from replay.report import Repeated, Stop
from replay.source import Source
from replay.terminal import Terminal

TOPIC = "trades"
RATE = 5_000.0  # 20,000 rows in 4 s: long enough to be interrupted, short enough to wait for
KILL_AFTER_ROWS = 9_000  # about half; the kill comes between this save and the next
KILL_DELAY_S = 0.5  # half of the checkpoint interval, so that rows are in the topic of which no checkpoint knows
CHILD_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Check:
    """The topic against the source; a record is (key, value, timestamp)."""

    found: int
    lost: int
    duplicated: int
    out_of_order: int


def run_demo(console: Any) -> bool:
    """True if the topic holds each row once, in order."""
    inputs = (str(sample_folder()),)
    with EmbeddedBroker(TOPIC) as broker, tempfile.TemporaryDirectory(prefix="replay-demo-") as folder:
        checkpoint = Path(folder) / "checkpoint.json"
        logger.info("1. replay {} into an embedded broker at {:,.0f} rows/s, in a process of its own", inputs[0], RATE)
        saved_row = _run_and_kill(inputs, broker, checkpoint)
        kafka = KafkaOptions(broker.bootstrap_servers, TOPIC, broker_timeout_s=30.0)
        in_topic = _records_in(kafka)
        logger.info(
            "2. killed (SIGKILL): the checkpoint knows {:,} rows, the topic holds {:,}. Run the same again:",
            saved_row,
            in_topic,
        )
        options = RunOptions(inputs, checkpoint, kafka, pace=Pace(rows_per_s=RATE))
        terminal = Terminal(console, progress_interval_s=1.0, bar=console.is_terminal)
        with terminal.live():
            shown = job.run(options, Stop(), terminal)
        logger.info("3. read the topic back and compare it with the source")
        check = _check(options)
        table = Table("", "rows", title="replay demo: killed half-way, resumed, checked")
        for label, count in (
            ("in the source", shown.rows),
            ("sent before the kill", in_topic),
            ("of these not in the checkpoint, found in the topic", shown.already_there_rows),
            ("sent after the kill", shown.sent_rows),
            ("in the topic", check.found),
            ("lost", check.lost),
            ("duplicated", check.duplicated),
            ("out of order", check.out_of_order),
        ):
            table.add_row(label, f"{count:,}")
        type(console)().print(table)  # to standard output: it is the result
    return check == Check(shown.rows, 0, 0, 0)


def sample_folder() -> Path:
    """The shipped trades: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    for folder in (package / "_data", package.parent / "data"):
        if any(folder.glob("*.parquet")):
            return folder
    raise InputError("the shipped trades are missing", where=str(package / "_data"), todo="install the package again")


def _run_and_kill(inputs: tuple[str, ...], broker: EmbeddedBroker, checkpoint: Path) -> int:
    """A replay in a child process, killed without warning; the row its last checkpoint knows."""
    command = [sys.executable, "-m", "replay", "run", *inputs, "--topic", TOPIC, "--checkpoint", str(checkpoint)]
    command += ["--bootstrap-servers", broker.bootstrap_servers, "--rate", f"{RATE:.0f}/s", "--progress-seconds", "1"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + CHILD_TIMEOUT_S
        while _saved_row(checkpoint) < KILL_AFTER_ROWS:
            if child.poll() is not None or time.monotonic() > deadline_s:
                raise BrokerUnavailable("the first replay did not get half-way", where="demo", todo="see the log above")
            time.sleep(0.02)
        time.sleep(KILL_DELAY_S)
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    return _saved_row(checkpoint)


def _saved_row(checkpoint: Path) -> int:
    try:
        return loads(checkpoint.read_bytes()).progress.position.row
    except FileNotFoundError:
        return 0


def _cluster(kafka: KafkaOptions) -> Cluster:
    clock = SystemClock()
    return Cluster(kafka, Patience(clock, kafka.broker_timeout_s, lambda: None, Repeated(logger.warning, clock)))


def _records_in(kafka: KafkaOptions) -> int:
    with closing(_cluster(kafka)) as cluster:
        topic = cluster.topic()
        return sum(cluster.high_watermarks(topic)) if topic else 0


def _check(options: RunOptions) -> Check:
    source = Source(options.inputs, options.columns, options.order)
    with closing(_cluster(options.kafka)) as cluster:
        topic = cluster.topic()
        if topic is None:
            return Check(0, source.rows, 0, 0)
        encoder = Encoder(source.symbols, (), murmur2_partitioner(topic.partitions))
        expected = [encoder.encode(batch) for batch in source.batches(source.start)]
        ends = cluster.high_watermarks(topic)
        found = [each for some in cluster.read(topic, [0] * topic.partitions, ends) for each in some]
    return compare(expected, found)


def compare(expected: Iterable[Encoded], found: Iterable[Found]) -> Check:
    """Count by count, and symbol by symbol in order. Holds all records in memory: for a demo's worth of them."""
    wanted: dict[bytes, list[tuple[bytes, int]]] = {}
    for encoded in expected:
        for key, value, timestamp_ms in zip(encoded.keys, encoded.values, encoded.timestamps_ms, strict=True):
            wanted.setdefault(key, []).append((value, timestamp_ms))
    there: dict[bytes, list[tuple[bytes, int]]] = {}
    for record in found:
        there.setdefault(record.key or b"", []).append((record.value or b"", record.timestamp_ms or 0))
    lost = duplicated = out_of_order = 0
    for key in wanted.keys() | there.keys():
        ours, theirs = wanted.get(key, []), there.get(key, [])
        missing, extra = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
        lost, duplicated = lost + missing.total(), duplicated + extra.total()
        if not missing and not extra:
            out_of_order += sum(one != other for one, other in zip(ours, theirs, strict=True))
    return Check(sum(map(len, there.values())), lost, duplicated, out_of_order)
