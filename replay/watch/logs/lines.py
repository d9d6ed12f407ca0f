"""What a line of the log holds beside its message, and how it becomes one line of JSON."""

from __future__ import annotations

import traceback
from contextlib import AbstractContextManager
from json import dumps
from typing import Any

from loguru import logger

FIELDS = ("time", "level", "message", "job", "date", "run_id", "row", "partition")
"""Part of the interface: names are added, never changed. `row` is the next row, as everywhere."""

_FIELDS_OF = "replay_log_fields"  # an attribute of errors


def json_line(record: Any) -> str:
    """One object: the fields that every line has, null where they are not known, then what else is bound to it."""
    line: dict[str, Any] = dict.fromkeys(FIELDS)
    line.update(
        time=record["time"].astimezone().isoformat(timespec="milliseconds"),
        level=record["level"].name.lower(),
        message=record["message"],
    )
    line.update(record["extra"])
    if record["exception"] is not None:
        line["traceback"] = "".join(traceback.format_exception(*record["exception"]))
    # JSON escapes newlines, so that a line is one line. Surrogates of file names that are not UTF-8 are escaped here.
    return dumps(line, ensure_ascii=False, default=str).encode(errors="backslashreplace").decode()


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
