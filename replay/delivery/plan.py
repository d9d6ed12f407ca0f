"""`replay plan`: what a replay would do, without doing it. Footers and statistics alone, or with `scan` every row.

Nothing is sent or written. What needs a broker (partitions, retention) is said where one is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from replay.checkpoint.describe import standing
from replay.checkpoint.file import CheckpointFile
from replay.delivery import schemas as schema_flow
from replay.delivery.options import Pace
from replay.delivery.pace import Schedule
from replay.delivery.scan import HOUR_NS, Scan, by_column, records_by_partition, scan
from replay.delivery.slices import encoder_for
from replay.fate import Fate, reasons
from replay.kafka.cluster import connect
from replay.kafka.options import KafkaOptions
from replay.kafka.topic import topic_problems
from replay.model import Clock, SpanNs
from replay.record.encoder import Encoder
from replay.record.options import UNKNOWN_IDS
from replay.registry.options import RegistryOptions
from replay.reporter import Reporter
from replay.source.choices import OnBadRow, Unsorted
from replay.source.files.trust import until_true
from replay.source.options import SourceOptions
from replay.source.ruled_out import look_at_ruled_out
from replay.source.source import Source

SAMPLE_ROWS = 4_096
"""Rows encoded to learn how large records are: enough for a mean within a few per cent, done in milliseconds."""

GAP_NS = HOUR_NS
"""Stretches without any file are shown from this length on; shorter ones are how quiet markets look."""

SHOWN_MAX = 20  # files, symbols and gaps listed in the table; JSON has them all


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What to plan. `kafka` and `checkpoint` are asked where they are given; `partitions` instead of the topic's."""

    source: SourceOptions
    pace: Pace
    kafka: KafkaOptions | None = None
    checkpoint: Path | None = None
    partitions: int | None = None
    scan: bool = False
    topic: str | None = None
    broker_timeout_s: float = 300.0
    registry: RegistryOptions = field(default_factory=RegistryOptions)


@dataclass(frozen=True, slots=True)
class FilePlan:
    """Times in ns since 1970; None: unknown from the statistics. `backwards`: rows that go back in time (of a scan)."""

    path: str
    rows: int
    size_bytes: int
    first_ns: int | None
    last_ns: int | None
    backwards: int = 0
    first_backwards_row: int | None = None


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
    schemas: tuple[schema_flow.SchemaPlan, ...] = ()

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


def make_plan(options: PlanOptions, report: Reporter, clock: Clock, check_stop: Callable[[], None]) -> Plan:
    """Raises `InputError` only for what no option could replay: files and columns. Raises `UsageError` where the broker
    has no such topic, and `StateConflict` where the checkpoint is damaged."""
    topic = None
    if options.kafka is not None:
        with closing(connect(options.kafka, report, clock, check_stop)) as cluster:
            topic = cluster.existing_topic("check the name; replay run creates it with --create-topic")
        options = replace(options, partitions=options.partitions or topic.partitions)
    ask = schema_flow.asking(options.registry, options.broker_timeout_s, report, check_stop)
    options = replace(options, source=schema_flow.with_schema(options.source, ask))
    plan, span_ns = until_true(
        as_tolerant(options.source), lambda known: _of_source(options, known, ask, report, check_stop), report.warning
    )
    if topic is not None:
        problems = topic_problems(topic, span_ns, clock.now())
        plan = replace(plan, problems=(*plan.problems, *problems))
    if options.checkpoint is not None and (saved := CheckpointFile(options.checkpoint).load()) is not None:
        plan = replace(plan, checkpoint=f"{options.checkpoint}: {standing(saved)}")
    return plan


def as_tolerant(options: SourceOptions) -> SourceOptions:
    """So that no row ends the look."""
    unsorted = Unsorted.KEEP if options.unsorted is Unsorted.FAIL else options.unsorted
    return replace(options, on_bad_row=OnBadRow.SKIP, unsorted=unsorted)


def _of_source(
    options: PlanOptions,
    tolerant: SourceOptions,
    ask: schema_flow.Ask,
    report: Reporter,
    check_stop: Callable[[], None],
) -> tuple[Plan, SpanNs]:
    """What is known from the source alone, and which timestamps its records have. `tolerant`: its options, so that no
    row ends the plan."""
    source = Source(tolerant)
    if options.scan and not options.source.trust_statistics:
        look_at_ruled_out(source.ruled_out, source.pruned_rows, check_stop, report)
    encoder = encoder_for(source.under(UNKNOWN_IDS), options.partitions or 1)  # for sizes, any number will do
    record_bytes = _mean_record_bytes(source, encoder)
    counts_partitions = options.partitions is not None and by_column(options.source.records)
    scanned = scan(source, report, check_stop, encoder if counts_partitions else None) if options.scan else None
    files = tuple(_file_plan(source, index) for index in range(len(source.files)))
    spans = [source.span_ns(index) for index, file in enumerate(files) if file.rows]
    known = [span for span in spans if span is not None]
    first, last = source.event_span_ns or (None, None)
    plan = Plan(
        files=files,
        rows=source.rows,
        rows_all=source.rows_all,
        size_bytes=sum(file.size_bytes for file in source.files),
        first_ns=first,
        last_ns=last,
        open_max=most_open(known) if first is not None else len(spans),
        gaps_ns=tuple(gaps(known)) if first is not None else (),
        record_bytes=record_bytes,
        duration_s=_duration_s(options.pace, scanned.records if scanned is not None else source.rows, first, last),
        scan=scanned,
        partitions=records_by_partition(options.source.records, options.partitions, scanned),
        picked=options.source.selection.day_text,
        tables=source.tables,
        schemas=schema_flow.plans(source, options.topic, options.registry, ask),
        problems=tuple(_problems(files, scanned, source, options)),
    )
    return plan, source.record_span_ns if options.source.records.has_event_times else None


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
        encoded = encoder.encode(batch, stop=min(SAMPLE_ROWS, len(batch)))
        if len(encoded):
            return float(encoded.record_bytes.mean())
    return 0.0


def _duration_s(pace: Pace, records: int, first_ns: int | None, last_ns: int | None) -> float | None:
    """None where only Kafka knows; for a speed, without the gaps that --max-gap would shorten."""
    if pace.rows_per_s is not None:
        return records / pace.rows_per_s
    if pace.speed is None or first_ns is None or last_ns is None:
        return None
    due = Schedule(pace).deadlines(np.array([first_ns, last_ns]))
    return float(due[-1]) if due is not None and pace.gap_max_s is None else None


def _problems(files: Sequence[FilePlan], scan: Scan | None, source: Source, planned: PlanOptions) -> Iterator[str]:
    options, partitions = planned.source, planned.partitions
    if source.other_endings.looks_like_input:
        yield source.other_endings.line(source.files_all)
    backwards = [file for file in files if file.backwards]
    for file in backwards[:SHOWN_MAX]:
        yield (
            f"{file.path}: {file.backwards:,} rows go back in time, the first is row {file.first_backwards_row:,}"
            f" (the first is 0){'' if options.unsorted is not Unsorted.FAIL else ': --unsorted sort or keep'}"
        )
    if scan is None and not source.rows:
        yield "no row is selected"
    if scan is not None:
        bad = Counter({fate: scan.left_out.get(fate.key, 0) for fate in Fate if fate.is_bad})
        if bad := +bad:
            remedy = ": --on-bad-row skip or quarantine" if options.on_bad_row is OnBadRow.FAIL else ""
            yield f"{bad.total():,} bad rows ({reasons(bad)}){remedy}"
        if not scan.records:
            yield "no row is selected"
        if astray := [partition for partition in scan.partitions if partition >= (partitions or 0)]:
            rows = sum(scan.partitions[partition] for partition in astray)
            yield f"{rows:,} rows are for partitions up to {max(astray)}, and there are {partitions} (the first is 0)"
    for name in options.selection.unmatched(source.symbols.names) if scan is not None else []:
        yield f"--symbols: there is no {name}"
    if options.selection.utc_assumed:
        yield f"{' and '.join(options.selection.utc_assumed)} without a zone: taken as UTC"


def utc_ns(ns: int | None) -> str | None:
    """`2026-11-22T10:00:00.123456Z`."""
    if ns is None:
        return None
    text = datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ns % 1_000_000_000 // 1_000:06}Z"
