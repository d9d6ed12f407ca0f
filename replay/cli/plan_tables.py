"""A plan as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from replay.delivery.plan import SHOWN_MAX, Plan, utc_ns
from replay.delivery.scan import HOUR_NS, Scan
from replay.errors import TEXT_MAX, printable
from replay.units import duration

CELL_MAX = 500  # characters of a path or a symbol

BARS_MAX = 48
"""Lines of the histogram: two days of hours; longer spans get wider bars."""


def size_text(size: float) -> str:
    """`1.5 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1_000:
            return f"{size:.3g} {unit}"
        size /= 1_000
    return f"{size:,.3g} TB"


def bars(counts: dict[int, int], lines_max: int = BARS_MAX, width: int = 40) -> list[tuple[str, int, str]]:
    """A histogram of hours: moment, records, bar; neighbouring hours together, so that it fits."""
    if not counts:
        return []
    low, high = min(counts), max(counts) + 1
    step = next(hours for hours in _STEPS_H if (high - 1) // hours - low // hours < lines_max)
    sums = Counter[int]()
    for hour, rows in counts.items():
        sums[hour // step] += rows
    most = max(sums.values())
    lines = []
    for at in range(low // step, (high - 1) // step + 1):
        moment = (utc_ns(at * step * HOUR_NS) or "")[:16].replace("T", " ")
        lines.append((moment, sums[at], "█" * round(width * sums[at] / most) or ("▏" if sums[at] else "")))
    return lines


_STEPS_H = (1, 2, 3, 6, 12, 24, 48, 7 * 24, 14 * 24, 28 * 24, 91 * 24, 365 * 24, 3650 * 24, 10**9)


def plan_text(plan: Plan) -> Group:
    """Tables for a terminal."""
    parts: list[Any] = [_files_table(plan), _totals(plan)]
    if plan.scan is not None:
        parts += [_symbols_table(plan.scan)] if plan.scan.symbols else []
        parts += [_partitions_table(plan)] if plan.partitions else []
        chart = Table("from (UTC)", "records", "", title="trades over time")
        for moment, rows, bar in bars(plan.scan.hours):
            chart.add_row(moment, f"{rows:,}", bar)
        parts.append(chart)
    parts += [cell(f"! {problem}", TEXT_MAX) for problem in plan.problems]
    if plan.scan is None:
        parts.append(Text("symbols, partitions, bad rows and the histogram: add --scan, which reads every row"))
    return Group(*parts)


def cell(text: str, characters_max: int = CELL_MAX) -> Text:
    """Text from outside: without control characters, and without markup."""
    return Text(printable(text, characters_max))


def _files_table(plan: Plan) -> Table:
    table = Table("file", "rows", "size", "from (UTC)", "to", title="files, in order")
    order = sorted(plan.files, key=lambda file: (file.first_ns is None, file.first_ns or 0))
    for file in order[:SHOWN_MAX]:
        ends = ((utc_ns(ns) or "?").removesuffix("Z") for ns in (file.first_ns, file.last_ns))
        table.add_row(cell(file.path), f"{file.rows:,}", size_text(file.size_bytes), *ends)
    if len(order) > SHOWN_MAX:
        table.add_row(f"... and {len(order) - SHOWN_MAX:,} more", "", "", "", "")
    return table


def _totals(plan: Plan) -> Table:
    pruned = f", of {plan.rows_all:,}: row groups that cannot match are left out" if plan.rows < plan.rows_all else ""
    lines = [
        ("rows", f"{plan.rows:,}{pruned}"),
        ("picked", plan.picked),
        ("records", f"{plan.scan.records:,}" if plan.scan is not None else ""),
        ("tables", plan.tables),
        ("files", f"{len(plan.files):,}, {size_text(plan.size_bytes)}; at most {plan.open_max:,} at a time"),
        ("in the topic", f"{size_text(plan.topic_bytes)} without compression"),
    ]
    if plan.first_ns is not None and plan.last_ns is not None:
        lines.append(("event time", _span(plan.first_ns, plan.last_ns)))
    lines += [("gap", _span(first, last)) for first, last in plan.gaps_ns[:SHOWN_MAX]]
    lines.append(("takes", duration(plan.duration_s) if plan.duration_s is not None else ""))
    for each in plan.schemas:
        lines.append((f"{each.part} schema", f"{each.name} as {each.subject}" + f"; {each.standing}".rstrip("; ")))
    lines.append(("checkpoint", plan.checkpoint))
    table = Table(show_header=False, box=None)
    for label, text in lines:
        if text:
            table.add_row(label, cell(text, TEXT_MAX))
    return table


def _span(first_ns: int, last_ns: int) -> str:
    return f"{utc_ns(first_ns)} to {utc_ns(last_ns)}, {duration((last_ns - first_ns) / 1e9)}"


def _symbols_table(scan: Scan) -> Table:
    table = Table("symbol", "records", title=f"{len(scan.symbols):,} symbols")
    for symbol, rows in list(scan.symbols.items())[:SHOWN_MAX]:
        table.add_row(cell(symbol), f"{rows:,}")
    return table


def _partitions_table(plan: Plan) -> Table:
    mean = sum(plan.partitions) / len(plan.partitions)
    table = Table("partition", "records", "of the mean", title=f"skew {max(plan.partitions) / mean:.2f}")
    for partition, rows in enumerate(plan.partitions):
        table.add_row(str(partition), f"{rows:,}", f"{rows / mean:.2f}")
    return table
