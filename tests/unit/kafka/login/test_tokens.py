"""The token of a run: when it is renewed, what happens where that fails, and what is told of it."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError

from replay.errors import ExitCode, UsageError
from replay.kafka.access import Account
from replay.kafka.broker_news import BrokerNews
from replay.kafka.login.token_source import from_file, tokens_of
from replay.kafka.login.tokens import Away, Token, Tokens, claims_of
from replay.kafka.options import LIBRDKAFKA_LOG, KafkaOptions
from replay.kafka.security import OAuth, Secrets
from replay.kafka.settings import client_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW_S = 1_795_824_766.0


def jwt(**claims: Any) -> str:
    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256'})}.{part(claims)}.c2lnbmF0dXJl"


class Source:
    """Gives tokens that live 100 s, numbered; or fails. Its clock is moved by the test."""

    def __init__(self) -> None:
        self.now_s, self.given = NOW_S, 0
        self.fault: Exception | None = None
        self.tokens = Tokens(self.fetch, "token server http://t/token", lambda: self.now_s)

    def fetch(self) -> Token:
        if self.fault is not None:
            raise self.fault
        self.given += 1
        return Token(f"secret-token-{self.given}", self.now_s, self.now_s + 100, {"sub": "alice"})

    def handed_out(self) -> tuple[str, float]:
        """To librdkafka: the token, and for how long from now."""
        value, ends_s, _, _ = self.tokens.for_librdkafka("")
        return value, ends_s - self.now_s


@pytest.fixture
def source() -> Source:
    return Source()


def test_a_token_is_kept_until_it_nears_its_end(source: Source) -> None:
    """Broken: every client of a run, and each of its connections, asks for a token of its own; or a token is used up to
    its last second, and connections are refused at its end."""
    assert {source.handed_out()[0] for _ in range(5)} == {"secret-token-1"}
    source.now_s += 79
    assert source.handed_out()[0] == "secret-token-1"
    source.now_s += 2
    assert source.handed_out()[0] == "secret-token-2"


def test_librdkafka_asks_again_in_time(source: Source) -> None:
    """Broken: librdkafka, which asks after four fifths of the time that it is told, asks when the token has ended."""
    source.handed_out()
    source.now_s += 75
    _, left_s = source.handed_out()
    assert source.now_s + 0.8 * left_s <= NOW_S + 80 + 1


@pytest.mark.parametrize(("life_s", "renewed_s"), [(3_600, 2_880), (60, 48), (20, 10), (6, 3)])
def test_a_short_life_is_renewed_early(life_s: float, renewed_s: float) -> None:
    """Broken: connections log in again with the old token, as librdkafka looks at the time once a second."""
    assert Token("t", NOW_S, NOW_S + life_s).renew_s == NOW_S + renewed_s


def test_a_renewal_that_fails_leaves_the_token_that_there_is(source: Source) -> None:
    """Broken: a token server that is restarted for a minute ends a replay whose token is good for longer."""
    source.handed_out()
    source.fault = Away("connection refused")
    source.now_s += 85
    value, left_s = source.handed_out()
    assert (value, source.tokens.get().value) == ("secret-token-1", "secret-token-1")
    assert left_s < 5, "soon asked again"
    assert source.tokens.trouble == "token server http://t/token: connection refused"


def test_one_that_has_ended_is_handed_to_no_new_client(source: Source) -> None:
    """Broken: a client is made whose every login is refused, instead of waiting for the token server."""
    source.handed_out()
    source.fault = Away("connection refused")
    source.now_s += 101
    with pytest.raises(Away):
        source.tokens.get()
    assert source.handed_out()[0] == "secret-token-1", "an exception in librdkafka's thread would be told as a refusal"
    source.fault = None
    source.now_s += 5
    assert source.handed_out()[0] == "secret-token-2"
    assert source.tokens.trouble == ""


def test_one_that_brokers_refuse_is_replaced(source: Source) -> None:
    """Broken: after the server's key has changed, a replay logs in with the old token until its end."""
    source.handed_out()
    source.tokens.refused()
    assert source.tokens.get().value == "secret-token-1", "the next would be refused, too"
    source.now_s += 10
    source.tokens.refused()
    assert source.tokens.get().value == "secret-token-2"
    assert source.handed_out()[0] == "secret-token-2"


def test_the_first_refusal_is_raised_and_a_later_one_kept(source: Source) -> None:
    """Broken: a wrong secret is waited for; or one that is being changed in mid-run ends the replay."""
    source.fault = UsageError("the token server refuses this client", where="http://t/token")
    with pytest.raises(UsageError):
        source.tokens.get()
    assert not source.tokens.had_one
    source.fault = None
    source.handed_out()
    source.fault = UsageError("the token server refuses this client", where="http://t/token")
    source.now_s += 90
    assert source.handed_out()[0] == "secret-token-1"
    assert "refuses this client" in source.tokens.trouble
    assert source.tokens.refusal is source.fault
    source.fault, source.now_s = None, source.now_s + 5
    source.handed_out()
    assert source.tokens.refusal is None


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Away("connection refused"), ExitCode.BROKER_UNAVAILABLE), (UsageError("it refuses this client"), ExitCode.USAGE)],
)
def test_what_ends_the_wait_for_a_login(source: Source, fault: Exception, code: ExitCode) -> None:
    """Broken: a token server that is away for good ends a run with exit 2, as if its user had no rights; or one that
    refuses, with exit 5."""
    news = BrokerNews(Account("b:9092", mechanism="OAUTHBEARER", renewed="new tokens", tokens=source.tokens), met=True)
    source.handed_out()
    source.fault = fault
    source.now_s += 101
    source.handed_out()
    news.note(KafkaError(KafkaError._AUTHENTICATION, "b:9092/1: SASL authentication error: no"))
    news.raise_refused()  # it is waited for
    assert news.waits_for[0] == "No good token"
    assert news.refused is not None
    assert news.refused.exit_code is code


def test_what_fails_is_told_now_and_then(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    """Broken: nobody hears that tokens do not come until the replay stops; or a line each two seconds fills the log."""
    source.handed_out()
    source.fault = Away("connection refused")
    source.now_s += 80
    with caplog.at_level(logging.WARNING):
        for _ in range(30):
            source.now_s += 2
            source.handed_out()
        source.fault = None
        source.now_s += 2
        source.handed_out()
    own = [record for record in caplog.records if record.name.startswith(LIBRDKAFKA_LOG)]  # the API says them again
    lines = [record.getMessage() for record in own]
    assert len(lines) in (2, 3), lines
    assert "connection refused" in lines[0]
    assert "token server http://t/token gives tokens again" in lines[-1]
    assert not any("secret-token" in line for line in lines)


def test_many_clients_ask_at_once() -> None:
    """Broken: three clients that are made at once ask three times, and a server that counts refuses the run."""
    asked = []

    def fetch() -> Token:
        asked.append(1)
        time.sleep(0.05)
        return Token("t", time.time(), time.time() + 100)

    tokens = Tokens(fetch, "somebody")
    threads = [threading.Thread(target=tokens.for_librdkafka, args=("",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_a_token_tells_what_it_says_and_never_itself() -> None:
    """Broken: whoever is refused does not learn that the audience is wrong; or finds the token in the log."""
    value = jwt(iss="https://idp", aud=["a", "b"], sub="alice", exp=NOW_S - 240, nbf=NOW_S + 60, secret="x" * 40)
    token = Token(value, NOW_S - 300, NOW_S, claims_of(value))
    told = token.told(NOW_S)
    for part in ("iss https://idp", 'aud ["a", "b"]', "sub alice", "4 min 00 s ago", "in 1 min 00 s", "clock"):
        assert part in told
    assert "xxxx" not in told
    assert value not in repr(token) + told


@pytest.mark.parametrize("value", ["opaque", "a.b.c", "..", "a.W10.c", "a.\u00fc.c"])
def test_what_is_no_jwt_says_nothing(value: str) -> None:
    """Broken: an opaque token, as some servers issue them, ends the replay as a bug."""
    assert claims_of(value) == {}


def test_claims_may_be_anything() -> None:
    """Broken: a token with a time beyond all calendars ends the replay as a bug; a claim of 1 MB fills the log."""
    value = jwt(exp=1e30, iss={"a": [1]}, sub="x" * 10_000)
    assert len(Token(value, 0, 1e30, claims_of(value)).told(NOW_S)) < 1_000


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], OAuth]:
    path = tmp_path / "token"

    def write(text: str) -> OAuth:
        path.write_text(text)
        return OAuth(token_file=str(path), extensions={"logicalCluster": "lkc-1"})

    return write


def test_a_file_is_read_again(file: Callable[[str], OAuth]) -> None:
    """Broken: the token that Kubernetes renews in its file is read once, and the replay ends with it."""
    now_s = time.time()
    oauth = file(jwt(exp=now_s + 100, iat=now_s - 900, sub="old") + "\n")
    tokens = tokens_of(KafkaOptions("b:9092", "t", secrets=Secrets(oauth=oauth)))
    assert tokens is not None
    assert tokens.for_librdkafka("")[2:] == ("old", {"logicalCluster": "lkc-1"})
    file(jwt(exp=now_s + 900, iat=now_s, sub="new"))
    assert tokens.for_librdkafka("")[2] == "new"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (jwt(exp=1_000_000_000, sub="alice"), "has ended: the token says: sub alice, exp 2001-09-09 01:46:40 UTC"),
        (jwt(sub="alice"), "does not say when it ends"),
        ("opaque", "does not say when it ends"),
        ("", "is empty"),
    ],
)
def test_a_file_without_a_token_that_is_good(file: Callable[[str], OAuth], text: str, said: str) -> None:
    """Broken: what is wrong with the file is told as the broker's refusal, or nobody learns it."""
    with pytest.raises(UsageError, match=said) as caught:
        from_file(file(text))
    assert "alice" in str(caught.value) or "token" in str(caught.value)


def test_clients_ask_the_tokens_of_the_run(file: Callable[[str], OAuth]) -> None:
    """Broken: a client is made that has no way to log in; or one with -X alone gets a callback, too."""
    options = KafkaOptions("b:9092", "t", secrets=Secrets(oauth=file(jwt(exp=time.time() + 100))))
    assert client_settings(options)["oauth_cb"]("")[0].startswith("ey")
    assert tokens_of(options) is tokens_of(options)
    assert "oauth_cb" not in client_settings(KafkaOptions("b:9092", "t", settings={"sasl.mechanism": "OAUTHBEARER"}))
