"""What a report or `config show` may say of a configuration."""

from __future__ import annotations

import time

import pytest

from replay.secrets import MASK
from replay.watch.masking import is_secret, masked, secrets_in


@pytest.mark.parametrize(
    "name",
    ["sasl.password", "ssl.key.password", "SSL.KEY.PEM", "sasl.oauthbearer.client.secret", "aws_session_token",
     "api-key", "sasl.oauthbearer.config", "ssl.keystore.location", "basic.auth.user.info",
     "bearer.auth.token", "bearer.auth.client.secret", "schema.registry.basic.auth.user.info", "key.password"],
)  # fmt: skip
def test_names_that_hold_secrets(name):
    """Broken: a password stands in a page that is mailed around."""
    assert is_secret(name)
    assert masked(name, "hunter2") == MASK


@pytest.mark.parametrize(
    "name",
    [
        "key",
        "--key",
        "key_format",
        "--key-format",
        "--key-column",
        "topic",
        "registry",
        "sasl.username",
        "rate",
        "compression",
    ],
)
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
        (
            ["basic.auth.user.info=me:hunter2", "bearer.auth.token=hunter2"],
            "basic.auth.user.info=***, bearer.auth.token=***",
        ),
        (["ssl.ca.location=/ca.pem", "timeout=5"], "ssl.ca.location=/ca.pem, timeout=5"),
        ("proxy=http://me:hunter2@proxy:3128", "proxy=http://***@proxy:3128"),
        (["https://me:hunter2@a:8081/x", "https://b:8081"], "https://***@a:8081/x, https://b:8081"),
        ("https://a:8081,https://me:hunter2@b:8081", "https://a:8081,https://***@b:8081"),
        ("https://me:p@hunter2@a", "https://***@a"),
        ("https://me:x/hunter2@a/api", "https://***@a/api"),
        ("https://me:x,hunter2@a/api", "https://***@a/api"),
        ("s3://bucket/day@1/x:y@z", "s3://bucket/day@1/x:y@z"),
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


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("header", ["feed=hunter2", "kind=a=b"], "feed=***, kind=***"),
        ("--header", "feed=hunter2", "feed=***"),
        ("--header", "feed=***, kind=***", "feed=***, kind=***"),
        ("header", ["hunter2"], "***"),
        ("notify", "https://hooks.example.com/services/T0/hunter2", "https://hooks.example.com/…"),
        ("notify", "https://me:hunter2@host:8443/x?y=1", "https://host/…"),
        ("notify", "https://[", "***"),
        ("notify", "curl -H 'Authorization: Bearer hunter2' host", "curl …"),
        ("notify", "curl 'hunter2", "curl …"),
        ("notify", "tell-ops", "tell-ops"),
    ],
)
def test_headers_and_notifications(name, value, shown):
    """Broken: a page that is mailed around, or the history, says what opens a webhook or lets a consumer in."""
    assert masked(name, value) == shown


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("X", ["linger.ms=5", "sasl.password=a b,c=d"], ["a b,c=d"]),
        ("X", ["ssl.key.location=/etc/replay/key.pem", "ssl.key.password=hunter2"], ["hunter2"]),
        ("registry_config", ["basic.auth.user.info=me:hunter2"], ["me:hunter2", "hunter2"]),
        (
            "X",
            ["sasl.oauthbearer.config=principal=me extension_a=hunter2"],
            ["principal=me extension_a=hunter2", "extension_a=hunter2", "hunter2"],
        ),
        ("registry", ["https://me:hunter2@a:8081,https://b"], ["hunter2"]),
        ("inputs", ["s3://AKIA:hunter2@bucket/x", "s3://b/x?secret_key=hunter3"], ["hunter2", "hunter3"]),
        ("notify", "https://host/services/hunter2", ["/services/hunter2", "hunter2"]),
        ("header", ["feed=binance"], []),
        ("topic", "trades", []),
        ("debug", True, []),
        ("config", None, []),
    ],
)
def test_what_is_hidden_in_every_line(name, value, secrets):
    """Broken: a library's line or a broker's answer repeats a password; or every word of an option is hidden."""
    assert list(secrets_in(name, value)) == secrets


@pytest.mark.parametrize(
    "text", ["x" * 200_000, "http://" * 20_000, "http://" * 20_000 + "@", "key" * 60_000, "=" * 100_000]
)
def test_a_long_text_is_masked_in_time_that_grows_with_its_length(text):
    """Broken: a value of 100,000 characters keeps a replay busy for minutes before its first row."""
    before_s = time.process_time()
    masked("where", text)
    assert time.process_time() - before_s < 5
