"""Runs that end without a row sent: there was nothing left to do, or nothing to send."""

from __future__ import annotations

from dataclasses import replace

from replay.checkpoint.content import Checkpoint, JobState
from replay.checkpoint.file import this_instance
from replay.counts import RowCounts
from replay.delivery.context import Context
from replay.delivery.job_print import job_print
from replay.kafka.topic import Topic
from replay.model import Position, Progress
from replay.units import utc


def save_empty(context: Context) -> None:
    """Remember that there was no row to send: the next run looks again."""
    options = context.options
    context.file.save(
        Checkpoint(
            job=replace(job_print(options, context.source, Topic("", options.kafka.topic, "", 0, 0)), inputs=()),
            progress=Progress(Position(0, ()), ()),
            first_offsets=(),
            state=JobState.EMPTY,
            lead_rows_max=0,
            interval_s=options.checkpoint_interval_s,
            saved_at_s=context.clock.now(),
            instance=this_instance(),
            pruned_rows=context.source.rows_all,
        )
    )
    context.tally.nothing_selected = True
    context.tally.counts = RowCounts(context.source.rows_all, not_selected=context.source.rows_all)
    context.report.progress(context.tally.view())
    picked = options.source.selection.day_text
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
