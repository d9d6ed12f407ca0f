"""Results on standard output, also if its reader goes away or it cannot be written."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console

from replay.errors import UsageError, printable

PIPE_COLUMNS = 160  # of tables that go into a file or a pipe: 80, the default there, would cut every path


_LOOKALIKES = str.maketrans({"█": "#", "▏": "|", "━": "-", "╸": "-", "╺": "-", "…": "~", "·": ".", "→": ">"})

DRAWN = "replay-drawn"
"""How a stream takes what its encoding does not have (`errors=`): what is drawn looks similar, the rest is escaped."""


def _drawn(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_LOOKALIKES)
    return "".join(c if c.isascii() else c.encode("ascii", "backslashreplace").decode() for c in text), error.end


codecs.register_error(DRAWN, _drawn)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the process with exit 1


class Results:
    """What a command found. A reader that has read enough (`replay status | head -1`) is no failure: the outcome
    stands. A full disk is a failure: an empty file would be taken for the answer."""

    def __init__(self, *, no_color: bool) -> None:
        made = _Console(no_color=no_color or None)
        # FORCE_COLOR makes a terminal of a pipe for rich: it asks for colours, not for lines that are cut.
        is_terminal = made.is_terminal and made.file.isatty()
        self.console = made if is_terminal else _Console(width=PIPE_COLUMNS, no_color=no_color or None)

    def show(self, table: Any) -> None:
        """Anything that rich can draw."""
        with _refused(), _flushed():
            self.console.print(table)

    def pairs(self, lines: list[tuple[str, str]]) -> None:
        self.write(pairs(lines))

    def write(self, text: str) -> bool:
        """False where nobody reads any more."""
        with _refused():
            _write(text)
            return True
        return False


def write_if_possible(text: str) -> None:
    """On standard output, if that is possible. The exit code stands either way: the rows are in the topic."""
    with suppress(OSError):
        _write(text)


def pairs(lines: list[tuple[str, str]]) -> str:
    """Label and text, in two columns."""
    width = max(len(label) for label, _ in lines)
    return "".join(f"{label:<{width}}  {printable(text)}\n" for label, text in lines)


def _write(text: str) -> None:
    with _flushed():
        if sys.stdout is not None:  # closed by the parent process
            sys.stdout.write(text if text.endswith("\n") else text + "\n")


@contextmanager
def _refused() -> Iterator[None]:
    """Raises `UsageError` for what cannot be written."""
    try:
        yield
    except BrokenPipeError:
        pass
    except OSError as error:
        what = error.strerror or str(error)
        raise UsageError(what, where="standard output", todo="send it where there is room") from None


@contextmanager
def _flushed() -> Iterator[None]:
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python must not try again when it ends
        raise
