"""What Debian's own cron runs at a minute, and what `replay schedule` would: the same on every day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from replay.nightly.cron import parse_cron
from tests.support.cron_daemon import DAEMON, lines_that_fire
from tests.support.need import need, need_file, need_root

BERLIN = ZoneInfo("Europe/Berlin")
SCHEDULES = [
    "30 2 * * 0", "30 2 * * 7", "30 2 * * sun", "30 2 * * 1-5", "30 2 * * mon-fri", "30 2 * * 5-7", "30 2 * * sat,tue",
    "30 2 * * 1-5/2", "30 2 * * */2", "30 2 * * 0-7/3", "30 2 1 * 1", "30 2 1,15 * fri", "30 2 */2 * 1", "30 2 */2 * *",
    "30 2 25 * */2", "30 2 1-7 * 0", "30 2 1-31/7 * 4", "30 2 * 12 *", "30 2 1 dec *", "30 2 * nov-dec 3",
    "*/10 2 * * 1", "29-31 1-3 * * 2", "0-59/30 */2 * * 6", "30 3 * * *", "0 2 * * *", "5-5/2 2 * * *",
]  # fmt: skip


@pytest.fixture(autouse=True)
def tools() -> None:
    need("faketime", "unshare")
    need_file(DAEMON, "cron")
    need_root("a mount namespace")


def would_fire(text: str, at: datetime) -> bool:
    newest = parse_cron(text, at.tzinfo or UTC).newest(at)
    return newest is not None and newest.timestamp() == at.timestamp()


def test_cron_and_schedule_run_the_same_on_every_day_of_nine(tmp_path: Path) -> None:
    """Broken: "Sunday" is Monday, and a job moved from a crontab to the scheduler runs on other days."""
    moments = [datetime(2026, 11, 23, 2, 30, tzinfo=UTC) + timedelta(days=n) for n in range(9)]
    with ThreadPoolExecutor(len(moments)) as pool:
        ran = list(pool.map(lambda at: lines_that_fire(SCHEDULES, at, "UTC", tmp_path / f"{at:%d}"), moments))
    wanted = [{text for text in SCHEDULES if would_fire(text, at)} for at in moments]
    assert dict(zip(map(str, moments), ran, strict=True)) == dict(zip(map(str, moments), wanted, strict=True))
    assert len(set(map(frozenset, ran))) == len(moments), "each day has lines of its own"


@pytest.mark.parametrize(
    ("at", "schedules"),
    [
        # There is no 02:30: cron makes good at 03:00 what had an hour of its own.
        (datetime(2026, 3, 29, 3, 0, tzinfo=BERLIN), ["30 2 * * *", "30 3 * * *", "0 3 * * *", "0 * * * *"]),
        # 02:00 for the second time: only what runs every hour.
        (datetime(2026, 10, 25, 2, 0, tzinfo=BERLIN, fold=1), ["0 2 * * *", "0 * * * *", "*/30 * * * *", "0 2 * * 0"]),
    ],
)  # fmt: skip
def test_cron_and_schedule_run_the_same_when_the_clock_is_changed(
    at: datetime, schedules: list[str], tmp_path: Path
) -> None:
    """Broken: the night of the change is lost in one of them, or doubled."""
    ran = lines_that_fire(schedules, at, "Europe/Berlin", tmp_path / "cron")
    assert ran == {text for text in schedules if would_fire(text, at)}
    assert len(ran) == (3 if at.month == 3 else 2)
