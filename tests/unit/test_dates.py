"""Logical dates, and `{date}` in texts."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from replay.dates import bounds, expand, has_date, parse_date, today_in
from replay.errors import UsageError

TODAY = date(2026, 3, 1)
DAY = date(2026, 1, 5)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-22", date(2026, 11, 22)),
        ("2024-02-29", date(2024, 2, 29)),
        ("today", TODAY),
        ("yesterday", date(2026, 2, 28)),
        ("-0", TODAY),
        ("-1", date(2026, 2, 28)),
        ("-60", date(2025, 12, 31)),
    ],
)
def test_a_day_as_people_write_it(text, day):
    """Broken: another day than the one that was asked for is replayed."""
    assert parse_date(text, TODAY) == day


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "+1", "1", "20261122", "2026-W47-7", "2026-2-3", "2026-02-30", "22.11.2026", "2026-11-22 ",
     "2026-11-22T00:00", "-999999", "-9999999999999999999", "\u0662\u0660\u0662\u0666-11-22", "-²"],
)  # fmt: skip
def test_what_is_no_date_is_refused_by_its_option(text):
    """Broken: a typo replays some other day, or is a bug."""
    with pytest.raises(UsageError, match="is not a date") as caught:
        parse_date(text, TODAY, "--from")
    assert caught.value.where == "--from"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("trades.parquet", "trades.parquet"),
        ("{date}", "2026-01-05"),
        ("s3://b/date={date}/*.parquet", "s3://b/date=2026-01-05/*.parquet"),
        ("{date:%Y/%m/%d}/{date:%Y%m%d}-{date}", "2026/01/05/20260105-2026-01-05"),
        ("{date:%-d.%-m.%y} {date:%j} {date:%b}", "5.1.26 005 Jan"),
        ("{date:day %d, 100%%}", "day 05, 100%"),
        ("{{date}} {{}} {{{date}}}", "{date} {} {2026-01-05}"),
        ("é\udcff/{date:\udcff%d}", "é\udcff/\udcff05"),
    ],
)
def test_the_day_takes_its_place(text, expanded):
    """Broken: the path of another day, or of none, is read."""
    assert expand(text, DAY) == expanded


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{data}/x", "{data}"),
        ("{Date}", "{Date}"),
        ("{}", "{}"),
        ("{date", "{"),
        ("date}", "}"),
        ("{ date }", "{ date }"),
        ("{symbol}-{date}", "{symbol}"),
        ("{a,b}.parquet", "{a,b}"),
        ("{date:}", "no format"),
        ("{date:%H}", "%H"),
        ("{date:%x}", "%x"),
        ("{date:%-Y}", "%-Y"),
        ("{date:%Q}", "%Q"),
        ("{date:%}", "'%'"),
    ],
)
def test_a_placeholder_that_stands_for_nothing_is_refused(text, what):
    """Broken: a typo in a placeholder is taken for a file's name, or its hour for midnight."""
    with pytest.raises(UsageError) as caught:
        expand(text, DAY, "--symbol-from")
    assert what in caught.value.what
    assert caught.value.where == "--symbol-from"


@pytest.mark.parametrize(
    ("text", "has"),
    [("{date}", True), ("a{date:%Y}b", True), ("{{date}}", False), ("{{{date}}}", True), ("date", False),
     ("{data}", False), ("{", False), ("{dates}", False)],
)  # fmt: skip
def test_whether_a_text_depends_on_the_day(text, has):
    """Broken: a nightly job replays the same files every night, or a fixed input has a checkpoint a day."""
    assert has_date(text) is has


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", date(2026, 3, 1)), ("Asia/Tokyo", date(2026, 3, 2)), ("America/New_York", date(2026, 3, 1)),
     ("Pacific/Kiritimati", date(2026, 3, 2)), ("Pacific/Pago_Pago", date(2026, 3, 1))],
)  # fmt: skip
def test_the_day_depends_on_where_one_is(zone, day):
    """Broken: `yesterday` is the day before it, for some hours of each day."""
    assert today_in(zone, datetime(2026, 3, 1, 18, 30, tzinfo=UTC).timestamp()) == day


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "America", "../etc/passwd", "/etc/passwd", "a\0b", "CEST+2"])
def test_an_unknown_zone_is_refused_by_its_option(zone):
    """Broken: a typo in a zone is a bug, or UTC."""
    with pytest.raises(UsageError, match="no time zone") as caught:
        today_in(zone, 0.0)
    assert caught.value.where == "--timezone"


@pytest.mark.parametrize(
    ("day", "zone", "first", "hours"),
    [
        (date(2026, 11, 22), "UTC", "2026-11-22T00:00:00+00:00", 24),
        (date(2026, 11, 22), "Asia/Tokyo", "2026-11-21T15:00:00+00:00", 24),
        (date(2026, 10, 25), "Europe/Berlin", "2026-10-24T22:00:00+00:00", 25),
        (date(2026, 3, 29), "Europe/Berlin", "2026-03-28T23:00:00+00:00", 23),
        (date(2018, 11, 4), "America/Sao_Paulo", "2018-11-04T03:00:00+00:00", 23),  # there was no midnight
        (date(2025, 11, 2), "America/Havana", "2025-11-02T04:00:00+00:00", 25),  # there were two
    ],
)
def test_a_day_goes_from_midnight_to_midnight(day, zone, first, hours):
    """Broken: when clocks change, an hour belongs to no day, or to two."""
    begin, end = bounds(day, zone)
    assert (begin.isoformat(), (end - begin).total_seconds() / 3600) == (first, hours)
