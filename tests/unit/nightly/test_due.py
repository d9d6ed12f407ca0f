"""Which dates are due, and when a failed one is tried again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from replay.errors import ExitCode, UsageError
from replay.nightly.children import Children
from replay.nightly.due import Retries, days_between, logical_date, missed, newest, retry_wait_s
from replay.nightly.missing import Policy
from replay.nightly.schedule import CronTrigger, ScheduledJob, Scheduler, cron_trigger, dates_known
from tests.unit.fakes import Told

BERLIN = ZoneInfo("Europe/Berlin")


def day(number: int) -> date:
    return date(2026, 11, number)


def every_night(at: datetime) -> datetime:
    """02:00 UTC."""
    first = at.replace(hour=2, minute=0, second=0, microsecond=0)
    return first if first > at else first + timedelta(days=1)


NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)


def test_what_was_missed_is_every_date_since_the_job_began_that_is_not_done() -> None:
    """Broken: a machine that was off would leave holes, or a job would replay years that were never its business."""
    known = [day(20), day(21), day(23)]
    assert missed(every_night, "yesterday", known, [day(20), day(23)], NOW) == [day(21), day(22), day(24)]
    assert missed(every_night, "yesterday", [], [], NOW) == []
    assert missed(every_night, "yesterday", [day(24)], [day(24)], NOW) == []


def test_a_firing_that_has_not_come_is_not_missed() -> None:
    """Broken: the coming night's file would be looked for in the evening."""
    before_two = datetime(2026, 11, 25, 1, 59, tzinfo=UTC)
    assert missed(every_night, "yesterday", [day(22)], [day(22)], before_two) == [day(23)]
    assert missed(every_night, "yesterday", [day(22)], [day(22)], before_two + timedelta(minutes=1)) == [
        day(23),
        day(24),
    ]


def test_an_interrupted_date_is_due_though_no_firing_names_it() -> None:
    """Broken: a date that somebody began by hand and kill -9 ended would stay half."""
    sundays = cron_trigger("0 2 * * sun", "UTC")
    found = missed(lambda at: sundays.get_next_fire_time(at, at), "yesterday", [day(18)], [], NOW)
    assert found == [day(18), day(21)]


@pytest.mark.parametrize(
    ("text", "firings"),
    [
        # There is no 02:30 on the 29th.
        ("30 2 * * *", ["2026-03-28 02:30+01:00", "2026-03-29 03:00+02:00", "2026-03-30 02:30+02:00"]),
        ("30 3 * * *", ["2026-03-28 03:30+01:00", "2026-03-29 03:30+02:00", "2026-03-30 03:30+02:00"]),
    ],
)
def test_daylight_saving(text: str, firings: list[str]) -> None:
    """Broken: twice a year a night would come twice, or a later one be taken for missed for ever."""
    trigger = cron_trigger(text, "Europe/Berlin")
    at = datetime(2026, 3, 28, tzinfo=BERLIN)
    found = []
    while at < datetime(2026, 3, 30, 4, tzinfo=BERLIN):
        at = trigger.get_next_fire_time(at, at) or pytest.fail("no firing")
        found.append(at)
    wanted = [datetime.fromisoformat(firing) for firing in firings]
    assert found[: len(wanted)] == wanted
    assert missed(
        lambda moment: trigger.get_next_fire_time(moment, moment),
        "yesterday",
        [date(2026, 3, 27)],
        [date(2026, 3, 27)],
        datetime(2026, 3, 30, 12, tzinfo=BERLIN),
    ) == [date(2026, 3, 28), date(2026, 3, 29)]


def test_the_date_of_a_firing() -> None:
    firing = datetime(2026, 11, 25, 2, tzinfo=UTC)
    assert logical_date(firing, "yesterday") == day(24)
    assert logical_date(firing, "today") == day(25)
    assert logical_date(firing, "-3") == day(22)


def test_only_what_time_may_mend_is_tried_again() -> None:
    """Broken: a missing column would be looked at all night, or a broker's restart would end it."""
    retries = Retries(6, 10.0, 100.0)
    waits = [retry_wait_s(ExitCode.BROKER_UNAVAILABLE, attempt, retries) for attempt in range(1, 8)]
    assert waits[-1] is None
    assert waits[:-1] == [10, 20, 40, 80, 100, 100]
    for code in ExitCode:
        tried = retry_wait_s(code, 1, retries) is not None
        assert tried is (code in (ExitCode.BROKER_UNAVAILABLE, ExitCode.LOCKED)), code


def test_a_week_of_retries_ends_in_no_overflow() -> None:
    """Broken: after a thousand doublings the wait is no number any more, and the scheduler drops the job."""
    assert retry_wait_s(ExitCode.BROKER_UNAVAILABLE, 5_000, Retries(10_000, 1.0, 600.0)) == 600.0


@pytest.mark.parametrize(
    ("first", "last", "where"),
    [(None, "2026-11-04", "--from"), ("2026-11-01", None, "--to"), ("2026-11-04", "2026-11-04", "--to")],
)
def test_a_backfill_without_days_says_which_end_is_wrong(first: str | None, last: str | None, where: str) -> None:
    with pytest.raises(UsageError) as error:
        days_between(first, last, day(10))
    assert error.value.where == where


def test_days_and_limits() -> None:
    assert days_between("2026-11-01", "-6", day(10)) == [day(1), day(2), day(3)]
    assert newest([day(1), day(2), day(3)], 2) == ([day(2), day(3)], [day(1)])
    assert newest([day(1)], 0) == ([], [day(1)])


@pytest.mark.parametrize("text", ["", "0 2 * *", "61 2 * * *", "nightly"])
def test_a_schedule_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError, match="is no schedule"):
        cron_trigger(text, "UTC")


class Nightly:
    """Fires at 00:00 UTC; `newest` is what a test says."""

    zone = UTC

    def __init__(self, fired: datetime) -> None:
        self.fired = fired

    def newest(self, _: datetime) -> datetime:
        return self.fired

    def after(self, moment: datetime) -> datetime:
        next_day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return next_day if next_day <= self.fired else datetime.max.replace(tzinfo=UTC)


def test_the_first_date_of_a_job_is_not_forgotten_though_nothing_came_of_it(tmp_path: Path) -> None:
    """Broken: the file of a new job's first night is missing, no checkpoint remembers it, and no later firing does."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    cron: Any = Nightly(today - timedelta(days=1))
    job = ScheduledJob("j", CronTrigger(cron), "today", lambda _: [], tmp_path, 7, Retries(0, 1.0, 1.0), False,
                       lambda _: False, Policy())  # fmt: skip
    scheduler = Scheduler([job], Children(), Told())
    assert scheduler._due(job, is_start=False) == [cron.fired.date()]
    cron.fired = today
    assert scheduler._due(job, is_start=False) == [today.date() - timedelta(days=1), today.date()]


def test_a_file_that_is_named_like_no_day_is_no_checkpoint_of_a_date(tmp_path: Path) -> None:
    """Broken: one such file beside the checkpoints ends every firing of the job."""
    for name in ("2026-02-30.json", "abcd-ef-gh.json"):
        (tmp_path / name).write_text("{}")
    assert dates_known(tmp_path) == {}
