"""Pacing: rates that hold, lateness, bursts, true gaps, a broker that stalls, and what waiting costs.

The topic is the witness: `--timestamp now` stamps each record as it is handed over, to the millisecond. The n-th
smallest timestamp is row n's. CPU is the kernel's count for the process, from 2 s after its first row on.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from replay.cli.sample_trades import SampleSpec, write_sample
from replay.model import Floats, Ints
from tests.bench.figures import Figure, at_most, table
from tests.bench.setting import Setting, replay_run
from tests.bench.table import Table
from tests.bench.trades import write_trades
from tests.bench.witness import Bursts, Cpu, Quantiles, bursts, lateness, timestamps_ms
from tests.support.kafka_cluster import KafkaCluster
from tests.support.topics import create_topic

RATES = (10, 1_000, 5_000, 50_000, 200_000)
PARTITIONS = 6
WINDOW_S = 60.0
SHORT_WINDOW_S = 10.0
SETTLE_S = 2.0  # from the first row until CPU is counted: start-up is another measure
STALL_S = 5.0


@dataclass(frozen=True, slots=True)
class Paced:
    """One replay at a pace. CPU in cores: of the replay, of its broker, of everybody else meanwhile."""

    rate_error: float
    late: Quantiles
    bursts: Bursts
    cores: float
    broker_cores: float
    other_cores: float
    summary: dict[str, Any]
    times_ms: Ints  # from the row that begins the schedule on


class Bench:
    """A broker, and replays into topics of their own."""

    def __init__(self, scratch: Path, kafka: KafkaCluster) -> None:
        self.scratch, self.kafka, self._number = scratch, kafka, 0
        pid = kafka.pid(0)
        assert pid is not None
        self.broker_pid = pid

    @contextmanager
    def replaying(self, folder: Path, *pace: str) -> Iterator[tuple[str, Path, subprocess.Popen[bytes]]]:
        """A replay that runs inside; it has to end well."""
        self._number += 1
        topic = f"paced-{self._number}"
        create_topic(self.kafka.bootstrap_servers, topic, PARTITIONS)
        summary = self.scratch / f"{topic}.summary.json"
        options = ["--timestamp", "now", "--no-check", "--summary-json", str(summary), *pace]
        command = replay_run(folder, topic, self.kafka.bootstrap_servers, self.scratch, *options)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            yield topic, summary, process
            _, said = process.communicate()
        except BaseException:
            process.kill()
            raise
        if process.returncode:
            raise RuntimeError(f"{command} ended with {process.returncode}: {said.decode()[-1000:]}")

    def wait_for_records(self, topic: str, process: subprocess.Popen[bytes]) -> None:
        """Until the second row is there: the first is sent ahead of the schedule."""
        while process.poll() is None:
            try:
                timestamps_ms(self.kafka.bootstrap_servers, topic, PARTITIONS, 2, wait_s=0.2)
                return
            except RuntimeError:
                continue

    def times_ms(self, topic: str, rows: int) -> Ints:
        return timestamps_ms(self.kafka.bootstrap_servers, topic, PARTITIONS, rows)

    def paced(self, folder: Path, due_ms: Floats, seconds: float, *pace: str) -> Paced:
        """`due_ms`: of each row but the first, which goes out alone to find out whether the producer is ready."""
        with self.replaying(folder, *pace) as (topic, summary, process):
            self.wait_for_records(topic, process)
            time.sleep(min(SETTLE_S, seconds / 5))
            before, before_s = Cpu.now(process.pid, self.broker_pid), time.monotonic()
            time.sleep(max(1.0, seconds - SETTLE_S - 2))
            after, window_s = Cpu.now(process.pid, self.broker_pid), time.monotonic() - before_s
        times_ms = self.times_ms(topic, len(due_ms) + 1)[1:]
        cores = {pid: (after.of[pid] - before.of[pid]) / window_s for pid in after.of}
        return Paced(
            rate_error=float((due_ms[-1] - due_ms[0]) / (times_ms[-1] - times_ms[0])) - 1,
            late=lateness(times_ms, due_ms),
            bursts=bursts(times_ms),
            cores=cores[process.pid],
            broker_cores=cores[self.broker_pid],
            other_cores=after.others_since(before) / window_s,
            summary=json.loads(summary.read_text()),
            times_ms=times_ms,
        )


def at_rate(bench: Bench, rows_per_s: int, seconds: float) -> Paced:
    rows = int(rows_per_s * seconds) + 2
    folder = write_trades(bench.scratch / f"rate-{rows_per_s}-{seconds:g}", rows)
    due_ms = np.arange(rows - 1, dtype=np.float64) * (1_000 / rows_per_s)
    return bench.paced(folder, due_ms, seconds, "--rate", f"{rows_per_s}/s")


def at_speed(bench: Bench, seconds: float) -> tuple[Paced, float]:
    """True gaps: trades of a day with busy hours, bursts and lulls, in so many seconds. And the median gap, in ms."""
    folder = bench.scratch / f"day-{seconds:g}"
    paths = write_sample(folder, SampleSpec(int(1_000 * seconds), 16, 1))
    times_us = np.concatenate([pq.read_table(p)["event_time"].cast(pa.int64()).to_numpy() for p in paths])
    span_us = int(times_us[-1] - times_us[0])
    speed = round(span_us / (seconds * 1e6))
    due_ms = (times_us - times_us[0]) / 1e3 / speed
    return bench.paced(folder, due_ms[1:], seconds, "--speed", f"{speed}x"), float(np.median(np.diff(due_ms)))


@dataclass(frozen=True, slots=True)
class Stalled:
    """A broker frozen for `STALL_S`: the rate before and after against what was asked for, and how rows went out."""

    error_before: float
    error_after: float
    most_in_100_ms: int  # of 100 ms in which rows_per_s / 10 are due
    pause_s: float  # the longest time in which no row went out
    shifted_s: float
    late_max_s: float
    handed_over_rows: int  # while the broker was frozen


def stalled(bench: Bench, rows_per_s: int, seconds: float) -> Stalled:
    """The stall begins after a third of the time."""
    rows = int(rows_per_s * seconds) + 2
    folder = write_trades(bench.scratch / f"stall-{rows_per_s}", rows)
    with bench.replaying(folder, "--rate", f"{rows_per_s}/s") as (topic, summary, process):
        bench.wait_for_records(topic, process)
        time.sleep(seconds / 3)
        bench.kafka.freeze_node(0)
        stalled_ms = time.time() * 1e3
        try:
            time.sleep(STALL_S)
        finally:
            bench.kafka.thaw_node(0)
            thawed_ms = time.time() * 1e3
    times_ms = bench.times_ms(topic, rows)[1:]
    told = json.loads(summary.read_text())
    before, after = times_ms[times_ms < stalled_ms], times_ms[times_ms > thawed_ms + 1_000]
    ends = np.searchsorted(times_ms, times_ms + 100)
    return Stalled(
        error_before=_rate(before) / rows_per_s - 1,
        error_after=_rate(after) / rows_per_s - 1,
        most_in_100_ms=int((ends - np.arange(len(times_ms))).max()),
        pause_s=float(np.diff(times_ms).max()) / 1e3,
        shifted_s=told["shifted_s"],
        late_max_s=told["lateness"]["max_s"],
        handed_over_rows=int(np.searchsorted(times_ms, thawed_ms) - np.searchsorted(times_ms, stalled_ms)),
    )


def _rate(times_ms: Ints) -> float:
    return float((len(times_ms) - 1) / (times_ms[-1] - times_ms[0]) * 1e3)


def waiting_cores(bench: Bench, seconds: float) -> float:
    """CPU while nothing is due: three rows at once, and the fourth an hour later, at 1x; stopped meanwhile."""
    folder = bench.scratch / "gap"
    folder.mkdir()
    times = pa.array([0, 0, 0, 3_600_000_000], pa.timestamp("us"))
    table = pa.table({"symbol": ["A"] * 4, "price": [1.0] * 4, "event_time": _later(times)})
    pq.write_table(table, folder / "gap.parquet")
    process = None
    try:
        with bench.replaying(folder, "--speed", "1x") as (topic, _, process):
            bench.wait_for_records(topic, process)
            time.sleep(SETTLE_S)
            before, before_s = Cpu.now(process.pid), time.monotonic()
            time.sleep(seconds)
            after, window_s = Cpu.now(process.pid), time.monotonic() - before_s
            process.terminate()
    except RuntimeError:
        assert process is not None
        if process.returncode != 143:  # stopped by SIGTERM
            raise
    return (after.of[process.pid] - before.of[process.pid]) / window_s


def _later(times: pa.Array) -> pa.Array:
    return pa.array(times.cast(pa.int64()).to_numpy() + 1_760_000_000_000_000).cast(pa.timestamp("us"))


def measure(setting: Setting) -> list[Table]:
    seconds = SHORT_WINDOW_S if setting.is_short else WINDOW_S
    figures: list[Figure] = []
    with KafkaCluster(setting.scratch / "kafka") as kafka:
        bench = Bench(setting.scratch, kafka)
        at_rate(bench, 1_000, 3)  # a fresh broker is busy with itself
        for rows_per_s in RATES:
            setting.say(f"{rows_per_s:,} rows/s for {seconds:g} s")
            figures += _of_rate(rows_per_s, at_rate(bench, rows_per_s, seconds), seconds)
        setting.say("true gaps")
        paced, gap_ms = at_speed(bench, seconds / 2)
        error, others = (
            abs(paced.rate_error),
            f"a day in {seconds / 2:g} s, median gap {gap_ms:.2f} ms; {_others(paced)}",
        )
        figures.append(at_most("`--speed`: error of the whole", error, 0.001, f"{error:.3%}", "0.1 %", others))
        figures.append(Figure("`--speed`: lateness p50 / p99 / max", paced.late.p99_ms, f"{paced.late} ms"))
        setting.say("a broker that stalls")
        figures += _of_stall(5_000, stalled(bench, 5_000, 24 if setting.is_short else 45))
        setting.say("a long gap")
        cores = waiting_cores(bench, seconds / 2)
        figures.append(at_most("waiting in a gap of an hour: CPU of a core", cores, 0.01, f"{cores:.1%}", "about 0"))
    note = f"windows of {seconds:g} s; lateness and bursts as the records' timestamps tell (1 ms)"
    return [table("Pacing", figures, note)]


def _others(paced: Paced) -> str:
    return f"others used {paced.other_cores:.2f} cores, the broker {paced.broker_cores:.2f}"


def _of_rate(rows_per_s: int, paced: Paced, seconds: float) -> list[Figure]:
    name, error, p99_ms = f"{rows_per_s:,} rows/s", abs(paced.rate_error), paced.late.p99_ms
    what = f"{seconds:g} s; {_others(paced)}"
    late = f"{name}: lateness p50 / p99 / max"
    figures = [at_most(f"{name}: error of the mean rate", error, 0.001, f"{error:.3%}", "0.1 %", what)]
    if rows_per_s == 5_000:
        figures.append(at_most(late, p99_ms, 5, f"{paced.late} ms", "5 ms (p99)"))
        figures.append(at_most(f"{name}: CPU of a core", paced.cores, 0.06, f"{paced.cores:.1%}", "6 %"))
    else:
        figures.append(Figure(late, p99_ms, f"{paced.late} ms"))
        figures.append(Figure(f"{name}: CPU of a core", paced.cores, f"{paced.cores:.1%}"))
    most = paced.bursts
    shown = f"{most.at_once:,} / {most.in_5_ms:,} rows"
    due = f"due in 5 ms: {rows_per_s / 200:g}"
    return [*figures, Figure(f"{name}: largest burst in 1 ms / 5 ms", most.in_5_ms, shown, note=due)]


def _of_stall(rows_per_s: int, seen: Stalled) -> list[Figure]:
    name = f"{rows_per_s:,} rows/s, broker frozen for {STALL_S:g} s"
    error, times = abs(seen.error_after), seen.most_in_100_ms / (rows_per_s / 10)
    return [
        at_most(f"{name}: error of the rate afterwards", error, 0.005, f"{error:.2%}", "0.5 %"),
        at_most(f"{name}: most rows in 100 ms", times, 3, f"{times:.1f} times what is due", "3 times", "no burst"),
        Figure(f"{name}: schedule shifted by", seen.shifted_s, f"{seen.shifted_s:.1f} s"),
        Figure(
            f"{name}: handed over meanwhile",
            seen.handed_over_rows,
            f"{seen.handed_over_rows:,} rows",
            note="until the stall counts as an outage; the broker gets them at once when it is back",
        ),
    ]
