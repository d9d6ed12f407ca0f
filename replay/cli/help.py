"""The help of a command: options in panels by what a user asks. In colours on a terminal, plain elsewhere.

`--help` shows the options of every day, `--help-all` shows all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replay.cli.options.declare import Declared, Panel

if TYPE_CHECKING:
    from replay.cli.commands import Command

FEW = 16
"""A command with at most this many options shows all of them."""

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
    examples: Sequence[str] = field(default=())


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
    return Help(usage, command.text, [*sections, ("More", last)], variables_note(command), command.examples)


def has_more(command: Command) -> bool:
    """Whether its help shows a part of its options."""
    return len(command.options) > FEW


def is_everyday(command: Command, option: Declared) -> bool:
    return option.option.everyday or option.option.panel is Panel.OWN or option.name in command.everyday


def option_row(option: Declared) -> Row:
    names = ", ".join(filter(None, (option.option.short, option.name, option.negative)))
    if option.is_argument:
        return Row(names + ("..." if option.many else ""), option.option.text)
    more = "; ".join(
        filter(None, (f"default: {option.default_text}" if option.default_text else "", option.bounds_text))
    )
    return Row(names, option.option.text, option.metavar, more)


def variables_note(command: Command) -> str:
    return VARIABLES.format(*(IN_JOB_FILE if command.reads_job_file else NO_JOB_FILE))


def examples(shown: Help) -> list[str]:
    """Not broken into lines: they are copied."""
    return ["Example:" if len(shown.examples) == 1 else "Examples:", *(f"  {line}" for line in shown.examples)]
