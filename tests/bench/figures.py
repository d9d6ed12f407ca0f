"""Figures beside their goals, as Markdown and JSON; and what lets each of these measures run by itself."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Setting:
    """`short`: smaller inputs and windows, for a look in passing. `scratch` is a folder that is thrown away."""

    scratch: Path
    short: bool
    rows_max: int
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` as `shown`; `goal` as told, and whether it is met: None where there is none."""

    what: str
    value: float
    shown: str
    goal: str = ""
    met: bool | None = None
    note: str = ""


def at_most(what: str, value: float, goal: float, shown: str, goal_shown: str, note: str = "") -> Figure:
    return Figure(what, value, shown, f"≤ {goal_shown}", value <= goal, note)


def at_least(what: str, value: float, goal: float, shown: str, goal_shown: str, note: str = "") -> Figure:
    return Figure(what, value, shown, f"≥ {goal_shown}", value >= goal, note)


def markdown(figures: Iterable[Figure]) -> str:
    lines = ["| | measured | goal | | |", "|---|---|---|---|---|"]
    words = {True: "met", False: "MISSED", None: ""}
    lines += [f"| {f.what} | {f.shown} | {f.goal} | {words[f.met]} | {f.note} |" for f in figures]
    return "\n".join(lines)


def machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("confluent-kafka", "pyarrow", "numpy"))
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {packages}"


def main(measure: Callable[[Setting], list[Figure]], doc: str | None) -> None:
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--rows-max", type=int, default=10_000_000, help="of what takes long: 100000000 for all of it")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--scratch", type=Path, help="where temporary files go; 100 M rows need 3 GB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="replay-bench-", dir=options.scratch) as scratch:
        say = lambda text: print(f"… {text}", flush=True)  # noqa: E731
        figures = measure(Setting(Path(scratch), options.short, options.rows_max, say))
    print(machine())
    print(markdown(figures))
    if options.json is not None:
        options.json.write_text(json.dumps({"machine": machine(), "figures": list(map(asdict, figures))}, indent=1))
