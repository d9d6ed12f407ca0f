"""From the history to the data of a report."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from replay import __version__
from replay.counts import NOT_SELECTED, ByName, RowCounts
from replay.delivery.options import parse_pace
from replay.errors import UsageError
from replay.fate import Fate
from replay.kafka.client import LIBRDKAFKA_VERSION
from replay.watch.figures import Quantiles
from replay.watch.history.database import History
from replay.watch.history.records import Details, RunRecord, SampleRecord, SpanRecord
from replay.watch.report.data import Mark, MarkKind, ReportData, Run, Sample

_LIBRARIES = ("confluent-kafka", "pyarrow", "numpy", "matplotlib")


def collect(history: History, job: str, date: str | None, now_s: float) -> ReportData:
    """All runs of a job and its date, or of a job without dates. Raises `UsageError` where there is none.

    Versions and machine are those of this process."""
    found = [run for run in reversed(history.runs(job, date)) if run.date == date]
    if not found:
        raise UsageError(
            f"no run of {job}{f' for {date}' if date else ''} is on record",
            where=str(history.path),
            todo="see which there are: replay history",
        )
    runs: list[Run] = []
    for each in found:
        runs.append(_run(each, history.samples(each.run_id), runs[-1].done_rows if runs else 0, now_s))
    details = [history.details(run.run_id) for run in found]
    last, counts = found[-1], _counts(found)  # where the runs' options differ, those of the last one count
    at_work = next((run for run in reversed(found) if run.sent_rows), last)  # others had nothing to do
    pace = {name.lstrip("-"): value for name, value in at_work.options.items()}
    options = {name.lstrip("-").replace("-", "_"): value for name, value in last.options.items()}
    cluster_id = next((each.cluster_id for each in reversed(details) if each.cluster_id), "")
    cluster = (f"id {cluster_id}" if cluster_id else "", options.get("bootstrap_servers", ""))
    opened = next((each for each in reversed(details) if each.files), Details())  # of the last run that opened them
    return ReportData(
        job=last.job,
        date=last.date or "",
        topic=last.topic,
        cluster=" at ".join(filter(None, cluster)),  # `id x7Kq… at kafka-1:9092,kafka-2:9092`
        delivery=pace.get("delivery", ""),
        pace=next((f"{name} {pace[name]}" for name in ("rate", "speed") if pace.get(name)), ""),
        inputs=opened.inputs or ([options["inputs"]] if options.get("inputs") else []),
        files=opened.files or (1 if options.get("inputs") else 0),
        counts=counts,
        made_s=now_s,
        first_event_s=min((each.first_event_s for each in details if each.first_event_s is not None), default=None),
        last_event_s=max((each.last_event_s for each in details if each.last_event_s is not None), default=None),
        runs=runs,
        marks=[_mark(run, span, now_s) for run in found for span in history.spans(run.run_id)],
        symbols=_sum(each.symbols for each in details),
        partitions=_sum(each.partitions for each in details),
        bad_rows={Fate[name.upper()].told: rows for name, rows in Counter(counts.bad_by_reason).most_common()},
        verdict=_verdict(found, details),
        settings=[(name, value, details[-1].origins.get(name, "")) for name, value in last.options.items()],
        versions={
            "replay": __version__,
            "Python": platform.python_version(),
            "librdkafka": LIBRDKAFKA_VERSION,
            **{name: version(name) for name in _LIBRARIES},
        },
        machine={"Host": platform.node(), "System": platform.platform(), "CPUs": str(os.cpu_count() or "")},
    )


def _counts(found: Sequence[RunRecord]) -> RowCounts:
    """Of the whole replay, as the last run knew them. Older versions kept positions, and what each run left out."""
    for run in reversed(found):
        if run.counts is not None:
            return run.counts
    left_out: Counter[str] = Counter()
    for run in found:
        left_out.update(run.left_out)
    done_rows = max((run.done_row for run in found if run.done_row is not None), default=0)
    not_selected = left_out.pop(NOT_SELECTED, 0)
    in_topic = max(0, done_rows - not_selected - left_out.total())
    rows = max((run.rows for run in found if run.rows is not None), default=0)
    return RowCounts(max(rows, in_topic + not_selected + left_out.total()), in_topic, not_selected, dict(left_out))


def _verdict(found: Sequence[RunRecord], details: Sequence[Details]) -> Mapping[str, Any] | None:
    """The last verdict, unless rows were sent after it."""
    for run, of_run in zip(reversed(found), reversed(details), strict=True):
        if of_run.verdict is not None or run.sent_rows:
            return of_run.verdict
    return None


def _sum(counts: Iterable[ByName]) -> ByName:
    """Of all runs. How many names are among the others is known only as far as one run knew it."""
    rows: Counter[str] = Counter()
    names = others_rows = 0
    for each in counts:
        rows.update(each.rows)
        names, others_rows = max(names, each.names), others_rows + each.others_rows
    return ByName(dict(rows.most_common()), max(names - len(rows), 1 if others_rows else 0), others_rows)


def _run(run: RunRecord, samples: Sequence[SampleRecord], position: int, now_s: float) -> Run:
    """`position`: the next row before this run. A run that ended before it knew its own has changed nothing."""
    if run.in_topic_rows is not None:
        first_rows, done_rows = run.in_topic_rows - (run.delivered_rows or 0), run.in_topic_rows
    else:  # of an older version, or ended before it knew
        first_rows = position if run.start_row is None else run.start_row
        done_rows = first_rows if run.done_row is None else run.done_row
    sent, resent = run.sent_rows or 0, run.resent_rows or 0
    rows_per_s, speed = _pace(run.options)
    return Run(
        begun_s=run.started_s,
        last_s=_last_s(run, now_s),
        first_rows=first_rows,
        done_rows=done_rows,
        sent_rows=sent,
        already_there_rows=run.already_there_rows or 0,
        unconfirmed_rows=max(0, sent - resent - (run.delivered_rows or 0)) if run.in_topic_rows is not None else 0,
        resent_rows=resent,
        exit_code=run.exit_code,
        is_alive=run.is_running(now_s),
        reason="" if run.exit_code == 0 else run.reason or "",
        process=f"{run.host}:{run.pid}",
        outages=run.outages or 0,
        outages_s=run.outages_s or 0.0,
        samples=[_sample(run, each, first_rows) for each in samples],
        rows_per_s=rows_per_s,
        speed=speed,
        restarts="--restart" in run.options,
    )


def _pace(options: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Rows per second, and speed, where the plan is a straight line."""
    try:
        pace = parse_pace(*(options.get(name) or None for name in ("--rate", "--speed", "--max-gap")))
    except UsageError:  # options of another version
        return None, None
    return pace.rows_per_s, pace.speed if pace.gap_max_s is None else None


def _last_s(run: RunRecord, now_s: float) -> float:
    if run.ended_s is not None:
        return run.ended_s
    return now_s if run.is_running(now_s) else run.alive_s


def _sample(run: RunRecord, sample: SampleRecord, first_rows: int) -> Sample:
    rows = sample.done_row if sample.delivered_rows is None else first_rows + sample.delivered_rows
    return Sample(
        at_s=run.started_s + sample.at_s,
        done_rows=max(first_rows, rows),  # before a run knows where to go on, it is at row 0
        lateness=Quantiles(sample.lateness_p50_s, sample.lateness_p99_s, sample.lateness_max_s),
        ack_latency=Quantiles(sample.ack_p50_s, sample.ack_p99_s, sample.ack_max_s),
        event_s=sample.event_s,
    )


def _mark(run: RunRecord, span: SpanRecord, now_s: float) -> Mark:
    """One without an end lasts to the end of its run."""
    end_s = _last_s(run, now_s) if span.end_s is None else run.started_s + span.end_s
    return Mark(MarkKind(span.kind), run.started_s + span.begin_s, end_s, span.what)
