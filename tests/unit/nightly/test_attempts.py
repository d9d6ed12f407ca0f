"""The words for a date that failed: of a backfill, and of a schedule, which comes again."""

from __future__ import annotations

from datetime import date

import pytest

from replay.errors import ExitCode
from replay.nightly.attempts import exit_text, why_failed
from replay.nightly.missing import Found

DAY = date(2026, 11, 3)


@pytest.mark.parametrize(
    ("code", "found", "later", "comes_again", "text"),
    [
        (5, Found.THERE, 2, False, "2026-11-03: exit 5 (broker unavailable)"),
        (
            5, Found.THERE, 2, True,
            "2026-11-03: exit 5 (broker unavailable); 2 later dates wait for it; the next firing tries again",
        ),
        (4, Found.CAME, 0, True, "2026-11-03: exit 4 (state conflict); the next firing tries again"),
        (5, Found.MISSING, 0, False, "2026-11-03: exit 5 (broker unavailable)"),
    ],
)  # fmt: skip
def test_a_date_that_failed(code: int, found: Found, later: int, comes_again: bool, text: str) -> None:
    assert why_failed(DAY, code, found, later, comes_again=comes_again) == text


@pytest.mark.parametrize("comes_again", [False, True])
def test_a_date_without_a_file_says_what_helps(comes_again: bool) -> None:
    """Broken: "exit 3 (input)" of a file that comes in ten minutes."""
    text = why_failed(DAY, ExitCode.INPUT, Found.MISSING, 1, comes_again=comes_again)
    assert text.startswith("2026-11-03 has no file; 1 later date waits for it. Add the file, or let it be passed over")
    assert text.endswith("; the next firing looks again") is comes_again


def test_an_exit_code_that_is_none_of_ours() -> None:
    assert exit_text(137) == "exit 137"
