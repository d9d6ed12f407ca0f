"""The command as a process: exit codes, what goes to which stream, help, colours, the progress bar.

Where a comment says Once, it tells what happened before the case was mended.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import re
import resource
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from replay import __version__
from tests.conftest import Broker
from tests.support import bad_files as bad
from tests.support.process import ROOT

REPLAY = [sys.executable, "-m", "replay"]
ESCAPE = "\x1b"


def env(**more: str) -> dict[str, str]:
    """This environment without anything that steers replay or colours."""
    steering = ("REPLAY_", "NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS")
    return {key: value for key, value in os.environ.items() if not key.startswith(steering)} | more


def replay(
    *args: str | Path,
    timeout_s: float = 30,
    before: Callable[[], None] | None = None,
    **more: str,
) -> subprocess.CompletedProcess[str]:
    command = [*REPLAY, *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=env(**more), timeout=timeout_s, check=False,
        preexec_fn=before,
    )  # fmt: skip


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    return bad.write(tmp_path / "trades.parquet", bad.trades(20))


def test_files_left_out_because_of_their_endings_are_told(trades: Path) -> None:
    """Broken: half of a folder is sent, and nobody learns that there was another half."""
    for name in ("b.parquet.gzip", "c"):
        (trades.parent / "in" / name).parent.mkdir(exist_ok=True)
        (trades.parent / "in" / name).write_bytes(trades.read_bytes())
    (trades.parent / "in" / "a.parquet").write_bytes(trades.read_bytes())
    done = replay("run", trades.parent / "in", "--topic", "t", "--embedded")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "do not end in" in line]
    assert "WARNING" in line
    assert "2 files do not end in .parquet, .parq or .pq (1 in .parquet.gzip, 1 in nothing): left out, 1 read" in line
    done = replay("plan", trades.parent / "in")
    assert "2 files do not end in" in " ".join(done.stdout.split()), done.stdout


def test_results_go_to_stdout_and_logs_to_stderr(trades: Path) -> None:
    """Broken: a script that reads the summary gets log lines, or the other way round; colours reach a file."""
    done = replay("run", trades, "--topic", "t", "--embedded")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^outcome +done$", done.stdout, re.MULTILINE)
    assert re.search(r"^rows +20 in topic, 0 not selected, 0 bad, of 20 rows$", done.stdout, re.MULTILINE)
    assert "INFO" not in done.stdout
    assert "WARNING embedded broker" in done.stderr
    assert ESCAPE not in done.stdout + done.stderr


@pytest.mark.parametrize("more", [{"NO_COLOR": "1", "TERM": "xterm-256color"}, {"TERM": "dumb"}], ids=["no", "dumb"])
def test_no_escape_codes_where_none_are_wanted(more: dict[str, str]) -> None:
    """Broken: logs in a file or a pager are full of colour codes."""
    args = ["run", "/no/such", "--topic", "t", "--embedded"]
    done = subprocess.run([*REPLAY, *args], capture_output=True, text=True, env=env(**more), timeout=30, check=False)
    assert done.returncode == 3
    assert ESCAPE not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("run", "/no/such.parquet", "--topic", "t", "--embedded"), 3, "no such file"),
        (("run", "/etc/hostname", "--topic", "t", "--embedded"), 3, "not a whole Parquet file"),
        (("run", "x", "--topic", "a b", "--embedded"), 2, "--topic"),
        (("run", "x", "--topic", "t", "--nonsense"), 2, "--nonsense"),
        (("run", "x"), 2, "--topic"),
        (("run",), 2, "INPUT"),
        (("reply",), 2, "reply"),
        (("sample", "/etc/hostname", "--rows", "10"), 2, "/etc/hostname"),
        (("sample", "out", "--rows", "0"), 2, "--rows"),
        (("sample", "out", "--rows", "many"), 2, "--rows"),
    ],
    ids=[
        "missing",
        "foreign",
        "topic",
        "option",
        "no-topic",
        "no-input",
        "command",
        "out-is-file",
        "rows-0",
        "rows-text",
    ],
)
def test_the_process_exits_with_the_code_and_without_a_traceback(
    args: tuple[str, ...], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: cron sees success, or an operator sees Python instead of a sentence."""
    monkeypatch.chdir(tmp_path)
    done = replay(*args)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "bug in replay" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback_and_still_the_message() -> None:
    """Broken: a bug report holds nothing to work with, or the message drowns."""
    done = replay("run", "/no/such.parquet", "--topic", "t", "--embedded", "--debug")
    assert done.returncode == 3
    assert "Traceback" in done.stderr
    assert "NoInput" in done.stderr
    assert "  -> check the path" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("args", [("--debug",), ()], ids=["debug", "plain"])
def test_json_logs_are_one_object_a_line(trades: Path, args: tuple[str, ...]) -> None:
    """Broken: a log collector refuses lines, or an error's exit code is missing from them."""
    good = replay("run", trades, "--topic", "t", "--embedded", "--log-format", "json", *args)
    failed = replay("run", "/no/such", "--topic", "t", "--embedded", "--log-format", "json", *args)
    assert (good.returncode, failed.returncode) == (0, 3)
    lines = [json.loads(line) for done in (good, failed) for line in done.stderr.splitlines()]
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    assert lines[-1]["level"] == "error"
    assert lines[-1]["exit_code"] == 3
    assert lines[-1]["job"] == "t"
    assert lines[-1]["run_id"]
    if args:
        # Once: the record's exception is not written, so --debug --log-format json has no traceback
        assert "Traceback" in failed.stderr


def test_help_is_plain_in_a_pipe_and_version_is_one_line() -> None:
    """Broken: a pager shows escape codes, a script finds no version."""
    shown = replay("run", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Usage: replay run" in shown.stdout
    assert ESCAPE not in shown.stdout
    version = replay("--version")
    assert (version.returncode, version.stdout) == (0, f"replay {__version__}\n")


def test_a_terminal_gets_a_progress_bar(trades: Path) -> None:
    """Broken: someone at a terminal waits without knowing for what."""
    ours, theirs = pty.openpty()
    command = [*REPLAY, "run", str(trades), "--topic", "t", "--embedded", "--rate", "16/s"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=env(TERM="xterm", COLUMNS="160"))
    os.close(theirs)
    shown = _read_all(ours, process)
    assert process.wait(10) == 0
    assert "━━" in shown
    assert re.search(r"\d+\.\d%", shown)
    assert re.search(r"\d+ of 20 rows", shown)
    assert ESCAPE in shown


def _read_all(descriptor: int, process: subprocess.Popen[bytes], seconds: float = 20) -> str:
    shown, deadline = b"", time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if select.select([descriptor], [], [], 0.2)[0]:
                data = os.read(descriptor, 65_536)
                if not data:
                    break
                shown += data
    except OSError:  # how Linux says that the other side is closed
        pass
    finally:
        os.close(descriptor)
        if time.monotonic() >= deadline:
            process.kill()
    return shown.decode(errors="replace")


def test_progress_lines_where_there_is_no_terminal(trades: Path) -> None:
    """Broken: a nightly job is silent for hours, or fills its log with bars."""
    done = replay("run", trades, "--topic", "t", "--embedded", "--rate", "30/s", "--progress-seconds", "0.2")
    assert done.returncode == 0, done.stderr
    assert re.search(r"INFO +replaying: \d+ of 20 rows", done.stderr)
    assert "\r" not in done.stderr


@pytest.mark.parametrize("where", ["full", "closed", "pipe"])
def test_a_summary_that_nobody_takes_does_not_fail_a_replay(where: str, trades: Path) -> None:
    """Broken: cron with a closed standard output, or `replay run … | head -0`, reports a finished replay as a bug.

    Once: exit 70 (OSError, AttributeError on None, BrokenPipeError), though every row is in the topic.
    """
    command = [*REPLAY, "run", str(trades), "--topic", "t", "--embedded"]
    if where == "closed":
        command = ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command]
    reader, writer = os.pipe()
    os.close(reader)
    out = os.open("/dev/full", os.O_WRONLY) if where == "full" else writer
    done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, env=env(), timeout=30, check=False)
    for descriptor in {out, writer}:
        os.close(descriptor)
    assert "bug in replay" not in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    "args",
    [("status", "--output", "json"), ("status",), ("history", "--output", "json"), ("presets",), ("plan", "data")],
    ids=" ".join,
)
def test_a_reader_that_has_read_enough_is_no_failure(args: tuple[str, ...], tmp_path: Path) -> None:
    """Broken: `replay status | head -1` ends badly. Once: exit 70, "this is a bug in replay: BrokenPipeError"."""
    more = ["--state-dir", str(tmp_path)] if args[0] in ("status", "history") else []
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*REPLAY, *args, *more], stdout=writer, stderr=subprocess.PIPE, text=True, env=env(), cwd=ROOT, timeout=30,
        check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr


@pytest.mark.parametrize("args", [("status", "--output", "json"), ("presets",)], ids=" ".join)
def test_results_that_cannot_be_written_are_a_failure(args: tuple[str, ...], tmp_path: Path) -> None:
    """Broken: `replay status --output json > file` on a full disk leaves an empty file and exits 0."""
    more = ["--state-dir", str(tmp_path)] if args[0] == "status" else []
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*REPLAY, *args, *more], stdout=full, stderr=subprocess.PIPE, text=True, env=env(), timeout=30, check=False
        )
    assert done.returncode == 2
    assert "standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_path_that_is_not_utf8_works(tmp_path: Path, trades: Path) -> None:
    """Broken: an old file name ends a replay as a bug.

    Once: exit 70, UnicodeEncodeError: pyarrow takes no such path; a file opened by Python it would take.
    """
    odd = tmp_path / os.fsdecode(b"tr\xe4des.parquet")
    trades.rename(odd)
    done = replay("run", odd, "--topic", "t", "--embedded")
    assert done.returncode == 0, done.stderr
    missing = replay("run", tmp_path / os.fsdecode(b"no\xff"), "--topic", "t", "--embedded")
    assert missing.returncode == 3
    assert "no such file" in missing.stderr


def test_a_checkpoint_path_that_is_not_utf8_works(tmp_path: Path, trades: Path, embedded: Broker, topic: str) -> None:
    """Broken: a finished replay is reported as a bug because its summary cannot be printed."""
    odd = tmp_path / os.fsdecode(b"job\xff.json")
    made = _make(embedded, topic)
    done = replay("run", trades, "--topic", topic, "--bootstrap-servers", made, "--checkpoint", odd,
                  PYTHONIOENCODING="utf-8:strict")  # fmt: skip  # as it is by default in most locales
    assert odd.exists(), done.stderr
    # Once: exit 70, UnicodeEncodeError: 'utf-8' codec can't encode character '\udcff' (standard output is strict)
    assert done.returncode == 0, done.stderr


def test_a_checkpoint_that_is_a_pipe_is_refused(tmp_path: Path, trades: Path, embedded: Broker, topic: str) -> None:
    """Broken: the run hangs for ever before its first message.

    Once: it does, in open(), and SIGTERM and Ctrl-C do not end it: the handlers only set a flag. Only kill -9 does.
    """
    pipe = tmp_path / "job.json"
    os.mkfifo(pipe)
    made = _make(embedded, topic)
    try:
        done = replay("run", trades, "--topic", topic, "--bootstrap-servers", made, "--checkpoint", pipe)
    except subprocess.TimeoutExpired:  # it has been killed
        pytest.fail("a named pipe as checkpoint hangs the run")
    assert done.returncode == 2
    assert "job.json" in done.stderr


def test_a_disk_without_room_ends_with_8_before_a_row_is_sent(
    tmp_path: Path, trades: Path, embedded: Broker, topic: str
) -> None:
    """Broken: rows are sent whose progress cannot be saved. The limit on file size holds for root too."""
    made = _make(embedded, topic)
    state = tmp_path / "state"
    done = replay(
        "run", trades, "--topic", topic, "--bootstrap-servers", made, "--checkpoint", state / "job.json",
        before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )  # fmt: skip
    assert done.returncode == 8, done.stderr
    assert "progress cannot be saved" in done.stderr
    assert "  -> " in done.stderr
    assert not (state / "job.json").exists()
    # Once: job.json.tmp stays behind
    assert [path.name for path in state.iterdir()] == ["job.json.lock"]


def _make(broker: Broker, topic: str) -> str:
    """The embedded broker makes a topic when a producer asks for it."""
    from confluent_kafka import Producer

    asker = Producer({"bootstrap.servers": broker.bootstrap_servers, "allow.auto.create.topics": True, "log_level": 0})
    while not asker.list_topics(topic, timeout=10).topics[topic].partitions:
        time.sleep(0.01)
    return broker.bootstrap_servers


def test_pandas_and_pydantic_are_not_imported_where_they_are_installed(trades: Path) -> None:
    """Broken: pyarrow imports pandas for its first array, and every run takes 0.25 s and 50 MiB more; or Typer imports
    pydantic for options that need no conversion, and it takes 0.1 s more."""
    command = [sys.executable, "-X", "importtime", *REPLAY[1:], "run", str(trades), "--topic", "t", "--embedded"]
    command += ["--on-bad-row", "skip"]
    without = [sys.executable, "-X", "importtime", "-c", "import pyarrow; pyarrow.array([1])"]
    done, other = (
        subprocess.run(each, capture_output=True, text=True, check=True, env=env()) for each in (command, without)
    )
    assert re.search(r"\| +pandas\.", other.stderr), "this test needs pandas"
    assert importlib.util.find_spec("pydantic"), "this test needs pydantic"
    assert re.search(r"\| +pyarrow$", done.stderr, re.MULTILINE)
    assert not re.search(r"\| +(pandas|pydantic)\.", done.stderr)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('retries = "three"', "'three' does not fit retries"),
        ("catch_up = -3", "-3 is too small for catch_up"),
        ('on_failure = "go_on"', "'go_on' does not fit on_failure"),
        ('missing = "later"', "'later' does not fit missing"),
        ("retries = true", "retries takes one value"),
    ],
)
def test_values_of_one_of_several_jobs_are_checked_like_those_of_one(tmp_path: Path, line: str, says: str) -> None:
    """Broken: a schedule takes a typing error for another choice, and gives dates up without a word."""
    job = f'inputs = "{tmp_path}/{{date}}.parquet"\ntopic = "t"\ncron = "0 2 * * *"\n'
    file = tmp_path / "jobs.toml"
    file.write_text(f'bootstrap_servers = "127.0.0.1:1"\n[jobs.a]\n{job}[jobs.b]\n{job}{line}\n')
    refused = replay("schedule", "--config", file, "--state-dir", tmp_path / "state", timeout_s=20)
    assert refused.returncode == 2, refused.stderr
    told = " ".join(refused.stderr.split())
    assert says in told
    assert f"{file}, [jobs.b]" in told


def test_an_age_that_is_empty_is_no_age(tmp_path: Path) -> None:
    """Broken: a monitor whose variable is not set never sounds its alarm: exit 0."""
    refused = replay("status", "--fail-if-older-than", "", "--state-dir", tmp_path)
    assert refused.returncode == 2, refused.stdout
    assert "--fail-if-older-than" in refused.stderr
