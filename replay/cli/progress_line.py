"""The text beside the progress bar: as much of it as fits, the most important things first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from replay.delivery.snapshot import Snapshot
from replay.units import clock_time, duration

BAR_WIDTHS = ((120, 20), (80, 14), (40, 10), (0, 4))
"""Of a terminal at least so wide, the bar takes so many columns."""

_BESIDE = 9  # columns: the percentage, a blank on either side of it, one at the end


@dataclass(frozen=True, slots=True)
class Field:
    """`texts` from the longest to the shortest; an empty one is left out. The field with the highest `rank` gives way
    first."""

    rank: int
    texts: tuple[str, ...]


def bar_width(columns: int) -> int:
    return next(width for least, width in BAR_WIDTHS if columns >= least)


def text_width(columns: int) -> int:
    """What is left beside the bar."""
    return max(1, columns - bar_width(columns) - _BESIDE)


def fit(fields: Sequence[Field], width: int) -> str:
    """The fields in their order, shortened and left out by rank until they fit; what is left is cut."""
    chosen = [0] * len(fields)
    while True:
        texts = [field.texts[at] for field, at in zip(fields, chosen, strict=True)]
        text = ", ".join(filter(None, texts))
        if len(text) <= width:
            return text
        can_give = [n for n, field in enumerate(fields) if chosen[n] + 1 < len(field.texts)]
        if not can_give:
            return text[: width - 1] + "…"
        chosen[max(can_give, key=lambda n: fields[n].rank)] += 1


def phase_fields(name: str, done_rows: int, rows: int) -> list[Field]:
    """Of what is done before the first row."""
    return [Field(0, (name,)), Field(1, (f"{done_rows:,} of {rows:,} rows", f"{done_rows:,} rows", ""))]


def progress_fields(snapshot: Snapshot, rows_per_s: float) -> list[Field]:
    """`12,345 of 20,000 rows, 5,000/s, 2 s left, 250 in flight, late p99 2.1 ms`; an outage comes first."""
    counts, lateness = snapshot.counts, snapshot.lateness
    late = f"late p99 {lateness.quantile_s(0.99) * 1e3:.1f} ms" if lateness.max_s else ""
    fields = [
        Field(3, (counts.short_text(), f"{counts.in_topic:,} of {counts.of_rows:,} rows", f"{counts.in_topic:,} rows")),
        Field(4, (f"{rows_per_s:,.0f}/s", "")),
        Field(2, (_left(snapshot, rows_per_s), "")),
        Field(5, (f"{snapshot.in_flight_rows:,} in flight", "")),
        Field(6, (late, "")),
    ]
    return fields if snapshot.outage_since_s is None else [_outage(snapshot), *fields]


def _outage(snapshot: Snapshot) -> Field:
    since, reason = clock_time(snapshot.outage_since_s or 0.0), snapshot.outage_reason
    minutes, seconds = divmod(round(snapshot.outage_left_s), 60)
    left = f"{duration(snapshot.outage_left_s)} left"
    return Field(
        1,
        (
            f"BROKER DOWN since {since} ({reason}), trying for another {duration(snapshot.outage_left_s)}",
            f"BROKER DOWN since {since} ({reason}), {left}",
            f"BROKER DOWN since {since}, {left}",
            f"BROKER DOWN, {left}",
            f"BROKER DOWN, {minutes}:{seconds:02} left",
            f"DOWN, {minutes}:{seconds:02} left",
        ),
    )


def _left(snapshot: Snapshot, rows_per_s: float) -> str:
    """Until the end: by the schedule, where event times make it; else at the speed of the last seconds."""
    if snapshot.outage_since_s is not None:
        return ""
    if snapshot.schedule_left_s is not None:
        at_most = "at most " if snapshot.is_end_at_most else ""
        return f"{at_most}{duration(snapshot.schedule_left_s)} left"
    if rows_per_s > 0:
        return f"{duration((snapshot.rows - snapshot.done_rows) / rows_per_s)} left"
    return ""
