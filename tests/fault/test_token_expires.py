"""A token that ends in mid-run: it is renewed before, or waited for, and the topic is exact all the same."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import need_kafka
from tests.support.oidc import CLIENT, SECRET, Token, kafka_with
from tests.support.process import checkpoint_row
from tests.support.scenario import make_trades

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fault.conftest import MakeBoth
    from tests.support.oidc import TokenServer
    from tests.support.scenario import Scenario
    from tests.support.secured import SecuredKafka

LIFE_S = 6
"""Of a token: its broker ends each connection then, unless there is another one."""

ROWS, RATE = 8_000, 800


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SecuredKafka, TokenServer]]:
    need_kafka()
    with kafka_with(tmp_path_factory.mktemp("oauth"), reauth_ms=60_000) as (kafka, server):
        server.token = Token(ends_s=LIFE_S)
        yield kafka, server


def test_a_token_server_that_is_away_for_a_while(
    cluster: tuple[SecuredKafka, TokenServer], both: MakeBoth, tmp_path: Path
) -> None:
    """Broken: a token's end ends the replay; a token server that is away, or refuses for a moment, in mid-run does;
    rows are lost or doubled, as connections break with rows in flight; or nobody hears what is waited for."""
    kafka, server = cluster
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    options = [
        *("--security", "oauth", "--ca", str(kafka.authority.certificate), "--oauth-token-url", server.url),
        *("--oauth-client-id", CLIENT, "--oauth-client-secret-file", str(secret), "--rate", f"{RATE}/s"),
        *("--bootstrap-servers", kafka.address("SASL"), "--broker-timeout", "60s"),
    ]
    trades = make_trades(tmp_path / "in", ROWS)
    replays = both(trades, kafka.bootstrap_servers, *options)
    asked = server.asked
    jobs = [replay.start() for replay in replays]
    wait_until(lambda: server.asked >= asked + 2 * len(jobs), "no token is renewed")
    for replay, job in zip(replays, jobs, strict=True):
        job.wait_row(replay.checkpoint, RATE)
        assert "WARNING" not in job.log, "the first token was renewed in silence"
    server.stop()
    for job in jobs:
        job.wait_log("no new token since")
        job.wait_log("connection refused")
    wait_for_standstill(replays)
    server.status, server.body = 401, '{"error": "invalid_client"}'  # it comes back, and does not know its clients yet
    server.start()
    time.sleep(1)
    assert [job.exit_code for job in jobs] == [None, None], "\n".join(job.log for job in jobs)
    server.status = 0
    for replay, job in zip(replays, jobs, strict=True):
        assert job.wait(60) == 0, job.log
        assert "gives tokens again" in job.log
        assert SECRET not in job.log
        assert "eyJ" not in job.log
        replay.assert_exact()


def wait_until(reached: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def wait_for_standstill(replays: list[Scenario]) -> None:
    """Until none gets any further: tokens have ended."""
    seen: list[int] = []

    def stands() -> bool:
        before, seen[:] = list(seen), [checkpoint_row(replay.checkpoint) for replay in replays]
        time.sleep(1.4)  # longer than from one save to the next
        return before == seen

    wait_until(stands, "they go on without a token")
