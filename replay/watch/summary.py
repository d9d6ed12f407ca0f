"""The end of a run for machines: one JSON object with stable names, to a file or to standard output.

Names are only ever added. Times are in seconds. What was not measured, or is not known, is null.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from replay import __version__
from replay.atomic_file import replace_file
from replay.delivery.snapshot import Snapshot
from replay.reporter import Reporter
from replay.watch.figures import figures
from replay.watch.run import RunInfo, RunOutcome, utf8

STANDARD_OUTPUT = "-"


def summary(
    info: RunInfo,
    outcome: RunOutcome,
    last: Snapshot | None,
    verdict: Mapping[str, Any] | None,
    started_s: float,
    ended_s: float,
) -> dict[str, Any]:
    """`last` is None where the run ended before anything was known of its rows. `verdict` is None where the topic was
    not read back. Options and examples are left out: they are in the history, and notifications should be small."""
    return {
        "replay_version": __version__,
        "run_id": info.run_id,
        "job": utf8(info.job),
        "date": info.date,
        "command": info.command,
        "topic": info.topic,
        "checkpoint": utf8(info.checkpoint),
        "outcome": outcome.word,
        "exit_code": int(outcome.exit_code),
        "reason": outcome.reason,
        "started_s": started_s,
        "ended_s": ended_s,
        **figures(last),
        "elapsed_s": ended_s - started_s,
        "verdict": {k: v for k, v in verdict.items() if k not in _LONG} if verdict is not None else None,
    }


_LONG = frozenset({"starts", "ends", "examples"})
"""Parts of a verdict that grow with partitions and differences."""


def write(target: str, document: Mapping[str, Any], to: Reporter) -> None:
    """All of it or nothing. The replay is over and its exit code stands, so that a failure here is a warning."""
    data = (json.dumps(document, indent=1) + "\n").encode()
    try:
        if target == STANDARD_OUTPUT:
            sys.stdout.write(data.decode())
            sys.stdout.flush()
        else:
            replace_file(Path(target), data)
    except OSError as error:
        if target == STANDARD_OUTPUT:  # nobody reads it; Python must not try again when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        to.warning(f"the summary is not written (--summary-json {target}): {error.strerror or error}")
