"""What a replay knows before it asks a broker."""

from __future__ import annotations

from replay.checkpoint.content import Checkpoint
from replay.delivery.options import Delivery, RunOptions
from replay.delivery.tally import Tally
from replay.record.formats.base import WholeRows
from replay.reporter import Reporter
from replay.source.source import Source


def tell_inputs(options: RunOptions, source: Source, report: Reporter) -> None:
    report.info(f"{source.rows:,} rows in {_files(source)}, order {options.source.order}, pace {options.pace}")
    source.other_endings.report(source.files_all, report)
    if picked := options.source.selection.day_text:
        report.info(f"there is no {{date}} in INPUT: picked are {picked}")
    if source.tables:
        report.info(f"tables are read as of {source.tables}")
    tell_row_keywords(source, report)


def tell_row_keywords(source: Source, report: Reporter) -> None:
    """Each row is looked at, then: nothing that is passed over in silence."""
    if isinstance(source.format, WholeRows) and (words := source.format.row_keywords):
        report.info(
            f"the schema looks at several fields of a row together ({', '.join(words)}): each row is validated as a"
            " whole, which takes a few microseconds"
        )


def _files(source: Source) -> str:
    files, others = len(source.files), source.files_all - len(source.files)
    return f"{files:,} file(s)" + (f" ({others:,} more hold none of them)" if others else "")


def opening_tally(options: RunOptions, source: Source, saved: Checkpoint | None) -> Tally:
    """How far the replay has come, as its checkpoint says."""
    tally = Tally(source.rows, pruned_rows=source.pruned_rows, inputs=tuple(file.shown for file in source.files))
    tally.schedule_end_ns, tally.is_end_at_most = _schedule_end(options, source)
    if saved is not None and _fits(saved, options, source):
        tally.knows(saved.progress, transactional=options.delivery is Delivery.TRANSACTIONAL)
    return tally


def _schedule_end(options: RunOptions, source: Source) -> tuple[int | None, bool]:
    """The event time of the last row, where event times make the schedule and it can be known; and whether the end may
    come sooner than that says: gaps are cut, or the last rows are others'."""
    selection, span_ns = options.source.selection, source.event_span_ns
    if options.pace.speed is None or span_ns is None or selection.limit is not None:
        return None, False
    end_ns = span_ns[1]
    if selection.to_ns is not None:
        end_ns = min(end_ns, selection.to_ns)
    picks = bool(selection.symbols or selection.exclude or selection.sample or selection.where)
    return end_ns, picks or options.pace.gap_max_s is not None


def _fits(saved: Checkpoint, options: RunOptions, source: Source) -> bool:
    """Whether what the checkpoint says is true of this replay, as far as that is known while no broker was asked."""
    known = len(saved.job.inputs)
    return saved.job.topic == options.kafka.topic and saved.job.inputs == tuple(
        file.print for file in source.files[:known]
    )
