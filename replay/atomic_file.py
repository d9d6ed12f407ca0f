"""A file that is replaced as a whole: readers see the old content or the new one, never a part."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from replay.errors import UsageError


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
