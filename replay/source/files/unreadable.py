"""What Arrow and the system say of a file that cannot be read, as errors of ours. Pure."""

from __future__ import annotations

import os
import re

from replay.errors import InputError


def unreadable(shown: str, error: Exception) -> InputError:
    """What to raise; raises the error itself where it is not the file's fault but this machine's memory."""
    if isinstance(error, MemoryError) and not _is_absurd(error):
        raise error
    reason = str(error).strip().splitlines()[0]
    what = "this is not a whole Parquet file"
    todo = "it may be truncated, damaged or still being written: write or fetch it again"
    if isinstance(error, NotImplementedError):
        what = "Arrow cannot read this file"
        todo = "write it again with plain or dictionary encodings; if it should have those, it is damaged"
    elif isinstance(error, OSError) and error.errno:  # the system's, or HDFS's; Parquet's own errors have no number
        what = "the file cannot be read"
        todo = "check the disk, or the network and the service; then run the same command again"
    return InputError(f"{what}: {reason}", where=shown, todo=todo)


def _is_absurd(error: MemoryError) -> bool:
    """Whether more was asked for than this machine has: a damaged length, not a batch of trades."""
    asked = re.search(r"of size (-?\d+)", str(error))  # "malloc of size 9223372036854775744 failed", says Arrow
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return asked is not None and not 0 <= int(asked[1]) <= memory_bytes
