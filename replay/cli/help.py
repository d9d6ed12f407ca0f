"""The help of a command: options in panels by what a user asks. In colours on a terminal, plain elsewhere.

`--help` shows the options of every day, `--help-all` shows all of them. Light: rich is imported only for colours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from textwrap import wrap

from replay.cli.commands import Command
from replay.cli.options.declare import Declared, Panel

FEW = 16
"""A command with at most this many options shows all of them."""

NAMES_WIDTH = 26
"""Columns of the names of options, where they fit."""

VARIABLES = "Every option is also a variable{}: --max-gap is REPLAY_MAX_GAP{}. {}"
IN_JOB_FILE = (
    " and a key of the job file",
    " and max-gap",
    "An option that may be repeated takes one value a line in its variable, and a list in the file.",
)
NO_JOB_FILE = ("", "", "Where an option may be repeated, a variable holds one value a line.")


@dataclass(frozen=True, slots=True)
class Row:
    """An option or a command: its names, what stands for its value, its text, and what stands in brackets behind it."""

    names: str
    text: str
    metavar: str = ""
    more: str = ""


@dataclass(frozen=True, slots=True)
class Help:
    """Sections are titles and rows; `note` and `examples` stand below them."""

    usage: str
    text: str
    sections: Sequence[tuple[str, Sequence[Row]]]
    note: str = ""
    examples: Sequence[str] = ()


def of_command(command: Command, path: str, *, everything: bool) -> Help:
    """`everything`: all options, those of every day first in their panels. `path`: what calls it."""
    options = command.options
    arguments = [f"{each.name}..." if each.many else each.name for each in options if each.is_argument]
    usage = " ".join([path, "[OPTIONS]", *arguments])
    everything = everything or not has_more(command)
    sections = []
    for panel in Panel:
        here = [each for each in options if each.option.panel is panel]
        first = [each for each in here if is_everyday(command, each)]
        rest = [each for each in here if each not in first] if everything else []
        if first or rest:
            sections.append((str(panel), [option_row(each) for each in (*first, *rest)]))
    last = [Row("-h, --help", "Show this help.")]
    if has_more(command):
        last.insert(0, Row("--help-all", f"Show all {len(options)} options."))
    note = VARIABLES.format(*(IN_JOB_FILE if command.reads_job_file else NO_JOB_FILE))
    return Help(usage, command.text, [*sections, ("More", last)], note, command.examples)


def has_more(command: Command) -> bool:
    """Whether its help shows a part of its options."""
    return len(command.options) > FEW


def is_everyday(command: Command, option: Declared) -> bool:
    return option.option.everyday or option.option.panel is Panel.OWN or option.name in command.everyday


def option_row(option: Declared) -> Row:
    if option.is_argument:
        return Row(option.names + ("..." if option.many else ""), option.option.text)
    default = f"default: {option.default_text}" if option.default_text else ""
    more = "; ".join(filter(None, (default, option.bounds_text)))
    return Row(option.names, option.option.text, option.metavar, more)


def examples(shown: Help) -> list[str]:
    """Not broken into lines: they are copied."""
    return ["Example:" if len(shown.examples) == 1 else "Examples:", *(f"  {line}" for line in shown.examples)]


def is_drawn() -> bool:
    """Whether colours and boxes can be shown."""
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def text_of(shown: Help, width: int) -> str:
    """In colours where they can be shown. `width`: columns of a plain one."""
    if not is_drawn():
        return _plain(shown, width)
    return str(import_module("replay.cli.help_drawn").drawn(shown))  # it imports rich, which a pipe does without


def _plain(shown: Help, width: int) -> str:
    lines = [f"Usage: {shown.usage}", ""]
    for line in shown.text.splitlines():
        lines += wrap(line, width, initial_indent="  ", subsequent_indent="  ")
    for title, rows in shown.sections:
        lines += ["", f"{title}:"]
        names = [f"  {row.names} {row.metavar}".rstrip() for row in rows]
        column = min(max(map(len, names)) + 2, NAMES_WIDTH)
        for name, row in zip(names, rows, strict=True):
            text = wrap(f"{row.text} [{row.more}]" if row.more else row.text, width - column)
            head = name.ljust(column) + text.pop(0) if len(name) + 2 <= column else name
            lines += [head, *(" " * column + each for each in text)]
    lines += ["", *wrap(shown.note, width)] if shown.note else []
    lines += ["", *examples(shown)] if shown.examples else []
    return "\n".join(lines) + "\n"
