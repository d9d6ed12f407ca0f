"""Footers are looked at by a bounded process first: Arrow aborts on some damaged ones, and others take all memory.

Each footer is read as plain bytes, wherever its file is, and sent to a process of its own (`footer_child.py`). Only one
that this process could read, and that left it alive, within its memory and its time, is given to Arrow here.

The process is started once for all files of a replay, and ends when all of them are open. It is started anew and not
forked: a fork of a process that has threads (Arrow's, librdkafka's) may hang.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from replay.errors import InputError, UsageError
from replay.source.files import compact, footer_child
from replay.source.files.unreadable import unreadable

FOOTER_BYTES_MAX = 64 << 20
"""A footer has about 150 bytes for a column of a row group: these are 400,000 of them."""

COLUMNS_MAX = 10_000

_ELEMENTS_MAX = 3 * COLUMNS_MAX + 1  # of a schema: a list is two groups and a column

ROW_GROUPS_MAX = 100_000

ANSWER_S = 60.0
"""An ordinary footer takes a millisecond, the largest a second or two."""

_ENDED_BY_OTHERS = {f"ended {-number}" for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}

_KNOWN_MAX = 100_000

_known: set[tuple[str, tuple[str, ...]]] = set()
"""Footers (SHA-256) that a process of ours has survived, with the columns whose statistics were looked at. A run opens
its inputs more than once."""


class Looker:
    """The process, once there is something to look at. Its calls may come from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Does not wait until it is ready. Raises `UsageError` where this machine does not allow it."""
        command = [sys.executable, "-I", "-S", footer_child.__file__, str(Path(pa.__file__).parent.parent)]
        names = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # and no secrets of ours
        env = {name: os.environ[name] for name in names if name in os.environ}
        env["ARROW_DEFAULT_MEMORY_POOL"] = "system"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        try:
            self._process = subprocess.Popen(command, bufsize=0, env=env, start_new_session=True, **pipes)  # type: ignore[call-overload]
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the process that looks at Parquet footers cannot be started: {error}",
                where=sys.executable or "Python",
                todo="allow this user one more process",
            ) from None

    def stop(self) -> None:
        with self._lock:
            self._stop()

    def look(self, shown: str, footer: bytes, columns: Sequence[str]) -> str:
        """The footer's SHA-256. Raises `InputError` for a footer that this process should not read."""
        sha256 = hashlib.sha256(footer).hexdigest()
        key = (sha256, tuple(columns))
        if key in _known:
            return sha256
        _check_columns(shown, footer)
        with self._lock:
            answer = self._asked(footer, columns)
        if answer != "ok":
            raise _refused(shown, answer)
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
        _known.add(key)
        return sha256

    def _asked(self, footer: bytes, columns: Sequence[str]) -> str:
        """What it answers, or how it ended. It is asked again where somebody else may have ended it."""
        if self._process is None:
            self.start()
        answer = self._answer(footer, columns)
        if answer in _ENDED_BY_OTHERS:
            self.start()
            answer = self._answer(footer, columns)
        return answer

    def _answer(self, footer: bytes, columns: Sequence[str]) -> str:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        names = json.dumps(list(columns)).encode()
        data = footer_child.REQUEST.pack(ROW_GROUPS_MAX, len(names), len(footer) + 4) + names + b"PAR1" + footer
        with suppress(OSError):  # it is gone: what follows says so
            view = memoryview(data)
            while view:
                view = view[self._process.stdin.write(view) or 0 :]
        waiting = select.poll()
        waiting.register(self._process.stdout, select.POLLIN)
        ready = waiting.poll(ANSWER_S * 1e3)
        line = self._process.stdout.readline() if ready else b""
        if line and line.endswith(b"\n"):
            return line.decode().strip()
        if not ready:
            self._stop()
            return "slow"
        code = self._process.wait()
        self._stop()
        return f"ended {code}"

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


@contextmanager
def looking() -> Iterator[Looker]:
    """It starts at once, while files are searched for, unless this process has opened some before."""
    looker = Looker()
    try:
        if not _known:
            looker.start()
        yield looker
    finally:
        looker.stop()


def too_large(shown: str, footer_bytes: int) -> InputError:
    return InputError(
        f"its footer has {footer_bytes:,} bytes; at most {FOOTER_BYTES_MAX:,} are read",
        where=shown,
        todo="if that is no damage, write it again with fewer columns or larger row groups",
    )


def _check_columns(shown: str, footer: bytes) -> None:
    """Before anything is made of them: a million names of columns, in a few megabytes, take a gigabyte and half a
    minute. They are the second field of a footer, behind the version (parquet-format, `FileMetaData`)."""
    with suppress(IndexError, ValueError):  # not like that: let the process look at it
        kind, field, at = compact.field(footer, 0, 0)
        if (kind, field) != (compact.I32, 1):
            return
        _, at = compact.zigzag(footer, at)
        kind, field, at = compact.field(footer, at, field)
        if (kind, field) != (compact.LIST, 2):
            return
        elements, _, _ = compact.list_header(footer, at)
        if elements > _ELEMENTS_MAX:
            raise InputError(
                f"the file has {elements - 1:,} columns, with groups of them; at most {COLUMNS_MAX:,} are read",
                where=shown,
                todo="write it again with the columns that are needed",
            )


def _refused(shown: str, answer: str) -> InputError:
    word, _, number = answer.partition(" ")
    if word in ("refused", "unknown"):
        kind = NotImplementedError if word == "unknown" else ValueError
        return unreadable(shown, kind(json.loads(number)))
    if word == "groups":
        return InputError(
            f"the file has {int(number):,} row groups; at most {ROW_GROUPS_MAX:,} are read",
            where=shown,
            todo="write it again with larger row groups",
        )
    if word == "memory":
        what = f"its footer takes more than {footer_child.MEMORY_BYTES >> 20} MiB of memory to read"
    elif word == "slow":
        what = f"its footer cannot be read within {ANSWER_S:g} s"
    else:
        limit = f"{footer_child.MEMORY_BYTES >> 20} MiB"
        what = f"its footer makes Arrow end its process ({_ending(int(number))}), or takes more than {limit} of memory"
    return InputError(
        f"this is not a whole Parquet file: {what}",
        where=shown,
        todo="it is damaged, or made to do that: write or fetch it again",
    )


def _ending(code: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit {code}"
