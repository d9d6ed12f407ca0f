"""A login or a right is taken away in the middle of a run, with rows in flight: what that run does, and the next one.

The broker wants each login renewed every few seconds (`connections.max.reauth.ms`): so a refusal comes by itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import need_kafka
from tests.support.logins import Secured, User, new_user, secured_replay
from tests.support.process import checkpoint
from tests.support.scenario import make_trades
from tests.support.secured import SecuredKafka

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.support.process import Job, Jobs
    from tests.support.scenario import Trades

    Make = Callable[..., Secured]

REAUTH_MS = 2_000
NOTICED_S = 15.0
"""Until a refusal has ended a run: the next login comes within 2 s, and the machine of the tests is busy."""

ROWS = 8_000
SLOW, SLOWEST = "1k/s", "500/s"
"""Rates: of a replay that goes on to its end, and of one that does not. It must not get there before it is refused."""

SOME_ROWS = 500


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    need_kafka()
    with SecuredKafka(tmp_path_factory.mktemp("strict"), sasl={"connections.max.reauth.ms": str(REAUTH_MS)}) as made:
        yield made


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades") / "in", ROWS)


@pytest.fixture
def make(strict: SecuredKafka, trades: Trades, topic: str, tmp_path: Path, jobs: Jobs) -> Make:
    def made(*, transactional: bool) -> Secured:
        user = new_user(strict, tmp_path)
        one = secured_replay(user, trades, topic, tmp_path, jobs, transactional=transactional)
        one.allow_all()
        return one

    return made


@pytest.fixture
def both(make: Make) -> list[Secured]:
    return [make(transactional=False), make(transactional=True)]


def under_way(
    made: Sequence[Secured], login: Callable[[User], Sequence[str]], *options: str, rate: str = SLOWEST
) -> list[Job]:
    """Replays with some rows in the topic, and most not."""
    pace = ("--rate", rate, "--checkpoint-interval", "200ms", "--transaction-ms", "100")
    started = [each.replay.start(*login(each.user), *pace, *options) for each in made]
    for each, job in zip(made, started, strict=True):
        job.wait_row(each.replay.checkpoint, SOME_ROWS)
    return started


def refused(each: Secured, job: Job, *says: str) -> None:
    """Exit 2 that says why; what was acknowledged is saved."""
    assert job.wait(60) == 2, job.log
    for text in says:
        assert text in job.log, job.log
    assert "Traceback" not in job.log
    assert "was deleted" not in job.log
    saved = checkpoint(each.replay.checkpoint)
    assert saved["state"] != "done"
    assert SOME_ROWS <= saved["next_row"] < len(each.replay.trades.rows)


def resume(made: Sequence[Secured], login: Callable[[User], Sequence[str]]) -> None:
    """To the end, and every row is there once."""
    started = [each.replay.start(*login(each.user), "--rate", "max") for each in made]
    for each, job in zip(made, started, strict=True):
        assert job.wait() == 0, job.log
        each.replay.assert_exact()


def test_a_password_that_changes(make: Make) -> None:
    """Broken: a run waits until the deadline for a password that it cannot get, said by a setting; or a rotated one
    ends a run although it is in the file by now, or is taken up by no producer that is in the middle of a commit."""
    by_setting, by_file = ([make(transactional=each) for each in (False, True)] for _ in range(2))
    ended = under_way(by_setting, User.by_settings, "--broker-timeout", "120s")
    waiting = under_way(by_file, lambda user: user.by_file, rate=SLOW)
    changed_s = time.monotonic()
    for each in (*by_setting, *by_file):
        each.user.change_password("second")
    for each, job in zip(by_setting, ended, strict=True):
        refused(each, job, f"refuses the login of user {each.user.name}, SCRAM-SHA-512", "invalid credentials")
    assert time.monotonic() - changed_s < NOTICED_S
    for each, job in zip(by_file, waiting, strict=True):
        job.wait_log(f"Kafka refuses the login of user {each.user.name}")
        assert f"{each.user.file} is read again" in job.log
        each.user.file.write_text("second")
    resume(by_setting, lambda user: user.by_settings("second"))
    for each, job in zip(by_file, waiting, strict=True):
        assert job.wait() == 0, job.log
        each.replay.assert_exact()


@pytest.mark.soak
def test_a_password_that_changes_in_its_file_first(both: list[Secured]) -> None:
    """Broken: the other order of a rotation ends the run."""
    started = under_way(both, lambda user: user.by_file, rate=SLOW)
    for each in both:
        each.user.file.write_text("second")
    time.sleep(REAUTH_MS / 1_000)  # the broker's own clock: a login is renewed with what the broker does not know yet
    for each in both:
        each.user.change_password("second")
    for each, job in zip(both, started, strict=True):
        assert job.wait() == 0, job.log
        each.replay.assert_exact()


@pytest.mark.soak
def test_a_user_that_is_deleted(both: list[Secured]) -> None:
    """Broken: past the deadline it is told as an outage (exit 5), and somebody looks for a broker that is well."""
    started = under_way(both, lambda user: user.by_file, "--broker-timeout", "4s")
    for each in both:
        each.user.secured.remove_user(each.user.name)
    for each, job in zip(both, started, strict=True):
        refused(each, job, f"refuses the login of user {each.user.name}")
    for each in both:
        each.user.change_password(each.user.file.read_text().strip())
    resume(both, lambda user: user.by_file)


WITHDRAWN = {
    "write": ("topic", "write", "--operation Write"),
    "all on the topic": ("topic", "", "--operation Describe --operation Write"),
    "progress topic": ("progress", "write", "--operation Write"),
    "transactional id": ("transactional_id", "", "--operation Write --transactional-id"),
}


def test_rights_that_are_withdrawn(make: Make) -> None:
    """Broken: a right that somebody took away is waited for (exit 5), told as a bad record (exit 7) or as a topic that
    was deleted; or rows are lost or doubled around it."""
    both = [(what, each) for what in WITHDRAWN for each in (True, False) if each or WITHDRAWN[what][0] == "topic"]
    made = [make(transactional=each) for _, each in both]
    started = under_way(made, lambda user: user.by_file, "--broker-timeout", "120s")
    withdrawn_s, names = time.monotonic(), []
    for each, (what, _) in zip(made, both, strict=True):
        kind, operation, _ = WITHDRAWN[what]
        named = {"topic": each.replay.topic, "progress": each.progress_topic}
        names.append(named.get(kind, each.transactional_id))
        each.user.withdraw("topic" if kind == "progress" else kind, names[-1], operation)
    for each, job, name, (what, _) in zip(made, started, names, both, strict=True):
        refused(each, job, f"--allow-principal {each.user.principal} {WITHDRAWN[what][2]}", name)
    assert time.monotonic() - withdrawn_s < NOTICED_S
    for each in made:
        each.allow_all()
    resume(made, lambda user: user.by_file)
