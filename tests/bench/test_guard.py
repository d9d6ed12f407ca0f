"""A short guard against regressions: ratios of what is measured in turn, with generous bounds; never times."""

from __future__ import annotations

import pytest

from tests.bench import stages, throughput
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
