"""A short guard against regressions: ratios of what is measured in turn, with generous bounds; never times."""

from __future__ import annotations

import pytest

from tests.bench import encoding, memory, merge, stages, throughput
from tests.bench.contenders import IDEMPOTENT, TEXTBOOK, TRANSACTIONAL
from tests.bench.setting import Setting
from tests.bench.table import ratio
from tests.fault.conftest import own_cluster

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


def test_a_replay_is_far_faster_than_a_loop_over_rows(tmp_path):
    """Broken: something is done per row that should be done per column, or a commit waits for what it need not."""
    case = throughput.Case(500_000, (IDEMPOTENT, TRANSACTIONAL, TEXTBOOK), runs=3)
    with own_cluster(tmp_path / "kafka") as kafka:
        runs = throughput.run_all(case, kafka.bootstrap_servers, Setting(tmp_path))
    walls = {name: [each.wall_s for each in taken] for name, taken in runs.items()}
    assert ratio(walls[TEXTBOOK.name], walls[IDEMPOTENT.name]).median > 1.8, "4 on an idle machine, start-up aside"
    assert ratio(walls[IDEMPOTENT.name], walls[TRANSACTIONAL.name]).median > 0.6
    assert max(each.rss_mib for each in runs[IDEMPOTENT.name]) < 300


def test_no_stage_outgrows_the_others(tmp_path):
    """Broken: reading, encoding or counting reports costs more than librdkafka's own call for a row."""
    setting = Setting(tmp_path, rows=400_000, runs=3, is_short=True)
    (table,) = stages.measure(setting)
    own_ns = {row[0]: int(row[1].replace(",", "")) for row in table.rows if row[1].replace(",", "").isdigit()}
    look, read, encode, produce, report = own_ns.values()
    assert read < look * 3 < produce
    assert encode < produce * 1.5
    assert report < produce * 2.5


def test_a_value_under_a_schema_costs_no_more_than_bare_json(tmp_path):
    """Broken: values are made row by row, or each one is asked for its place where the types say that all have one."""
    (table,) = encoding.measure(Setting(tmp_path, rows=400_000, runs=2))
    record_ns, judging_ns = ({row[:2]: float(row[at].replace(",", "")) for row in table.rows} for at in (2, 4))
    bare = next(ns for (name, _), ns in record_ns.items() if name == "json")
    fast = {way: ns for way, ns in record_ns.items() if "pyruhvro" in way[1] or "ptars" in way[1]}
    assert len(fast) == 2, "both of the fast packages are there, and write"
    assert max(fast.values()) < bare * 1.2, "about half, with Avro"
    assert max(judging_ns.values()) < 20


def test_memory_and_cost_do_not_grow_with_rows_and_symbols(tmp_path):
    """Broken: rows or symbols are kept somewhere, or looked at again and again."""
    with own_cluster(tmp_path / "kafka", config=memory.FREED_OFTEN) as kafka:
        bench = memory.Bench(tmp_path, kafka)
        few, many = memory.Input(1_000_000), memory.Input(4_000_000)
        small, large, varied = map(bench.replayed, (few, many, memory.Input(4_000_000, symbols=10_000)))
    assert large.rss_mib < small.rss_mib * 1.3
    assert large.cpu_s / many.rows < small.cpu_s / few.rows * 1.3
    assert varied.cpu_s < large.cpu_s * 2


def test_files_that_overlap_cost_no_multiple(tmp_path):
    """Broken: each row, or each file, is touched once more than it need be."""
    table = merge.compared(tmp_path, 2_000_000, 2, merge.LAYOUTS[:3])
    cpu_ns = {row[0]: float(row[2].replace(",", "")) for row in table.rows}
    assert cpu_ns["50 overlapping"] < cpu_ns["one sorted file"] * 8
    assert cpu_ns["1,000 symbol-days"] < cpu_ns["one sorted file"] * 25, "of 2,000 rows each: opening is most of it"
