"""Runs that end without a row sent: there was nothing left to do, or nothing to send."""

from __future__ import annotations

from replay.checkpoint.content import Checkpoint, JobPrint, JobState
from replay.checkpoint.file import this_instance
from replay.counts import RowCounts
from replay.delivery.context import Context
from replay.delivery.job_print import options_print
from replay.model import Position, Progress
from replay.record.options import ENCODER_VERSION
from replay.units import utc


def save_empty(context: Context) -> None:
    """Remember that there was no row to send: the next run looks again."""
    options = context.options
    context.file.save(
        Checkpoint(
            job=JobPrint(
                "", options.kafka.topic, "", 0, options.source.records.partitioner, ENCODER_VERSION,
                options_print(options, context.source), (),
            ),
            progress=Progress(Position(0, ()), ()),
            first_offsets=(),
            state=JobState.EMPTY,
            lead_rows_max=0,
            interval_s=options.checkpoint_interval_s,
            saved_at_s=context.clock.now(),
            instance=this_instance(),
            pruned_rows=context.source.rows_all,
        )
    )  # fmt: skip
    context.tally.nothing_selected = True
    context.tally.counts = RowCounts(context.source.rows_all, not_selected=context.source.rows_all)
    context.report.progress(context.tally.view())
    picked = options.source.selection.day_text if options.source.selection is not None else ""
    context.report.info(
        f"nothing to send: no row is selected{', by ' if picked else ''}{picked}; the next run looks again"
    )


def nothing_to_do(context: Context, saved: Checkpoint, but: str = "") -> None:
    """It was done before, and still is; `but` says what was not looked at."""
    context.tally.knows(saved.progress)
    context.tally.counts = saved.counts
    context.report.progress(context.tally.view())
    if but:
        context.report.warning(f"nothing to do: done since {utc(saved.saved_at_s)}; {but}")
        return
    context.report.info(
        f"nothing to do: done since {utc(saved.saved_at_s)}, topic {context.options.kafka.topic}:"
        f" {saved.counts.text()}; --restart sends them again"
    )
