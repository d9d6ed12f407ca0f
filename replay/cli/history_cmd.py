"""`replay history`. Light imports only: it has to answer at once."""

from __future__ import annotations

import time
from dataclasses import asdict

from replay.cli.call import Call
from replay.delivery.job_name import state_folder
from replay.watch.history.database import History
from replay.watch.tables import history_table


def history(call: Call) -> None:
    given = call.options
    runs = History.in_folder(state_folder(given["state_dir"])).runs(job=given["job"], limit=given["limit"])
    call.show([asdict(run) for run in runs], history_table(runs, time.time()))
