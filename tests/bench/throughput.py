"""`python -m tests.bench.throughput`: rows a second at `--rate max`, all guarantees on, beside the textbook loop.

Whole processes, in turn (A B C A B C …), on a real Kafka broker of their own, same machine: quote the ratios, since
machines are noisy. Each replay's topic ends up with every row, or the run fails.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from replay.sample import SampleSpec, write_sample
from tests.support.kafka_cluster import KafkaCluster
from tests.support.topics import create_topic


@dataclass(frozen=True, slots=True)
class Run:
    """One process: wall and CPU seconds, and its largest memory in MiB."""

    wall_s: float
    cpu_s: float
    rss_mib: float


def measure(command: list[str]) -> Run:
    start_s = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return Run(time.monotonic() - start_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def records_in(bootstrap_servers: str, topic: str, partitions: int) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "bench"})
    marks = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10) for p in range(partitions)]
    consumer.close()
    return sum(high for _, high in marks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--symbols", type=int, default=16)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="replay-bench-") as scratch:
        trades = Path(scratch) / "trades"
        write_sample(trades, SampleSpec(options.rows, options.symbols, 3))
        with KafkaCluster(Path(scratch) / "kafka") as kafka:
            runs: dict[str, list[Run]] = {"idempotent": [], "transactional": [], "textbook loop": []}
            for number in range(options.runs + 1):  # the first round warms broker and page cache up
                for name, taken in runs.items():
                    topic = f"{name.replace(' ', '-')}-{number}"
                    create_topic(kafka.bootstrap_servers, topic, options.partitions)
                    if name == "textbook loop":
                        command = ["-m", "tests.bench.textbook", str(trades), topic, kafka.bootstrap_servers]
                    else:
                        command = ["-m", "replay", "run", str(trades), "--topic", topic, "--delivery", name]
                        command += ["--bootstrap-servers", kafka.bootstrap_servers]
                        command += ["--checkpoint", str(Path(scratch) / f"{topic}.json")]
                    run = measure([sys.executable, *command])
                    there = records_in(kafka.bootstrap_servers, topic, options.partitions)
                    if there < options.rows:
                        raise RuntimeError(f"{name}: {there:,} of {options.rows:,} rows in the topic")
                    if number:
                        taken.append(run)
    print(
        f"{options.rows:,} rows, {options.symbols} symbols, {options.partitions} partitions, {options.runs} runs each"
    )
    print(f"{'':15}{'rows/s min':>12}{'median':>12}{'max':>12}{'CPU us/row':>12}{'RSS MiB':>10}")
    for name, taken in runs.items():
        rates = sorted(options.rows / run.wall_s for run in taken)
        cpu_us = statistics.median(run.cpu_s for run in taken) / options.rows * 1e6
        figures = f"{rates[0]:>12,.0f}{statistics.median(rates):>12,.0f}{rates[-1]:>12,.0f}{cpu_us:>12.2f}"
        print(f"{name:15}{figures}{max(run.rss_mib for run in taken):>10.0f}")
    for name, base in (("idempotent", "textbook loop"), ("transactional", "idempotent")):
        ratios = sorted(other.wall_s / run.wall_s for run, other in zip(runs[name], runs[base], strict=True))
        print(f"{name} / {base}: min {ratios[0]:.2f}, median {statistics.median(ratios):.2f}, max {ratios[-1]:.2f}")


if __name__ == "__main__":
    main()
