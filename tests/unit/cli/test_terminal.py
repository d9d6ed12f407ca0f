"""What people read: durations, a progress line, the summary."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console

from replay.cli.output import DRAWN
from replay.cli.progress_line import bar_width, fit, progress_fields, text_width
from replay.cli.terminal import draws, summary_lines
from replay.delivery.outages import ClusterOutages
from replay.delivery.snapshot import Snapshot
from replay.delivery.tally import Tally
from replay.kafka.trouble import PATIENT_S, UNREACHABLE, Trouble
from replay.model import PartitionMark, Position, Progress
from replay.units import clock_time, duration
from tests.unit.fakes import FakeClock


def at(row: int, left_out: int = 0, bad: dict[str, int] | None = None, ahead_rows: int = 0) -> Progress:
    return Progress(Position(row, (row,), left_out, bad or {}), (PartitionMark(row, ahead_rows),))


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


def line(shown: Tally, rows_per_s: float, columns: int = 500) -> str:
    """As it stands beside the bar of a terminal so wide."""
    return fit(progress_fields(shown.view(), rows_per_s), text_width(columns))


def outage() -> Tally:
    shown = Tally(20_000_000, in_flight_rows=7, outage_since_s=1.8e9, outage_left_s=288.0)
    shown.proven(at(12_345_678))
    shown.outage_reason = "a:9092: connection refused"
    return shown


def test_an_outage_comes_first_in_the_progress_line():
    """It is what the operator has to see."""
    text = line(outage(), 100.0)
    assert text.startswith("BROKER DOWN since ")
    assert "a:9092: connection refused" in text
    assert "4 min 48 s" in text
    assert "12,345,678 of 20,000,000 rows, 100/s, 7 in flight" in text


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (120, "BROKER DOWN since {} (a:9092: connection refused), 4 min 48 s left, 12,345,678 rows"),
        (80, "BROKER DOWN, 4 min 48 s left, 12,345,678 rows"),
        (60, "BROKER DOWN, 4:48 left, 12,345,678 rows"),
    ],
)
def test_an_outage_keeps_the_time_left_and_the_rows_at_every_width(columns, text):
    """Broken: at 80 columns the bar or the rows are pushed out by the reason, and nobody sees how long it is waited."""
    shown = outage()
    told = line(shown, 0.0, columns)
    assert told == text.format(clock_time(1.8e9))
    assert len(told) <= columns - bar_width(columns) - 8
    assert bar_width(columns) >= 10


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (120, "12,345,678 of 20,000,000 rows, 5,000/s, 25 min 31 s left, 250 in flight, late p99 2.1 ms"),
        (80, "12,345,678 of 20,000,000 rows, 5,000/s, 25 min 31 s left"),
        (60, "12,345,678 rows, 25 min 31 s left"),
        (20, "12,345…"),
    ],
)
def test_fields_give_way_by_what_they_are_worth(columns, text):
    """Broken: the line wraps and breaks the display, or the bar is squeezed out."""
    shown = Tally(20_000_000, done_rows=12_345_678, in_flight_rows=250)
    shown.proven(at(12_345_678))
    shown.lateness.add(np.array([0.0021]))
    assert line(shown, 5_000.0, columns) == text


def test_without_a_rate_no_end_is_promised():
    assert "left" not in line(Tally(10), 0.0)


def test_the_end_of_a_speed_comes_from_event_time():
    """Broken: in a quiet hour the end is a week away, and in a busy one minutes."""
    shown = Tally(1_000, schedule_end_ns=1, schedule_left_s=7_500.0)
    shown.proven(at(500))
    assert line(shown, 0.1) == "500 of 1,000 rows, 0/s, 2 h 05 min left, 0 in flight"
    shown.is_end_at_most = True
    assert "at most 2 h 05 min left" in line(shown, 100.0)


class Pipe(io.StringIO):
    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("is_terminal", "variables", "drawn"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm"}, False),
        (False, {"TERM": "xterm", "FORCE_COLOR": "1"}, False),
        (False, {"TERM": "xterm", "TTY_COMPATIBLE": "1"}, False),
    ],
)
def test_a_bar_is_drawn_on_terminals_only(is_terminal, variables, drawn, monkeypatch):
    """Broken: FORCE_COLOR (a CI system sets it) fills a log with cursor codes, and no progress line is ever written."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert draws(Console(file=Pipe(is_terminal=is_terminal))) is drawn


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_is_drawn_is_drawn_in_any_encoding(encoding):
    """Broken: a histogram of \\u2588\\u2588\\u2588."""
    assert "███▏ B\udcf6rse…".encode(encoding, DRAWN) == b"###| B\\udcf6rse~"


def test_the_summary_tells_what_happened_and_nothing_that_did_not():
    shown = Tally(1_000, pruned_rows=500, already_there_rows=50, sending_s=10.0)
    shown.begins(at(100, ahead_rows=50))
    shown.sent_rows = 760
    shown.proven(at(1_000, 90, {"price_missing": 60, "time_missing": 20}))
    lines = dict(summary_lines(shown.view(), "trades", "x.json", "done", 15.6))
    assert lines["rows"] == "910 in topic, 510 not selected, 80 bad, of 1,500 rows"
    assert lines["bad rows"] == "price is null or empty 60, time is null or empty 20"
    assert lines["delivered"] == "760 by this run, which began at row 100"
    assert lines["already there"].startswith("50 found")
    assert lines["time"] == "15.6 s in all; 10 s of it sending, 76 rows/s"
    assert {"outcome", "topic", "checkpoint"} <= set(lines)
    assert not {"lateness", "schedule", "outages", "sent again", "unconfirmed"} & set(lines)
    shown.lateness.add(np.array([0.001, 0.5]))
    shown.shifted_s, shown.outages, shown.outages_s = 3.0, 2, 20.0
    lines = dict(summary_lines(shown.view(), "trades", "x.json", "done", 15.6))
    assert "max 500.0 ms" in lines["lateness"]
    assert lines["schedule"] == "shifted by 3 s after stalls"
    assert lines["outages"] == "2, 20 s in all"


def test_rows_that_were_lost_on_their_way_are_no_duplicates():
    """Broken: "sent 20,135 of 20,000" reads as 135 duplicates; rows that wait for an answer read as delivered."""
    shown = Tally(20_000, sent_rows=2_000)
    shown.begun_in_topic = 0
    shown.begins(at(1_800, ahead_rows=65))  # a new producer: 135 of the 2,000 are not in the topic
    shown.sent_rows += 1_000
    shown.proven(at(2_700))
    lines = dict(summary_lines(shown.view(), "trades", "x.json", "exit 5", 5.0))
    assert lines["delivered"] == "2,700 by this run, which began at row 0"
    assert lines["sent again"] == "135 that were lost on their way; none is in the topic twice"
    assert lines["unconfirmed"].startswith("165 sent and not acknowledged")


def test_a_run_that_never_came_to_send_has_a_time_and_no_rate():
    """Broken: the run took 15.6 s, and "4.32 s" of them are told, or a rate of nothing."""
    lines = dict(summary_lines(Tally(10).view(), "trades", "x.json", "exit 5", 15.6))
    assert lines["time"] == "15.6 s in all"
    assert lines["delivered"] == "0 by this run"


def test_a_run_that_finds_nothing_to_do_says_so_and_not_where_it_began():
    """Broken: "0 by this run, which began at row 20,000": so nobody knows whether something is missing."""
    shown = Tally(20_000)
    shown.knows(at(20_000))
    lines = dict(summary_lines(shown.view(), "trades", "x.json", "done", 0.5))
    assert lines["rows"] == "20,000 in topic, 0 not selected, 0 bad, of 20,000 rows"
    assert lines["delivered"] == "0 by this run; there was nothing left to do"


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str) -> None:
        self.lines.append(message)

    def warning(self, message: str) -> None:
        self.lines.append(message)

    def phase(self, name: str, done_rows: int, rows: int) -> None: ...
    def progress(self, snapshot: Snapshot) -> None: ...


def test_trouble_that_lasts_is_told_once_and_then_each_minute():
    """An outage must be seen within seconds, on the display too, and not flood the log; an election is no outage."""
    told, clock, shown = Told(), FakeClock(), Tally(10)
    trouble = Trouble(told, clock, ClusterOutages(shown, told, clock))
    trouble.lasts(UNREACHABLE, "a:9092: connection refused", PATIENT_S / 2, 100.0)
    assert not told.lines
    assert shown.outage_since_s is None
    for seconds in range(1, 150):
        trouble.lasts(UNREACHABLE, "a:9092: connection refused", float(seconds), 300.0 - seconds)
        clock.sleep(1)
    assert len(told.lines) == 3
    assert re.fullmatch(
        r"Broker unreachable since \d\d:\d\d:\d\d \(a:9092: connection refused\)\. Nothing is lost; retrying until"
        r" \d\d:\d\d:\d\d\.",
        told.lines[0],
    )
    since, until = (time_of_day(told.lines[0], word) for word in ("since", "until"))
    assert (until - since) % 86_400 == 300
    assert (time_of_day(told.lines[1], "since"), time_of_day(told.lines[1], "until")) == (since, until)
    assert "1 min 01 s so far" in told.lines[1]
    assert shown.outage_since_s is not None
    assert shown.outage_reason == "a:9092: connection refused"
    shown.done_rows = 2_182
    trouble.over(150.0)
    assert told.lines[3:] == ["Broker back after 2 min 30 s; continuing at row 2,182."]
    assert shown.outage_since_s is None
    assert (shown.outages, shown.outages_s) == (1, 150.0)


def test_what_was_never_told_does_not_end():
    """Broken: "broker back" after each leader election."""
    told = Told()
    trouble = Trouble(told, FakeClock())
    trouble.lasts(UNREACHABLE, "no answer", PATIENT_S / 2, 100.0)
    trouble.over(PATIENT_S / 2)
    assert not told.lines


def time_of_day(line: str, word: str) -> int:
    """The time of day behind the word, in seconds."""
    found = re.search(rf"{word} (\d\d):(\d\d):(\d\d)", line)
    assert found, line
    hours, minutes, seconds = map(int, found.groups())
    return (hours * 60 + minutes) * 60 + seconds
