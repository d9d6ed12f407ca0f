"""What encoding a row costs in each format, with the fast packages and without them. No broker, no registry.

`python -m tests.bench.encoding FORMAT MISSING FOLDER ROWS` is one process that encodes rows that it has read before;
`MISSING` are packages that it does without ("a,b", or "").
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from replay.cli.sample_trades import SampleSpec, write_sample
from replay.delivery.slices import ENCODE_ROWS, slices
from replay.kafka.partitioner import partitioner
from replay.record.options import UNKNOWN_IDS, Records, ValueFormat
from replay.source.options import SourceOptions
from replay.source.source import Source
from tests.bench.setting import Setting
from tests.bench.table import Table


class Way(NamedTuple):
    """How values are written: in which format, without which packages, and how much slower than the others."""

    format: str
    missing: str = ""
    times_slower: int = 1


WAYS = (
    Way("json"),
    Way("avro"),
    Way("protobuf"),
    Way("json-schema"),
    Way("avro", "pyruhvro", 10),
    Way("protobuf", "ptars", 10),
)
PARTITIONS = 6
REPEATED = 5  # times, of which the fastest counts: others use the machine, too


def measure(setting: Setting) -> list[Table]:
    rows = setting.rows // 2
    folder = setting.scratch / "encoded"
    write_sample(folder, SampleSpec(rows, 16, 3))
    found: dict[Way, list[dict[str, float]]] = {way: [] for way in WAYS}
    encoders = {}
    for number in range(setting.runs):
        for way in WAYS:
            command = [sys.executable, "-m", "tests.bench.encoding", way.format, way.missing, str(folder)]
            command.append(str(rows // way.times_slower))
            done = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            encoders[way] = done.pop("encoder")
            found[way].append(done)
        setting.say(f"  encoding, round {number + 1} of {setting.runs}")
    rows_shown = []
    for way, taken in found.items():
        figures = [statistics.median(each[name] for each in taken) for name in taken[0]]
        rows_shown.append((way.format, encoders[way], *(f"{figure:,.1f}" for figure in figures)))
    columns = "format", "encoder", "record, CPU ns/row", "of that its value", "judging, CPU ns/row", "bytes a value"
    note = f"{rows:,} rows, a tenth of them row by row; medians of {setting.runs} rounds; CPU of all threads"
    return [Table("Encoding", columns, tuple(rows_shown), (note,))]


def child(value_format: str, missing: str, folder: str, rows: str) -> dict[str, float | str]:
    """CPU ns a row of all threads: of whole records, of their values alone, and of asking what has no place."""
    for package in filter(None, missing.split(",")):
        sys.modules[package] = None  # type: ignore[assignment]  # as if it were not installed
    records = Records(value_format=ValueFormat(value_format))
    source = Source(SourceOptions((folder,), records=records)).under(UNKNOWN_IDS)
    encoder, written = source.encoder(partitioner("murmur2", PARTITIONS)), source.format
    batches, left = [], int(rows)
    for batch in source.batches(source.start):
        batches += [(batch, *bounds) for bounds in slices(len(batch), ENCODE_ROWS)]
        left -= len(batch)
        if left <= 0:
            break
    tables = [batch.table.slice(first, last - first) for batch, first, last in batches]
    count = sum(map(len, tables))

    def ns_a_row(work: Callable[[], object]) -> float:
        taken = []
        for _ in range(REPEATED):
            before = time.process_time()
            work()
            taken.append(time.process_time() - before)
        return min(taken) / count * 1e9

    def misfits() -> None:
        for table in tables:
            for name in table.schema.names[1:]:
                written.misfits(name, table.column(name))

    first = written.payloads(tables[0])
    return {
        "encoder": written.encoder,
        "record": ns_a_row(lambda: deque((encoder.encode(*each) for each in batches), maxlen=0)),
        "value": ns_a_row(lambda: deque(map(written.payloads, tables), maxlen=0)),
        "misfits": ns_a_row(misfits),
        "bytes": (first.nbytes - 4 * (len(first) + 1)) / len(first),
    }


if __name__ == "__main__":
    print(json.dumps(child(*sys.argv[1:])))
