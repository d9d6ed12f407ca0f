"""`python -m tests.bench.seek`: how long a resume far into the input takes, from a process's start to its first batch.

Two layouts of the same rows: one file (of row groups of a million rows), and files that overlap from end to end. The
process imports `replay`, finds the files, reads their footers, and reads on from the position; the broker plays no
part. Beside it the same from row 0, which is what the seek is to be measured against. The first batch has to begin with
the very row that the position names, or the run fails.
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
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from replay.model import Ints
from replay.position import Position
from tests.bench.setting import Setting
from tests.bench.table import Goal, Table, markdown
from tests.bench.witness import peak_mib

GROUP_ROWS = 1_000_000
START_US = 1_760_000_000_000_000
STEP_US = 1_000  # rows of all files together: one a millisecond


def _table(numbers: Ints) -> pa.Table:
    """Row `n` of the whole order has the time `START_US + n * STEP_US` and the price `n`."""
    symbols = pa.DictionaryArray.from_arrays((numbers % 16).astype(np.int32), [f"SYM{n:02}USDT" for n in range(16)])
    times = pa.array(START_US + numbers * STEP_US).view(pa.timestamp("us"))
    return pa.table({"symbol": symbols, "price": numbers.astype(np.float64), "event_time": times})


def write(folder: Path, rows: int, files: int) -> None:
    """Row `n` of the order is in file `n % files`."""
    folder.mkdir(parents=True)
    for file in range(files):
        with pq.ParquetWriter(folder / f"{file}.parquet", _table(np.zeros(0, dtype=np.int64)).schema) as writer:
            for start in range(file, rows, GROUP_ROWS * files):
                table = _table(np.arange(start, min(rows, start + GROUP_ROWS * files), files, dtype=np.int64))
                writer.write_table(table, row_group_size=GROUP_ROWS)


def child(folder: str, row: int, started_s: float) -> None:
    from replay.source.options import SourceOptions  # the time that imports take counts
    from replay.source.source import Source

    imported_s = time.time()
    source = Source(SourceOptions((folder,)))
    opened_s = time.time()
    files = len(source.files)
    cursors = tuple(len(range(file, row, files)) for file in range(files))
    batch = next(source.batches(Position(row, cursors)))
    first_s = time.time()
    if batch.table["price"][0].as_py() != row:
        raise RuntimeError(f"row {row:,} was to come next, but {batch.table['price'][0]} came")
    figures = {
        "import_s": imported_s - started_s,
        "open_s": opened_s - imported_s,
        "seek_s": first_s - opened_s,
        "all_s": first_s - started_s,
        "rss_mib": peak_mib(os.getpid()),
    }
    print(json.dumps(figures))


def _in_a_process(folder: Path, row: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.seek", "--child", str(folder), "--row", str(row)]
    done = subprocess.run([*command, "--started", str(time.time())], check=True, stdout=subprocess.PIPE)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def resumed(root: Path, rows: int, row: int, runs: int, layouts: Sequence[int] = (1, 50, 1_000)) -> Table:
    """From row 0 and from `row`, of as many files each, in turn."""
    for files in layouts:
        if not (root / str(files)).exists():
            write(root / str(files), rows, files)
    taken: dict[tuple[int, int], list[dict[str, float]]] = {}
    for number in range(runs + 1):  # the first round warms the page cache up
        for files in layouts:
            for start in (0, row):
                figures = _in_a_process(root / str(files), start)
                if number:
                    taken.setdefault((files, start), []).append(figures)
    lines, goals = [], []
    for (files, start), of_it in taken.items():
        all_s = sorted(run["all_s"] for run in of_it)
        parts = (statistics.median(run[name] for run in of_it) for name in ("import_s", "open_s", "seek_s"))
        spread = f"{all_s[0]:.2f} / {statistics.median(all_s):.2f} / {all_s[-1]:.2f}"
        rss_mib = max(run["rss_mib"] for run in of_it)
        lines.append((f"{files:,}", f"{start:,}", spread, *(f"{part:.2f}" for part in parts), f"{rss_mib:,.0f}"))
        if start:
            goals.append(
                Goal(f"resume at row {row:,} of {files:,} files, s", statistics.median(all_s), 3, at_least=False)
            )
    title = f"Seconds to the first batch, from the start of the process: {rows:,} rows"
    columns = "files", "from row", "all", "imports", "open", "seek", "RSS MiB"
    return Table(title, columns, tuple(lines), (f"{runs} rounds, all in turn",), tuple(goals))


def measure(setting: Setting) -> list[Table]:
    rows = 6_000_000 if setting.is_short else 60_000_000
    setting.say(f"{rows:,} rows, three times")
    return [resumed(setting.scratch, rows, rows // 6 * 5, 1 if setting.is_short else min(3, setting.runs))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000_000)
    parser.add_argument("--row", type=int, default=50_000_000, help="where to resume")
    parser.add_argument("--files", type=int, nargs="*", default=[1, 50, 1_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", help="keep the files here, or find them here")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.row, options.started)
        return
    with tempfile.TemporaryDirectory(prefix="replay-bench-") as scratch:
        folder = Path(options.folder or scratch)
        print(markdown(resumed(folder, options.rows, options.row, options.runs, options.files)))


if __name__ == "__main__":
    main()
