"""What a report or `config show` may say of a configuration."""

from __future__ import annotations

import pytest

from replay.watch.masking import MASK, is_secret, masked


@pytest.mark.parametrize(
    "name",
    ["sasl.password", "ssl.key.password", "SSL.KEY.PEM", "sasl.oauthbearer.client.secret", "aws_session_token",
     "api-key", "sasl.oauthbearer.config", "ssl.keystore.location"],
)  # fmt: skip
def test_names_that_hold_secrets(name):
    """Broken: a password stands in a page that is mailed around."""
    assert is_secret(name)
    assert masked(name, "hunter2") == MASK


@pytest.mark.parametrize("name", ["key", "topic", "sasl.username", "rate", "compression"])
def test_names_that_hold_none(name):
    """Broken: the configuration says nothing any more, the record's key (--key) among it."""
    assert masked(name, "symbol") == "symbol"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("sasl.password=a b,c=d", "sasl.password=***"),
        (" ssl.key.pem = -----BEGIN", " ssl.key.pem =***"),
        (["linger.ms=5", "sasl.password=hunter2"], "linger.ms=5, sasl.password=***"),
        ({"sasl.password": "hunter2", "acks": "all"}, "sasl.password=***, acks=all"),
        ("s3://AKIA:hunter2@bucket/day/*.parquet", "s3://***@bucket/day/*.parquet"),
        ("https://host/x?sig=hunter2&day=1", "https://host/x?sig=***&day=1"),
        ("s3://bucket/x?secret_key=hunter2", "s3://bucket/x?secret_key=***"),
        ("amount > 1 and side == 'buy'", "amount > 1 and side == 'buy'"),
        (True, "true"),
        (None, ""),
        (5000, "5000"),
    ],
)
def test_secrets_inside_values(value, shown):
    """Broken: a secret in a list of settings or in a URI is shown, or a value without one is not."""
    assert masked("settings", value) == shown


def test_what_came_by_reference_is_never_shown():
    """Broken: `${env:NAME}` behind an innocent name ends up in the page."""
    assert masked("topic", "hunter2", secret=True) == MASK
