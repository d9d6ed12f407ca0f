"""Rights that are missing, of what a broker says that are there. The real one is asked in integration/test_check.py."""

from __future__ import annotations

import pytest

from replay.check.finding import Verdict
from replay.check.rights import Wants, judged
from replay.kafka.access import Account, Resource, Use
from replay.kafka.options import KafkaOptions

SASL = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "bob"}
BOB = Account.of(KafkaOptions("b:9092", "t", settings=SASL))
ALL = frozenset({"Describe", "Write", "Read", "DescribeConfigs"})


def found(operations: frozenset[str] | None, use: Use = Use.IDEMPOTENT) -> list[tuple[Verdict, str]]:
    return [(each.verdict, each.todo) for each in judged(Wants(BOB, use, Resource.TOPIC, "t"), operations)]


def test_all_rights_are_one_line():
    """Broken: a user with all rights is told to get some."""
    assert found(ALL) == [(Verdict.OK, "")]


@pytest.mark.parametrize(
    ("without", "verdict"),
    [("Write", Verdict.REFUSED), ("Read", Verdict.REFUSED), ("DescribeConfigs", Verdict.WARNING)],
)
def test_each_right_that_is_missing_is_told_with_what_grants_it(without, verdict):
    """Broken: a night fails for a right that was looked at the day before."""
    one, two = found(ALL - {without})
    assert one == (Verdict.OK, "")
    assert two[0] is verdict
    assert f"--allow-principal User:bob --operation {without} --topic t" in two[1]


def test_a_right_that_includes_another_counts_for_both():
    """Broken: Describe is asked for beside Write, which includes it."""
    assert found(ALL - {"Describe"}) == [(Verdict.OK, "")]


def test_a_broker_that_tells_nothing_refuses_nothing():
    """Broken: a cluster without that answer could not be replayed to."""
    assert found(None) == [(Verdict.NOT_KNOWN, "")]
