"""Five fields mean what crontab(5) says: against the other parser, against cron's own, where clocks change."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from replay.errors import UsageError
from replay.nightly.cron import NICKNAMES, parse_cron
from replay.nightly.schedule import cron_trigger
from tests.support.need import need

SATURDAY = datetime(2026, 11, 21, 12, tzinfo=UTC)


def firings(text: str, start: datetime, count: int, zone: tzinfo = UTC) -> list[datetime]:
    cron, at, found = parse_cron(text, zone), start, []
    for _ in range(count):
        at = cron.after(at) or pytest.fail(f"{text} has no firing after {at}")
        found.append(at)
    return found


def days(text: str, count: int = 4) -> list[str]:
    return [f"{at:%a %d}" for at in firings(text, SATURDAY, count)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0 2 * * 0", ["Sun 22", "Sun 29", "Sun 06", "Sun 13"]),
        ("0 2 * * 7", ["Sun 22", "Sun 29", "Sun 06", "Sun 13"]),
        ("0 2 * * sun", ["Sun 22", "Sun 29", "Sun 06", "Sun 13"]),
        ("0 2 * * 1-5", ["Mon 23", "Tue 24", "Wed 25", "Thu 26"]),
        ("0 2 * * MON-fri", ["Mon 23", "Tue 24", "Wed 25", "Thu 26"]),
        ("0 2 * * 6", ["Sat 28", "Sat 05", "Sat 12", "Sat 19"]),
        ("0 2 * * 5-7", ["Sun 22", "Fri 27", "Sat 28", "Sun 29"]),
        ("0 2 * * fri,mon", ["Mon 23", "Fri 27", "Mon 30", "Fri 04"]),
        ("0 2 * * 1-5/2", ["Mon 23", "Wed 25", "Fri 27", "Mon 30"]),
        ("0 2 1 * 1", ["Mon 23", "Mon 30", "Tue 01", "Mon 07"]),  # or
        ("0 2 */2 * 1", ["Mon 23", "Mon 07", "Mon 21", "Mon 11"]),  # a star before the step: and
        ("@daily", ["Sun 22", "Mon 23", "Tue 24", "Wed 25"]),
        ("@weekly", ["Sun 22", "Sun 29", "Sun 06", "Sun 13"]),
        ("@monthly", ["Tue 01", "Fri 01", "Mon 01", "Mon 01"]),
        ("@yearly", ["Fri 01", "Sat 01", "Mon 01", "Tue 01"]),
    ],
)
def test_days(text: str, wanted: list[str]) -> None:
    """Broken: the job of Sunday runs on Monday, and that of the 1st or a Monday almost never."""
    assert days(text, len(wanted)) == wanted


def test_firing_and_due_agree() -> None:
    """Broken: the scheduler fires by one reading of the fields, and reckons what is missed by another."""
    trigger = cron_trigger("0 2 * * 0", "UTC")
    sunday = datetime(2026, 11, 22, 2, tzinfo=UTC)
    assert trigger.get_next_fire_time(None, SATURDAY) == sunday
    assert trigger.get_next_fire_time(None, sunday) == sunday, "the scheduler started at the very moment"
    assert trigger.get_next_fire_time(sunday, sunday + timedelta(days=30)) == sunday + timedelta(days=7)
    assert trigger.cron.newest(sunday) == sunday
    assert trigger.cron.newest(sunday - timedelta(seconds=1)) == sunday - timedelta(days=7)
    assert parse_cron("0 2 29 2 *", UTC).newest(SATURDAY) == datetime(2024, 2, 29, 2, tzinfo=UTC)


def test_jitter_moves_a_firing_and_no_date() -> None:
    """Broken: a job at 23:59 with a jitter replays the day after the one that was meant."""
    trigger = cron_trigger("59 23 * * *", "UTC", jitter_s=3_600)
    due = datetime(2026, 11, 21, 23, 59, tzinfo=UTC)
    late = [trigger.get_next_fire_time(None, SATURDAY) or SATURDAY for _ in range(50)]
    assert all(due <= each <= due + timedelta(hours=1) for each in late)
    assert len(set(late)) > 10
    assert {trigger.cron.newest(each) for each in late} == {due}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("61 2 * * *", "minute '61': 61 is not within 0-59"),
        ("0 24 * * *", "hour '24': 24 is not within 0-23"),
        ("0 2 0 * *", "day '0': 0 is not within 1-31"),
        ("0 2 * 13 *", "month '13': 13 is not within 1-12"),
        ("0 2 * * 8", "weekday '8': 8 is not within 0-7"),
        ("0 2 * * monday", "weekday 'monday': 'monday' is no weekday"),
        ("0 2 mon * *", "day 'mon': 'mon' is no day"),
        ("*/0 2 * * *", "minute '*/0': a step of 0"),
        ("5/2 2 * * *", "cron takes a step after * or a range only: 5-59/2"),
        ("0 2 * * 1#2", "weekday '1#2': '1#2' cannot be read"),
        ("0 2 L * *", "day 'L': 'L' is no day"),
        ("0 2 1,,2 * *", "day '1,,2': '' cannot be read"),
        ("0 2 * * fri-mon", "write 5-7,1"),
        ("0 2 * * 5-2", "write 5-7,1-2"),
        ("0 2 * * fri-sun", "write 5-7"),
        ("0 22-3 * * *", "write 22-23,0-3"),
        ("0 2 30 feb *", "no day is like that"),
        ("0 0 2 * * *", "five fields are needed, not 6"),
        ("@reboot", "@daily"),
    ],
)
def test_what_is_wrong_is_named(text: str, named: str) -> None:
    """Broken: "not a schedule" leaves it open which of five fields is meant."""
    with pytest.raises(UsageError) as caught:
        parse_cron(text, UTC)
    assert named in str(caught.value)
    assert str(caught.value).startswith(f"--cron: {text!r} is no schedule: ")


def field(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    # A range of one value, 0-0, is the whole week to croniter.
    ends = st.tuples(numbers, numbers).filter(lambda ends: ends[0] < ends[1])
    ranges = ends.map(lambda ends: f"{ends[0]}-{ends[1]}")
    starts = st.one_of(st.just("*"), ranges)
    steps = st.tuples(starts, st.integers(1, 9)).map(lambda parts: f"{parts[0]}/{parts[1]}")
    terms = st.lists(st.one_of(numbers.map(str), ranges, steps), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), terms)


SCHEDULES = st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7)).map(" ".join)


def brute(part: str, low: int, high: int) -> set[int]:
    """As cron's own `get_range` sets its bits."""
    bits: set[int] = set()
    for term in part.split(","):
        span, _, step = term.partition("/")
        first, dash, last = span.partition("-")
        start, end = (low, high) if span == "*" else (int(first), int(last) if dash else int(first))
        bits |= set(range(start, end + 1, int(step or 1)))
    return bits


@given(SCHEDULES, st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))
@settings(max_examples=150, deadline=None)
def test_the_other_parser_names_the_same_moments(text: str, start: datetime) -> None:
    """Broken: a field means one thing here and another thing in the rest of the world."""
    _, _, day, _, weekday = text.split()
    # These mean every day, so that croniter takes them for a star; cron looks at the field's first letter alone.
    assume(weekday[0] == "*" or not brute(weekday, 0, 7) >= set(range(1, 7)))
    assume(day[0] == "*" or "*" not in day)
    others = croniter(text, start, implement_cron_bug=True)
    wanted = [others.get_next(datetime) for _ in range(5)]
    assert firings(text, start, 5) == wanted


@given(SCHEDULES, st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))
@settings(max_examples=150, deadline=None)
def test_a_minute_fires_as_in_crons_own_loop(text: str, start: datetime) -> None:
    """Broken: the rule of "and" or "or" (`find_jobs` of cron) is not that of the schedule."""
    minute, hour, day, month, weekday = text.split()
    at = firings(text, start, 1)[0]
    for moment in (at, start.replace(second=0, microsecond=0) + timedelta(minutes=1)):
        on_day = moment.day in brute(day, 1, 31)
        on_weekday = bool({moment.isoweekday(), moment.isoweekday() % 7} & brute(weekday, 0, 7))
        joined = on_day and on_weekday if day[0] == "*" or weekday[0] == "*" else on_day or on_weekday
        fires = (
            moment.minute in brute(minute, 0, 59)
            and moment.hour in brute(hour, 0, 23)
            and moment.month in brute(month, 1, 12)
            and joined
        )
        assert fires is (moment == at), moment


PIECES = st.sampled_from(
    [
        *("*", "0", "5", "7", "8", "31", "60", "1-5", "5-1", "fri", "MON", "fri-mon", "mon-fri", "jan", "*/2", "*/0"),
        *("1-5/2", "3/4", "-1", "1-", "a", "1,2", "1,", "1,*", "sun-tue", "fri-sun", "5-7", "L", "?"),
        "feb-apr",
    ]
)


@given(st.lists(PIECES, min_size=5, max_size=5).map(" ".join))
@settings(max_examples=200, deadline=None)
def test_cron_itself_takes_what_is_taken_here(text: str) -> None:
    """Broken: a schedule that cron refuses runs here, as something else than was meant, or the other way round."""
    need("crontab")
    said = subprocess.run(["crontab", "-n", "-"], input=f"{text} true\n", capture_output=True, text=True, check=False)
    try:
        parse_cron(text, UTC)
        told = ""
    except UsageError as error:
        told = str(error)
    never = re.search("no day is like that|goes backwards", told)  # cron takes it, and never runs it
    assert never or bool(said.returncode) is bool(told), f"{text!r}: {said.stderr} and {told}"


def test_nicknames_are_crons() -> None:
    need("crontab")
    assert shutil.which("crontab")
    for name in NICKNAMES:
        said = subprocess.run(
            ["crontab", "-n", "-"], input=f"{name} true\n", text=True, capture_output=True, check=False
        )
        assert not said.returncode, name


BERLIN, CAIRO, LORD_HOWE = map(ZoneInfo, ("Europe/Berlin", "Africa/Cairo", "Australia/Lord_Howe"))


@pytest.mark.parametrize(
    ("text", "zone", "start", "wanted"),
    [
        ("30 2 * * *", BERLIN, "2026-03-28T20:00", ["03-29 03:00 +0200", "03-30 02:30 +0200"]),
        ("*/30 2 * * *", BERLIN, "2026-03-28T20:00", ["03-29 03:00 +0200", "03-30 02:00 +0200"]),
        ("30 2 * * *", BERLIN, "2026-10-24T20:00", ["10-25 02:30 +0200", "10-26 02:30 +0100"]),
        ("*/30 2 * * *", BERLIN, "2026-10-24T20:00", ["10-25 02:00 +0200", "10-25 02:30 +0200", "10-26 02:00 +0100"]),
        ("0 * * * *", BERLIN, "2026-10-25T01:30", ["10-25 02:00 +0200", "10-25 02:00 +0100", "10-25 03:00 +0100"]),
        ("0 * * * *", BERLIN, "2026-03-29T01:30", ["03-29 03:00 +0200", "03-29 04:00 +0200"]),
        ("0 0 * * *", CAIRO, "2026-04-23T20:00", ["04-24 01:00 +0300", "04-25 00:00 +0300"]),
        ("*/20 * * * *", CAIRO, "2026-04-23T23:40", ["04-24 01:00 +0300", "04-24 01:20 +0300"]),
        ("15 2 * * *", LORD_HOWE, "2026-10-03T20:00", ["10-04 02:30 +1100", "10-05 02:15 +1100"]),
    ],
)
def test_the_clock_is_changed(text: str, zone: ZoneInfo, start: str, wanted: list[str]) -> None:
    """Broken: twice a year a night is left out, or comes twice."""
    found = firings(text, datetime.fromisoformat(start).replace(tzinfo=zone), len(wanted), zone)
    assert [f"{each:%m-%d %H:%M %z}" for each in found] == wanted


@given(st.sampled_from([BERLIN, CAIRO, LORD_HOWE, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")]),
       st.integers(0, 59), st.integers(0, 23), st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_each_day_of_a_zone_has_one_firing(zone: ZoneInfo, minute: int, hour: int, start: datetime) -> None:
    """Broken: a date has no firing, so that it is never due, or two."""
    noon = start.replace(hour=12, minute=0, second=0, microsecond=0, tzinfo=zone)
    found = firings(f"{minute} {hour} * * *", noon, 250, zone)
    assert [each.date() for each in found] == [found[0].date() + timedelta(days=n) for n in range(250)]


def test_a_second_look_after_an_hour_that_comes_twice_goes_forward() -> None:
    """Broken: asked in the second 02:10, it would name the first 02:30, which is over: doubled."""
    second = datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN, fold=1)
    assert parse_cron("30 2 * * *", BERLIN).after(second) == datetime(2026, 10, 26, 2, 30, tzinfo=BERLIN)
