"""Help, completion, and how soon they answer: every command has an example that it would take."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from replay.cli.app import app

ROOT = Path(__file__).parents[3]
HEAVY = {
    "apscheduler", "boto3", "confluent_kafka", "jinja2", "loguru", "matplotlib", "numpy", "prometheus_client",
    "pyarrow", "replay.delivery.job", "urllib.request",
}  # fmt: skip


def leaves(command: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, by its words."""
    if hasattr(command, "commands"):
        for word, each in command.commands.items():
            yield from leaves(each, (*name, word))
    else:
        yield name, command


COMMANDS = dict(leaves(typer.main.get_command(app)))
SPANS = re.compile(
    r"`(?:\.venv/bin/)?replay ([^`\n]+)`|^(?: *|.*&& )(?:\.venv/bin/)?replay ((?:[^\n\\]|\\\n)+)$", re.MULTILINE
)


def options_of(command: Any) -> set[str]:
    return {text for each in command.params for text in (*each.opts, *each.secondary_opts)} | {"--help"}


def told(text: str) -> tuple[tuple[str, ...], list[str]]:
    """The command that a line names, and the options it is given there."""
    words = shlex.split(text.replace("\\\n", " ").replace("…", ""))
    name = next((key for key in (tuple(words[:2]), tuple(words[:1])) if key in COMMANDS), ())
    return name, [word.partition("=")[0] for word in words if word.startswith("--") and len(word) > 2]


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_by_an_example_that_it_takes(name: tuple[str, ...]) -> None:
    """Broken: help fails, or its example has an option that was renamed since."""
    done = CliRunner().invoke(app, [*name, "--help"])
    assert done.exit_code == 0, done.output
    examples = re.findall(r"replay ([^|]+)", COMMANDS[name].epilog or "")
    assert examples, "no example"
    for text in examples:
        assert told(text)[0] == name, text
        assert set(told(text)[1]) <= options_of(COMMANDS[name]), text
    assert all(getattr(each, "help", None) for each in COMMANDS[name].params if each.opts[0].startswith("--"))


def readme_lines() -> list[str]:
    pages = [ROOT / "README.md", *(path for name in ("cron", "data", "replay") for path in (ROOT / name).rglob("*.md"))]
    found = [inline or block for path in pages for inline, block in SPANS.findall(path.read_text())]
    return [text for text in found if told(text)[0]]


def test_the_readmes_name_no_option_that_there_is_not() -> None:
    """Broken: somebody copies a line from a README and gets "no such option"."""
    assert len(readme_lines()) > 40
    for text in readme_lines():
        name, options = told(text)
        assert set(options) <= options_of(COMMANDS[name]), text


@pytest.mark.parametrize(
    ("words", "at", "found"),
    [
        ("replay st", 1, "status"),
        ("replay run --deliv", 2, "--delivery"),
        ("replay run --delivery tr", 3, "transactional"),
    ],
)
def test_a_shell_completes_commands_options_and_choices(words: str, at: int, found: str) -> None:
    """Broken: Tab after `replay --install-completion` does nothing."""
    env = {**os.environ, "_REPLAY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    done = subprocess.run([sys.executable, "-m", "replay"], env=env, capture_output=True, text=True, check=False)
    assert found in done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    "args", [["--help"], ["run", "--help"], ["status"], ["status", "--format", "json"], ["history"]]
)
def test_what_has_to_answer_at_once_imports_nothing_heavy(args: list[str], tmp_path: Path) -> None:
    """Broken: a prompt, a monitor or Tab waits half a second for arrays and Kafka that it does not need."""
    code = (
        "import json, sys\nfrom replay.cli.app import app\ntry: app(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    env = {**os.environ, "REPLAY_STATE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code, *args], env=env, capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(done.stderr.splitlines()[-1]))
