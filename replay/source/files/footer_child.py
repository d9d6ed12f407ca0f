"""The process that looks at footers before replay itself does: it may die of one. Run as a script, by `footers.py`.

It imports nothing of replay, and no numpy: so it is there in a tenth of a second. It reads a request at a time from
standard input (`REQUEST`, then the columns as JSON, then the footer) and answers each with one line. It ends where
standard input does.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from contextlib import suppress
from typing import Any, BinaryIO

REQUEST = struct.Struct(">III")
"""How many row groups a file may have, and the bytes of the columns' names and of the footer that follow."""

MEMORY_BYTES = 512 << 20
"""What looking at a footer may take. The largest ones of honest writers take ten times their length; one that is made
for it a hundred times."""

CPU_S = 60

_TEXT_MAX = 1_000

_STACK_BYTES = (
    4 << 20
)  # half of what a thread of replay has: a nesting that is too deep ends this process, not that one


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # for the whole group: replay ends this process
        signal.signal(number, signal.SIG_IGN)
    _limit(resource.RLIMIT_CORE, 0)
    sys.path.insert(0, sys.argv[1])
    sys.modules["numpy"] = None  # type: ignore[assignment]  # pyarrow does without
    import pyarrow as pa  # noqa: PLC0415 - found by what was put into the path
    import pyarrow.parquet as pq  # noqa: PLC0415

    _limit(resource.RLIMIT_STACK, _STACK_BYTES)
    with suppress(OSError):  # no such file on macOS, where the limit has no effect either
        with open("/proc/self/statm", encoding="ascii") as statm:
            mapped_bytes = int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        _limit(resource.RLIMIT_AS, mapped_bytes + MEMORY_BYTES)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := requests.read(REQUEST.size):
        groups_max, names_bytes, footer_bytes = REQUEST.unpack(head)
        names = json.loads(requests.read(names_bytes))
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + CPU_S)  # also where replay is gone
        answers.write(_answer(pa, pq, requests, footer_bytes, names, groups_max).encode() + b"\n")
        answers.flush()


def _answer(pa: Any, pq: Any, requests: BinaryIO, footer_bytes: int, names: list[str], groups_max: int) -> str:
    """`ok`, `groups N`, `memory`; or what Arrow says of it: `refused`, or `unknown` (not learnt yet), and a text."""
    try:
        footer = requests.read(footer_bytes)
        parquet = pq.ParquetFile(pa.BufferReader(footer))
        _ = parquet.schema_arrow
        if parquet.metadata.num_row_groups > groups_max:
            return f"groups {parquet.metadata.num_row_groups}"
        with suppress(OSError, ValueError, NotImplementedError):  # Arrow's are among these
            _look(parquet, names)
    except MemoryError:
        return "memory"
    except Exception as error:
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if "bad_alloc" in text:  # Thrift's words for it
            return "memory"
        return f"{'unknown' if isinstance(error, NotImplementedError) else 'refused'} {json.dumps(text[:_TEXT_MAX])}"
    return "ok"


def _look(parquet: Any, names: list[str]) -> None:
    """At all that replay looks at, of what Arrow reads only when it is asked for. It says what is wrong with it, if
    this process lives."""
    metadata = parquet.metadata
    _ = metadata.metadata, metadata.created_by
    paths = parquet.reader.column_paths
    for path, place in zip(paths, range(metadata.num_columns), strict=True):
        if path[0] in names:
            parquet.schema.column(place).logical_type.to_json()
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(metadata.num_columns):
            chunk = group.column(place)
            if paths[place][0] in names:
                statistics = chunk.statistics
                if statistics is not None and statistics.has_min_max:
                    _ = statistics.min_raw, statistics.max_raw


def _limit(what: int, value: int) -> None:
    """As soft limit; what the system does not know, or has set lower, stays."""
    with suppress(OSError, ValueError):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


if __name__ == "__main__":
    main()
