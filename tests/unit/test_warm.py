"""Jobs that fork from a process which has imported the tool already (tests/support/warm.py)."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.process import KILLED
from tests.support.scenario import make_trades

if TYPE_CHECKING:
    from tests.support.process import Jobs


@pytest.mark.parametrize("args", [["--version"], ["status", "--no-such-option"], ["plan", "no/such.parquet"]])
def test_a_forked_job_does_what_one_of_its_own_does(jobs: Jobs, args: list[str]) -> None:
    """Broken: what is tested is not what a user runs."""
    forked, own = jobs.start(args), jobs.start(args, env={})
    assert (forked.wait(), forked.output) == (own.wait(), own.output)
    assert without_times(forked.log) == without_times(own.log)


def without_times(log: str) -> list[str]:
    return [line.partition(" ERROR ")[2] or line for line in log.splitlines()]


def test_a_forked_job_has_a_session_files_and_signals_of_its_own(jobs: Jobs, tmp_path: Path) -> None:
    """Broken: a signal or a kill reaches more than the job, or its end is told wrongly."""
    trades = make_trades(tmp_path / "in", 500)
    # They wait for a broker that never comes; what a kill leaves is in a folder of this test.
    command = ["run", str(trades.folder), "--topic", "t", "--bootstrap-servers", "127.0.0.1:1"]
    names = ("killed", "stopped", "other")
    killed, stopped, other = [jobs.start([*command, "--state-dir", str(tmp_path), "--job", name]) for name in names]
    for job in (killed, stopped, other):
        job.wait_log("500 rows in")
        session = Path(f"/proc/{job.pid}/stat").read_text().rpartition(")")[2].split()[3]
        assert int(session) == job.pid
        assert Path(f"/proc/{job.pid}/fd/0").readlink() == Path("/dev/null")
    killed.kill()
    stopped.signal(signal.SIGTERM)
    assert killed.exit_code == KILLED
    assert stopped.wait() == 143, stopped.log
    time.sleep(0.1)
    assert other.exit_code is None, other.log
