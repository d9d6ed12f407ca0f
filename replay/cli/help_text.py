"""The help of a command as text: plain in a pipe, drawn on a terminal. Light: rich is imported only for that."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from textwrap import wrap

from replay.cli.help import Help, Row, examples

NAMES_WIDTH = 26
"""Columns of the names of options, where they fit."""


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
            text = wrap(_text(row), width - column)
            head = name.ljust(column) + text.pop(0) if len(name) + 2 <= column else name
            lines += [head, *(" " * column + each for each in text)]
    lines += ["", *wrap(shown.note, width)] if shown.note else []
    lines += ["", *examples(shown)] if shown.examples else []
    return "\n".join(lines) + "\n"


def _text(row: Row) -> str:
    return f"{row.text} [{row.more}]" if row.more else row.text
