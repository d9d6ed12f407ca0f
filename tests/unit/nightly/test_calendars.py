"""Days off: a file of dates and weekdays, or an exchange."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from replay.errors import UsageError
from replay.nightly.calendars import parse_calendar


def test_a_file_of_days_off(tmp_path: Path) -> None:
    """Broken: a weekend or a holiday ends the nights, or an ordinary day without file is passed over."""
    path = tmp_path / "off.txt"
    path.write_text("\ufeff# ours\nsat\nSun  # always\n\n2026-12-25\n")
    calendar = parse_calendar(str(path))
    off = [date(2026, 12, day) for day in range(21, 29) if calendar.is_off(date(2026, 12, day))]
    assert off == [date(2026, 12, 25), date(2026, 12, 26), date(2026, 12, 27)]
    assert not calendar.is_off(date(2027, 12, 24)), "where the file ends, days are missed and not passed over"


@pytest.mark.parametrize("line", ["25.12.2026", "2026-02-30", "saturday", "2026-12-25 Christmas"])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    """Broken: a holiday is left out in silence, and found out on that night."""
    (tmp_path / "off").write_text(f"sat\n{line}\n")
    with pytest.raises(UsageError, match="line 2: "):
        parse_calendar(str(tmp_path / "off"))


def test_the_sessions_of_an_exchange() -> None:
    """Broken: Thanksgiving fails the night of New York, or the day after is passed over."""
    calendar = parse_calendar("XNYS")
    off = [day for day in range(20, 31) if calendar.is_off(date(2026, 11, day))]
    assert off == [21, 22, 26, 28, 29]
    assert not parse_calendar("24/7").is_off(date(2026, 12, 25))
    assert calendar.is_off(date(2026, 1, 1))
    assert calendar.is_off(date(2027, 1, 1))


@pytest.mark.parametrize("text", ["NOPE", "no/such/file.txt", "/tmp"])
def test_neither_a_file_nor_an_exchange(text: str) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        parse_calendar(text)
