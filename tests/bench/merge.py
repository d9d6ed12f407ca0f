"""`python -m tests.bench.merge`: what one order over many files costs a row, beside one sorted file of the same rows.

Each layout is read by a process of its own, in turn (A B C A B C …): quote the ratios, since machines are noisy. Every
process has to hand on all rows in order, or the run fails.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from replay.model import Batch, Ints, event_times_ns
from replay.record.encoder import Encoder
from replay.source.choices import Order
from replay.source.options import SourceOptions
from replay.source.order.sorting import sorted_stream
from replay.source.order.spill import SpillFiles
from replay.source.rows.raw import BATCH_ROWS_MAX
from replay.source.source import Source
from tests.bench.memory import FREED_OFTEN, KEPT
from tests.bench.setting import Setting, Used, replay_run, used
from tests.bench.table import Goal, Table, markdown, ratio
from tests.bench.witness import peak_mib
from tests.support.formats import bare_json
from tests.support.kafka_cluster import KafkaCluster
from tests.support.topics import create_topic

SYMBOLS, DAYS = 50, 20
DAY_US = 86_400_000_000
SORT = 64 << 20  # bytes that a sort may take: a tenth of what 20 M rows do
GOALS = {"1,000 symbol-days": 2.0, "50 overlapping": 2.0}
LAYOUTS = ("one sorted file", "1,000 symbol-days", "50 overlapping", "1,000 overlapping", "one shuffled file")


def write_layouts(folder: Path, rows: int) -> None:
    """The same trades in every layout; symbols differ in how often they trade, as they do on an exchange."""
    rng = np.random.default_rng(5)
    weights = 1 / np.arange(1, SYMBOLS + 1) ** 0.5
    symbols = rng.choice(SYMBOLS, rows, p=weights / weights.sum()).astype(np.int32)
    table = pa.table(
        {
            "symbol": pa.DictionaryArray.from_arrays(symbols, [f"SYM{n:02}USDT" for n in range(SYMBOLS)]),
            "price": np.round(rng.uniform(1, 100_000, rows), 2),
            "event_time": pa.array(1_760_000_000_000_000 + np.sort(rng.integers(0, DAYS * DAY_US, rows))).view(
                pa.timestamp("us")
            ),
        }
    )
    days = (table["event_time"].cast(pa.int64()).to_numpy() - 1_760_000_000_000_000) // DAY_US
    parts: dict[str, Ints] = {
        LAYOUTS[0]: np.zeros(rows, dtype=np.int64),
        LAYOUTS[1]: days * SYMBOLS + symbols,
        LAYOUTS[2]: symbols.astype(np.int64),
        LAYOUTS[3]: rng.integers(0, SYMBOLS * DAYS, rows),
    }
    for layout, part in parts.items():
        (folder / layout).mkdir()
        by_part = table.take(np.argsort(part, kind="stable"))
        ends = np.cumsum(np.bincount(part)).tolist()
        for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            pq.write_table(by_part.slice(start, end - start), folder / layout / f"{number}.parquet")
    (folder / LAYOUTS[4]).mkdir()
    pq.write_table(table.take(rng.permutation(rows)), folder / LAYOUTS[4] / "0.parquet")


def batches(source: Source, layout: str, sort_bytes: int) -> Iterator[Batch]:
    if layout != LAYOUTS[4]:
        yield from source.batches(source.start)
        return
    position = source.start
    with SpillFiles() as spill:
        for table in sorted_stream(source._streams.rows(0, 0, spill), sort_bytes, spill)(BATCH_ROWS_MAX):
            yield Batch(position, table, 0)


def child(folder: str, layout: str, encode: bool, sort_bytes: int) -> None:
    order = Order.AS_IS if layout == LAYOUTS[4] else Order.EVENT_TIME  # as it is: the reader does not look at the order
    start_s = time.monotonic()
    source = Source(SourceOptions((f"{folder}/{layout}",), order=order))
    open_s = time.monotonic() - start_s
    encoder = Encoder(source.symbols, bare_json(source.symbols), lambda _: 0)
    rows, last_ns, start_s, start_cpu_s = 0, 0, time.monotonic(), time.process_time()
    for batch in batches(source, layout, sort_bytes):
        ends = event_times_ns(batch.table)[[0, -1]]
        if ends[0] < last_ns:
            raise RuntimeError(f"{layout}: row {rows:,} or the one behind it is out of order")
        last_ns, rows = int(ends[1]), rows + len(batch)
        if encode:
            encoder.encode(batch)
    figures = {
        "rows": rows,
        "open_s": open_s,
        "ns": (time.monotonic() - start_s) / rows * 1e9,
        "cpu_ns": (time.process_time() - start_cpu_s) / rows * 1e9,
        "rss_mib": peak_mib(os.getpid()),
    }
    print(json.dumps(figures))


def _in_a_process(folder: Path, layout: str, encode: bool, sort_bytes: int, rows: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.merge", "--child", layout, "--folder", str(folder)]
    command += ["--sort-bytes", str(sort_bytes), *(["--encode"] if encode else [])]
    figures: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    if figures["rows"] != rows:
        raise RuntimeError(f"{layout}: {figures['rows']:,} of {rows:,} rows")
    return figures


def compared(
    folder: Path,
    rows: int,
    runs: int,
    layouts: Sequence[str] = LAYOUTS,
    *,
    encode: bool = False,
    sort_bytes: int = SORT,
) -> Table:
    """The layouts in turn, so many rounds, each against the first of them."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / LAYOUTS[0]).exists():
        write_layouts(folder, rows)
    taken: dict[str, list[dict[str, float]]] = {layout: [] for layout in layouts}
    for number in range(runs + 1):  # the first round warms the page cache up
        for layout, of_it in taken.items():
            figures = _in_a_process(folder, layout, encode, sort_bytes, rows)
            if number:
                of_it.append(figures)
    lines, goals = [], []
    for layout, of_it in taken.items():
        ns, cpu_ns, open_s = (statistics.median(run[name] for run in of_it) for name in ("ns", "cpu_ns", "open_s"))
        times, cpu_times = (
            ratio([run[name] for run in of_it], [run[name] for run in taken[layouts[0]]]) for name in ("ns", "cpu_ns")
        )
        rss_mib = max(run["rss_mib"] for run in of_it)
        lines.append(
            (layout, f"{ns:,.0f}", f"{cpu_ns:,.0f}", str(times), str(cpu_times), f"{open_s:.2f}", f"{rss_mib:,.0f}")
        )
        if layout in GOALS:
            goals.append(Goal(f"{layout} / {layouts[0]}, ns a row", times.median, GOALS[layout], at_least=False))
    title = f"One order over many files: {rows:,} rows, {'encoded' if encode else 'read only'}"
    columns = "", "ns/row", "CPU ns/row", "ns/row, against the first", "CPU, against the first", "open s", "RSS MiB"
    return Table(title, columns, tuple(lines), (f"{runs} rounds, all in turn",), tuple(goals))


def replayed(setting: Setting, folder: Path, rows: int, runs: int) -> Table:
    """Whole replays of the layouts that people have, on a real broker: what it comes to for whoever waits."""
    taken: dict[str, list[Used]] = {layout: [] for layout in LAYOUTS[:3]}
    with KafkaCluster(setting.scratch / "kafka", config=FREED_OFTEN) as kafka:
        for number in range(runs):
            for place, (layout, of_it) in enumerate(taken.items()):
                topic = f"merge-{place}-{number}"
                create_topic(kafka.bootstrap_servers, topic, 6, config=KEPT)
                of_it.append(used(replay_run(folder / layout, topic, kafka.bootstrap_servers, setting.scratch)))
    lines, goals, first = [], [], taken[LAYOUTS[0]]
    for layout, of_it in taken.items():
        times = ratio([run.wall_s for run in of_it], [run.wall_s for run in first])
        cpu_us = statistics.median(run.cpu_s for run in of_it) / rows * 1e6
        rate = rows / statistics.median(run.wall_s for run in of_it)
        lines.append((layout, f"{rate:,.0f}", f"{cpu_us:.2f}", str(times), f"{max(run.rss_mib for run in of_it):,.0f}"))
        if layout in GOALS:
            goals.append(Goal(f"{layout} / {LAYOUTS[0]}, a whole replay", times.median, GOALS[layout], at_least=False))
    columns = "", "rows/s", "CPU us/row", "time, against the first", "RSS MiB"
    title = f"One order over many files: {rows:,} rows, whole replays, every row looked at before"
    return Table(title, columns, tuple(lines), (f"{runs} rounds, all in turn",), tuple(goals))


def measure(setting: Setting) -> list[Table]:
    rows, runs = (setting.rows, 2) if setting.is_short else (10 * setting.rows, min(3, setting.runs))
    folder = setting.scratch / "layouts"
    setting.say(f"the same {rows:,} rows in each layout")
    read_only, encoded = (compared(folder, rows, runs, encode=encode) for encode in (False, True))
    setting.say("whole replays")
    return [read_only, encoded, replayed(setting, folder, rows, min(2, runs))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sort-bytes", type=int, default=SORT)
    parser.add_argument("--layouts", nargs="*", default=LAYOUTS)
    parser.add_argument("--encode", action="store_true", help="through the encoder as well")
    parser.add_argument("--folder", help="keep the files here, or find them here")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.folder, options.child, options.encode, options.sort_bytes)
        return
    with tempfile.TemporaryDirectory(prefix="replay-bench-") as scratch:
        folder, how = Path(options.folder or scratch), {"encode": options.encode, "sort_bytes": options.sort_bytes}
        print(markdown(compared(folder, options.rows, options.runs, options.layouts, **how)))


if __name__ == "__main__":
    main()
