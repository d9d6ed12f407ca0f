"""How to get in: what options mean as settings, and what contradicts is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from replay.errors import UsageError
from replay.kafka.login import credentials
from replay.kafka.options import KafkaOptions
from replay.kafka.security import Login, Method, Secrets, sent_in_clear, with_login
from replay.kafka.settings import client_settings, producer_settings

SCRAM = Login(Method.SCRAM, user="bob", password_file="/run/secrets/bob")
OAUTH = Login(
    Method.OAUTH, oauth_token_url="https://login/token", oauth_client_id="replay", oauth_client_secret_file="/s"
)

MEANT = {
    "tls": (Login(Method.TLS, ca="ca.pem"), {"security.protocol": "SSL", "ssl.ca.location": "ca.pem"}),
    "tls, the system's authorities": (Login(Method.TLS), {"security.protocol": "SSL"}),
    "mtls": (
        Login(Method.MTLS, cert="c.crt", cert_key="c.key"),
        {"security.protocol": "SSL", "ssl.certificate.location": "c.crt", "ssl.key.location": "c.key"},
    ),
    "mtls, both in one file": (
        Login(Method.MTLS, cert="c.pem"),
        {"security.protocol": "SSL", "ssl.certificate.location": "c.pem", "ssl.key.location": "c.pem"},
    ),
    "scram": (
        SCRAM,
        {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "bob"},
    ),
    "plain": (
        Login(Method.PLAIN, user="bob", password_file="p"),
        {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "bob"},
    ),
    "oauth": (OAUTH, {"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"}),
    "msk-iam": (Login(Method.MSK_IAM), {"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"}),
}


@pytest.mark.parametrize(("login", "settings"), MEANT.values(), ids=MEANT)
def test_a_method_means_these_settings_and_no_secret_is_among_them(login, settings):
    """Broken: a shorthand would connect in another way than it says."""
    assert with_login(login, {})[0] == settings


CONTRADICTIONS = {
    "a file of TLS without a method": (Login(ca="ca.pem"), {}, "--ca", "--security"),
    "a user without a method": (Login(user="bob"), {}, "--user", "scram, plain"),
    "a user for certificates": (Login(Method.MTLS, cert="c", user="bob"), {}, "--user", "no use"),
    "a token server for scram": (replace(SCRAM, oauth_scope="x"), {}, "--oauth-scope", "no use"),
    "an audience for a file": (
        Login(Method.OAUTH, oauth_token_file="/t", oauth_audience="x"),
        {},
        "--oauth-audience",
        "come from",
    ),
    "no password": (Login(Method.PLAIN, user="bob"), {}, "--password-file", "needs it"),
    "no user": (Login(Method.SCRAM, password_file="p"), {}, "--user", "needs it"),
    "no certificate": (Login(Method.MTLS), {}, "--cert", "needs it"),
    "a key of nothing": (Login(Method.TLS, cert_key="k"), {}, "--cert-key", "which certificate"),
    "another protocol": (SCRAM, {"security.protocol": "SSL"}, "-X", "security.protocol=SSL contradicts"),
    "another mechanism": (SCRAM, {"sasl.mechanisms": "PLAIN"}, "-X", "sasl.mechanism=PLAIN contradicts"),
    "two passwords": (SCRAM, {"sasl.password": "hidden-7"}, "-X", "by --password-file, too"),
    "two authorities": (Login(Method.TLS, ca="a"), {"ssl.ca.location": "b"}, "-X", "contradicts|by --ca, too"),
    "tokens of two places": (replace(OAUTH, oauth_token_file="t"), {}, "--oauth-token-url", "--oauth-token-file"),
    "tokens of no place": (Login(Method.OAUTH), {}, "--oauth-token-url", "needs it"),
    "a server without a secret": (replace(OAUTH, oauth_client_secret_file=None), {}, "--oauth-client-secret", "needs"),
}


@pytest.mark.parametrize(("login", "by_hand", "where", "what"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_what_contradicts_or_is_missing_is_refused_by_name(login, by_hand, where, what):
    """Broken: one of two would win in silence, and the wrong user or no TLS would be used."""
    with pytest.raises(UsageError, match=what) as caught:
        with_login(login, by_hand)
    assert caught.value.where.startswith(where)
    assert "hidden-7" not in str(caught.value)


def test_settings_by_hand_do_what_they_did_without_a_method():
    by_hand = {"security.protocol": "SASL_SSL", "sasl.username": "bob", "sasl.password": "pw"}
    assert with_login(Login(), by_hand) == (by_hand, Secrets())


def test_a_setting_by_hand_may_choose_the_other_scram_or_give_the_password():
    """Broken: clusters with SCRAM-SHA-256 alone could not use the shorthand."""
    by_hand = {"sasl.mechanism": "SCRAM-SHA-256", "sasl.password": "pw"}
    settings, secrets = with_login(replace(SCRAM, password_file=None), by_hand)
    assert settings["sasl.mechanism"] == "SCRAM-SHA-256"
    assert settings["sasl.password"] == "pw"
    assert secrets.password_file is None


def test_a_password_that_was_renewed_is_in_the_next_client(tmp_path):
    """Broken: after a rotation a long replay would be refused until somebody starts it again."""
    file = tmp_path / "password"
    file.write_text("old\n")
    settings, secrets = with_login(replace(SCRAM, password_file=str(file)), {})
    options = KafkaOptions("b:9092", "t", settings=settings, secrets=secrets)
    assert client_settings(options)["sasl.password"] == "old"
    file.write_text("s3cond")
    assert producer_settings(options)["sasl.password"] == "s3cond"
    assert "s3cond" not in repr(options)


BAD_FILES = {
    "missing": (Path.absolute, "no such file"),
    "empty": (lambda path: path.write_text("\n"), "is empty"),
    "two lines": (lambda path: path.write_text("a\nb\n"), "more than one line"),
    "a folder": (lambda path: path.mkdir(), "no regular file"),
    "no text": (lambda path: path.write_bytes(b"\xff\xfe\x00"), "no text"),
}


@pytest.mark.parametrize(("make", "what"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_holds_no_secret_is_refused_with_its_path(make, what, tmp_path):
    """Broken: an empty password would be sent, and the broker's refusal would point elsewhere."""
    file = tmp_path / "password"
    make(file)
    with pytest.raises(UsageError, match=what) as caught:
        credentials.read(Secrets(password_file=str(file)))
    assert str(file) in str(caught.value)
    assert caught.value.where == "--password-file"


def test_a_token_server_without_tls_is_warned_of():
    """Broken: the client's secret crosses the network for all to read, and nobody says so; or who tries it out on one
    machine is warned."""
    told = "--oauth-token-url: the client's secret is sent to {} without TLS; give it an https:// URL"
    assert sent_in_clear("http://login.example:8080/token") == told.format("login.example")
    assert sent_in_clear("HTTP://me:s3cret@login.example:8080/token") == told.format("login.example")
    assert sent_in_clear("http://localhost.example/token") == told.format("localhost.example")
    here = ("http://127.0.0.1:8080/token", "http://localhost/token", "http://[::1]:8080/token")
    for url in ("https://login.example/token", *here, "http://[half", ""):
        assert not sent_in_clear(url)
