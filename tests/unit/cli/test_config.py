"""Options: text that means something is understood, all else is refused by the name of its option."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay import units
from replay.cli import parse
from replay.delivery.options import Pace, parse_pace
from replay.errors import UsageError
from replay.kafka import addresses
from replay.kafka import settings as kafka_settings
from replay.kafka.options import KafkaOptions, TopicSpec
from replay.kafka.settings import GUARDED, client_settings, producer_settings
from replay.source.options import Columns


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5000/s", 5_000),
        ("5000", 5_000),
        (" 5k/s ", 5_000),
        ("5K / S", 5_000),
        ("300k/m", 5_000),
        ("0.5/s", 0.5),
        ("3600/h", 1),
        ("1M/s", 1e6),
        ("10_000/s", 10_000),
        ("max", None),
        ("MAX", None),
    ],
)
def test_rates(text, rate):
    assert units.parse_rate(text) == rate


@pytest.mark.parametrize(("text", "speed"), [("60x", 60), ("60", 60), ("0.5X", 0.5), (".5x", 0.5)])
def test_speeds(text, speed):
    assert units.parse_speed(text) == speed


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("90", 90), ("90s", 90), ("5m", 300), ("5min", 300), ("2h", 7200), ("1d", 86400)],
)
def test_durations(text, seconds):
    assert units.parse_duration_s(text, "--x") == seconds


@pytest.mark.parametrize(("text", "rows"), [("10M", 10_000_000), ("500k", 500_000), ("1.5k", 1_500), ("7", 7)])
def test_rows(text, rows):
    assert units.parse_rows(text, "--x") == rows


@pytest.mark.parametrize(
    ("text", "size"), [("64MiB", 64 << 20), ("1MB", 10**6), ("1kb", 1_000), ("2KiB", 2_048), ("5", 5), ("1 GB", 10**9)]
)
def test_bytes(text, size):
    """`MiB` taken for `MB` would let 5 % less in flight, `KiB` for a million would let all of memory in."""
    assert units.parse_bytes(text, "--x") == size


PARSERS = {
    "rate": units.parse_rate,
    "speed": units.parse_speed,
    "duration": lambda text: units.parse_duration_s(text, "--x"),
    "rows": lambda text: units.parse_rows(text, "--x"),
    "bytes": lambda text: units.parse_bytes(text, "--x"),
    "topic spec": parse.parse_topic_spec,
}


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize("text", ["", "-1", "1e5", "five", "5//s", "5 5", "0x10", "nan", "inf", "1,000", "5\n5"])
def test_text_that_means_nothing_is_refused(parser, text):
    """A wrong guess would run at a wrong speed, unnoticed."""
    with pytest.raises(UsageError):
        parser(text)


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@given(text=st.one_of(st.text(max_size=12), st.from_regex(r"\d{1,200}[kmgKMG]?(/[smh]|x|ms|[Mm]iB)?", fullmatch=True)))
def test_no_text_at_all_makes_a_parser_fail_otherwise(parser, text):
    try:
        value = parser(text)
    except UsageError as error:
        assert error.where.startswith("--")  # noqa: PT017
    else:
        assert value is None or value == value  # noqa: PLR0124


@pytest.mark.parametrize("parser", [PARSERS["rows"], PARSERS["bytes"], PARSERS["rate"]], ids=["rows", "bytes", "rate"])
def test_a_number_without_end_is_refused(parser):
    with pytest.raises(UsageError):
        parser("9" * 400)


@pytest.mark.parametrize("text", ["0/s", "0"])
def test_a_rate_or_speed_of_zero_would_never_send(text):
    with pytest.raises(UsageError, match="above zero"):
        units.parse_rate(text)
    with pytest.raises(UsageError, match="above zero"):
        units.parse_speed(text.removesuffix("/s"))


def test_eleven_years_are_a_slip_of_the_finger():
    with pytest.raises(UsageError, match="too long"):
        units.parse_duration_s("4015d", "--settle")


def test_zero_in_flight_would_never_send():
    for parsed in (units.parse_rows, units.parse_bytes):
        assert parsed("1", "--x", units.ONE_OR_MORE) == 1
        with pytest.raises(UsageError):
            parsed("0", "--x", units.ONE_OR_MORE)


def test_pace_options_that_contradict_each_other_are_refused():
    assert parse_pace(None, None, None) == Pace()
    assert parse_pace("max", None, None) == Pace()
    assert parse_pace("5k/s", None, None) == Pace(rows_per_s=5_000)
    assert parse_pace(None, "60x", "5s") == Pace(speed=60, gap_max_s=5)
    with pytest.raises(UsageError, match="exclude each other"):
        parse_pace("max", "60x", None)
    with pytest.raises(UsageError, match="needs --speed"):
        parse_pace("5/s", None, "5s")


@pytest.mark.parametrize(("text", "spec"), [("6", TopicSpec(6)), ("6:3", TopicSpec(6, 3))])
def test_topic_specs(text, spec):
    assert parse.parse_topic_spec(text) == spec


@pytest.mark.parametrize("text", ["0", "6:0", "6:", ":3", "6:3:1"])
def test_topic_specs_that_no_broker_could_follow(text):
    with pytest.raises(UsageError):
        parse.parse_topic_spec(text)


def test_an_assignment_may_hold_more_equal_signs():
    """Passwords and JAAS lines do."""
    assert parse.parse_assignments(["a=b=c", " d = e ", "f="], "-X") == {"a": "b=c", "d": "e", "f": ""}


@pytest.mark.parametrize("texts", [["a"], ["=b"], ["a=1", "a=2"]])
def test_assignments_without_name_or_value_or_given_twice(texts):
    with pytest.raises(UsageError):
        parse.parse_assignments(texts, "-X")


def test_a_secret_is_never_repeated_in_an_error():
    with pytest.raises(UsageError) as caught:
        parse.parse_assignments(["sasl.password=geheim", "sasl.password=geheim"], "-X")
    assert "geheim" not in str(caught.value)


def test_columns():
    assert parse.parse_columns([], None, None) == Columns()
    assert parse.parse_columns(["symbol=s", "event_time=ts"], "id, qty", None) == Columns(
        "s", "price", "ts", ("id", "qty")
    )
    assert parse.parse_columns([], None, "BTCUSDT").constant_symbol == "BTCUSDT"


@pytest.mark.parametrize(
    ("maps", "fields", "symbol"),
    [
        (["size=qty"], None, None),
        (["symbol=s"], None, "X"),
        ([], None, ""),
        ([], "a,,b", None),
        ([], "a,a", None),
        ([], "price", None),
    ],
)
def test_columns_that_cannot_be_meant(maps, fields, symbol):
    with pytest.raises(UsageError):
        parse.parse_columns(maps, fields, symbol)


@pytest.mark.parametrize("name", ["trades", "a.b_c-9", "x" * 249])
def test_topic_names(name):
    assert parse.check_topic_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "x" * 250, "a\n"])
def test_topic_names_that_kafka_refuses(name):
    with pytest.raises(UsageError):
        parse.check_topic_name(name)


@pytest.mark.parametrize("servers", ["localhost", "a:9092,b:9093", "[::1]:9092", "PLAINTEXT://a:9093", "a:1, b:65535"])
def test_broker_addresses(servers):
    assert addresses.check_bootstrap_servers(servers) == servers


@pytest.mark.parametrize(
    ("servers", "protocol"), [("SSL://a:9093", "SSL"), ("ssl://a,SSL://[::1]", "ssl"), ("sasl_ssl://a:1", "SASL_SSL")]
)
def test_a_scheme_that_is_the_security_protocol(servers, protocol):
    assert addresses.check_bootstrap_servers(servers, protocol) == servers


@pytest.mark.parametrize(
    ("servers", "protocol", "words"),
    [
        ("http://a:9092", "PLAINTEXT", ("'http://a:9092'", "http is no protocol", "write a:9092")),
        ("b:1,kafka://a:9092", "SSL", ("'kafka://a:9092'", "kafka is no protocol", "write a:9092")),
        ("SASL_SSL://a:9092", "PLAINTEXT", ("asks for SASL_SSL", "is PLAINTEXT", "-X security.protocol=SASL_SSL")),
        ("PLAINTEXT://a:9092", "ssl", ("asks for PLAINTEXT", "is SSL", "write a:9092")),
    ],
)
def test_a_scheme_that_librdkafka_would_stumble_over(servers, protocol, words):
    """Broken: the address is left out in silence, and the run waits for five minutes for "no brokers configured"."""
    with pytest.raises(UsageError) as refused:
        addresses.check_bootstrap_servers(servers, protocol)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("servers", "pairs"),
    [
        ("a", [("a", 9092)]),
        ("a:1, SSL://b:2", [("a", 1), ("b", 2)]),
        ("[::1]:9094,[fe80::1%eth0]", [("::1", 9094), ("fe80::1%eth0", 9092)]),
    ],
)
def test_hosts_and_ports_of_broker_addresses(servers, pairs):
    assert addresses.broker_addresses(servers) == pairs


@pytest.mark.parametrize("servers", ["", "a:9092,", "a:0", "a:65536", "a:x", "a b", "::1"])
def test_broker_addresses_that_lead_nowhere(servers):
    with pytest.raises(UsageError):
        addresses.check_bootstrap_servers(servers)


# -- librdkafka -------------------------------------------------------------------------------------------

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
