"""What a format of values costs: replays under a schema beside one of bare JSON, and beside arrow-kafka-pyo3, which
writes the same Avro records (`same_records.py` proves it). Then encoding alone (`encoding.py`).

Whole processes on a real broker and a real registry of their own, start-up and registration included.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tests.bench import encoding, same_records
from tests.bench.contenders import ARROW_SINK, AVRO, IDEMPOTENT, JSON_SCHEMA, PROTOBUF
from tests.bench.setting import Setting, Used
from tests.bench.table import Goal, Ratio, Table, ratio
from tests.bench.throughput import Case, Runs, run_all
from tests.support.kafka_cluster import KafkaCluster
from tests.support.registry import Registry

CONTENDERS = (IDEMPOTENT, AVRO, PROTOBUF, JSON_SCHEMA, ARROW_SINK)


def measure(setting: Setting) -> list[Table]:
    cases = [Case(setting.rows, CONTENDERS, setting.runs)]
    if not setting.is_short:  # what the start costs is a small part of this one
        cases.append(Case(3 * setting.rows, (IDEMPOTENT, AVRO, ARROW_SINK), setting.runs))
    tables = []
    with KafkaCluster(setting.scratch / "kafka") as kafka, Registry(setting.scratch / "registry") as registry:
        proof = ARROW_SINK.missing or same_records.prove(setting.scratch, kafka.bootstrap_servers, registry)
        for case in cases:
            setting.say(f"Formats: {case.shown}")
            tables.append(_table(case, run_all(case, kafka.bootstrap_servers, setting, registry.url), proof))
    return [*tables, *encoding.measure(setting)]


def faster(ours: Sequence[Used], theirs: Sequence[Used]) -> Ratio:
    """By what factor ours has more rows a second, round by round."""
    return ratio([run.wall_s for run in theirs], [run.wall_s for run in ours])


def _table(case: Case, runs: Runs, proof: str) -> Table:
    bare, arrow = runs[IDEMPOTENT.name], runs.get(ARROW_SINK.name)
    rows = []
    for name, taken in runs.items():
        rates = sorted(case.rows / run.wall_s for run in taken)
        cpu_us = statistics.median(run.cpu_s for run in taken) / case.rows * 1e6
        cells = f"{rates[0]:,.0f} / {statistics.median(rates):,.0f} / {rates[-1]:,.0f}", f"{cpu_us:.2f}"
        against = ["" if other is None or other is taken else str(faster(taken, other)) for other in (bare, arrow)]
        rows.append((name, *cells, f"{max(run.rss_mib for run in taken):,.0f}", *against))
    columns = (
        "", "rows/s: min / median / max", "CPU us/row", "RSS MiB",
        f"is so many times as fast as {IDEMPOTENT.name}", f"as {ARROW_SINK.name}",
    )  # fmt: skip
    rounds = f"{case.runs} round{'s' * (case.runs > 1)}, all in turn; whole processes, start-up included"
    return Table(f"Formats: {case.shown}", columns, tuple(rows), (rounds, proof), tuple(_goals(runs)))


def _goals(runs: Runs) -> Sequence[Goal]:
    """Those of the contenders that took part."""
    pairs = (AVRO, IDEMPOTENT, 0.95), (PROTOBUF, IDEMPOTENT, 0.95), (AVRO, ARROW_SINK, 1.5)
    return [
        Goal(f"{ours.name} / {theirs.name}", faster(runs[ours.name], runs[theirs.name]).median, bound)
        for ours, theirs, bound in pairs
        if ours.name in runs and theirs.name in runs
    ]
