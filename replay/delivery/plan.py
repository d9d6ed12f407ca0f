"""`replay plan`: what a replay would do, without doing it. Footers and statistics alone, or with `scan` every row.

Nothing is sent or written. What needs a broker (partitions, retention) is said where one is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from replay.delivery.options import Pace
from replay.delivery.pace import Timeline
from replay.kafka.partitioner import partitioner
from replay.model import Batch, Fate, Ints, count_fates, reasons
from replay.record.encoder import Encoder
from replay.reporter import Reporter
from replay.source.files.trust import until_true
from replay.source.options import OnBadRow, SourceOptions, Unsorted
from replay.source.ruled_out import look_at_ruled_out
from replay.source.source import Source

HOUR_NS = 3_600_000_000_000
SAMPLE_ROWS = 4_096
"""Rows encoded to learn how large records are: enough for a mean within a few per cent, done in milliseconds."""

GAP_NS = HOUR_NS
"""Event time without any file is told from this length on; shorter ones are how quiet markets look."""

BARS_MAX = 48
"""Lines of the histogram: two days of hours; longer spans get wider bars."""

SHOWN_MAX = 20  # files, symbols and gaps listed in the table; JSON has them all


@dataclass(frozen=True, slots=True)
class FilePlan:
    """Times in ns since 1970; None: the statistics do not tell. `backwards`: rows that go back in time (of a scan)."""

    path: str
    rows: int
    size_bytes: int
    first_ns: int | None
    last_ns: int | None
    backwards: int = 0
    first_backwards_row: int | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """What only reading every row can tell. `hours` maps hours since 1970 to records, `partitions` is by number."""

    records: int
    left_out: dict[str, int]
    symbols: dict[str, int]
    hours: dict[int, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """`rows` are those of the row groups that the selection leaves; `open_max` of the files overlap at most."""

    files: tuple[FilePlan, ...]
    rows: int
    rows_all: int
    size_bytes: int
    first_ns: int | None
    last_ns: int | None
    open_max: int
    gaps_ns: tuple[tuple[int, int], ...]
    record_bytes: float
    duration_s: float | None
    scan: Scan | None
    partitions: tuple[int, ...]
    problems: tuple[str, ...] = field(default_factory=tuple)
    checkpoint: str = ""
    picked: str = ""  # by a logical date without {date} in INPUT
    tables: str = ""  # the states of lake tables that are read

    @property
    def topic_bytes(self) -> int:
        """Of keys and values, without compression."""
        return round(self.record_bytes * (self.scan.records if self.scan is not None else self.rows))

    def as_json(self) -> dict[str, Any]:
        plan = asdict(self) | {"topic_bytes": self.topic_bytes}
        for each in (plan, *plan["files"]):
            each["first"], each["last"] = (utc_ns(each.pop(f"{end}_ns")) for end in ("first", "last"))
        plan["gaps"] = [{"from": utc_ns(first), "to": utc_ns(last)} for first, last in plan.pop("gaps_ns")]
        if self.scan is not None:
            plan["scan"]["hours"] = {utc_ns(hour * HOUR_NS): rows for hour, rows in self.scan.hours.items()}
        return plan


def make_plan(
    options: SourceOptions,
    pace: Pace,
    *,
    partitions: int | None,
    scan: bool,
    report: Reporter,
    check_stop: Callable[[], None],
) -> Plan:
    """Raises `InputError` only for what no option could replay: files and columns."""
    tolerant = replace(
        options,
        on_bad_row=OnBadRow.SKIP,
        unsorted=Unsorted.KEEP if options.unsorted is Unsorted.FAIL else options.unsorted,
    )
    return until_true(
        tolerant, lambda known: _make_plan(options, known, pace, partitions, scan, report, check_stop), report.warning
    )


def _make_plan(
    options: SourceOptions,
    tolerant: SourceOptions,
    pace: Pace,
    partitions: int | None,
    scan: bool,
    report: Reporter,
    check_stop: Callable[[], None],
) -> Plan:
    source = Source(tolerant)
    if scan and not options.trust_statistics:
        look_at_ruled_out(source.ruled_out, source.rows_all - source.rows, check_stop, report)
    # The partition is only counted by symbol here, so any number will do for the sizes of records.
    encoder = source.encoder(partitioner(options.records.partitioner, partitions or 1))
    record_bytes = _mean_record_bytes(source, encoder)
    scanned = _scan(source, report, check_stop) if scan else None
    files = tuple(_file_plan(source, index) for index in range(len(source.files)))
    spans = [(file.first_ns, file.last_ns) for file in files if file.rows]
    known = [(first, last) for first, last in spans if first is not None and last is not None]
    complete = len(known) == len(spans) and bool(known)
    by_partition = Counter[int]()
    if scanned is not None and partitions is not None and options.records.key_column is None:
        of = partitioner(options.records.partitioner, partitions)
        for symbol, rows in scanned.symbols.items():
            by_partition[of(symbol.encode())] += rows
    first, last = (min(f for f, _ in known), max(n for _, n in known)) if complete else (None, None)
    return Plan(
        files=files,
        rows=source.rows,
        rows_all=source.rows_all,
        size_bytes=sum(file.size_bytes for file in source.files),
        first_ns=first,
        last_ns=last,
        open_max=most_open(known) if complete else len(spans),
        gaps_ns=tuple(gaps(known)) if complete else (),
        record_bytes=record_bytes,
        duration_s=_duration_s(pace, scanned.records if scanned is not None else source.rows, first, last),
        scan=scanned,
        partitions=tuple(by_partition[p] for p in range(partitions)) if by_partition and partitions else (),
        picked=options.selection.told_by_date if options.selection is not None else "",
        tables=source.tables,
        problems=tuple(_problems(options, files, scanned, source)),
    )


# -- what there is ------------------------------------------------------------------------------------------


def most_open(spans: Sequence[tuple[int, int]]) -> int:
    """How many spans share a moment at most."""
    events = sorted([(first, 0) for first, _ in spans] + [(last, 1) for _, last in spans])
    now = most = 0
    for _, ends in events:  # at the same moment, beginnings come first: both hold rows of it
        now += -1 if ends else 1
        most = max(most, now)
    return most


def gaps(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Stretches of at least `GAP_NS` that no span covers."""
    end: int | None = None
    for first, last in sorted(spans):
        if end is not None and first - end >= GAP_NS:
            yield end, first
        end = last if end is None else max(end, last)


def _file_plan(source: Source, index: int) -> FilePlan:
    file = source.files[index]
    first, last = source.span_ns(index) or (None, None)
    backwards, first_row = source.unsorted.get(index, (0, None))
    return FilePlan(file.shown, file.rows, file.size_bytes, first, last, backwards, first_row)


def _mean_record_bytes(source: Source, encoder: Encoder) -> float:
    """Of the first records; 0 if none is selected."""
    for batch in source.checked():
        encoded = encoder.encode(batch.first(SAMPLE_ROWS))
        if len(encoded):
            return float(encoded.record_bytes.mean())
    return 0.0


def _scan(source: Source, report: Reporter, check_stop: Callable[[], None]) -> Scan:
    fates, symbols, hours = Counter[Fate](), Counter[int](), Counter[int]()
    for batch in source.checked():
        check_stop()
        report.phase("reading", batch.start.row + len(batch), source.rows)
        sent = _sent(batch)
        if batch.fates is not None:
            fates += count_fates(batch.fates)
        symbols.update(_counts(np.asarray(batch.table.column("symbol").to_numpy(), dtype=np.int64)[sent]))
        hours.update(_counts(source.times_ns(batch)[sent] // HOUR_NS))
    names = source.symbols.names
    return Scan(
        records=source.rows - fates.total(),
        left_out={fate.name.lower(): rows for fate, rows in sorted(fates.items())},
        symbols={names[symbol]: rows for symbol, rows in symbols.most_common()},
        hours=dict(sorted(hours.items())),
    )


def _sent(batch: Batch) -> Any:
    return slice(None) if batch.fates is None else batch.fates == Fate.SENT


def _counts(values: Ints) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _duration_s(pace: Pace, records: int, first_ns: int | None, last_ns: int | None) -> float | None:
    """None where only Kafka knows; for a speed, without the gaps that --max-gap would shorten."""
    if pace.rows_per_s is not None:
        return records / pace.rows_per_s
    if pace.speed is None or first_ns is None or last_ns is None:
        return None
    due, _ = Timeline().deadlines(pace, np.array([first_ns, last_ns]))
    return float(due[-1]) if due is not None and pace.gap_max_s is None else None


def _problems(options: SourceOptions, files: Sequence[FilePlan], scan: Scan | None, source: Source) -> Iterator[str]:
    if source.left_out.looks_like_input:
        yield source.left_out.told(source.files_all)
    backwards = [file for file in files if file.backwards]
    for file in backwards[:SHOWN_MAX]:
        yield (
            f"{file.path}: {file.backwards:,} rows go back in time, the first is row {file.first_backwards_row:,}"
            f" (the first is 0){'' if options.unsorted is not Unsorted.FAIL else ': --unsorted sort or keep'}"
        )
    if scan is None and not source.rows:
        yield "no row is selected"
    if scan is not None:
        bad = Counter({fate: scan.left_out.get(fate.name.lower(), 0) for fate in Fate if fate.is_bad})
        if bad := +bad:
            remedy = ": --on-bad-row skip or quarantine" if options.on_bad_row is OnBadRow.FAIL else ""
            yield f"{bad.total():,} bad rows ({reasons(bad)}){remedy}"
        if not scan.records:
            yield "no row is selected"
    if selection := options.selection:
        seen = source.symbols.names if scan is not None else []
        for name in selection.unmatched(seen) if scan is not None else []:
            yield f"--symbols: there is no {name}"
        if selection.utc_assumed:
            yield f"{' and '.join(selection.utc_assumed)} without a zone: taken as UTC"


# -- for people ---------------------------------------------------------------------------------------------


def utc_ns(ns: int | None) -> str | None:
    """`2026-11-22T10:00:00.123456Z`."""
    if ns is None:
        return None
    text = datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ns % 1_000_000_000 // 1_000:06}Z"


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


def plan_text(plan: Plan, duration: Callable[[float], str]) -> Group:
    """Tables for a terminal."""
    parts: list[Any] = [_files_table(plan), _totals(plan, duration)]
    if plan.scan is not None:
        parts += [_symbols_table(plan.scan), *([_partitions_table(plan)] if plan.partitions else [])]
        chart = Table("from (UTC)", "records", "", title="trades over time")
        for moment, rows, bar in bars(plan.scan.hours):
            chart.add_row(moment, f"{rows:,}", bar)
        parts.append(chart)
    parts += [Text(f"! {problem}") for problem in plan.problems]
    if plan.scan is None:
        parts.append(Text("symbols, partitions, bad rows and the histogram: add --scan, which reads every row"))
    return Group(*parts)


def _files_table(plan: Plan) -> Table:
    table = Table("file", "rows", "size", "from (UTC)", "to", title="files, in order")
    order = sorted(plan.files, key=lambda file: (file.first_ns is None, file.first_ns or 0))
    for file in order[:SHOWN_MAX]:
        ends = ((utc_ns(ns) or "?").removesuffix("Z") for ns in (file.first_ns, file.last_ns))
        table.add_row(file.path, f"{file.rows:,}", size_text(file.size_bytes), *ends)
    if len(order) > SHOWN_MAX:
        table.add_row(f"... and {len(order) - SHOWN_MAX:,} more", "", "", "", "")
    return table


def _totals(plan: Plan, duration: Callable[[float], str]) -> Table:
    table = Table(show_header=False, box=None)
    pruned = f", of {plan.rows_all:,}: row groups that cannot match are left out" if plan.rows < plan.rows_all else ""
    table.add_row("rows", f"{plan.rows:,}{pruned}")
    if plan.picked:
        table.add_row("picked", plan.picked)
    if plan.scan is not None:
        table.add_row("records", f"{plan.scan.records:,}")
    if plan.tables:
        table.add_row("tables", plan.tables)
    table.add_row("files", f"{len(plan.files):,}, {size_text(plan.size_bytes)}; at most {plan.open_max:,} at a time")
    table.add_row("in the topic", f"{size_text(plan.topic_bytes)} without compression")
    if plan.first_ns is not None and plan.last_ns is not None:
        span_s = (plan.last_ns - plan.first_ns) / 1e9
        table.add_row("event time", f"{utc_ns(plan.first_ns)} to {utc_ns(plan.last_ns)}, {duration(span_s)}")
    for first, last in plan.gaps_ns[:SHOWN_MAX]:
        table.add_row("gap", f"{utc_ns(first)} to {utc_ns(last)}, {duration((last - first) / 1e9)}")
    if plan.duration_s is not None:
        table.add_row("takes", duration(plan.duration_s))
    if plan.checkpoint:
        table.add_row("checkpoint", plan.checkpoint)
    return table


def _symbols_table(scan: Scan) -> Table:
    table = Table("symbol", "records", title=f"{len(scan.symbols):,} symbols")
    for symbol, rows in list(scan.symbols.items())[:SHOWN_MAX]:
        table.add_row(symbol, f"{rows:,}")
    return table


def _partitions_table(plan: Plan) -> Table:
    mean = sum(plan.partitions) / len(plan.partitions)
    table = Table("partition", "records", "of the mean", title=f"skew {max(plan.partitions) / mean:.2f}")
    for partition, rows in enumerate(plan.partitions):
        table.add_row(str(partition), f"{rows:,}", f"{rows / mean:.2f}")
    return table
