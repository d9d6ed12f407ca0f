"""`replay history`. Light imports only: it has to answer at once."""

from __future__ import annotations

import time
from dataclasses import asdict

from replay.cli.call import Call
from replay.cli.options.looking import PastRuns
from replay.cli.options.naming import StateFolder
from replay.delivery.job_name import state_folder
from replay.watch.history.database import History
from replay.watch.tables import history_table


def history(call: Call) -> None:
    given = call.of(PastRuns)
    runs = History.in_folder(state_folder(call.of(StateFolder).state_dir)).runs(job=given.job, limit=given.limit)
    call.show([asdict(run) for run in runs], history_table(runs, time.time()))
