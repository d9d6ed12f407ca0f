"""Settings of the clients: what would break the promise is refused, whatever the user gives."""

from __future__ import annotations

import pytest

from replay.errors import UsageError
from replay.kafka import settings as kafka_settings
from replay.kafka.options import KafkaOptions
from replay.kafka.settings import GUARDED, client_settings, producer_settings

BREAKING = {
    "acks": "1",
    "request.required.acks": "0",
    "enable.idempotence": "false",
    "enable.gapless.guarantee": "false",
    "message.timeout.ms": "30000",
    "delivery.timeout.ms": "30000",
    "max.in.flight": "6",
    "max.in.flight.requests.per.connection": "1000000",
    "retries": "0",
    "message.send.max.retries": "3",
    "queuing.strategy": "lifo",
    "allow.auto.create.topics": "true",
    "delivery.report.only.error": "true",
    "transactional.id": "x",
    "partitioner": "random",
    "bootstrap.servers": "elsewhere:9092",
}


@pytest.mark.parametrize(("name", "value"), BREAKING.items())
def test_a_setting_that_would_break_the_promise_is_refused_by_name(name, value):
    with pytest.raises(UsageError, match=name.replace(".", r"\.")):
        kafka_settings.check_settings({name: value})


@pytest.mark.parametrize("name", [name for name, (allowed, _) in GUARDED.items() if allowed])
def test_a_guarded_setting_may_be_given_with_its_own_value(name):
    for value in GUARDED[name][0]:
        assert kafka_settings.check_settings({name: value}) == {name: value}


def kafka_with(**settings: str) -> KafkaOptions:
    return KafkaOptions("b:9092", "t", settings={name.replace("_", "."): value for name, value in settings.items()})


def test_the_guarantee_is_in_the_producers_settings_whatever_the_user_gives():
    """Idempotence, order and no local timeout: without one of them rows are lost, repeated or change places."""
    settings = producer_settings(
        kafka_with(acks="1", enable_idempotence="false", message_timeout_ms="1", linger_ms="7")
    )
    assert settings["acks"] == "all"
    assert settings["enable.idempotence"] is True
    assert settings["enable.gapless.guarantee"] is True
    assert settings["message.timeout.ms"] == 0
    assert settings["allow.auto.create.topics"] is False
    assert settings["linger.ms"] == "7", "what is not guarded is the user's"


def test_librdkafkas_queue_is_larger_than_what_may_be_in_flight():
    """Otherwise its bound would be met first, in the middle of a burst."""
    options = KafkaOptions("b:9092", "t", in_flight_rows_max=5, in_flight_bytes_max=10 << 20)
    settings = producer_settings(options)
    assert int(settings["queue.buffering.max.messages"]) > 5
    assert int(settings["queue.buffering.max.kbytes"]) > 10 << 10


def test_every_client_gets_the_way_in_and_only_the_producer_the_rest():
    """A consumer warns about each producer setting; without the security settings it cannot connect."""
    options = kafka_with(sasl_username="u", security_protocol="SASL_SSL", linger_ms="5")
    shared = client_settings(options)
    assert shared["sasl.username"] == "u"
    assert shared["security.protocol"] == "SASL_SSL"
    assert "linger.ms" not in shared
    assert shared["bootstrap.servers"] == "b:9092"


def test_the_limit_of_a_record_lies_below_the_producers():
    assert 900_000 < KafkaOptions("b", "t").record_bytes_max < 1_000_000
    assert 4_000 < KafkaOptions("b", "t", settings={"message.max.bytes": "5000"}).record_bytes_max < 5_000
