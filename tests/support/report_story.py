"""Made-up replays for the tests of the report: all numbers are chosen, so that pages can be compared."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from replay.counts import ByName, RowCounts
from replay.watch.figures import Quantiles
from replay.watch.report.data import Mark, MarkKind, ReportData, Run, Sample

BEGUN_S = datetime(2026, 11, 23, 2, 0, tzinfo=UTC).timestamp()
"""02:00 in the night."""

RATE = 5_000
ROWS = 12_000_000


def samples(begun_s: float, first_row: int, seconds: int, *, down: tuple[int, int] = (0, 0)) -> list[Sample]:
    """One a second, the same each time; between the two seconds of `down` nothing is acknowledged."""
    random, row, made = np.random.default_rng(7), first_row, []
    for second in range(1, seconds + 1):
        if down[0] <= second < down[1]:
            made.append(Sample(begun_s + second, row))
            continue
        row += int(RATE * random.uniform(0.9, 1.1))
        late, acked = random.lognormal(-6.5, 0.4), random.lognormal(-4.2, 0.3)
        if second == down[1]:
            late, acked = 0.9, float(down[1] - down[0])
        made.append(
            Sample(
                begun_s + second,
                row,
                Quantiles(late, late * 2.1, late * random.uniform(3, 9)),
                Quantiles(acked, acked * 1.8, acked * 2.5),
            )
        )
    return made


def run(begun_s: float, first_row: int, seconds: int, *, down: tuple[int, int] = (0, 0), **more: object) -> Run:
    taken = samples(begun_s, first_row, seconds, down=down)
    done = taken[-1].done_rows if taken else first_row
    return Run(begun_s, begun_s + seconds, first_row, done, done - first_row, samples=taken, rows_per_s=RATE, **more)  # type: ignore[arg-type]


def eventful() -> ReportData:
    """Night 2 of the story: an outage that is survived, one that is not, a kill, and the run that finishes it."""
    first = run(BEGUN_S, 0, 900, down=(300, 348), outages=1, outages_s=48.0, exit_code=5, process="night-1:4711",
                reason="no acknowledgement for 300 s (Connection refused)")  # fmt: skip
    second_s = first.last_s + 600
    second = run(second_s, first.done_rows, 420, process="night-1:4790")
    third_s = second.last_s + 5 * 3600
    third = run(third_s, second.done_rows, 700, exit_code=0, process="night-1:4802", already_there_rows=724)
    symbols = {f"SYM{number:02}": int(2_400_000 / (number + 1)) for number in range(30)}
    return ReportData(
        job="nightly-trades",
        date="2026-11-22",
        topic="trades",
        cluster="id x7Kq at kafka-1.example:9092,kafka-2.example:9092",
        delivery="idempotent",
        pace="5,000 rows/s",
        inputs=[f"/srv/trades/2026/11/22/part-{part:03}.parquet" for part in range(14)],
        counts=RowCounts(third.done_rows + 1_209, third.done_rows, 1_200, {"price_missing": 7, "symbol_missing": 2}),
        made_s=third.last_s + 5,
        first_event_s=BEGUN_S - 26 * 3600,
        last_event_s=BEGUN_S - 2 * 3600,
        runs=[first, second, third],
        marks=[
            Mark(MarkKind.OUTAGE, BEGUN_S + 300, BEGUN_S + 348,
                 "Connect to ipv4#10.0.0.7:9092 failed: Connection refused"),
            Mark(MarkKind.RESUME, second_s, second_s, f"at row {second.first_rows:,}, unclean stop"),
            Mark(MarkKind.RESUME, third_s, third_s + 45, f"at row {third.first_rows:,}, 724 rows were there already"),
        ],
        files=14,
        symbols=ByName(symbols),
        partitions=ByName({"2": 2_400_000, "4": 2_100_000, "0": 1_900_000, "1": 1_850_000}),
        bad_rows={"price is null": 7, "symbol is null or empty": 2},
        verdict={
            "exact": True, "topic": "trades", "isolation": "read_uncommitted", "rows": third.done_rows,
            "records": third.done_rows, "found": third.done_rows, "lost": 0, "duplicated": 0, "out_of_order": 0,
            "changed": 0, "misplaced": 0, "foreign": 0,
        },
        settings=[
            ("topic", "trades", "job file"),
            ("rate", "5000/s", "command line"),
            ("inputs", ["/srv/trades/{date:%Y/%m/%d}/*.parquet"], "job file"),
            ("key", "symbol", "default"),
            ("sasl.username", "nightly", "job file"),
            ("sasl.password", "hunter2", "job file"),
        ],
        versions={"replay": "0.1.0", "Python": "3.11.2", "librdkafka": "2.12.0", "pyarrow": "26.0.0"},
        machine={"Host": "night-1", "System": "Linux 6.1 x86_64", "CPUs": "2"},
    )  # fmt: skip
