"""`python -m tests.bench`: every benchmark, one after the other, on this machine; tables for people, JSON for machines.

Each measure is a module with `measure(setting) -> list[Table]`. What is compared is run in turn (A B C A B C …).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from tests.bench.setting import Setting, machine
from tests.bench.table import Table, as_json, markdown

MEASURES = ("throughput", "formats", "secured", "stages", "pacing", "memory", "start", "merge", "seek")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", metavar="A,B", help=f"some of: {', '.join(MEASURES)}")
    parser.add_argument("--rows", type=int, default=2_000_000, help="of the base case")
    parser.add_argument("--runs", type=int, default=5, help="rounds of the base case")
    parser.add_argument("--short", action="store_true", help="less of everything: does it work at all?")
    parser.add_argument("--rows-max", type=int, default=10_000_000, help="of memory, growth; all of it: 100000000")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--scratch", type=Path, help="folder for trades and brokers (several GB)")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else MEASURES
    if unknown := set(names) - set(MEASURES):
        parser.error(f"--only: no measure {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    found: dict[str, list[Table]] = {}
    about = machine()
    print("\n".join(f"- {name}: {value}" for name, value in about.items()), flush=True)
    for name in names:
        start_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="replay-bench-", dir=options.scratch) as scratch:
            setting = Setting(Path(scratch), options.rows, options.runs, options.short, options.rows_max, say)
            found[name] = import_module(f"tests.bench.{name}").measure(setting)
        say(f"{name}: {time.monotonic() - start_s:.0f} s")
        for table in found[name]:
            print("\n" + markdown(table), flush=True)
        if options.json is not None:  # again after each: a run that is cut short has told what it knew
            content = {"machine": about, "tables": {key: list(map(as_json, value)) for key, value in found.items()}}
            options.json.write_text(json.dumps(content, indent=1) + "\n")
    missed = [goal for tables in found.values() for table in tables for goal in table.goals if not goal.is_met]
    say(f"{len(missed)} goals missed" + "".join(f"\n  {goal}" for goal in missed))
    return 0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
