"""Throughput: rows a second at `--rate max`, all guarantees on, beside whoever else brings trades into Kafka.

Whole processes on a real broker of their own, same machine, start-up included; rows count when they are in the topic,
and a run that leaves one out fails. acks=all, idempotence and a linger of 50 ms wherever a contender can.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka.admin import AdminClient

from replay.cli.sample_trades import SampleSpec, write_sample
from tests.bench.contenders import (
    ARROW_SINK,
    IDEMPOTENT,
    KCAT_PIPED,
    KCAT_READY,
    PRODUCER_PERFORMANCE,
    REPLAY_CLI,
    TEXTBOOK,
    TRANSACTIONAL,
    Contender,
    Load,
    Tls,
    write_ready,
)
from tests.bench.setting import Setting, Used, used
from tests.bench.table import Goal, Table, ratio
from tests.bench.witness import high_watermarks
from tests.support.kafka_cluster import KafkaCluster
from tests.support.registry import Registry
from tests.support.topics import create_topic

DAYS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """One load and who carries it, so many rounds of each in turn; the first round of the base case is not counted."""

    rows: int
    contenders: Sequence[Contender]
    runs: int
    symbols: int = 16
    partitions: int = 6
    compression: str = "none"

    @property
    def shown(self) -> str:
        counts = f"{self.rows:,} rows, {self.symbols} symbols, {self.partitions} partitions"
        return f"{counts}, compression {self.compression}"

    @property
    def title(self) -> str:
        return f"Throughput: {self.shown}"


Runs = dict[str, list[Used]]


def measure(setting: Setting) -> list[Table]:
    few = (IDEMPOTENT, TRANSACTIONAL, KCAT_PIPED, KCAT_READY)
    base = Case(setting.rows, (*few, PRODUCER_PERFORMANCE, ARROW_SINK, REPLAY_CLI, TEXTBOOK), setting.runs)
    cases = [base]
    if not setting.is_short:
        fewer = replace(base, contenders=few)
        cases += [
            replace(fewer, symbols=500),
            replace(fewer, partitions=48),
            replace(fewer, compression="lz4"),
            replace(fewer, compression="zstd"),
            replace(fewer, rows=10 * setting.rows, symbols=500, partitions=48),
        ]
    tables = []
    with KafkaCluster(setting.scratch / "kafka") as kafka, Registry(setting.scratch / "registry") as registry:
        for case in cases:
            setting.say(case.title)
            tables.append(_table(case, run_all(case, kafka.bootstrap_servers, setting, registry.url)))
    return tables


def run_all(
    case: Case, bootstrap_servers: str, setting: Setting, registry_url: str = "", tls: Tls | None = None
) -> Runs:
    """Every contender that is there, in turn. Raises `RuntimeError` for one that leaves out a row."""
    there = [contender for contender in case.contenders if not contender.missing]
    runs: Runs = {contender.name: [] for contender in there}
    folder = setting.scratch / "load"
    load = replace(write_load(folder, case, bootstrap_servers, registry_url), tls=tls)
    warm_up = 1 if case.runs > 1 else 0
    for number in range(case.runs + warm_up):
        for place, contender in enumerate(there):
            topic = f"bench-{case.symbols}-{case.partitions}-{case.compression}-{case.rows}-{place}-{number}"
            taken = _once(contender, load, topic, case.partitions)
            setting.say(f"  {contender.name}: {case.rows / taken.wall_s:,.0f} rows/s, {taken.cpu_s:.1f} s of CPU")
            if number >= warm_up:
                runs[contender.name].append(taken)
    shutil.rmtree(folder)
    return runs


def write_load(folder: Path, case: Case, bootstrap_servers: str, registry_url: str) -> Load:
    trades = folder / "trades"
    write_sample(trades, SampleSpec(case.rows, case.symbols, DAYS))
    ready, messages, value_bytes = write_ready(trades, folder)
    return Load(trades, case.rows, value_bytes, ready, messages, bootstrap_servers, case.compression, registry_url)


def _once(contender: Contender, load: Load, topic: str, partitions: int) -> Used:
    create_topic(load.bootstrap_servers, topic, partitions)
    taken = used(contender.command(load, topic))
    # transactions leave a few more than there are rows
    there = sum(high_watermarks(load.bootstrap_servers, topic, partitions))
    if there < load.rows:
        raise RuntimeError(f"{contender.name}: {there:,} of {load.rows:,} rows in the topic")
    client = AdminClient({"bootstrap.servers": load.bootstrap_servers, "log_level": 0})
    client.delete_topics([topic])[topic].result(30)
    return taken


def _table(case: Case, runs: Runs) -> Table:
    walls = {name: [run.wall_s for run in taken] for name, taken in runs.items()}
    rows = []
    for name, taken in runs.items():
        rates = sorted(case.rows / wall_s for wall_s in walls[name])
        cpu_us = statistics.median(run.cpu_s for run in taken) / case.rows * 1e6
        # a higher rate is less time: ours over theirs is their time over ours
        against = "" if name == IDEMPOTENT.name else str(ratio(walls[name], walls[IDEMPOTENT.name]))
        cells = f"{rates[0]:,.0f} / {statistics.median(rates):,.0f} / {rates[-1]:,.0f}", f"{cpu_us:.2f}"
        rows.append((name, *cells, f"{max(run.rss_mib for run in taken):,.0f}", against))
    columns = "", "rows/s: min / median / max", "CPU us/row", "RSS MiB", "replay, idempotent, is so many times as fast"
    missing = tuple(f"{each.name}: left out, {each.missing}" for each in case.contenders if each.missing)
    rounds = f"{case.runs} round{'s' * (case.runs > 1)}, all in turn; whole processes, start-up included"
    return Table(case.title, columns, tuple(rows), (rounds, *missing), tuple(_goals(runs)))


def _goals(runs: Runs) -> Sequence[Goal]:
    """Those of the contenders that took part."""
    ours = runs[IDEMPOTENT.name]
    bounds = {KCAT_PIPED: 0.8, KCAT_READY: 0.65, PRODUCER_PERFORMANCE: 1.2, ARROW_SINK: 1.3, TEXTBOOK: 5.0}
    goals = [
        Goal(f"replay / {other.name}", _median_ratio(runs[other.name], ours), bound)
        for other, bound in bounds.items()
        if other.name in runs
    ]
    if TRANSACTIONAL.name in runs:
        goals.append(Goal("transactional / idempotent", _median_ratio(ours, runs[TRANSACTIONAL.name]), 0.9))
    if KCAT_READY.name in runs:
        cpu = ratio([run.cpu_s for run in ours], [run.cpu_s for run in runs[KCAT_READY.name]]).median
        goals.append(Goal(f"CPU of replay / CPU of {KCAT_READY.name}", cpu, 1.5, at_least=False))
    return goals


def _median_ratio(theirs: Sequence[Used], ours: Sequence[Used]) -> float:
    return ratio([run.wall_s for run in theirs], [run.wall_s for run in ours]).median
