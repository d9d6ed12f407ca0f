from __future__ import annotations

import shlex

import pytest
from confluent_kafka import KafkaError

from replay.kafka import access
from replay.kafka.access import RIGHTS, Account, Refused, Resource, Use, needed, right

BOB = Account("a:9092,b:9092", "bob", "SCRAM-SHA-512")


def operations(use: Use, resource: Resource, *, creating: bool = False) -> list[str]:
    return [each.operation for each in needed(use, resource, creating=creating)]


def test_what_each_delivery_needs() -> None:
    """Broken: a right that a run needs is missing in the check, or one is asked for that nobody uses."""
    assert operations(Use.IDEMPOTENT, Resource.TOPIC) == ["Describe", "Write", "Read"]
    assert operations(Use.IDEMPOTENT, Resource.TOPIC, creating=True) == ["Describe", "Write", "Read", "Create"]
    assert operations(Use.IDEMPOTENT, Resource.PROGRESS_TOPIC) == []
    assert operations(Use.TRANSACTIONAL, Resource.TOPIC) == ["Describe", "Write"]
    assert operations(Use.TRANSACTIONAL, Resource.PROGRESS_TOPIC) == ["Describe", "Read", "Write"]
    assert operations(Use.TRANSACTIONAL, Resource.TRANSACTIONAL_ID) == ["Describe", "Write"]
    assert operations(Use.VERIFY, Resource.TOPIC) == ["Describe", "Read"]
    assert operations(Use.PLAN, Resource.TOPIC) == ["Describe"]


def test_each_right_says_for_whom_for_what_and_how_its_absence_shows() -> None:
    """Broken: an error or a line of the check has a hole."""
    for each in RIGHTS:
        assert each.uses
        assert each.to
        assert each.absence
    assert len({(each.operation, each.resource) for each in RIGHTS}) == len(RIGHTS)


def test_an_operation_that_includes_another() -> None:
    """Broken: a user with Write alone is told that Describe is missing."""
    wanted = needed(Use.TRANSACTIONAL, Resource.TOPIC)
    assert access.missing(wanted, frozenset({"Write"})) == ()
    assert [each.operation for each in access.missing(wanted, frozenset({"Read"}))] == ["Write"]


@pytest.mark.parametrize(
    ("resource", "name", "end"),
    [
        (Resource.TOPIC, "trades", ["--topic", "trades"]),
        (Resource.PROGRESS_TOPIC, "replay-progress", ["--topic", "replay-progress"]),
        (Resource.TRANSACTIONAL_ID, "replay.t.my job", ["--transactional-id", "replay.t.my job"]),
        (Resource.CLUSTER, "", ["--cluster"]),
    ],
)
def test_the_command_that_grants(resource: Resource, name: str, end: list[str]) -> None:
    """Broken: the line cannot be pasted into a shell, or grants something else."""
    words = shlex.split(access.kafka_acls(BOB, resource, name, ["Write"]))
    begin = ["kafka-acls", "--bootstrap-server", "a:9092,b:9092", "--add", "--allow-principal", "User:bob"]
    assert words == [*begin, "--operation", "Write", *end]


def test_what_is_lacking_is_told_at_once() -> None:
    """Broken: a user is sent to the administrator once for each right."""
    error = access.lacking(BOB, [right("Write", Resource.TOPIC), right("Read", Resource.TOPIC)], "trades", "denied")
    assert error.exit_code == 2
    assert "User:bob has no right to Write (to send rows) and no right to Read" in str(error)
    assert "on topic trades: denied" in str(error)
    assert "--operation Write --operation Read --topic trades" in str(error)
    assert "\\n" not in str(error)


def test_which_refusal_is_waited_for() -> None:
    """Broken: a job waits for a right that nobody gives back, or ends where the next token would have let it in."""
    renewable = Account(renewed="/p is read again")
    for what, account, met, waits in [
        (Refused.LOGIN, renewable, True, True),
        (Refused.LOGIN, renewable, False, False),
        (Refused.LOGIN, BOB, True, False),
        (Refused.RIGHT, renewable, True, False),
    ]:
        assert access.is_waited_for(what, account, met=met) is waits


def test_what_is_a_refusal() -> None:
    """Broken: the reader, which belongs to no group, is refused for a group's right."""
    assert access.refused(KafkaError._AUTHENTICATION) is Refused.LOGIN
    assert access.refused(KafkaError.TOPIC_AUTHORIZATION_FAILED) is Refused.RIGHT
    assert access.refused(KafkaError.GROUP_AUTHORIZATION_FAILED) is None
    assert access.refused(KafkaError._TRANSPORT) is None


def test_a_client_that_was_let_in_is_not_told_that_the_listener_has_no_login():
    """Broken: a token that has ended in mid-run is answered with ILLEGAL_SASL_STATE: its operator looks for a port."""
    said = "Broker: Request not valid in current SASL state"
    account = access.Account("b:9092", "bob", "OAUTHBEARER")
    assert "no login" in access.login_refused(account, said).what
    assert "refuses the login of user bob" in access.login_refused(account, said, met=True).what
