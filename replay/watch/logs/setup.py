"""Logs: lines for people or JSON for machines, on standard error and, if asked for, in a file that rotates.

All of them go through loguru, librdkafka's among them. In JSON every line has the fields of `FIELDS`, null where they
are not known, and further ones behind them.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import timedelta
from json import dumps
from pathlib import Path
from typing import Any

from loguru import logger
from loguru._file_sink import FileSink  # what `logger.add(path)` makes; there is no other way to hear of its errors
from rich.console import Console

from replay import units
from replay.errors import UsageError

FIELDS = ("time", "level", "message", "job", "date", "run_id", "row", "partition")
"""Part of the interface: names are added, never changed. `row` is the next row, as everywhere."""

_TEXT = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <7} {message}"
_QUIET_S = 10.0  # the same librdkafka line (but for its numbers) is not shown again within this
_SHAPES_MAX = 1_000  # lines remembered for that; there are a few dozen
_PARTITION = re.compile(r"(?:^|\s)[\w.-]+ \[(\d+)\]")  # how librdkafka writes topic and partition


@dataclass(frozen=True, slots=True)
class LogFile:
    """Where to log, when to begin a new file (by size or by age), and how many old ones to keep, or for how long."""

    path: Path
    rotate: int | timedelta  # bytes, or age
    keep: int | timedelta  # files, or age


def parse_log_file(path: str, rotate: str, keep: str) -> LogFile:
    """`--log-rotate 10MB | 1d` and `--log-keep 10 | 14d`."""
    by_size = re.fullmatch(r"[\d_.\s]+(?:[kmg]i?)?b", rotate.strip(), re.IGNORECASE)
    size_or_age: int | timedelta
    if by_size:
        size_or_age = units.parse_bytes(rotate, "--log-rotate", units.ONE_OR_MORE)
    else:
        size_or_age = timedelta(seconds=units.parse_duration_s(rotate, "--log-rotate", units.ONE_OR_MORE))
    count_or_age: int | timedelta
    if keep.strip().isdecimal():
        count_or_age = int(keep)
    else:
        count_or_age = timedelta(seconds=units.parse_duration_s(keep, "--log-keep"))
    return LogFile(Path(path), size_or_age, count_or_age)


class Repeats:
    """Holds back what was told a moment ago. Lines that differ in their numbers only count as the same."""

    def __init__(self, quiet_s: float) -> None:
        self._quiet_s = quiet_s
        self._lock = threading.Lock()  # warnings come from the threads beside the replay as well
        self._seen: dict[str, tuple[float, int]] = {}  # when it was shown, how many were held back since

    def told(self, text: str, now_s: float) -> int | None:
        """None: hold it back. Otherwise show it; so many like it were held back before."""
        shape = re.sub(r"\d[\d.,]*", "#", text)
        with self._lock:
            shown_s, held = self._seen.get(shape, (float("-inf"), 0))
            if now_s - shown_s < self._quiet_s:
                self._seen[shape] = (shown_s, held + 1)
                return None
            if len(self._seen) > _SHAPES_MAX:
                self._seen.clear()
            self._seen[shape] = (now_s, 0)
            return held


class _Librdkafka(logging.Handler):
    """librdkafka's lines through loguru; its repeats while a broker is down are held back."""

    def __init__(self) -> None:
        super().__init__()
        self._repeats = Repeats(_QUIET_S)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if self._repeats.told(text, time.monotonic()) is None:
            return
        place = _PARTITION.search(text)
        level = _level(record, text)
        logger.bind(**({"partition": int(place[1])} if place else {})).log(level, "kafka: {}", text)


_TOLD_OTHERWISE = re.compile(
    # Connections that failed: the replay itself says which, since when and for how long it waits, where that matters.
    r"^FAIL |Disconnected"
    # Settings of ours that are meant as they are, and the producer's beginning: the coordinator is asked again.
    r"|CONFWARN|^GETPID .*retrying$|^DRAIN |^REBOOTSTRAP |^(?:INIT|TXN|IDEMPSTATE|PIDBROKER) "
)


def _level(record: logging.LogRecord, text: str) -> str:
    """Its errors are about one connection, which it retries by itself: for us they are warnings; a retry is news. The
    admin client sees the same brokers as the producer does, and its lines come late: only when it is used."""
    if _TOLD_OTHERWISE.search(text) or record.name.endswith(".admin"):
        return "DEBUG"
    if text.endswith("retrying"):
        return "INFO"
    return "WARNING" if record.levelno >= logging.WARNING else "DEBUG"


def set_up_logging(
    *, json: bool, debug: bool, console: Console, quiet: bool = False, file: LogFile | None = None
) -> None:
    """A sink on standard error, that does not tear a progress bar apart, and one in the file. `quiet`: no more than
    warnings on standard error."""

    def write_text(message: Any) -> None:
        console.print(str(message), end="", markup=False, highlight=False, soft_wrap=True)

    def write_json(message: Any) -> None:
        sys.stderr.write(json_line(message.record) + "\n")
        sys.stderr.flush()

    logger.remove()
    level = "DEBUG" if debug else "INFO"
    sink = write_json if json else write_text
    logger.add(sink, format=_TEXT, level="WARNING" if quiet else level, backtrace=False, diagnose=False)
    if file is not None:
        _add_file(file, lambda record: sink(_Line(record)), json=json, level=level)
    kafka = logging.getLogger("librdkafka")
    kafka.handlers, kafka.propagate = [_Librdkafka()], False
    kafka.setLevel(logging.DEBUG)


class _Line(str):
    """A line as loguru hands it to a sink: text that knows its record."""

    record: Any

    def __new__(cls, record: Any) -> _Line:
        line = super().__new__(
            cls, f"{record['time']:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f" {record['level'].name:<7} {record['message']}\n"
        )
        line.record = record
        return line


class _File:
    """loguru's file. One that cannot be written (a full disk) is told once; loguru alone tells it with a traceback for
    each line."""

    def __init__(self, file: LogFile, tell: Callable[[Any], None]) -> None:
        special = file.path.exists() and not file.path.is_file()  # a pipe, a device: nothing to be renamed or deleted
        self._path, self._tell, self._told = file.path, tell, False
        self._file: Any = FileSink(  # type: ignore[no-untyped-call]
            str(file.path).replace("{", "{{").replace("}", "}}"),  # it would put the time in
            rotation=None if special else file.rotate,
            retention=None if special else file.keep,
            watch=True,  # another process may have begun a new one: the scheduler's replays write here, too
            encoding="utf-8",
            errors="backslashreplace",  # a path need not be text
        )

    def write(self, message: Any) -> None:
        try:
            self._file.write(message)
        except (OSError, ValueError) as error:  # ValueError: it could not be opened again
            if not self._told:
                self._told = True
                text = f"the log file cannot be written (--log-file {self._path}): {error}; lines are lost there"
                self._tell({**message.record, "level": logger.level("WARNING"), "message": text, "exception": None})

    def stop(self) -> None:
        with suppress(OSError, ValueError):
            self._file.stop()


def _add_file(file: LogFile, tell: Callable[[Any], None], *, json: bool, level: str) -> None:
    def format_json(record: Any) -> str:
        record["line"] = json_line(record)  # a format has to name what it shows: the line may hold braces itself
        return "{line}\n"

    try:
        logger.add(
            _File(file, tell),
            format=format_json if json else _TEXT,
            level=level,
            backtrace=False,
            diagnose=False,  # never the values of variables: one may be a password
        )
    except OSError as error:
        raise UsageError(
            f"the log file cannot be opened: {error.strerror or error}",
            where=f"--log-file {file.path}",
            todo="name a file in a folder that can be written to",
        ) from None


def logged_as(job: str | None, date: str | None, run_id: str | None = None) -> AbstractContextManager[None]:
    """Lines logged inside are of this run, also those of threads that are begun there."""
    return logger.contextualize(job=job, date=date, run_id=run_id)


_FIELDS_OF = "replay_log_fields"  # an attribute of errors


def mark(error: BaseException, **fields: Any) -> None:
    """The line that tells of this error gets these fields: it is logged where nothing is known of the run any more."""
    setattr(error, _FIELDS_OF, fields)


def fields_of(error: BaseException) -> dict[str, Any]:
    """What it was marked with."""
    found: dict[str, Any] = getattr(error, _FIELDS_OF, {})
    return found


def json_line(record: Any) -> str:
    """One object: the fields that every line has, then what else is bound to it."""
    line: dict[str, Any] = dict.fromkeys(FIELDS)
    line.update(
        time=record["time"].astimezone().isoformat(timespec="milliseconds"),
        level=record["level"].name.lower(),
        message=record["message"],
    )
    line.update(record["extra"])
    if record["exception"] is not None:
        line["traceback"] = "".join(traceback.format_exception(*record["exception"]))
    # Newlines are escaped in JSON, and so is what is no text; a line is one line.
    return dumps(line, ensure_ascii=False, default=str).encode(errors="backslashreplace").decode()
