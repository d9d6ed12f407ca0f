"""Tables for people: how each replay stands, and the runs of the past. Light."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from rich.markup import escape
from rich.table import Table

from replay.counts import RowCounts
from replay.errors import printable
from replay.watch.history.records import RunRecord
from replay.watch.status import ReplayState, Status

_STYLES = {
    ReplayState.DONE: "green",
    ReplayState.RUNNING: "cyan",
    ReplayState.FAILED: "red",
    ReplayState.DAMAGED: "red",
}


def status_table(statuses: Iterable[Status], now_s: float) -> Table:
    made = Table("job", "date", "state", "rows", "rate", "left", "last ACK", "saved", "topic")
    for each in statuses:
        detail = f" {_plain(each.detail)}" if each.detail else ""
        made.add_row(
            _plain(each.job),
            each.date or "",
            f"[{_STYLES.get(each.state, 'yellow')}]{each.state}[/]{detail}",
            _rows(each),
            f"{each.rows_per_s:,.0f}/s" if each.rows_per_s is not None else "",
            rough(each.left_s),
            _ago(each.ack_age_s),
            _ago(max(0.0, now_s - each.saved_s) if each.saved_s is not None else None),
            _plain(each.topic or ""),
        )
    return made


def history_table(runs: Iterable[RunRecord], now_s: float) -> Table:
    made = Table("began (UTC)", "job", "date", "outcome", "rows", "delivered", "took", "run")
    for run in runs:
        outcome = "running" if run.is_running(now_s) else "interrupted"
        if run.exit_code is not None:
            outcome = f"exit {run.exit_code}: {run.reason}" if run.exit_code else "done"
        made.add_row(
            datetime.fromtimestamp(run.started_s, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            _plain(run.job),
            run.date or "",
            _plain(outcome),
            _short(run.counts) if run.counts is not None else "",
            f"{run.delivered_rows:,}" if run.delivered_rows is not None else "",
            rough(run.ended_s - run.started_s) if run.ended_s is not None else "",
            run.run_id[:8],
        )
    return made


def _plain(text: str) -> str:
    """Text from outside: without control characters, and without markup."""
    return escape(printable(text))


def _rows(each: Status) -> str:
    if each.of_rows is None or each.in_topic_rows is None or each.not_selected_rows is None or each.bad_rows is None:
        return ""
    return _short(RowCounts(each.of_rows, each.in_topic_rows, each.not_selected_rows, {"bad": each.bad_rows}))


def _short(counts: RowCounts) -> str:
    """The column is named `rows`, so that the word is left out."""
    return counts.short_text().removesuffix(" rows")


def _ago(age_s: float | None) -> str:
    return "" if age_s is None else f"{rough(age_s)} ago"


def rough(seconds: float | None) -> str:
    """`45 s`, `12 min`, `5 h`, `3 d`: exact enough for an age."""
    if seconds is None:
        return ""
    for unit_s, limit_s, unit in ((1, 90, "s"), (60, 5_400, "min"), (3_600, 172_800, "h")):
        if seconds < limit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
