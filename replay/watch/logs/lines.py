"""Logs: lines for people or JSON for machines, on standard error and, if asked for, in a file.

All of them go through loguru, librdkafka's among them.
"""

from __future__ import annotations

import copy
import logging
import sys
import traceback
from contextlib import AbstractContextManager
from json import dumps
from typing import Any

from loguru import logger
from rich.console import Console

from replay.errors import TEXT_MAX, printable, shortened
from replay.secrets import hidden
from replay.watch.logs import librdkafka
from replay.watch.logs.file import FileSink, LogFile

_TEXT = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <7} {shown}"

FIELDS = ("time", "level", "message", "job", "date", "run_id", "row", "partition")
"""Part of the interface: names are added, never changed. `row` is the next row, as everywhere."""

MESSAGE_MAX = 4 * TEXT_MAX
"""Characters of a line's message: an error has three texts."""

_FIELDS_OF = "replay_log_fields"  # an attribute of errors


def json_line(record: Any) -> str:
    """One object: the fields that every line has, null where they are not known, then what else is bound to it."""
    line: dict[str, Any] = dict.fromkeys(FIELDS)
    line.update(
        time=record["time"].astimezone().isoformat(timespec="milliseconds"),
        level=record["level"].name.lower(),
        message=shortened(record["message"], MESSAGE_MAX),
    )
    line.update(record["extra"])
    if record["exception"] is not None:
        line["traceback"] = "".join(traceback.format_exception(*record["exception"]))
    # JSON escapes newlines, so that a line is one line. Surrogates of file names that are not UTF-8 are escaped here.
    return dumps(line, ensure_ascii=False, default=str).encode(errors="backslashreplace").decode()


def text_lines(message: str) -> str:
    """A message as it is shown: printable, whoever worded it (librdkafka, a library). Its further lines begin with two
    spaces, so that none of them looks like a line of the log."""
    first, *more = shortened(message, MESSAGE_MAX).split("\n")
    indented = (each if each.startswith("  ") else f"  {each}" for each in more)
    return "\n".join(printable(each, MESSAGE_MAX) for each in (first, *indented))


def logged_as(job: str | None, date: str | None, run_id: str | None = None) -> AbstractContextManager[None]:
    """Lines logged inside are of this run, also those of threads that are started there."""
    return logger.contextualize(job=job, date=date, run_id=run_id)


def mark(error: BaseException, **fields: Any) -> None:
    """The line that reports this error gets these fields: it is logged where the run is not known any more."""
    setattr(error, _FIELDS_OF, fields)


def fields_of(error: BaseException) -> dict[str, Any]:
    """The fields that `mark` gave it."""
    found: dict[str, Any] = getattr(error, _FIELDS_OF, {})
    return found


def set_up_logging(
    *, json: bool, debug: bool, console: Console, quiet: bool = False, file: LogFile | None = None
) -> None:
    """A sink on standard error that does not tear a progress bar apart, and one in the file. `quiet`: only warnings and
    errors on standard error. Raises `UsageError` where the file cannot be opened. No line has a secret of this process,
    whoever wrote it: a library may."""

    def write(message: Any) -> None:
        line = hidden(str(message))
        if json:
            print(line, end="", file=sys.stderr, flush=True)
        else:
            console.print(line, end="", markup=False, highlight=False, soft_wrap=True)

    def format_json(record: Any) -> str:
        record["line"] = json_line(record)  # a format has to name what it shows: the line may hold braces itself
        return "{line}\n"

    logger.remove()
    level = "DEBUG" if debug else "INFO"
    writer = copy.deepcopy(logger) if file is not None else None  # now: a logger with sinks cannot be copied

    def format_text(record: Any) -> str:
        record["shown"] = text_lines(record["message"])
        return _TEXT + "\n{exception}"

    # Never `diagnose`: it shows the values of variables, and one may be a password.
    plain: Any = {"format": format_json if json else format_text, "backtrace": False, "diagnose": False}
    logger.add(write, level="WARNING" if quiet else level, **plain)
    if file is not None and writer is not None:
        to_file = FileSink(file, writer)
        logger.add(to_file, level=level, filter=to_file.wants, **plain)
    librdkafka.listen(_librdkafka)


def _librdkafka(level: int, text: str, partition: int | None) -> None:
    place = {"partition": partition} if partition is not None else {}
    logger.bind(**place).log(logging.getLevelName(level), "{}", text)
