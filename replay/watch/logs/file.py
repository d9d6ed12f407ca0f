"""The log file: a new one by size or age, old ones deleted by count or age.

loguru does all of that. A log file that cannot be written (a full disk) must not end the replay, and is reported once.
loguru would either raise where a line is logged, or print a traceback for every line. So the file has a logger of its
own, which raises, and this sink of the common logger catches what it raises.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

from replay import units
from replay.errors import UsageError
from replay.secrets import hidden

if TYPE_CHECKING:
    from loguru import Logger


@dataclass(frozen=True, slots=True)
class LogFile:
    """Where to log, when to begin a new file, and which old files to keep."""

    path: Path
    rotate: int | timedelta  # bytes, or age
    keep: int | timedelta  # files, or age


def parse_log_file(path: str, rotate: str, keep: str) -> LogFile:
    """`--log-rotate 10MB | 1d` and `--log-keep 10 | 14d`. Raises `UsageError`."""
    rotation: int | timedelta
    if re.fullmatch(r"[\d_.\s]+(?:[kmg]i?)?b", rotate.strip(), re.IGNORECASE):
        rotation = units.parse_bytes(rotate, "--log-rotate", units.ONE_OR_MORE)
    else:
        rotation = timedelta(seconds=units.parse_duration_s(rotate, "--log-rotate", units.ONE_OR_MORE))
    is_count = keep.strip().isdecimal()
    kept = int(keep) if is_count else timedelta(seconds=units.parse_duration_s(keep, "--log-keep"))
    return LogFile(Path(path), rotation, kept)


class FileSink:
    """A sink that hands its lines to `writer`, a logger without sinks.

    Raises `UsageError` where the file cannot be opened.
    """

    def __init__(self, file: LogFile, writer: Logger) -> None:
        special = file.path.exists() and not file.path.is_file()  # a pipe, a device: never renamed or deleted
        self._path, self._is_reported, self._is_reporting = file.path, False, False
        self._writer = writer
        try:
            writer.add(
                str(file.path).replace("{", "{{").replace("}", "}}"),  # loguru would put the time in
                level=0,
                format="{message}",
                catch=False,
                rotation=None if special else file.rotate,
                retention=None if special else file.keep,
                watch=True,  # another process may have begun a new one: a scheduler's replays write here, too
                encoding="utf-8",
                errors="backslashreplace",  # a path need not be text
            )
        except OSError as error:
            raise UsageError(
                f"the log file cannot be opened: {error.strerror or error}",
                where=f"--log-file {file.path}",
                todo="name a file in a folder that can be written to",
            ) from None

    def wants(self, _: Any) -> bool:
        """A filter: this sink's own warning is for the others."""
        return not self._is_reporting

    def write(self, message: str) -> None:
        try:
            self._writer.opt(raw=True).info(hidden(str(message)))
        except (OSError, ValueError) as error:  # ValueError: it could not be opened again
            if not self._is_reported:
                self._is_reported = self._is_reporting = True
                text = f"the log file cannot be written (--log-file {self._path}): {error}; lines are lost there"
                logger.warning("{}", text)
                self._is_reporting = False

    def stop(self) -> None:
        with suppress(OSError, ValueError):
            self._writer.remove()
