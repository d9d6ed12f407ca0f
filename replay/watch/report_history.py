"""What the history knows of one replay, as the report tells it. The caller adds what only a running replay knows."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from replay import __version__
from replay.errors import UsageError
from replay.model import Fate
from replay.watch import runs
from replay.watch.history import History
from replay.watch.report_data import Delays, Mark, ReportData, Run, Sample, Setting, Span

_LIBRARIES = ("confluent-kafka", "pyarrow", "numpy", "matplotlib")

Recorded = tuple[runs.Run, Sequence[runs.Sample], Sequence[runs.Span]]


def collect(history: History, job: str, date: str | None, now_s: float) -> ReportData:
    """All runs of a job and its date, or of a job without dates. Raises `UsageError` where there is none."""
    found = [run for run in reversed(history.runs(job, date)) if run.date == date]
    if not found:
        raise UsageError(
            f"no run of {job}{f' for {date}' if date else ''} is on record",
            where=str(history.path),
            todo="see which there are: replay history",
        )
    return from_history([(run, history.samples(run.run_id), history.spans(run.run_id)) for run in found], now_s)


def from_history(recorded: Sequence[Recorded], now_s: float) -> ReportData:
    """The oldest run first, at least one. Where they were given different options, the last one's count."""
    told: list[Run] = []
    for run, samples, _ in recorded:
        told.append(_run(run, samples, told[-1].done_rows if told else 0, now_s))
    last = recorded[-1][0]
    left_out: Counter[str] = Counter()
    for run, _, _ in recorded:
        left_out.update(run.left_out)
    options = {name.lstrip("-").replace("-", "_"): value for name, value in last.options.items()}
    versions, machine = surroundings()
    return ReportData(
        job=last.job,
        date=last.date or "",
        topic=last.topic,
        cluster=options.get("bootstrap_servers", ""),
        delivery=options.get("delivery", ""),
        pace=next((f"{name} {options[name]}" for name in ("rate", "speed") if options.get(name)), ""),
        inputs=[options["inputs"]] if options.get("inputs") else [],
        rows=max((run.rows for run, _, _ in recorded if run.rows is not None), default=0),
        made_s=now_s,
        runs=told,
        spans=[_span(run, span, now_s) for run, _, spans in recorded for span in spans],
        not_selected_rows=left_out.pop(Fate.NOT_SELECTED.name.lower(), 0),
        bad_rows={Fate[name.upper()].told: rows for name, rows in left_out.most_common()},
        settings=[Setting(name, value) for name, value in last.options.items()],
        versions=versions,
        machine=machine,
    )


def surroundings() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Versions, and the machine, of this process."""
    from confluent_kafka import libversion  # noqa: PLC0415 - where the history alone is asked for, it is not loaded

    versions = {"replay": __version__, "Python": platform.python_version(), "librdkafka": libversion()[0]}
    machine = {"Host": platform.node(), "System": platform.platform(), "CPUs": str(os.cpu_count() or "")}
    return {**versions, **{name: version(name) for name in _LIBRARIES}}, machine


def _run(run: runs.Run, samples: Sequence[runs.Sample], position: int, now_s: float) -> Run:
    """`position`: where the replay stood before. A run that ended before it knew has changed nothing."""
    first_row = position if run.start_row is None else run.start_row
    return Run(
        begun_s=run.started_s,
        last_s=_last_s(run, now_s),
        first_row=first_row,
        done_rows=first_row if run.done_row is None else run.done_row,
        sent_rows=run.sent_rows or 0,
        already_there_rows=run.already_there_rows or 0,
        exit_code=run.exit_code,
        is_alive=run.is_running(now_s),
        reason="" if run.exit_code == 0 else run.reason or "",
        process=f"{run.host}:{run.pid}",
        outages=run.outages or 0,
        outages_s=run.outages_s or 0.0,
        samples=[_sample(run, each, first_row) for each in samples],
    )


def _last_s(run: runs.Run, now_s: float) -> float:
    if run.ended_s is not None:
        return run.ended_s
    return now_s if run.is_running(now_s) else run.alive_s


def _sample(run: runs.Run, sample: runs.Sample, first_row: int) -> Sample:
    return Sample(
        at_s=run.started_s + sample.at_s,
        done_rows=max(first_row, sample.done_row),  # before a run knows where to go on, it is at row 0
        lateness=_delays(sample.lateness_p50_s, sample.lateness_p99_s, sample.lateness_max_s),
        ack_latency=_delays(sample.ack_p50_s, sample.ack_p99_s, None),
    )


def _delays(p50_s: float | None, p99_s: float | None, max_s: float | None) -> Delays | None:
    return None if p50_s is None or p99_s is None else Delays(p50_s, p99_s, max_s)


def _span(run: runs.Run, span: runs.Span, now_s: float) -> Span:
    """One without an end lasts to the end of its run."""
    end_s = _last_s(run, now_s) if span.end_s is None else run.started_s + span.end_s
    return Span(Mark(span.kind), run.started_s + span.begin_s, end_s, span.what)
