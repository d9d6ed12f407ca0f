"""Start and resume: the help, the first row, a resume far into the input, a topic's tail matched, `replay verify`.

Whole processes on a real broker. When the first row was there is the broker's own time for it (LogAppendTime).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from replay.checkpoint.content import JobState
from replay.checkpoint.file import CheckpointFile
from replay.checkpoint.resume import SETTLE_GAP_S
from replay.position import PartitionMark, Position, Progress
from tests.bench.figures import Figure, at_least, at_most, table
from tests.bench.setting import Setting, Used, replay_run, used
from tests.bench.table import Table
from tests.bench.trades import write_trades
from tests.bench.witness import high_watermarks
from tests.support.kafka_cluster import KafkaCluster
from tests.support.topics import create_topic

PARTITIONS = 6
LOG_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}
IMPORTS = "import replay.cli.app, replay.cli.run_cmd"
"""What `replay run` imports before it does anything."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A whole process that matched the topic's tail, `tail_s` without the settle wait, and sent nothing."""

    records: int
    tail_s: float
    process: Used


class Bench:
    """A broker, and commands that use it."""

    def __init__(self, scratch: Path, kafka: KafkaCluster) -> None:
        self.scratch, self.kafka = scratch, kafka

    def topic(self, name: str, **config: str) -> str:
        create_topic(self.kafka.bootstrap_servers, name, PARTITIONS, config=config)
        return name

    def run_command(self, folder: Path, topic: str, *options: str) -> list[str]:
        return replay_run(folder, topic, self.kafka.bootstrap_servers, self.scratch, *options)

    def checkpoint(self, topic: str) -> Path:
        return self.scratch / f"{topic}.json"

    def first_time_s(self, topic: str, offsets: list[int], until_s: float) -> float:
        """The earliest time among the first records from the offsets on, waiting for them."""
        consumer = Consumer({"bootstrap.servers": self.kafka.bootstrap_servers, "group.id": "first"})
        consumer.assign([TopicPartition(topic, p, offset) for p, offset in enumerate(offsets)])
        first: dict[int, float] = {}  # by partition
        while not first and time.monotonic() < until_s:
            for message in consumer.consume(1_000, timeout=0.2):
                first.setdefault(message.partition(), message.timestamp()[1] / 1e3)
        consumer.close()
        if not first:
            raise RuntimeError(f"{topic}: no record came")
        return min(first.values())

    def ends(self, topic: str) -> list[int]:
        return high_watermarks(self.kafka.bootstrap_servers, topic, PARTITIONS)


def help_s() -> float:
    return used([sys.executable, "-m", "replay", "--help"]).wall_s


def imports_s() -> float:
    return used([sys.executable, "-c", IMPORTS]).wall_s


def first_ack_s(bench: Bench, folder: Path, topic: str, *options: str) -> float:
    """From the start of the process until the broker has appended the first rows; stopped then."""
    bench.topic(topic, **LOG_APPEND_TIME)
    return _first_new_s(bench, bench.run_command(folder, topic, *options), topic, [0] * PARTITIONS)


def _first_new_s(bench: Bench, command: list[str], topic: str, offsets: list[int]) -> float:
    started_s = time.time()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return bench.first_time_s(topic, offsets, time.monotonic() + 120) - started_s
    finally:
        process.terminate()
        process.wait()


def far_resume_s(bench: Bench, folder: Path, files: int, row: int, topic: str) -> float:
    """From the start of the process until the broker has the first row behind a clean stop at `row`.

    The input has a fifth as many rows behind it. The stop is made up: a checkpoint of a run that was stopped soon after
    its start, moved to that row.
    """
    first_ack_s(bench, folder, topic, "--no-check")
    file, per_file = CheckpointFile(bench.checkpoint(topic)), row // 5 * 6 // files
    cursors = tuple(min(per_file, max(0, row - number * per_file)) for number in range(files))
    saved = file.load()
    assert saved is not None
    ends = bench.ends(topic)
    marks = tuple(map(PartitionMark, ends))
    file.save(replace(saved, state=JobState.CLEAN, progress=Progress(Position(row, cursors), marks)))
    return _first_new_s(bench, bench.run_command(folder, topic), topic, ends)


def tail(bench: Bench, folder: Path, topic: str, rows: int) -> Resumed:
    """A topic that holds all rows, and a checkpoint that knows of none: each has to be found."""
    bench.topic(topic)
    used(bench.run_command(folder, topic, "--no-check"))
    file = CheckpointFile(bench.checkpoint(topic))
    saved = file.load()
    assert saved is not None
    start = Progress(Position(0, (0,) * len(saved.job.inputs)), tuple(map(PartitionMark, saved.first_offsets)))
    file.save(replace(saved, state=JobState.RUNNING, progress=start, lead_rows_max=rows))
    log = bench.scratch / f"{topic}.log"
    process = used(bench.run_command(folder, topic, "--log-format", "json", "--log-file", str(log)))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    began, ended = (
        next(line for line in lines if text in line["message"]) for text in ("resuming at", "of this replay")
    )
    if f"{rows:,} are rows of this replay" not in ended["message"] or sum(bench.ends(topic)) != rows:
        raise RuntimeError(f"{topic}: {ended['message']}")
    return Resumed(rows, _seconds(ended) - _seconds(began) - SETTLE_GAP_S, process)


def _seconds(line: dict[str, str]) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()


def verified(bench: Bench, folder: Path, topic: str) -> Used:
    command = [sys.executable, "-m", "replay", "verify", str(folder), "--topic", topic]
    return used([*command, "--bootstrap-servers", bench.kafka.bootstrap_servers])


def made(bench: Bench, name: str, rows: int, files: int = 1) -> Path:
    return write_trades(bench.scratch / name, rows, files=files)


def measure(setting: Setting) -> list[Table]:
    runs = 2 if setting.is_short else 5
    with KafkaCluster(setting.scratch / "kafka") as kafka:
        bench = Bench(setting.scratch, kafka)
        data = made(bench, "few", 20_000)
        first_ack_s(bench, data, "warm")
        setting.say("start")
        shown_s, imported_s = _middle(help_s() for _ in range(runs)), _middle(imports_s() for _ in range(runs))
        ack_s = _middle(first_ack_s(bench, data, f"few-{n}") for n in range(runs)) - imported_s
        figures = [
            at_most("`replay --help`", shown_s, 0.3, f"{shown_s:.2f} s", "0.3 s"),
            at_most(
                "start to first ACK, beyond the imports", ack_s, 1.0, f"{ack_s:.2f} s", "1 s",
                f"20,000 rows, looked at first; imports {imported_s:.2f} s",
            ),
        ]  # fmt: skip
        far, files = 5_000_000 if setting.is_short else 50_000_000, 10
        setting.say(f"a resume at row {far:,}")
        many = made(bench, "many", far // 5 * 6, files)
        resumed_s = _middle(far_resume_s(bench, many, files, far, f"far-{n}") for n in range(runs))
        what = f"resume at row {far:,} to the first new record"
        figures.append(at_most(what, resumed_s, 3.0, f"{resumed_s:.2f} s", "3 s", "imports included"))
        rows = 1_000_000
        setting.say("the topic's tail")
        one = made(bench, "one", rows)
        tails = sorted((tail(bench, one, f"tail-{n}", rows) for n in range(runs)), key=lambda each: each.tail_s)
        rate, most_mib = rows / tails[runs // 2].tail_s, max(each.process.rss_mib for each in tails)
        figures.append(at_least("tail reconciliation", rate, 500_000, f"{rate:,.0f} records/s", "500,000 records/s"))
        figures.append(
            Figure("tail reconciliation: peak memory", most_mib, f"{most_mib:,.0f} MiB", note=f"{rows:,} records")
        )
        setting.say("verify")
        checks = sorted((verified(bench, one, "tail-0") for _ in range(runs)), key=lambda each: each.wall_s)
        rate = rows / (checks[runs // 2].wall_s - imported_s)
        figures.append(
            at_least("`replay verify`, beyond the imports", rate, 500_000, f"{rate:,.0f} rows/s", "500,000 rows/s")
        )
    return [table("Start and resume", figures, f"medians of {runs}")]


def _middle(seconds: Iterable[float]) -> float:
    return statistics.median(seconds)
