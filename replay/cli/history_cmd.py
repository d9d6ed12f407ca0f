"""`replay history`. Light imports only: it has to answer at once."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from replay.cli.call import Call
from replay.cli.options.looking import PastRuns, ResultFormat
from replay.cli.options.naming import StateFolder
from replay.delivery.job_name import state_folder
from replay.watch.history.database import History
from replay.watch.history.records import RunRecord
from replay.watch.status.table import rough


def history(call: Call) -> None:
    given = call.of(PastRuns)
    runs = History.in_folder(state_folder(call.of(StateFolder).state_dir)).runs(job=given.job, limit=given.limit)
    if given.table_format is ResultFormat.JSON:
        call.results.write(json.dumps([asdict(run) for run in runs], indent=1, default=str))
        return
    made = Table("began (UTC)", "job", "date", "outcome", "rows", "delivered", "took", "run")
    for run in runs:
        made.add_row(*_cells(run))
    call.results.show(made)


def _cells(run: RunRecord) -> tuple[Any, ...]:
    began = datetime.fromtimestamp(run.started_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    took = rough(run.ended_s - run.started_s) if run.ended_s is not None else ""
    outcome = "running" if run.is_running(time.time()) else "interrupted"
    if run.exit_code is not None:
        outcome = f"exit {run.exit_code}: {run.reason}" if run.exit_code else "done"
    rows = run.counts.short_text().removesuffix(" rows") if run.counts is not None else ""
    delivered = f"{run.delivered_rows:,}" if run.delivered_rows is not None else ""
    return began, run.job, run.date or "", outcome, rows, delivered, took, run.run_id[:8]
