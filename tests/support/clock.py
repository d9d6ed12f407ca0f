"""Another wall clock for the processes that a test starts: a night in March, while the broker beside lives today."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

SOURCE = Path(__file__).with_name("clock_shift.c")


def compiled(folder: Path) -> Path:
    """The library that moves the clock, made by the machine's C compiler."""
    library = folder / "clock_shift.so"
    subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def at(library: Path, moment: datetime) -> dict[str, str]:
    """Variables of a process for which it is `moment` (with a zone) now, and from then on as time goes by."""
    return {"LD_PRELOAD": str(library), "SHIFT_S": str(round(moment.timestamp() - time.time()))}
