"""What TLS costs: replays over it beside the same without, and kcat on ready lines over both.

Whole processes on one real broker with a listener for each, start-up included; in turn.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tests.bench.contenders import (
    IDEMPOTENT,
    KCAT_OVER_TLS,
    KCAT_READY,
    OVER_TLS,
    TRANSACTIONAL,
    TRANSACTIONAL_OVER_TLS,
    Contender,
    Tls,
)
from tests.bench.formats import faster
from tests.bench.setting import Setting
from tests.bench.table import Table
from tests.bench.throughput import Case, Runs, run_all
from tests.support.secured import SecuredKafka

PAIRS = ((OVER_TLS, IDEMPOTENT), (TRANSACTIONAL_OVER_TLS, TRANSACTIONAL), (KCAT_OVER_TLS, KCAT_READY))


def measure(setting: Setting) -> list[Table]:
    contenders = [contender for pair in PAIRS for contender in reversed(pair)]
    cases = [Case(setting.rows, contenders, setting.runs)]
    if not setting.is_short:
        cases.append(Case(setting.rows, contenders, setting.runs, compression="lz4"))
    tables = []
    with SecuredKafka(setting.scratch / "kafka") as kafka:
        tls = Tls(kafka.address("TLS"), str(kafka.authority.certificate))
        for case in cases:
            setting.say(f"TLS: {case.shown}")
            tables.append(_table(case, run_all(case, kafka.bootstrap_servers, setting, tls=tls)))
    return tables


def _table(case: Case, runs: Runs) -> Table:
    without = {ours.name: plain for ours, plain in PAIRS}
    rows = []
    for name, taken in runs.items():
        rates = sorted(case.rows / run.wall_s for run in taken)
        cpu_us = statistics.median(run.cpu_s for run in taken) / case.rows * 1e6
        cells = f"{rates[0]:,.0f} / {statistics.median(rates):,.0f} / {rates[-1]:,.0f}", f"{cpu_us:.2f}"
        rows.append((name, *cells, _against(runs, name, without.get(name)), _against(runs, name, KCAT_OVER_TLS)))
    columns = (
        "", "rows/s: min / median / max", "CPU us/row", "so many times as fast as without TLS",
        f"as {KCAT_OVER_TLS.name}",
    )  # fmt: skip
    rounds = f"{case.runs} round{'s' * (case.runs > 1)}, all in turn; whole processes, start-up included"
    return Table(f"TLS: {case.shown}", columns, tuple(rows), (rounds, *_missing(case.contenders)), ())


def _against(runs: Runs, name: str, other: Contender | None) -> str:
    if other is None or other.name not in runs or other.name == name:
        return ""
    return str(faster(runs[name], runs[other.name]))


def _missing(contenders: Sequence[Contender]) -> list[str]:
    return [f"{each.name}: left out, {each.missing}" for each in contenders if each.missing]
