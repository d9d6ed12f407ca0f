"""Logins and rights at the start, on a real broker: each refusal ends the command within seconds, and says what to do.

Times are those of this machine with room for a busy one: a refusal takes about 1 s more than a start.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.logins import User, new_user, secured_replay
from tests.support.scenario import make_trades

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.process import Job, Jobs
    from tests.support.scenario import Trades
    from tests.support.secured import SecuredKafka

AT_ONCE_S = 5.0
PATIENT = ("--broker-timeout", "60s")


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades") / "in", 400)


@pytest.fixture
def user(secured: SecuredKafka, tmp_path: Path) -> User:
    return new_user(secured, tmp_path)


def refused(job: Job, *says: str) -> None:
    """Exit 2, soon, with these texts."""
    assert job.wait(30) == 2, job.log
    took_s = time.monotonic() - job.started_s
    for each in says:
        assert each in job.log, job.log
    assert "Traceback" not in job.log
    assert took_s < AT_ONCE_S, f"{took_s:.1f} s:\n{job.log}"


@pytest.mark.parametrize("case", ["password", "user", "mechanism"])
def test_a_login_that_the_broker_refuses(
    case: str, user: User, trades: Trades, topic: str, tmp_path: Path, jobs: Jobs
) -> None:
    """Broken: a wrong password is waited for like an outage, or it is not said whose it is."""
    replay = secured_replay(user, trades, topic, tmp_path, jobs, *PATIENT).replay
    if case == "password":
        user.file.write_text("another")
        refused(replay.start(*user.by_file), f"user {user.name}, SCRAM-SHA-512", "invalid credentials")
    elif case == "user":
        nobody = User(user.secured, "nobody", user.file)
        refused(replay.start(*nobody.by_file), "user nobody, SCRAM-SHA-512", "invalid credentials")
    else:
        job = replay.start(*user.by_settings(mechanism="SCRAM-SHA-1"))
        refused(job, f"user {user.name}, SCRAM-SHA-1", "SCRAM-SHA-256", "OAUTHBEARER", "sasl.mechanism")
    assert not replay.checkpoint.exists()


def grants(user: User, *end: str) -> str:
    server = user.secured.address("SASL")
    return f"kafka-acls --bootstrap-server {server} --add --allow-principal {user.principal} {' '.join(end)}"


@pytest.mark.parametrize("allowed", [(), ("describe", "write"), ("read",)])
def test_a_right_on_the_topic_that_is_missing(
    allowed: tuple[str, ...], user: User, trades: Trades, topic: str, tmp_path: Path, jobs: Jobs
) -> None:
    """Broken: a topic that one may not describe is waited for as one without leaders; or rows go out before it is
    noticed that they cannot be read back."""
    made = secured_replay(user, trades, topic, tmp_path, jobs, *PATIENT)
    if allowed:
        user.allow("topic", made.replay.topic, *allowed)
    wanted = [
        each
        for each in ("Describe", "Write", "Read")
        if each.lower() not in allowed and (each != "Describe" or not allowed)
    ]
    line = grants(user, *(f"--operation {each}" for each in wanted), "--topic", made.replay.topic)
    job = made.replay.start(*user.by_file)
    refused(job, f"{user.principal} has no right to {wanted[0]}", line)
    assert made.replay.records() == 0


def test_the_rights_that_are_told_are_enough(
    user: User, trades: Trades, topic: str, tmp_path: Path, jobs: Jobs
) -> None:
    """Broken: a reader is refused for its group, of which it needs nothing; an idempotent producer for the cluster's
    IdempotentWrite, which no user of a broker from 3.0 on needs; or a command needs more than its table says."""
    made = secured_replay(user, trades, topic, tmp_path, jobs, *PATIENT)
    user.allow("topic", made.replay.topic, "write", "read")
    made.replay.run(*user.by_file, code=0)
    made.replay.assert_exact()
    args = [str(trades.folder), "--topic", made.replay.topic, *user.by_file]
    for command in (["verify"], ["checkpoint", "rebuild", "--checkpoint", str(tmp_path / "c.json")]):
        job = jobs.start([*command, *args])
        assert job.wait(60) == 0, job.log


def test_a_topic_that_may_not_be_created(user: User, trades: Trades, tmp_path: Path, jobs: Jobs) -> None:
    """Broken: a topic that cannot be made is tried for until the deadline."""
    made = secured_replay(user, trades, "some", tmp_path, jobs, *PATIENT, "--create-topic", "2")
    name = f"new-{user.name}"
    user.allow("topic", name, "write", "read")
    refused(made.replay.start(*user.by_file, "--topic", name), grants(user, "--operation Create", "--topic", name))
    user.allow("topic", name, "create")
    made.replay.run(*user.by_file, "--topic", name, code=0)


TRANSACTIONAL = {
    "transactional id": ("transactional_id", "--operation Write --transactional-id"),
    "progress topic": ("topic", "--operation Describe --operation Read --operation Write --topic"),
}


@pytest.mark.parametrize("lacking", TRANSACTIONAL)
def test_a_right_of_transactions_that_is_missing(
    lacking: str, user: User, trades: Trades, topic: str, tmp_path: Path, jobs: Jobs
) -> None:
    """Broken: a transactional replay starts over and over, for a right that nobody gives it by waiting."""
    kind, line = TRANSACTIONAL[lacking]
    made = secured_replay(user, trades, topic, tmp_path, jobs, *PATIENT, transactional=True)
    made.allow_all()
    name = made.progress_topic if kind == "topic" else made.transactional_id
    user.withdraw(kind, name)
    refused(made.replay.start(*user.by_file), grants(user, line, name))
    made.allow_all()
    made.replay.run(*user.by_file, code=0)
    made.replay.assert_exact()


@pytest.mark.parametrize("command", ["verify", "plan"])
def test_what_only_looks(command: str, user: User, trades: Trades, topic: str, tmp_path: Path, jobs: Jobs) -> None:
    """Broken: `verify` waits for a right, or asks for one to write."""
    made = secured_replay(user, trades, topic, tmp_path, jobs)
    args = [command, str(trades.folder), "--topic", made.replay.topic, *user.by_file, *PATIENT]
    wanted = "--operation Describe" + ("" if command == "plan" else " --operation Read")
    refused(jobs.start(args), grants(user, wanted, "--topic", made.replay.topic))
    if command != "plan":
        user.allow("topic", made.replay.topic, "describe")
        refused(jobs.start(args), grants(user, "--operation Read", "--topic", made.replay.topic))
