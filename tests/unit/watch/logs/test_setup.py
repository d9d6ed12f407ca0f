"""Logs: stable fields on every line, files that rotate, the same trouble not told twice in a moment."""

from __future__ import annotations

import io
import json
import logging
import os
import stat
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from loguru import logger
from rich.console import Console

from replay.cli.terminal import Terminal
from replay.delivery.snapshot import Snapshot
from replay.errors import UsageError
from replay.kafka.trouble import REPEAT_S
from replay.watch.beside import Beside, within
from replay.watch.logs.setup import FIELDS, LogFile, Repeats, logged_as, parse_log_file, set_up_logging


@pytest.fixture(autouse=True)
def _nothing_left_behind():
    yield
    logger.remove()
    logging.getLogger("librdkafka").handlers = []


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
        terminal.progress(Snapshot(1_000, done_rows=400))
        logging.getLogger("librdkafka").warning("[thrd:b:9092/1]: trades [3]: failed")
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
    terminal.progress(Snapshot(1_000, done_rows=400))
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


# -- repeats ----------------------------------------------------------------------------------------------


def test_the_same_line_is_held_back_for_a_while_and_then_says_how_often():
    """Broken: an outage floods the log, or a second, different trouble is lost in it."""
    repeats = Repeats(10.0)
    assert repeats.told("1.5 s behind the schedule", 100.0) == 0
    assert repeats.told("2.5 s behind the schedule", 101.0) is None
    assert repeats.told("3.5 s behind the schedule", 109.9) is None
    assert repeats.told("no broker", 102.0) == 0
    assert repeats.told("1,009 s behind the schedule", 110.0) == 2


def test_shapes_differ_in_more_than_numbers():
    """Broken: "3.5 s" and "10 s" of the same warning, or two warnings with one number, would be mixed up."""
    repeats = Repeats(10.0)
    assert repeats.told("row 12 of 100", 0.0) == 0
    assert repeats.told("row 7 of 9999", 1.0) is None
    assert repeats.told("rows 7 of 9999", 1.0) == 0
    assert repeats.told("row 8 of 100", 10.0) == 1


def test_lines_that_are_never_the_same_need_no_memory():
    """Broken: a week of warnings with a path in each would grow the process."""
    repeats = Repeats(10.0)
    for number in range(5_000):
        repeats.told("x" * number, 0.0)
    assert len(repeats._seen) <= 1_001


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
    logging.getLogger("librdkafka").error(line)
    logging.getLogger("librdkafka").error("FATAL [replay#producer-3] [thrd:main]: Fatal error: out of order sequence")
    assert [each["level"] for each in logs.lines] == ["debug", "warning"]


# -- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [True, False])
def test_the_file_gets_every_line_in_the_same_format(tmp_path, monkeypatch, as_json):
    """Broken: the file misses what the terminal showed, or holds another format than was asked for."""
    path = tmp_path / "log" / "replay.log"
    logs = Logs(monkeypatch, json=as_json, file=LogFile(path, 1_000_000, 5))
    with logged_as("nightly", None, "an-id"):
        logger.info("{}", "a {brace} and B\udcf6rse")
    assert path.read_text() == (logs.text if as_json else logs.text.replace("\udcf6", "\\udcf6"))
    assert "a {brace} and" in path.read_text()


def old_files(path: Path) -> list[Path]:
    return sorted(each for each in path.parent.iterdir() if each != path)


def test_a_full_file_is_followed_by_a_new_one_and_the_oldest_go(tmp_path, monkeypatch):
    """Broken: a year of nights fills the disk, or lines are lost where one file ends."""
    path = tmp_path / "replay.log"
    Logs(monkeypatch, file=LogFile(path, 4_000, 2))
    for number in range(100):
        logger.info("line {}", number)
    assert all(each.stat().st_size <= 4_000 for each in (path, *old_files(path)))
    assert len(old_files(path)) == 2
    kept = [json.loads(line)["message"] for each in (*old_files(path), path) for line in each.read_text().splitlines()]
    assert kept == [f"line {number}" for number in range(100 - len(kept), 100)]
    assert len(kept) > 25


def test_a_name_is_taken_as_it_is(tmp_path, monkeypatch):
    """Broken: braces in a name end in a bug, since loguru would put the time in."""
    path = tmp_path / "replay-{date}.log"
    Logs(monkeypatch, file=LogFile(path, 1_000_000, 5))
    logger.info("told")
    assert "told" in path.read_text()


def test_two_processes_may_write_to_one_file(tmp_path, monkeypatch):
    """Broken: a scheduler and the replays that it starts have one --log-file; once one of them begins a new file, the
    lines of the other go on in the old one, and away with it."""
    path = tmp_path / "replay.log"
    Logs(monkeypatch, file=LogFile(path, 2_000, 50))
    code = (
        "import sys, time; from pathlib import Path; from loguru import logger; from rich.console import Console;"
        "from replay.watch.logs.setup import LogFile, set_up_logging;"
        "file = LogFile(Path(sys.argv[1]), 2_000, 50);"
        "set_up_logging(json=True, debug=False, console=Console(), quiet=True, file=file)\n"
        "for line in sys.stdin: logger.info('theirs {}', line.strip()); print('told', flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        for number in range(60):
            logger.info("ours {}", number)
            other.stdin.write(f"{number}\n")
            other.stdin.flush()
            assert other.stdout.readline() == "told\n"
        other.stdin.close()
    files = [*old_files(path), path]
    told = [json.loads(line)["message"] for each in files for line in each.read_text().splitlines()]
    assert sorted(told) == sorted(f"{who} {number}" for who in ("ours", "theirs") for number in range(60))
    assert len(files) > 5
    assert max(each.stat().st_size for each in files) <= 2_000


def test_the_next_night_adds_to_the_file(tmp_path, monkeypatch):
    """Broken: each run would wipe out what the one before it wrote."""
    path = tmp_path / "replay.log"
    for message in ("first", "second"):
        Logs(monkeypatch, file=LogFile(path, 1_000_000, 5))
        logger.info(message)
        logger.remove()
    assert [json.loads(line)["message"] for line in path.read_text().splitlines()] == ["first", "second"]


def test_a_file_that_cannot_be_opened_is_a_usage_error(tmp_path, monkeypatch):
    """Broken: a traceback, or a night without a log."""
    with pytest.raises(UsageError) as caught:
        Logs(monkeypatch, file=LogFile(tmp_path, 1_000, 5))
    assert str(tmp_path) in caught.value.where


def test_a_pipe_or_device_is_never_renamed(tmp_path, monkeypatch):
    """Broken: as root, `--log-file /dev/stderr` moves a device of the machine aside and puts a file into its place.
    Once: so did the test below, with /dev/full."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    os.utime(path, (0, 0))
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    logs = Logs(monkeypatch, file=LogFile(path, timedelta(days=1), 5))
    logger.info("told")
    logger.remove()
    assert b"told" in os.read(reader, 1_000)
    os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]
    assert "told" in logs.text


@pytest.mark.parametrize("as_json", [True, False])
def test_a_full_disk_is_told_once_and_does_not_end_the_replay(monkeypatch, as_json):
    """Broken: a log that nobody reads would cost the rows. Once: a traceback for every line, and one at the end."""
    logs = Logs(monkeypatch, json=as_json, file=LogFile(Path("/dev/full"), timedelta(days=1), 5))
    with logged_as("nightly", None, "an-id"):
        for _ in range(3):
            logger.info("goes on")
    logger.remove()
    assert len(logs.text.splitlines()) == 4
    assert logs.text.count("goes on") == 3
    assert logs.text.count("the log file cannot be written (--log-file /dev/full): [Errno 28] No space left") == 1
    if as_json:
        assert [(line["job"], line["level"]) for line in logs.lines][1] == ("nightly", "warning")


@pytest.mark.parametrize(
    ("rotate", "keep", "file"),
    [
        ("10MB", "14d", LogFile(Path("x"), 10_000_000, timedelta(days=14))),
        ("64 MiB", "10", LogFile(Path("x"), 64 << 20, 10)),
        ("1d", "0", LogFile(Path("x"), timedelta(days=1), 0)),
        ("12h", "36h", LogFile(Path("x"), timedelta(hours=12), timedelta(hours=36))),
    ],
)
def test_sizes_ages_and_counts(rotate, keep, file):
    """Broken: "10MB" taken for ten minutes, or "14d" for fourteen files."""
    assert parse_log_file("x", rotate, keep) == file


@pytest.mark.parametrize(
    ("rotate", "keep", "option"),
    [
        ("soon", "1", "--log-rotate"),
        ("0MB", "1", "--log-rotate"),
        ("0s", "1", "--log-rotate"),
        ("1d", "some", "--log-keep"),
    ],
)
def test_what_is_neither_is_refused(rotate, keep, option):
    """Broken: loguru's own error, as a traceback."""
    with pytest.raises(UsageError) as caught:
        parse_log_file("x", rotate, keep)
    assert caught.value.where == option
