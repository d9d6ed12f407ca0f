"""The package as a program imports it: light, typed, and with no other names than those it has."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import replay as package

HEAVY = ("confluent_kafka", "loguru", "numpy", "pyarrow", "rich", "typer")

USER = """
import threading
from datetime import date
from pathlib import Path

from replay import Locked, Outcome, ReplayError, ReplayOptions, ReplayResult, Snapshot, replay

options = ReplayOptions(inputs=[Path("data")], topic="t", rate=5_000, date=date(2026, 11, 1), kafka={"a": 1})


def show(snapshot: Snapshot) -> None:
    rows: int = snapshot.counts.in_topic
    print(rows)


def run() -> int:
    try:
        result: ReplayResult = replay(options, on_progress=show, stop=threading.Event().is_set)
    except Locked as error:
        return int(error.exit_code)
    except ReplayError as error:
        return len(error.what)
    assert result.outcome is not Outcome.EMPTY
    return result.in_topic
"""

WRONG = """
from replay import ReplayOptions, nothing, replay

replay(ReplayOptions(topic=1))
replay(ReplayOptions("data"))
replay("data")
"""


def mypy(tmp_path: Path, program: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "user.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache")]
    # As an installed package is looked at: its own errors are nobody's business.
    return subprocess.run(
        [*command, "--follow-imports", "silent", "user.py"], cwd=tmp_path, capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip


def test_importing_costs_nothing() -> None:
    """Broken: `replay --help` and every parse of a DAG take a second, for what they do not use."""
    program = f"import sys, replay; assert not [m for m in {HEAVY} if m in sys.modules]; replay.ReplayOptions; "
    program += f"assert not [m for m in {HEAVY} if m in sys.modules]"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_every_name_is_there() -> None:
    assert all(hasattr(package, name) for name in package.__all__)
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing  # type: ignore[attr-defined]
    assert (Path(package.__file__).parent / "py.typed").exists()


def test_help_says_what_each_option_means() -> None:
    """Broken: in a notebook an option is a name without a meaning."""
    text = str(package.ReplayOptions.__doc__)
    assert all(f" {each.name}: " in text for each in fields(package.ReplayOptions))
    assert "[default: 50ms]" in text


def test_a_program_is_type_checked(tmp_path: Path) -> None:
    """Broken: whoever checks types gets errors for right calls, or none for wrong ones."""
    right = mypy(tmp_path, USER)
    assert right.returncode == 0, right.stdout
    wrong = mypy(tmp_path, WRONG)
    assert wrong.stdout.count("error:") == 4, wrong.stdout
