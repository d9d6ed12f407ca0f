"""`replay status` for people: a table."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from replay.counts import RowCounts
from replay.errors import printable
from replay.watch.status.states import ReplayState, Status

_STYLES = {
    ReplayState.DONE: "green",
    ReplayState.EMPTY: "yellow",
    ReplayState.RUNNING: "cyan",
    ReplayState.STOPPED: "yellow",
    ReplayState.INTERRUPTED: "yellow",
    ReplayState.FAILED: "red",
    ReplayState.DAMAGED: "red",
    ReplayState.GONE: "yellow",
    ReplayState.UNKNOWN: "yellow",
}


def table(statuses: Iterable[Status], now_s: float) -> Table:
    made = Table("job", "date", "state", "rows", "rate", "left", "last ACK", "saved", "topic")
    for each in statuses:
        detail = f" {escape(printable(each.detail))}" if each.detail else ""
        made.add_row(
            escape(printable(each.job)),
            each.date or "",
            f"[{_STYLES[each.state]}]{each.state}[/]{detail}",
            _rows(each),
            f"{each.rows_per_s:,.0f}/s" if each.rows_per_s is not None else "",
            rough(each.left_s),
            _ago(each.ack_age_s),
            _ago(max(0.0, now_s - each.saved_s) if each.saved_s is not None else None),
            escape(printable(each.topic or "")),
        )
    return made


def _rows(each: Status) -> str:
    counts = (each.of_rows, each.in_topic_rows, each.not_selected_rows, each.bad_rows)
    of_rows, in_topic, not_selected, bad = counts
    if of_rows is None or in_topic is None or not_selected is None or bad is None:
        return ""
    return RowCounts(of_rows, in_topic, not_selected, {"bad": bad}).short_text().removesuffix(" rows")


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
