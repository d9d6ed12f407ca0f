"""`replay status`, once and again and again: what is asked for is not dropped because somebody watches."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from replay.checkpoint.content import JobState, dumps
from replay.cli import status_cmd
from replay.cli.app import app
from tests.unit.watch.test_status import DONE, saved


class Looks:
    """Time that goes on by itself, and Ctrl-C after so many looks."""

    def __init__(self, most: int) -> None:
        self.waited: list[float] = []
        self.now_s, self._most = time.time(), most

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now_s += seconds
        if len(self.waited) >= self._most:
            raise KeyboardInterrupt

    def time(self) -> float:
        return self.now_s


def status(folder: Path, looks: Looks, monkeypatch: pytest.MonkeyPatch, *args: str) -> tuple[int, str, str]:
    monkeypatch.setattr(status_cmd, "time", looks)
    done = CliRunner().invoke(app, ["status", "--state-dir", str(folder), *args], prog_name="replay")
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nightly.json").write_bytes(dumps(saved(DONE, saved_at_s=time.time() - 35)))
    return tmp_path


def test_watching_keeps_the_format(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: a script that follows `--watch 5s --output json` gets a table with cursor codes."""
    looks = Looks(3)
    code, out, errors = status(folder, looks, monkeypatch, "--watch", "5s", "--output", "json")
    assert [[each["state"] for each in json.loads(line)] for line in out.splitlines()] == [["done"]] * 3, errors
    assert (code, looks.waited) == (130, [5.0] * 3)
    _, out, _ = status(folder, Looks(1), monkeypatch, "--watch", "5s")
    assert "nightly" in out
    assert "[{" not in out


def test_watching_keeps_the_alarm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: `--watch 10s --fail-if-older-than 1m` watches a job that grows stale, and never says so."""
    looks = Looks(9)
    more = ("--watch", "10s", "--fail-if-older-than", "1m")
    code, _, errors = status(folder, looks, monkeypatch, *more)
    assert (code, len(looks.waited)) == (1, 3), "35 s old at first, more than a minute three looks later"
    assert "nightly: last success 65 s ago" in errors
    (folder / "nightly.json").write_bytes(dumps(saved(JobState.CLEAN)))
    code, out, errors = status(folder, Looks(9), monkeypatch, *more, "--output", "json")
    assert (code, len(out.splitlines())) == (1, 1)
    assert "nightly: last success never" in errors


def test_a_checkpoint_that_never_was_is_not_interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: a typing error after --checkpoint looks like a replay that was killed and has to be resumed."""
    code, out, _ = status(folder, Looks(1), monkeypatch, "--checkpoint", str(folder / "nigthly.json"))
    (line,) = (line for line in out.splitlines() if "nigthly" in line)
    assert (code, "unknown there is no checkpoint, and no run on it is known" in line) == (0, True), line
    assert "interrupted" not in out
