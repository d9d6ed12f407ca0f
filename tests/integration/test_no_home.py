"""A user without a home folder, as in a container: what needs no state works, what does asks for a place."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from replay.cli.app import app
from tests.support.process import ROOT

DATA = str(ROOT / "data")
NOBODY = 54321
STATELESS = {
    "--help": "Usage",
    f"plan {DATA} --topic t": "20,000",
    f"run {DATA} --embedded --topic t": "20,000 in topic",
    f"config show {DATA} --topic t --bootstrap-servers localhost:1": "--topic",
    "presets": "tardis",
}
STATEFUL = [
    "status",
    "history",
    f"run {DATA} --topic t --bootstrap-servers localhost:1",
    f"backfill {DATA} --topic t --bootstrap-servers localhost:1 --from 2026-11-02 --to 2026-11-03",
    f"schedule {DATA} --topic t --bootstrap-servers localhost:1 --cron @daily",
]
HOMES = {"unset": None, "empty": "", "root-of-the-disk": "/", "missing": "/nonexistent-home", "relative": "here"}


@pytest.fixture(params=HOMES)
def homeless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor does the system know this user."""

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("XDG_STATE_HOME", "REPLAY_STATE_DIR", "HOME"):
        monkeypatch.delenv(name, raising=False)
    if (home := HOMES[request.param]) is not None:
        monkeypatch.setenv("HOME", home)
    monkeypatch.chdir(tmp_path)


def run(command: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, command.split())
    return result.exit_code, result.output


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("command", STATELESS)
def test_what_needs_no_state_works(command: str, tmp_path: Path):
    """Broken: a plan, or a trial on the embedded broker, ends as a bug of replay (exit 70) in a container."""
    code, output = run(command)
    assert code == 0, output
    assert STATELESS[command] in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("command", STATEFUL)
def test_what_needs_state_asks_for_a_place(command: str, tmp_path: Path):
    """Broken: exit 70, or a checkpoint in a folder "~" below the current one, or at the root of the disk."""
    code, output = run(command)
    assert code == 2, output
    assert "--state-dir" in output
    assert list(tmp_path.iterdir()) == []
    assert not Path("/.local").exists()
    assert not Path("/nonexistent-home").exists()


@pytest.mark.usefixtures("homeless")
def test_a_named_place_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Broken: the remedy that the error names does not help."""
    state = tmp_path / "state"
    assert run(f"status --state-dir {state}")[0] == 0
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    code, output = run("status")
    assert (code, str(state) in output) == (0, True)


def test_a_home_that_this_user_may_not_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Broken: su without -, which keeps the home of root, is a bug of replay."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("REPLAY_STATE_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != tmp_path)
    assert run("status")[0] == 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user whom nobody knows; the tests above pretend")
@pytest.mark.parametrize("home", [(), ("HOME=",)], ids=["unset", "empty"])
@pytest.mark.parametrize("command", [*STATELESS, *STATEFUL])
def test_a_real_process_of_a_user_whom_nobody_knows(command: str, home: tuple[str, ...], tmp_path: Path):
    """Broken: as above; in a process of its own, with an empty environment. It may read all, to reach its own code."""
    may_read = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *may_read, "env", "-i", *home]
    variables = [f"PYTHONPATH={os.pathsep.join(filter(None, [str(ROOT), *sys.path]))}", "PYTHONDONTWRITEBYTECODE=1"]
    line = [*become, *variables, sys.executable, "-m", "replay", *command.split()]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == (0 if command in STATELESS else 2), done.stdout + done.stderr
    assert STATELESS.get(command, "--state-dir") in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
