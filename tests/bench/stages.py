"""Where the time of a row goes, stage by stage, and what the broker's place costs.

The stages are replay's own functions, each in a process of its own that does nothing else: CPU per row, of the thread
that does it all and of librdkafka's threads. A profiler would distort what takes a microsecond.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from replay.checkpoint.file import CheckpointFile
from replay.checkpoint.progress import fresh_start
from replay.cli.sample_trades import SampleSpec, write_sample
from replay.delivery.acks import Chunk, Frontier
from replay.delivery.session import CHUNK_ROWS
from replay.delivery.slices import ENCODE_ROWS, slices
from replay.kafka.options import KafkaOptions
from replay.kafka.partitioner import partitioner
from replay.kafka.producer import KafkaSink
from replay.model import Encoded
from replay.source.options import SourceOptions
from replay.source.source import Source
from tests.bench.setting import Setting, Used, replay_run, used
from tests.bench.table import Table, ratio
from tests.support.kafka_cluster import KafkaCluster
from tests.support.topics import create_topic

PARTITIONS = 6
IN_FLIGHT_ROWS_MAX = 90_000  # about a replay's default, which is what librdkafka's queue takes, too
SAVES = 100  # of the checkpoint: a millisecond each, so enough for a mean
STAGES = {
    "look": "look at every row before the start",
    "read": "read",
    "encode": "encode (and read)",
    "produce": "produce, reports not looked at",
    "report": "produce, reports counted",
}


def measure(setting: Setting) -> list[Table]:
    rows = setting.rows // 2  # all of them are kept, encoded, while a stage that sends them is measured
    folder = setting.scratch / "trades"
    write_sample(folder, SampleSpec(rows, 16, 3))
    with KafkaCluster(setting.scratch / "kafka") as kafka:
        return [
            _stages(setting, folder, rows, kafka.bootstrap_servers),
            *([] if setting.is_short else [_places(setting, folder, rows, kafka.bootstrap_servers)]),
        ]


# -- stage by stage -----------------------------------------------------------------------------------------


def _stages(setting: Setting, folder: Path, rows: int, bootstrap_servers: str) -> Table:
    found: dict[str, list[dict[str, float]]] = {stage: [] for stage in STAGES}
    whole: list[Used] = []
    nothing: list[Used] = []
    for number in range(setting.runs):
        for stage in STAGES:
            topic = f"stage-{stage}-{number}"
            create_topic(bootstrap_servers, topic, PARTITIONS)
            command = [sys.executable, "-m", "tests.bench.stages", stage, str(folder), bootstrap_servers, topic]
            found[stage].append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
        create_topic(bootstrap_servers, f"whole-{number}", PARTITIONS)
        command = replay_run(folder, f"whole-{number}", bootstrap_servers, setting.scratch)
        whole.append(used(command))
        nothing.append(used(command))  # all is there: no more than the start
        setting.say(f"  round {number + 1} of {setting.runs}")
    lines = []
    for stage, text in STAGES.items():
        own, others = (
            statistics.median(each[name] for each in found[stage]) / rows * 1e9 for name in ("own", "others")
        )
        lines.append((text, f"{own:,.0f}", f"{others:,.0f}" if others >= 1 else ""))
    start_s = statistics.median(each.cpu_s for each in nothing)
    replay_ns = (statistics.median(each.cpu_s for each in whole) - start_s) / rows * 1e9
    lines.append(("**a replay**, without its start", f"{replay_ns:,.0f} in all", ""))
    save_ms = _save_ms(setting.scratch / "whole-0.json")
    notes = (
        f"{rows:,} rows, 16 symbols, {PARTITIONS} partitions; medians of {setting.runs} rounds, all in turn",
        f"the start of a replay: {start_s:.2f} s of CPU; a checkpoint: {save_ms:.1f} ms, once a second",
    )
    columns = "stage", "CPU ns/row, own thread", "librdkafka's threads"
    return Table("Where the time of a row goes", columns, tuple(lines), notes)


def _save_ms(path: Path) -> float:
    file = CheckpointFile(path.with_name("saved.json"))
    saved = CheckpointFile(path).load()
    assert saved is not None
    start_s = time.monotonic()
    for _ in range(SAVES):
        file.save(saved)
    return (time.monotonic() - start_s) / SAVES * 1_000


def child(stage: str, folder: str, bootstrap_servers: str, topic: str) -> dict[str, float]:
    """One stage over all rows; CPU seconds of this thread and of all others."""
    source = Source(SourceOptions((folder,)))
    encoder = source.encoder(partitioner("murmur2", PARTITIONS))

    def encoded() -> Iterator[Encoded]:
        for batch in source.batches(source.start):
            yield from (encoder.encode(batch, first, last) for first, last in slices(len(batch), ENCODE_ROWS))

    def drop(of: Iterator[object]) -> None:
        for _ in of:
            pass

    ready = list(encoded()) if stage in ("produce", "report") else []
    before = time.thread_time(), time.process_time()
    if stage == "look":
        drop(source.checked())
    elif stage == "read":
        drop(source.batches(source.start))
    elif stage == "encode":
        drop(encoded())
    else:
        _send(KafkaSink(KafkaOptions(bootstrap_servers, topic)), source, ready, counted=stage == "report")
    own = time.thread_time() - before[0]
    return {"own": own, "others": time.process_time() - before[1] - own}


def _send(sink: KafkaSink, source: Source, ready: list[Encoded], *, counted: bool) -> None:
    """As a session does, with all that it looks after left out."""
    frontier = Frontier(fresh_start(source.start, [0] * PARTITIONS))
    row = 0
    for records in ready:
        for first, last in slices(len(records), CHUNK_ROWS):
            chunk = Chunk(bytes=0, sent_at_s=0.0, first_row=row, rows=last - first, end=lambda: source.start)
            callbacks: list[Any] = (
                chunk.callbacks(records.partitions[first:last]) if counted else [None] * (last - first)
            )
            chunk.records = sink.send(records, slice(first, last), callbacks)
            if chunk.records < last - first:
                raise RuntimeError("librdkafka's queue is full: what waits for it has to be less")
            row += last - first
            if counted:
                frontier.sent(chunk)
                frontier.advance()
            sink.poll()
            while len(sink._producer) > IN_FLIGHT_ROWS_MAX:
                sink.poll(0.01)
    while not sink.drain(60, lambda: False):
        pass
    frontier.advance()
    if counted and frontier.row != row:
        raise RuntimeError(f"{frontier.row:,} of {row:,} rows acknowledged")


# -- the broker's place -------------------------------------------------------------------------------------


def _places(setting: Setting, folder: Path, rows: int, bootstrap_servers: str) -> Table:
    """A broker elsewhere, as near as one machine comes to it: it has a core of its own, and the replay the other."""
    cores = sorted(os.sched_getaffinity(0))
    walls: dict[str, list[float]] = {"on the same cores": [], "on a core of its own": []}
    os.sched_setaffinity(0, cores[:1])  # for the broker, which inherits it
    try:
        apart = KafkaCluster(setting.scratch / "apart")
        apart.start()
    finally:
        os.sched_setaffinity(0, cores)
    with apart:
        for number in range(setting.runs):
            for place, servers, pinned in (
                ("on the same cores", bootstrap_servers, []),
                ("on a core of its own", apart.bootstrap_servers, ["taskset", "-c", str(cores[-1])]),
            ):
                topic = f"{place.replace(' ', '-')}-{number}"
                create_topic(servers, topic, PARTITIONS)
                command = replay_run(folder, topic, servers, setting.scratch)
                walls[place].append(used([*pinned, *command]).wall_s)
    same, own = walls.values()
    rates = [(place, f"{rows / statistics.median(taken):,.0f}") for place, taken in walls.items()]
    note = f"with a core each against both on {len(cores)} cores: {ratio(same, own)} times as fast"
    return Table("The broker's place", ("broker", "rows/s, median"), tuple(rates), (note,))


if __name__ == "__main__":
    print(json.dumps(child(*sys.argv[1:])))
