"""Addresses of brokers: those that librdkafka would stumble over are refused."""

from __future__ import annotations

import pytest

from replay.errors import UsageError
from replay.kafka import addresses


@pytest.mark.parametrize("servers", ["localhost", "a:9092,b:9093", "[::1]:9092", "PLAINTEXT://a:9093", "a:1, b:65535",
                                     "[fe80::1%eth0.2]:9092"])  # fmt: skip
def test_broker_addresses(servers):
    assert addresses.check_bootstrap_servers(servers, "PLAINTEXT") == servers


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
        addresses.check_bootstrap_servers(servers, "PLAINTEXT")
