"""Certificates by their days, and brokers that do not answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from replay.check.broker import Broker, certificate_finding
from replay.check.finding import Verdict
from replay.kafka.access import Account
from replay.kafka.options import KafkaOptions
from replay.kafka.tls.certificates import Certificate
from tests.support.java import free_ports

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(("days", "verdict"), [(5, Verdict.WARNING), (13.9, Verdict.WARNING), (14, Verdict.OK)])
def test_a_certificate_that_ends_within_two_weeks_is_warned_of(days, verdict):
    """Broken: a certificate ends in the night, and nobody was told while there was time."""
    certificate = Certificate("CN=b", ("b", "10.0.0.1"), "CN=ca", NOW, NOW + timedelta(days=days))
    found = certificate_finding("certificate of the broker", certificate, "renew it", NOW)
    assert found.verdict is verdict
    assert found.todo == ("renew it" if verdict is Verdict.WARNING else "")
    assert "CN=b for b, 10.0.0.1, issued by CN=ca; ends in" in found.found


def test_brokers_that_do_not_answer_are_told_one_by_one():
    """Broken: a wrong address is waited for, or the other one is never told of."""
    (port,) = free_ports(1)
    options = KafkaOptions(f"127.0.0.1:{port},no.such.host.invalid:9092", "t")
    broker = Broker(options, Account.of(options))
    found = list(broker.look())
    assert [(each.what, each.exit_code) for each in found] == [
        (f"broker 127.0.0.1:{port}", 5),
        ("broker no.such.host.invalid:9092", 5),
    ]
    assert "refused" in found[0].found
    assert "does not resolve" in found[1].found
    assert not broker.is_open
