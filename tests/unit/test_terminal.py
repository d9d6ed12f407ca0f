"""What people read: durations, a progress line, the summary."""

from __future__ import annotations

import numpy as np
import pytest

from replay.report import PATIENT_S, REPEAT_S, Snapshot, Stop, Trouble
from replay.terminal import duration, progress_text, summary_lines
from tests.unit.fakes import FakeClock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.85, "850 ms"), (12, "12 s"), (200, "3 min 20 s"), (7_500, "2 h 05 min"), (90_000, "25 h 00 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("seconds", [0.9999, 59.99, 119.7, 3_599.8])
def test_no_sixty_seconds_in_a_minute(seconds):
    text = duration(seconds)
    assert "60 s" not in text
    assert "60 min" not in text
    assert "1000 ms" not in text


def test_an_outage_comes_first_in_the_progress_line():
    """It is what the operator has to see."""
    shown = Snapshot(1_000, done_rows=500, in_flight_rows=7, outage_since_s=1.8e9, outage_left_s=288.0)
    shown.outage_reason = "connection refused"
    text = progress_text(shown, 100.0)
    assert text.startswith("BROKER DOWN")
    assert "connection refused" in text
    assert "4 min 48 s" in text
    assert "500 of 1,000 rows, 100/s, 5 s left, 7 in flight" in text


def test_without_a_rate_no_end_is_promised():
    assert "left" not in progress_text(Snapshot(10), 0.0)


def test_the_summary_tells_what_happened_and_nothing_that_did_not():
    shown = Snapshot(1_000, first_row=100, done_rows=1_000, sent_rows=850, already_there_rows=50, elapsed_s=10.0)
    lines = dict(summary_lines(shown, "trades", "x.json", "done"))
    assert lines["rows"] == "1,000 of 1,000 in the topic"
    assert lines["sent"].startswith("850 by this run")
    assert lines["already there"].startswith("50 found")
    assert lines["time"] == "10 s, 85 rows/s"
    assert {"outcome", "topic", "checkpoint"} <= set(lines)
    assert not {"lateness", "schedule", "outages"} & set(lines)
    shown.lateness.add(np.array([0.001, 0.5]))
    shown.shifted_s, shown.outages, shown.outages_s = 3.0, 2, 20.0
    lines = dict(summary_lines(shown, "trades", "x.json", "done"))
    assert "max 500.0 ms" in lines["lateness"]
    assert lines["schedule"] == "shifted by 3 s after stalls"
    assert lines["outages"] == "2, 20 s in all"


def test_trouble_that_lasts_is_told_again_but_not_at_every_try():
    """An outage must be seen within seconds, on the display too, and not flood the log; an election is no outage."""
    told: list[str] = []

    class Told:
        def info(self, message: str) -> None: ...
        def phase(self, name: str, done_rows: int, rows: int) -> None: ...
        def progress(self, snapshot: Snapshot) -> None: ...
        def warning(self, message: str) -> None:
            told.append(message)

    clock, shown = FakeClock(), Snapshot(10)
    trouble = Trouble(Told(), clock, shown)
    trouble.lasts("no broker", PATIENT_S / 2, 100.0)
    assert not told
    assert shown.outage_since_s is None
    for tenths in range(200):
        trouble.lasts("no broker", tenths / 10, 100.0 - tenths / 10)
        clock.sleep(0.1)
    assert 2 <= len(told) <= 20 / REPEAT_S
    assert shown.outage_since_s is not None
    assert shown.outage_reason == "no broker"
    trouble.over(20.0)
    assert shown.outage_since_s is None
    assert (shown.outages, shown.outages_s) == (1, 20.0)


def test_the_second_signal_is_impatience():
    stop = Stop()
    stop.check()
    assert not stop.impatient()
    stop.request(15)
    assert not stop.impatient()
    stop.request(2)
    assert stop.impatient()
    assert stop.signal_number == 2
