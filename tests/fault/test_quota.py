"""A quota of the cluster's holds a replay back: that is no outage, and every row is there afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.logins import new_user, secured_replay
from tests.support.scenario import make_trades

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.process import Jobs
    from tests.support.scenario import Trades
    from tests.support.secured import SecuredKafka

BYTES_PER_S = 17_000


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades") / "in", 1_200)


def test_a_client_that_is_slowed_down(
    secured: SecuredKafka, trades: Trades, topic: str, tmp_path: Path, jobs: Jobs
) -> None:
    """Broken: a throttle of some seconds is told as a broker that is away, and ends the run past the deadline (exit 5)
    although its rows get through."""
    user = new_user(secured, tmp_path)
    made = [secured_replay(user, trades, topic, tmp_path, jobs, transactional=each) for each in (False, True)]
    for each in made:
        each.allow_all()
    secured.limit(user.name, BYTES_PER_S)
    options = (*user.by_file, "--rate", "1k/s", "--broker-timeout", "2s")
    started = [each.replay.start(*options) for each in made]
    for each, job in zip(made, started, strict=True):
        assert job.wait(60) == 0, job.log
        assert "The cluster slows this client down (quota)" in job.log
        assert "unreachable" not in job.log
        assert "of throttle" in job.output
        each.replay.assert_exact()
