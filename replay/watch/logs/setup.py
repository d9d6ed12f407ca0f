"""Logs: lines for people or JSON for machines, on standard error and, if asked for, in a file.

All of them go through loguru, librdkafka's among them.
"""

from __future__ import annotations

import copy
import logging
import re
import sys
import time
from typing import Any

from loguru import logger
from rich.console import Console

from replay.watch.logs.file import FileSink, LogFile
from replay.watch.logs.lines import json_line
from replay.watch.logs.repeats import Repeats

_TEXT = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <7} {message}"
_QUIET_S = 10.0  # the same librdkafka line (but for its numbers) is not shown again within this


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
    kafka = logging.getLogger("librdkafka")
    kafka.handlers, kafka.propagate = [_Librdkafka()], False
    kafka.setLevel(logging.DEBUG)


# -- librdkafka -------------------------------------------------------------------------------------------

_PARTITION = re.compile(r"(?:^|\s)[\w.-]+ \[(\d+)\]")  # how librdkafka writes topic and partition

_REPORTED_BY_US = re.compile(
    # Connections that failed: the replay itself says which, since when and for how long it waits, where that matters.
    r"^FAIL |Disconnected"
    # Settings of ours that are meant as they are, and the producer's beginning: the coordinator is asked again.
    r"|CONFWARN|^GETPID .*retrying$|^DRAIN |^REBOOTSTRAP |^(?:INIT|TXN|IDEMPSTATE|PIDBROKER) "
)


class _Librdkafka(logging.Handler):
    """librdkafka's lines through loguru; its repeats while a broker is down are held back."""

    def __init__(self) -> None:
        super().__init__()
        self._repeats = Repeats(_QUIET_S)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if self._repeats.held_back(text, time.monotonic()) is None:
            return
        place = _PARTITION.search(text)
        level = _level(record, text)
        logger.bind(**({"partition": int(place[1])} if place else {})).log(level, "kafka: {}", text)


def _level(record: logging.LogRecord, text: str) -> str:
    """Its errors are about one connection, which it retries by itself: for us they are warnings; a retry is news. The
    admin client sees the same brokers as the producer does, and its lines come late: only when it is used."""
    if _REPORTED_BY_US.search(text) or record.name.endswith(".admin"):
        return "DEBUG"
    if text.endswith("retrying"):
        return "INFO"
    return "WARNING" if record.levelno >= logging.WARNING else "DEBUG"
