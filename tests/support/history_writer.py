"""A process that writes runs into a history, one after the other, until it is killed or has written enough.

python -m tests.support.history_writer DATABASE JOB RUNS
"""

from __future__ import annotations

import sys
from pathlib import Path

from replay.watch.history.database import History
from replay.watch.history.process import this_process
from replay.watch.history.records import RunRecord, SampleRecord, SpanRecord

SAMPLES = 20


def main() -> None:
    history, job, runs, process = History(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3]), this_process()
    for number in range(runs):
        run = RunRecord(
            f"{job}-{number}", job, None, "run", "trades", f"{job}.json", {}, process.host, process.pid, process.start,
            1e9 + number, 1e9 + number, exit_code=number,
        )  # fmt: skip
        samples = [
            SampleRecord(float(at), "replaying", number, 0, None, None, None, None, None, False)
            for at in range(SAMPLES)
        ]
        history.write(run, samples, [SpanRecord("outage", 1.0, 2.0, "x" * 1_000)])
        print(number, flush=True)


if __name__ == "__main__":
    main()
