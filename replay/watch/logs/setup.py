"""Logs: lines for people or JSON for machines, on standard error and, if asked for, in a file.

All of them go through loguru, librdkafka's among them.
"""

from __future__ import annotations

import copy
import logging
import sys
from typing import Any

from loguru import logger
from rich.console import Console

from replay.watch.logs import librdkafka
from replay.watch.logs.file import FileSink, LogFile
from replay.watch.logs.lines import json_line

_TEXT = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <7} {message}"


def set_up_logging(
    *, json: bool, debug: bool, console: Console, quiet: bool = False, file: LogFile | None = None
) -> None:
    """A sink on standard error that does not tear a progress bar apart, and one in the file. `quiet`: only warnings and
    errors on standard error. Raises `UsageError` where the file cannot be opened."""

    def write_text(message: Any) -> None:
        console.print(str(message), end="", markup=False, highlight=False, soft_wrap=True)

    def write_json(message: Any) -> None:
        sys.stderr.write(json_line(message.record) + "\n")
        sys.stderr.flush()

    def format_json(record: Any) -> str:
        record["line"] = json_line(record)  # a format has to name what it shows: the line may hold braces itself
        return "{line}\n"

    logger.remove()
    level = "DEBUG" if debug else "INFO"
    writer = copy.deepcopy(logger) if file is not None else None  # now: a logger with sinks cannot be copied
    # Never `diagnose`: it shows the values of variables, and one may be a password.
    plain: Any = {"backtrace": False, "diagnose": False}
    logger.add(write_json if json else write_text, format=_TEXT, level="WARNING" if quiet else level, **plain)
    if file is not None and writer is not None:
        to_file = FileSink(file, writer)
        logger.add(to_file, format=format_json if json else _TEXT, level=level, filter=to_file.wants, **plain)
    librdkafka.listen(_librdkafka)


def _librdkafka(level: int, text: str, partition: int | None) -> None:
    place = {"partition": partition} if partition is not None else {}
    logger.bind(**place).log(logging.getLevelName(level), "{}", text)
