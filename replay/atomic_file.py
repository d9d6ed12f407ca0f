"""Work beside the replay, on threads of its own: what is slow there (a full disk, a network folder, a gateway that does
not answer) never holds a row up. And a file replaced as a whole."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from replay.errors import UsageError


class Beside:
    """Calls `work` at once, then every `every_s`, and a last time at the end. `work` must not raise."""

    def __init__(self, name: str, every_s: float, work: Callable[[], None]) -> None:
        self._every_s, self._work = every_s, work
        self._begun, self._over = threading.Event(), threading.Event()
        # A daemon: the process ends though the work may hang for ever.
        self._thread = _thread(self._run, name)

    def start(self, within_s: float = 0.0) -> bool:
        """True if the first round was done within this time."""
        self._thread.start()
        return self._begun.wait(within_s)

    def finish(self, within_s: float) -> bool:
        """One more round, then no more; False if that took longer than this and goes on by itself."""
        self._over.set()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        over = False
        while not over:
            self._work()
            self._begun.set()
            over = self._over.wait(self._every_s)
        self._work()


def within(seconds: float, work: Callable[[], None]) -> bool:
    """Do it, and do not wait longer than this; False if it is still at it. `work` must not raise."""
    thread = _thread(work, "within")
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def _thread(work: Callable[[], None], name: str) -> threading.Thread:
    """In the context of whoever begins it, so that what it logs is of the same run."""
    return threading.Thread(target=contextvars.copy_context().run, args=(work,), name=name, daemon=True)


def check_place(option: str, target: str, or_else: str = "") -> None:
    """Raises `UsageError` where `replace_file` could not put a file, as far as can be seen without trying."""
    path = Path(target)
    if path.exists() and not path.is_file() and not path.is_dir():
        return  # a device, a pipe
    folder = Path(os.path.realpath(path)).parent
    if not path.name or path.is_dir():
        why = "no file can be written there: it is a folder"
    elif not folder.is_dir():
        why = f"there is no folder {folder}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = f"the folder {folder} cannot be written to"
    else:
        return
    raise UsageError(
        why, where=f"{option} {target}", todo=f"name a file in a folder that exists and can be written to{or_else}"
    )


def replace_file(path: Path, data: bytes, mode: int | None = None) -> None:
    """Put these bytes under the name, all or nothing. Raises `OSError`. `mode`: whatever the umask says.

    The temporary name is hidden and always the same: a scraper of the folder does not take it for a file of its own,
    and a kill leaves one scrap, which the next time overwrites. A link stays one. What is no file (/dev/null, a pipe of
    the shell) is written to and never replaced: as root, a rename would put a file into the place of the device.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
