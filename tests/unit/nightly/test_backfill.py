"""Days one after another: what is done is skipped, what failed is tried again, and nothing comes after a failed day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from replay.checkpoint.content import JobState, dumps
from replay.nightly.backfill import Backfill, Day, DayState, exit_code, run_days
from replay.nightly.calendars import DaysOff
from replay.nightly.due import Missing, Retries
from replay.nightly.missing import Policy
from replay.position import Position
from tests.unit.checkpoint.test_content import checkpoint_at
from tests.unit.fakes import Told

DAYS = [date(2026, 11, n) for n in (1, 2, 3)]


@dataclass
class FakeChildren:
    """Runs nothing: hands out exit codes by date, and writes the checkpoint of those that are done."""

    folder: Path
    codes: dict[date, list[int]]
    ran: list[date] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    stopped_by: int | None = None

    def run(self, args: Sequence[str]) -> int:
        day = date.fromisoformat(args[0])
        self.ran.append(day)
        code = self.codes.get(day, [0]).pop(0) if self.codes.get(day) else 0
        if code == 0:
            write_done(self.folder / f"{day}.json")
        return code

    @property
    def is_stopped(self) -> bool:
        return self.stopped_by is not None

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def write_done(path: Path) -> None:
    path.write_bytes(dumps(replace(checkpoint_at(500), state=JobState.DONE)))


def backfill(folder: Path, codes: dict[date, list[int]], **options: Any) -> tuple[list[Day], FakeChildren, int]:
    children: Any = FakeChildren(folder, codes)
    plan = Backfill(
        args=lambda day: [str(day)],
        checkpoint=lambda day: folder / f"{day}.json",
        has_input=options.pop("has_input", lambda _: True),
        retries=Retries(options.pop("retries", 2), 10.0, 600.0),
        missing=options.pop("missing", Policy()),
        go_on=options.pop("go_on", False),
        looks_unchanged=options.pop("looks_unchanged", lambda _: True),
        **options,
    )
    days = run_days(plan, DAYS, children, Told())
    return days, children, exit_code(days, children)


def test_days_that_are_done_are_skipped(tmp_path: Path) -> None:
    """Broken: a backfill that is started again would double its days, or look at each of them for minutes."""
    write_done(tmp_path / f"{DAYS[0]}.json")
    days, children, code = backfill(tmp_path, {})
    assert [day.state for day in days] == [DayState.SKIPPED, DayState.DONE, DayState.DONE]
    assert children.ran == DAYS[1:]
    assert code == 0
    again, children, _ = backfill(tmp_path, {})
    assert not children.ran
    assert all(day.state is DayState.SKIPPED for day in again)


def test_lines_of_a_day_are_of_that_day(tmp_path: Path) -> None:
    """Broken: a log collector's query for a date finds the day's own process, and not why it was tried again."""

    class Logged(Told):
        def warning(self, message: str) -> None:
            logger.warning("{}", message)

    seen: list[dict[str, Any]] = []
    children: Any = FakeChildren(tmp_path, {DAYS[0]: [5, 0]})
    plan = Backfill(
        lambda day: [str(day)], lambda day: tmp_path / f"{day}.json", lambda _: True, Retries(2, 10.0, 600.0),
        missing=Policy(), go_on=False, job="nightly",
    )  # fmt: skip
    sink = logger.add(lambda message: seen.append(message.record["extra"]), level="WARNING")
    try:
        run_days(plan, DAYS, children, Logged())
    finally:
        logger.remove(sink)
    assert [(each["job"], each["date"]) for each in seen] == [("nightly", str(DAYS[0]))]


def test_an_outage_is_tried_again_and_a_bad_file_is_not(tmp_path: Path) -> None:
    days, children, code = backfill(tmp_path, {DAYS[0]: [5, 5, 0], DAYS[1]: [3]})
    assert [(day.state, day.attempts) for day in days] == [
        (DayState.DONE, 3), (DayState.FAILED, 1), (DayState.WAITING, 0),
    ]  # fmt: skip
    assert children.slept == [10.0, 20.0]
    assert code == 3


@pytest.mark.parametrize("go_on", [False, True])
def test_after_a_day_that_failed(tmp_path: Path, go_on: bool) -> None:
    """Broken: the rows of a later day would come before those that are still to be sent."""
    days, _children, code = backfill(tmp_path, {DAYS[0]: [5] * 9}, go_on=go_on)
    assert days[0].state is DayState.FAILED
    assert [day.state for day in days[1:]] == [DayState.DONE if go_on else DayState.WAITING] * 2
    assert code == 5


def test_days_without_input(tmp_path: Path) -> None:
    days, _, code = backfill(tmp_path, {}, has_input=lambda day: day != DAYS[1], missing=Policy(Missing.SKIP))
    assert [day.state for day in days] == [DayState.DONE, DayState.MISSING, DayState.DONE]
    assert code == 0


def test_a_damaged_checkpoint_is_not_done(tmp_path: Path) -> None:
    """Broken: a torn file would pass for a day that was replayed."""
    (tmp_path / f"{DAYS[0]}.json").write_bytes(b"{}")
    days, children, code = backfill(tmp_path, {DAYS[0]: [4]})
    assert (days[0].state, days[0].code, code) == (DayState.FAILED, 4, 4)
    assert children.ran == [DAYS[0]]


def test_a_day_off_is_no_missing_day_and_one_with_files_is_replayed(tmp_path: Path) -> None:
    """Broken: a backfill ends at each weekend, or leaves out rows of a day that had some after all."""
    sunday, second_of_november = DaysOff([], [6]), DaysOff([DAYS[1]], [])  # 2026-11-01 is a Sunday
    days, children, code = backfill(tmp_path, {}, has_input=lambda day: day != DAYS[0], missing=Policy(calendar=sunday))
    assert [day.state for day in days] == [DayState.OFF, DayState.DONE, DayState.DONE]
    assert code == 0
    (tmp_path / "2").mkdir()
    days, children, code = backfill(tmp_path / "2", {}, missing=Policy(calendar=second_of_november))
    assert children.ran == DAYS


def test_a_missing_day_fails_by_a_run_of_its_own(tmp_path: Path) -> None:
    """Broken: nobody is notified of it, and no metrics tell: only a run does that."""
    days, children, code = backfill(tmp_path, {DAYS[1]: [3]}, has_input=lambda day: day != DAYS[1])
    assert children.ran == DAYS[:2]
    assert [day.state for day in days] == [DayState.DONE, DayState.FAILED, DayState.WAITING]
    assert code == 3


def test_a_missing_day_is_waited_for(tmp_path: Path) -> None:
    """Broken: the file of a day that comes ten minutes late is never sent."""
    looks = iter([False, False, False, True])
    days, children, code = backfill(
        tmp_path, {}, has_input=lambda day: day != DAYS[1] or next(looks), missing=Policy(Missing.WAIT, every_s=60)
    )
    assert [day.state for day in days] == [DayState.DONE] * 3
    assert children.slept == [60.0, 60.0, 60.0]
    assert code == 0


def test_a_missing_day_is_waited_for_so_long_and_then_fails(tmp_path: Path) -> None:
    days, children, code = backfill(
        tmp_path, {DAYS[0]: [3]}, has_input=lambda _: False, missing=Policy(Missing.WAIT, every_s=60, for_s=150)
    )
    assert children.slept == [60.0, 60.0, 30.0]
    assert [day.state for day in days] == [DayState.FAILED, DayState.WAITING, DayState.WAITING]
    assert code == 3


def test_a_day_tells_its_rows_and_those_that_were_never_sent(tmp_path: Path) -> None:
    """Broken: "1,000 of 1,000 rows" of a day whose topic holds 408."""
    position = Position(501, (500, 1), 96, {"price_missing": 36})
    done = replace(checkpoint_at(500), state=JobState.DONE, pruned_rows=200)
    path = tmp_path / f"{DAYS[0]}.json"
    path.write_bytes(dumps(replace(done, progress=replace(done.progress, position=position))))
    days, _, _ = backfill(tmp_path, {})
    assert str(days[0]) == "was done: 408 in topic, 260 not selected, 36 bad, of 1,210 rows"
    failed = Day(DAYS[1], DayState.FAILED, 5, 3, days[0].counts)
    assert str(failed).startswith("failed, exit 5 (broker unavailable), 3 attempts: 408 in topic")
