"""A file that is replaced as a whole: readers see the old content or the new one, never a part."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from replay.own_files import open_own


def replace_file(path: Path, data: bytes, mode: int | None = None) -> None:
    """Puts these bytes under the name, all or nothing. `mode` overrides the umask. Raises `OSError`.

    The temporary name is hidden and always the same. So a scraper of the folder does not read it, and a kill leaves at
    most one such file, which the next call overwrites. A link stays a link. What is no regular file (/dev/null, a pipe
    of the shell) is written to and never replaced: as root, a rename would put a file in the place of the device.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(open_own(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), "wb") as file:
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
