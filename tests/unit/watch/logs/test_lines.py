"""Logs: stable fields on every line, lines for people and machines, repeats held back."""

from __future__ import annotations

import io
import json
import logging
import time
from typing import Any

import pytest
from loguru import logger
from rich.console import Console

from replay.cli.terminal import Terminal
from replay.delivery.tally import Tally
from replay.kafka.options import LIBRDKAFKA_LOG
from replay.kafka.trouble import REPEAT_S
from replay.watch.beside import Beside, within
from replay.watch.logs.file import LogFile
from replay.watch.logs.lines import FIELDS, logged_as, set_up_logging


class Logs:
    """What was logged, as text or as JSON lines."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, json: bool = True, file: LogFile | None = None) -> None:
        self.stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", self.stream)
        set_up_logging(json=json, debug=True, console=Console(file=self.stream, width=500), file=file)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


def test_every_line_has_the_same_fields_known_or_not(monkeypatch):
    """Broken: a log collector's query for a job or a run would miss lines, librdkafka's first of all."""
    logs = Logs(monkeypatch)
    logger.info("before")
    with logged_as("nightly", "2026-11-22", "an-id"):
        terminal = Terminal(Console(file=io.StringIO()), 0.0, bar=False)
        terminal.warning("with {braces} and\na new line")
        terminal.progress(Tally(1_000, done_rows=400).view())
        logging.getLogger(LIBRDKAFKA_LOG).warning("[thrd:b:9092/1]: trades [3]: failed")
    logger.bind(exit_code=5).error("after")
    assert all(tuple(line)[: len(FIELDS)] == FIELDS for line in logs.lines)
    assert [line["job"] for line in logs.lines] == [None, "nightly", "nightly", "nightly", None]
    assert {line["run_id"] for line in logs.lines[1:4]} == {"an-id"}
    warning, progress, kafka = logs.lines[1:4]
    assert (warning["message"], warning["level"]) == ("with {braces} and\na new line", "warning")
    assert (progress["row"], progress["rows"], progress["partition"]) == (400, 1_000, None)
    assert (kafka["partition"], kafka["row"]) == (3, None)
    assert logs.lines[4]["exit_code"] == 5


def test_lines_say_which_row_comes_next_once_that_is_known(monkeypatch):
    """Broken: the lines around an outage do not say where in the night they were."""
    logs = Logs(monkeypatch)
    terminal = Terminal(Console(file=io.StringIO()), 60.0, bar=False)
    terminal.info("before")
    terminal.progress(Tally(1_000, done_rows=400).view())
    terminal.warning("no acknowledgement")
    terminal.info("the broker is back")
    assert [line["row"] for line in logs.lines] == [None, 400, 400]


def test_what_is_no_text_is_still_one_json_line(monkeypatch):
    """Broken: a path whose name is not UTF-8 ends the log, or makes a line that no parser takes."""
    logs = Logs(monkeypatch)
    logger.warning("{}", "B\udcf6rse\n{}")
    assert logs.lines[0]["message"] == "B\udcf6rse\n{}"


def test_a_traceback_is_a_field(monkeypatch):
    """Broken: it would be twenty lines that are no JSON."""
    logs = Logs(monkeypatch)
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        logger.opt(exception=True).error("a bug")
    assert "ZeroDivisionError" in logs.lines[0]["traceback"]


def test_threads_beside_the_replay_log_as_the_same_run(monkeypatch):
    """Broken: a warning about the history or the metrics could not be traced to its job."""
    logs = Logs(monkeypatch)
    with logged_as("nightly", None, "an-id"):
        beside = Beside("test", 60.0, lambda: logger.info("beside"))
        beside.start(5.0)
        within(5.0, lambda: logger.info("within"))
        beside.finish(5.0)
    assert [(line["message"], line["job"]) for line in logs.lines] == [
        ("beside", "nightly"),
        ("within", "nightly"),
        ("beside", "nightly"),
    ]


def test_text_is_for_people(monkeypatch):
    """Broken: fields for machines in every line that a person reads."""
    logs = Logs(monkeypatch, json=False)
    with logged_as("nightly", "2026-11-22", "an-id"):
        logger.bind(row=5).warning("{}", "[red]careful[/]")
    assert logs.text.endswith("WARNING [red]careful[/]\n")


def test_our_own_warnings_are_held_back_too(monkeypatch):
    """Broken: a schedule that is shifted every second is one warning a second, all night."""
    logs, now = Logs(monkeypatch), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    terminal = Terminal(Console(file=io.StringIO()), 60.0, bar=False)
    for _ in range(10):
        terminal.warning(f"{now[0]:.0f} s behind the schedule")
        now[0] += 1.0
    assert [line["message"] for line in logs.lines] == [
        "100 s behind the schedule",
        "104 s behind the schedule (and 3 more like it)",
        "108 s behind the schedule (and 3 more like it)",
    ]


def test_trouble_that_lasts_is_told_as_often_as_it_is_meant_to_be(monkeypatch):
    """Broken: the countdown of an outage would come half as often as the README shows it."""
    logs, now = Logs(monkeypatch), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    terminal = Terminal(Console(file=io.StringIO()), 60.0, bar=False)
    for _ in range(4):
        terminal.warning("no broker")
        now[0] += REPEAT_S - 0.01
    assert len(logs.lines) == 4


@pytest.mark.parametrize(
    "line",
    [
        "GETPID [r#producer-3] [thrd:main]: Failed to acquire idempotence PID: Coordinator load in progress: retrying",
        "DRAIN [replay#producer-2] [thrd:a:9092/1]: t [0] beginning partition drain: wait for outstanding requests",
        "FAIL [replay#producer-3] [thrd:a:9092/1]: a:9092/1: Connect to ipv4#1 failed: Connection refused (after 0ms)",
        "CONFWARN [replay#producer-2] [thrd:app]: Configuration property enable.gapless.guarantee is experimental",
    ],
)
def test_what_replay_itself_causes_or_tells_is_not_told_by_librdkafka_too(monkeypatch, line):
    """Broken: at night 3, three lines in the words of a library for one outage that is told already."""
    logs = Logs(monkeypatch)
    logging.getLogger(LIBRDKAFKA_LOG).error(line)
    logging.getLogger(LIBRDKAFKA_LOG).error("FATAL [replay#producer-3] [thrd:main]: Fatal error: out of order sequence")
    assert [each["level"] for each in logs.lines] == ["debug", "warning"]


HOSTILE = "a\x1b[2J\n2026-01-01 00:00:00.000 INFO    all is well\r\x9b31m\u202eevil\u2066 <level>{x}</level> [red]"


def hostile_lines() -> None:
    """As they come from libraries, which do not ask `printable`."""
    logging.getLogger(LIBRDKAFKA_LOG).warning(HOSTILE)
    logger.warning("{}", HOSTILE)
    Terminal(Console(file=io.StringIO()), 0.0, bar=False).warning(HOSTILE + "x" * (1 << 20))


def test_no_message_forges_a_line_or_moves_the_cursor(monkeypatch):
    """Broken: what a broker says clears the operator's screen, or looks like a line of ours."""
    logs = Logs(monkeypatch, json=False)
    hostile_lines()
    assert logs.text.replace("\n", "").isprintable()
    lines = logs.text.splitlines()
    assert len([line for line in lines if line.startswith("20")]) == 3
    assert len([line for line in lines if line.startswith("  2026-01-01 00:00:00.000 INFO    all is well\\r")]) == 3
    assert "<level>{x}</level> [red]" in logs.text


def test_a_message_of_a_megabyte_is_cut_and_that_is_said(monkeypatch):
    """Broken: one message of a broker or a registry fills the disk that logs are on, each time it is repeated."""
    for as_json in (False, True):
        logs = Logs(monkeypatch, json=as_json)
        hostile_lines()
        assert "characters left out" in logs.text
        assert len(logs.text) < 25_000


def test_a_hostile_message_is_one_object_of_json(monkeypatch):
    """Broken: a collector of logs reads an object that was never written, or stops at this one."""
    logs = Logs(monkeypatch, json=True)
    hostile_lines()
    assert [line["message"] for line in logs.lines][:2] == [f"kafka: {HOSTILE}", HOSTILE]
