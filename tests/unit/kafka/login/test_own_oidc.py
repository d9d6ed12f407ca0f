"""librdkafka's texts about tokens that it gets by itself, as they were seen."""

from __future__ import annotations

import pytest

from replay.kafka.login.own_oidc import token_outage

PREFIX = "Failed to acquire SASL OAUTHBEARER token: "

OUTAGES = (
    "Failed to connect to localhost:44521 after 0 ms: Could not connect to server",
    "Could not resolve host: nope.invalid",
    "Recv failure: Connection reset by peer",
    "Operation timed out after 20001 milliseconds with 0 bytes received",
    "busybusybusybusybusy",
    '{"error": "temporarily_unavailable"}',
)
REFUSALS = (
    '{"error": "invalid_client", "error_description": "The client cannot authenticate"}',
    'Expected JSON response with "access_token" field',
    'Expected JSON JWT response with "exp" field',
    "Failed to parse JSON response at 0/5",
    "Failed to decode JWT payload: The token is invalid with less than 2 delimiters",
    "Must supply an unexpired token: now=1795826407687ms, exp=1795826357000ms",
    "error adding trust anchors from file: /etc/pki/tls/certs/ca-bundle.crt",
    "Unrecognized sasl.oauthbearer.config beginning at: x",
    "Invalid sasl.oauthbearer.config: no or empty principal",
    "SSL certificate problem: unable to get local issuer certificate",
)


@pytest.mark.parametrize("said", OUTAGES)
def test_a_token_server_that_is_away_is_waited_for(said: str) -> None:
    """Broken: with -X alone, a token server that is restarted ends the replay as if its user had no rights."""
    assert token_outage(PREFIX + said) == f"no token: {said}"


@pytest.mark.parametrize("said", REFUSALS)
def test_one_that_refuses_is_not(said: str) -> None:
    """Broken: with -X alone, a wrong secret is waited for until --broker-timeout."""
    assert token_outage(PREFIX + said) == ""


def test_a_brokers_refusal_is_none() -> None:
    """Broken: a token that a broker refuses is taken for an outage."""
    assert token_outage('localhost:9092/1: SASL authentication error: {"status":"invalid_token"}') == ""


def test_a_page_is_cut() -> None:
    """Broken: a proxy's page of 1 MB is an error message."""
    assert len(token_outage(PREFIX + "<html>\n" * 10_000)) < 500
