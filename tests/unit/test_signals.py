"""What asks for a stop, and when it is another request."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from replay import signals
from replay.errors import STOPPED, ExitCode, Stopped
from replay.nightly.children import Children
from replay.signals import ASKING_TO_STOP, Stop
from replay.watch.run import RunOutcome

WAITS = ["run", "{date}.parquet", "--topic", "t", "--bootstrap-servers", "127.0.0.1:1", "--date", "2026-11-22",
         "--missing", "wait", "--missing-every", "1h"]  # fmt: skip
"""Arguments of a replay that waits for a file that never comes; what its log says then."""
HAS_BEGUN = b"has no file"


def waiting(tmp_path: Path, before: str = "") -> subprocess.Popen[bytes]:
    """Started by a shell after `before`, and up."""
    arguments = [sys.executable, "-m", "replay", *WAITS, "--state-dir", str(tmp_path)]
    command = ["sh", "-c", f'{before} exec "$@"', "sh", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2], start_new_session=True)
    assert process.stderr is not None
    assert any(HAS_BEGUN in line for line in process.stderr)
    return process


def test_signals_that_come_together_are_one_request() -> None:
    """Broken: SIGTERM to every process of a unit ends the drain at once, as if somebody had lost patience."""
    stop = Stop()
    stop.check()
    for now_s in (100.0, 100.0, 101.9):
        stop.request(signal.SIGTERM, now_s)
        assert not stop.impatient()
    with pytest.raises(Stopped) as caught:
        stop.check()
    assert caught.value.exit_code == ExitCode.SIGTERM


def test_a_later_signal_is_another_request() -> None:
    """Broken: whoever presses Ctrl-C again has to wait out the drain."""
    stop = Stop()
    stop.request(signal.SIGTERM, 100.0)
    stop.request(signal.SIGINT, 102.0)
    assert stop.impatient()
    assert stop.signal_number == signal.SIGINT


def test_every_signal_that_asks_for_a_stop_has_its_exit_code() -> None:
    """Broken: a night whose terminal went is told as failed, or as a bug."""
    assert {ExitCode(128 + number) for number in ASKING_TO_STOP} == STOPPED
    assert {RunOutcome(code, "").word for code in STOPPED} == {"stopped"}


@pytest.mark.parametrize("number", ASKING_TO_STOP)
def test_each_of_them_stops_what_runs(tmp_path: Path, number: signal.Signals) -> None:
    """Broken: SIGHUP ends a replay without a drain, and without a word."""
    with waiting(tmp_path) as process:
        process.send_signal(number)
        assert process.wait(10) == 128 + number


def test_under_nohup_sighup_is_ignored(tmp_path: Path) -> None:
    """Broken: a replay that was started with nohup ends with the terminal all the same."""
    with waiting(tmp_path, "trap '' HUP;") as process:
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143


@pytest.mark.parametrize("number", ASKING_TO_STOP)
@pytest.mark.parametrize("after_s", [0.0, 0.005, 0.02, 0.05, 0.15, 0.3, 0.6])
def test_a_signal_at_any_moment_of_the_start_has_its_exit_code(
    tmp_path: Path, number: signal.Signals, after_s: float
) -> None:
    """Broken: Ctrl-C among the imports is exit 1, "the topic differs", or is lost."""
    arguments = [sys.executable, "-m", "replay", *WAITS, "--state-dir", str(tmp_path)]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            wait_until_caught(process.pid, signal.SIGTERM)  # before, Python itself was not up
            time.sleep(after_s)
            process.send_signal(number)
            assert process.wait(10) == 128 + number
        finally:
            process.kill()


def wait_until_caught(pid: int, number: signal.Signals) -> None:
    """Until a process has a handler for this signal."""
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        assert caught is not None, "it has ended"
        if int(caught[1], 16) >> (number - 1) & 1:
            return
    raise AssertionError("it catches no signal")


def test_ctrl_c_where_python_swallows_it_ends_the_start(tmp_path: Path) -> None:
    """Broken: Ctrl-C right after the start is lost, where a callback of an import was just being called."""
    (tmp_path / "json.py").write_text(
        """
import os, signal, weakref

class Held:
    pass

held = Held()
callback = weakref.ref(held, lambda _: os.kill(os.getpid(), signal.SIGINT))
del held
"""
    )
    arguments = [sys.executable, "-m", "replay", "--version"]  # with this folder first among those of modules
    assert subprocess.run(arguments, cwd=tmp_path, stderr=subprocess.DEVNULL, check=False).returncode == 130


def test_a_signal_that_was_swallowed_among_the_imports_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: an import that catches all exceptions of its callbacks takes the exit for one of them, and the night that
    was told to stop goes on."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the handlers of the tests stay
    with suppress(SystemExit):
        signals._leave(signal.SIGTERM)
    stop = Stop()
    signals.listen(stop.request)
    assert stop.signal_number == signal.SIGTERM
    again = Stop()
    signals.listen(again.request)
    assert not again.is_asked


def test_a_stop_while_a_child_is_made_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: the handler finds no child yet, and the child never hears of the stop: it goes on for hours."""
    family = Children()
    real = subprocess.Popen

    def stopped_meanwhile(*args: object, **options: object) -> object:
        child = real(*args, **options)  # type: ignore[call-overload]
        threading.Event().wait(1.5)  # until it would hear of a signal
        family.stop(signal.SIGTERM)
        return child

    monkeypatch.setattr(subprocess, "Popen", stopped_meanwhile)
    began_s = time.monotonic()
    assert family.run([*WAITS, "--state-dir", str(tmp_path)]) == 143
    assert time.monotonic() - began_s < 20


def test_no_child_begins_after_a_stop() -> None:
    family = Children()
    family.stop(signal.SIGHUP)
    assert family.run(["--version"]) == 129
