"""Memory and growth: what a replay of many rows, symbols or files takes, beside a small one.

Whole processes at `--rate max` on a real broker. The topic keeps little of what it gets, so that 100 M rows need no
disk. The runs that both ask about are made once.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.figures import Figure, at_most, table
from tests.bench.setting import Setting, Used, replay_run, used
from tests.bench.table import Table
from tests.bench.trades import write_trades
from tests.bench.witness import peak_mib
from tests.support.kafka_cluster import KafkaCluster
from tests.support.topics import create_topic

PARTITIONS = 6
KEPT = {"retention.bytes": str(64 << 20), "segment.bytes": str(64 << 20), "retention.ms": "-1"}
FREED_OFTEN = {"log.retention.check.interval.ms": "2000", "log.segment.delete.delay.ms": "1000"}
"""Of the broker: a topic at full speed grows by 100 MB a second."""


@dataclass(frozen=True, slots=True)
class Input:
    rows: int
    files: int = 1
    symbols: int = 16
    overlapping: bool = False

    def __str__(self) -> str:
        files = f"{self.files:,} {'overlapping files' if self.overlapping else 'files'}" if self.files > 1 else "1 file"
        return f"{self.rows:,} rows, {self.symbols:,} symbols, {files}"


@dataclass
class Bench:
    scratch: Path
    kafka: KafkaCluster
    _done: dict[Input, Used] = field(default_factory=dict)
    _number: int = 0

    def replayed(self, made_of: Input) -> Used:
        """The process that replayed it, with all guarantees on and without the look at all rows before."""
        if made_of not in self._done:
            folder = self.folder(made_of)
            self._done[made_of] = used(self.command(folder))
        return self._done[made_of]

    def folder(self, made_of: Input) -> Path:
        folder = self.scratch / str(made_of).replace(", ", "-").replace(" ", "-").replace(",", "")
        if not folder.exists():
            write_trades(
                folder, made_of.rows, files=made_of.files, symbols=made_of.symbols, overlapping=made_of.overlapping
            )
        return folder

    def command(self, folder: Path, *options: str) -> list[str]:
        self._number += 1
        topic = f"many-{self._number}"
        create_topic(self.kafka.bootstrap_servers, topic, PARTITIONS, config=KEPT)
        return replay_run(folder, topic, self.kafka.bootstrap_servers, self.scratch, "--no-check", *options)

    def stalled_mib(self, made_of: Input, seconds: float, *options: str) -> float:
        """The largest memory of a replay whose broker is frozen for so long, amid the rows."""
        folder = self.folder(made_of)
        process = subprocess.Popen(self.command(folder, *options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(3)
            if process.poll() is not None:
                raise RuntimeError("it ended before the broker was frozen: more rows are needed")
            self.kafka.freeze_node(0)
            time.sleep(seconds)
            return peak_mib(process.pid)
        finally:
            self.kafka.thaw_node(0)
            process.kill()
            process.wait()


MEMORY_MIB = 300
GROWTH = 1.5
"""Cost per row against the smallest: linear, with room for what a noisy machine adds."""


def inputs(setting: Setting) -> list[Input]:
    small = 1_000_000
    few = min(setting.rows_max, small if setting.is_short else 10 * small)
    sizes = [
        Input(small * factor)
        for factor in (1, 10, 100)
        if small * factor <= (few if setting.is_short else setting.rows_max)
    ]
    return [
        *sizes,
        *(Input(few, symbols=symbols) for symbols in (1, 10_000)),
        *(Input(few, files=1_000, overlapping=overlapping) for overlapping in (False, True)),
    ]


def measure(setting: Setting) -> list[Table]:
    """Memory and CPU per row of each input, the latter against the first input's of as many rows."""
    few = min(setting.rows_max, 1_000_000 if setting.is_short else 10_000_000)
    memory: list[Figure] = []
    growth: list[Figure] = []
    with KafkaCluster(setting.scratch / "kafka", config=FREED_OFTEN) as kafka:
        bench = Bench(setting.scratch, kafka)
        base = Input(few)
        for made_of in inputs(setting):
            setting.say(str(made_of))
            seen = bench.replayed(made_of)
            against = bench.replayed(base).cpu_s / base.rows
            times, us = seen.cpu_s / made_of.rows / against, seen.cpu_s / made_of.rows * 1e6
            mib, note = f"{seen.rss_mib:,.0f} MiB", f"{us:.2f} µs a row"
            memory.append(at_most(f"{made_of}", seen.rss_mib, MEMORY_MIB, mib, f"{MEMORY_MIB} MiB"))
            if made_of.rows >= base.rows:  # start-up is no small part of fewer rows
                what = f"{made_of}: CPU a row, against {base}"
                growth.append(at_most(what, times, GROWTH, f"{times:.2f}", f"{GROWTH}", note))
        setting.say("a frozen broker")
        for options in ((), ("--in-flight-rows", "10k", "--in-flight-bytes", "8MiB")):
            mib_s = bench.stalled_mib(base, 10, *options)
            what = f"broker frozen for 10 s, {' '.join(options) or 'default bounds'}"
            memory.append(at_most(what, mib_s, MEMORY_MIB, f"{mib_s:,.0f} MiB", f"{MEMORY_MIB} MiB"))
    return [table("Peak memory", memory), table("Growth: CPU a row", growth)]
