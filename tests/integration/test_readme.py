"""The first replay, as the README tells it: each command is taken from there and run on a real broker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.process import ROOT
from tests.support.topics import delete_topics, topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster

README = (ROOT / "README.md").read_text()
ADDRESS = "localhost:9092"
"""The broker of a reader."""


def section(title: str) -> str:
    return README.partition(f"## {title}\n")[2].partition("\n## ")[0]


def fenced(text: str, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for _, block in found]


class Shell:
    """What a reader types, one command at a time."""

    def __init__(self, bootstrap_servers: str, state: Path) -> None:
        self.address = bootstrap_servers
        self.env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "XDG_STATE_HOME": str(state),
            "REPLAY_BOOTSTRAP_SERVERS": self.address,
        }

    def run(self, command: str, *, killed_after_s: float | None = None) -> str:
        """What it prints. Where it is to be killed, nothing."""
        command = command.replace(ADDRESS, self.address)
        with subprocess.Popen(
            ["bash", "-euc", command],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            if killed_after_s is not None:
                time.sleep(killed_after_s)
                assert process.poll() is None, "it ended before it could be killed"
                os.killpg(process.pid, signal.SIGKILL)
            out, errors = process.communicate(timeout=120)
        assert killed_after_s is not None or process.returncode == 0, f"{command}\n{out}{errors}"
        return out


def shell_on(bootstrap_servers: str, state: Path) -> Iterator[Shell]:
    """Topics of a page have names that other tests have as well: those that are made are deleted in the end."""
    before = topics(bootstrap_servers)
    yield Shell(bootstrap_servers, state)
    delete_topics(bootstrap_servers, topics(bootstrap_servers) - before)


@pytest.fixture
def shell(kafka: KafkaCluster | Broker, tmp_path: Path) -> Iterator[Shell]:
    yield from shell_on(kafka.bootstrap_servers, tmp_path)


def test_a_newcomer_gets_through_the_first_replay(shell: Shell) -> None:
    """Broken: the first page's own commands fail, or what it says of them is not so."""
    named, _secured, first, again, own = fenced(section("Your first replay"), "sh")
    assert named.strip() == f"export REPLAY_BOOTSTRAP_SERVERS={ADDRESS}"
    plan, run, verify = first.splitlines()
    assert "20,000" in shell.run(plan)
    assert "20,000 in topic" in shell.run(run)
    assert "as the source" in shell.run(verify)
    assert "there was nothing left to do" in shell.run(run)
    shell.run(again, killed_after_s=5)
    assert "20,000 in topic" in shell.run(again)
    assert "as the source" in shell.run(verify.replace("trades", "trades2"))
    assert "2,001 in topic" in shell.run(own)


def test_one_date_then_many(shell: Shell) -> None:
    """Broken: the first night fails, or the backfill sends its date a second time."""
    (block,) = fenced(section("Every night"), "sh")
    one, many, status = block.splitlines()
    assert "9,703 in topic" in shell.run(one)
    told = shell.run(many)
    assert "10,297 in topic" in told
    assert "2026-11-02" in shell.run(status)


def test_the_variables_of_a_secured_cluster_are_taken(shell: Shell) -> None:
    """Broken: what the first steps say of TLS and logins is not what the options are called."""
    (line,) = [line for line in fenced(section("Your first replay"), "sh") if "REPLAY_SECURITY" in line]
    shown = shell.run(f"{line.strip()} && replay config show")
    assert re.search(r"security +scram", shown)
    assert "/etc/replay/password" in shown


def test_the_lines_of_python_run(shell: Shell, tmp_path: Path) -> None:
    """Broken: a notebook's author copies them, and they raise, or print another number."""
    (code,) = fenced(section("From Python"), "python")
    script = tmp_path / "notebook.py"
    script.write_text(code.replace(ADDRESS, shell.address))
    assert shell.run(f"python {script}").split()[-1] == "20000"
