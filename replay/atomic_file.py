"""A file that is replaced as a whole: readers see the old content or the new one, never a part."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


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
