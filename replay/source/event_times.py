"""Between which event times rows lie, as far as that is known before they are read. In ns since 1970. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from replay.model import TIMESTAMP, SpanNs
from replay.source.columns.schema import FileLayout, Layout, Part
from replay.source.files.parquet_file import InputFile, RowGroup
from replay.units import FIRST_NS, LAST_NS, NS_PER_UNIT


def latest_ns(part: Part) -> int:
    """What a time beyond all times is ordered by."""
    unit_ns = NS_PER_UNIT[part.kind.unit]
    return LAST_NS // unit_ns * unit_ns


def by_statistics(layout: Layout, file: InputFile, own: FileLayout, group: RowGroup) -> SpanNs:
    """The event times of a row group, of its rows that have one. None where the statistics do not say."""
    return _by_statistics(layout.event_time, own.time_unit, file, group)


def of_timestamps(layout: Layout, files: Sequence[InputFile]) -> SpanNs:
    """From the first to the last timestamp that has a column of its own, of all files; None where it is not known."""
    part = layout.of_record[TIMESTAMP]
    return over_all(
        _by_statistics(part, own.timestamp_unit, file, group)
        for file, own in zip(files, layout.files, strict=True)
        for group in file.groups
        if group.rows
    )


def _by_statistics(part: Part, own_unit: str | None, file: InputFile, group: RowGroup) -> SpanNs:
    times, unit = group.range_of(part.column), file.time_units.get(part.column) or own_unit
    if times.first is None or unit is None or not isinstance(times.first, int):
        return None
    first, last = times.first * NS_PER_UNIT[unit], times.last * NS_PER_UNIT[unit]
    latest = latest_ns(part)
    return max(0, min(first, latest)), max(0, min(last, latest))


def of_groups(layout: Layout, file: InputFile, own: FileLayout) -> list[SpanNs]:
    """The same of each row group."""
    return [by_statistics(layout, file, own, group) for group in file.groups]


def of_all_rows(layout: Layout, file: InputFile, own: FileLayout, group: RowGroup) -> SpanNs:
    """The event times of a row group in which every row has one that a record can have; else None."""
    found = by_statistics(layout, file, own, group)
    if found is None or not group.range_of(layout.event_time.column).is_of_all_rows:
        return None
    return found if found[0] >= FIRST_NS and found[1] < latest_ns(layout.event_time) else None


def over_all(spans: Iterable[SpanNs]) -> SpanNs:
    """From the first to the last of all; None where there is none, or one is not known."""
    known = list(spans)
    firsts_and_lasts = [span for span in known if span is not None]
    if not known or len(firsts_and_lasts) < len(known):
        return None
    return min(first for first, _ in firsts_and_lasts), max(last for _, last in firsts_and_lasts)


def from_row(row: int, groups: Sequence[RowGroup], spans: Sequence[SpanNs]) -> SpanNs:
    """The span of all row groups with rows from this one on. No time there is smaller, none is larger."""
    ends = accumulate(group.rows for group in groups)
    return over_all(span for group, end, span in zip(groups, ends, spans, strict=True) if group.rows and row < end)
