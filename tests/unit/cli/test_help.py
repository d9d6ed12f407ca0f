"""Help, completion, and how soon they answer: every command has an example that it would take."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from replay.cli.app import app
from replay.cli.commands import COMMANDS as TABLE
from replay.cli.commands import Command
from replay.cli.help import FEW, is_everyday, text_of
from replay.cli.options.declare import Panel
from tests.support.process import ROOT

HEAVY = {
    "apscheduler", "boto3", "confluent_kafka", "jinja2", "loguru", "matplotlib", "numpy", "prometheus_client",
    "pyarrow", "replay.delivery.job", "urllib.request",
}  # fmt: skip
COMMANDS = {tuple(each.words.split()): each for each in TABLE}
SPANS = re.compile(
    r"`(?:\.venv/bin/)?replay ([^`\n]+)`|^(?: *|.*&& )(?:\.venv/bin/)?replay ((?:[^\n\\]|\\\n)+)$", re.MULTILINE
)


def options_of(command: Command) -> set[str]:
    return {text for each in command.options for text in (each.name, each.negative)} | {"--help", "--help-all"}


def called(text: str) -> tuple[tuple[str, ...], list[str]]:
    """The command that a line names, and the options it is given there."""
    words = shlex.split(text.replace("\\\n", " ").replace("…", ""))
    name = next((key for key in (tuple(words[:2]), tuple(words[:1])) if key in COMMANDS), ())
    return name, [word.partition("=")[0] for word in words if word.startswith("--") and len(word) > 2]


def help_of(*words: str) -> str:
    done = CliRunner().invoke(app, [*words], prog_name="replay")
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_by_an_example_that_it_takes(name: tuple[str, ...]) -> None:
    """Broken: help fails, or its example has an option that was renamed since."""
    shown = help_of(*name, "--help")
    for text in COMMANDS[name].examples:
        assert text in shown, "an example is broken into lines, and cannot be copied"
        assert called(text.removeprefix("replay "))[0] == name, text
        assert set(called(text)[1]) <= options_of(COMMANDS[name]), text


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_all_options_are_shown_when_all_are_asked_for(name: tuple[str, ...]) -> None:
    """Broken: an option that nobody finds; or one text that says nothing."""
    command = COMMANDS[name]
    asked = "--help-all" if len(command.options) > FEW else "--help"
    shown = help_of(*name, asked)
    for option in command.options:
        assert re.search(rf"(^|\s){re.escape(option.name)}\b", shown, re.MULTILINE), option.name
        assert len(option.option.text) > 12, f"{option.name} is not explained"
        assert option.option.text[0].isupper() or option.choices, f"{option.name}: the text goes on from another one"
        assert option.option.text.endswith("."), f"{option.name}: the text goes on in another one"


def test_the_help_of_run_shows_the_ten_options_of_every_day_by_question() -> None:
    """Broken: a newcomer reads 187 lines to find --topic, fourth from last."""
    run = COMMANDS[("run",)]
    shown = help_of("run", "--help")
    everyday = [each.name for each in run.options if is_everyday(run, each) and not each.is_argument]
    assert len(everyday) == 10
    assert set(re.findall(r"^  (--?[a-zA-Z-]+) ", shown, re.MULTILINE)) == {*everyday, "--help-all", "-h"} - {"-h"}
    panels = [Panel.WHAT, Panel.WHERE, Panel.PACE, Panel.WATCH, Panel.FILES]
    assert re.findall(r"^([A-Z].*):$", shown, re.MULTILINE) == [*panels, "More", "Examples"]
    assert len(shown.splitlines()) < 60


def test_variables_are_explained_once() -> None:
    """Broken: each of 87 options has a line of its own for a name that follows from another."""
    shown = help_of("run", "--help-all")
    assert re.findall(r"REPLAY_\w+", shown) == ["REPLAY_MAX_GAP"]


def test_no_sentence_in_the_list_of_commands_is_cut() -> None:
    """Broken: "Replay the shipped trades into an embedded broker, kill the..."."""
    shown = help_of("--help")
    assert "..." not in shown.replace("...]", "")
    for command in TABLE:
        if len(command.words.split()) == 1:
            assert f"  {command.title}\n" in shown, command.words


def test_a_pipe_gets_neither_boxes_nor_colours() -> None:
    """Broken: `replay run --help | grep` and a log hold box characters and escape sequences."""
    done = subprocess.run([sys.executable, "-m", "replay", "run", "--help-all"], capture_output=True, check=True)
    assert done.stdout.isascii()
    assert b"\x1b" not in done.stdout


def test_a_terminal_gets_panels_in_colours() -> None:
    """Broken: on a terminal the help looks as in a log."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen([sys.executable, "-m", "replay", "run", "--help"], stdout=theirs, env=env) as child:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
    os.close(ours)
    assert child.returncode == 0
    text = shown.decode()
    assert "\x1b[" in text
    assert "What to send" in text
    assert "╭" in text


def test_a_dumb_terminal_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: an editor's shell shows escape sequences."""
    from replay.cli import help as helps

    monkeypatch.setattr(sys, "stdout", type("Tty", (), {"isatty": lambda _: True})())
    monkeypatch.setenv("TERM", "dumb")
    assert not helps.is_drawn()
    shown = helps.of_command(COMMANDS[("status",)], "replay status", everything=False)
    assert text_of(shown, 80).isascii()


def readme_lines() -> list[str]:
    pages = [ROOT / "README.md", *(path for name in ("cron", "data", "replay") for path in (ROOT / name).rglob("*.md"))]
    found = [inline or block for path in pages for inline, block in SPANS.findall(path.read_text())]
    return [text for text in found if called(text)[0]]


def test_the_readmes_name_no_option_that_there_is_not() -> None:
    """Broken: somebody copies a line from a README and gets "no such option"."""
    assert len(readme_lines()) > 40
    for text in readme_lines():
        name, options = called(text)
        assert set(options) <= options_of(COMMANDS[name]), text


@pytest.mark.parametrize(
    ("words", "at", "found"),
    [
        ("replay st", 1, "status"),
        ("replay run --deliv", 2, "--delivery"),
        ("replay run --delivery tr", 3, "transactional"),
        ("replay config sh", 2, "show"),
    ],
)
def test_a_shell_completes_commands_options_and_choices(words: str, at: int, found: str) -> None:
    """Broken: Tab after `replay --install-completion` does nothing; or knows only what the short help shows."""
    env = {**os.environ, "_REPLAY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    done = subprocess.run([sys.executable, "-m", "replay"], env=env, capture_output=True, text=True, check=False)
    assert found in done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    "args",
    [["--help"], ["run", "--help"], ["run", "--help-all"], ["status"], ["status", "--output", "json"], ["history"]],
)
def test_what_has_to_answer_at_once_imports_nothing_heavy(args: list[str], tmp_path: Path) -> None:
    """Broken: a prompt, a monitor or Tab waits half a second for arrays and Kafka that it does not need."""
    code = (
        "import json, sys\nfrom replay.cli.app import app\ntry: app(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    env = {**os.environ, "REPLAY_STATE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code, *args], env=env, capture_output=True, text=True, check=True)
    heavy = HEAVY | ({"rich.console"} if "--help" in args else set())
    assert not heavy & set(json.loads(done.stderr.splitlines()[-1]))
