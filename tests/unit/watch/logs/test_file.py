"""Log files: rotation, retention, and disks that are full."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from loguru import logger

from replay.errors import UsageError
from replay.watch.logs.file import LogFile, parse_log_file
from replay.watch.logs.lines import logged_as
from tests.unit.watch.logs.test_lines import Logs


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
        "from replay.watch.logs.file import LogFile; from replay.watch.logs.lines import set_up_logging;"
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
