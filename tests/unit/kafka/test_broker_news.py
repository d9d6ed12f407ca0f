"""What librdkafka says of its brokers: which of it is a refusal."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from replay.errors import AccessDenied
from replay.kafka.access import Account
from replay.kafka.broker_news import BrokerNews

HANDSHAKE = "b:9092/1: SASL PLAIN mechanism handshake failed: {}: broker's supported mechanisms: {}"


def test_a_connection_that_is_lost_before_the_login_is_no_refusal() -> None:
    """Broken: a broker that restarts in the middle of a login ends a run with exit 2, and sends its operator to look
    for another mechanism."""
    news = BrokerNews(Account(user="bob", mechanism="PLAIN"), met=True)
    lost = HANDSHAKE.format("Local: Broker transport failure", "(n/a)")
    news.on_error(KafkaError(KafkaError._AUTHENTICATION, lost))
    news.raise_refused()
    assert (news.login, news.errors, news.last_error) == ("", 1, lost)


def test_a_mechanism_that_the_broker_does_not_have_is_one() -> None:
    """Broken: a run waits until its deadline for a mechanism that the broker will not have."""
    news = BrokerNews(Account(user="bob", mechanism="PLAIN"))
    said = HANDSHAKE.format("Broker: Unsupported SASL mechanism", "SCRAM-SHA-512")
    news.on_error(KafkaError(KafkaError._AUTHENTICATION, said))
    with pytest.raises(AccessDenied, match="choose a mechanism that the broker has"):
        news.raise_refused()
