"""Logins with tokens of a real OAuth server, at a real broker that proves them by the server's keys."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from replay.errors import AccessDenied, ExitCode
from replay.kafka.cluster import connect
from replay.kafka.options import KafkaOptions
from replay.kafka.security import Login, Method, with_login
from replay.model import SystemClock
from tests.support import clock
from tests.support.java import JavaUnavailable
from tests.support.kafka_cluster import jars
from tests.support.lines import Lines
from tests.support.oidc import CLIENT, SECRET, Token, TokenServer, kafka_with
from tests.support.process import Jobs, replay_command
from tests.support.recipes import recipe
from tests.support.scenario import Scenario, make_trades
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.secured import SecuredKafka


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SecuredKafka, TokenServer]]:
    try:
        jars()
    except JavaUnavailable as reason:
        pytest.skip(f"no Kafka: {reason}")
    with kafka_with(tmp_path_factory.mktemp("oauth")) as made:
        yield made


@pytest.fixture
def kafka(both: tuple[SecuredKafka, TokenServer]) -> SecuredKafka:
    return both[0]


@pytest.fixture
def server(both: tuple[SecuredKafka, TokenServer]) -> Iterator[TokenServer]:
    """As it is without faults."""
    server = both[1]
    yield server
    server.token, server.status, server.body, server.delay_s = Token(), 0, "", 0.0


@pytest.fixture
def login(kafka: SecuredKafka, server: TokenServer, tmp_path: Path) -> Login:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    return Login(
        Method.OAUTH,
        ca=str(kafka.authority.certificate),
        oauth_token_url=server.url,
        oauth_client_id=CLIENT,
        oauth_client_secret_file=str(secret),
    )


def as_options(login: Login) -> list[str]:
    named = ("ca", "oauth_token_url", "oauth_client_id", "oauth_client_secret_file", "oauth_token_file")
    given = {name: getattr(login, name) for name in named if getattr(login, name)}
    return ["--security", "oauth", *(part for k, v in given.items() for part in (f"--{k.replace('_', '-')}", v))]


def as_keys(login: Login) -> dict[str, str]:
    """The same as keys of a job file."""
    given = dict(zip(as_options(login)[2::2], as_options(login)[3::2], strict=True))
    return {name.removeprefix("--"): value for name, value in given.items()}


def ask(kafka: SecuredKafka, login: Login, timeout_s: float = 20) -> None:
    """As each command begins."""
    settings, secrets = with_login(login, {})
    options = KafkaOptions(
        kafka.address("SASL"), "nobodys", settings=settings, secrets=secrets, broker_timeout_s=timeout_s
    )
    with closing(connect(options, Lines(), SystemClock(), lambda: None)) as cluster:
        assert cluster.topic() is None


def test_a_replay_logs_in_with_a_token(
    kafka: SecuredKafka, server: TokenServer, login: Login, jobs: Jobs, topic: str, tmp_path: Path
) -> None:
    """Broken: --security oauth does not work as the recipe gives it; or not with a clock that is an hour ahead; or
    each client of a run asks for a token; or the secret is in the log."""
    create_topic(kafka.bootstrap_servers, topic, 2, config={"retention.ms": "-1"})
    trades, asked = make_trades(tmp_path / "in", 500), server.asked
    file = tmp_path / "checkpoint.json"
    job_file = tmp_path / "job.toml"
    job_file.write_text(recipe("oauth", as_keys(login), kafka.address("SASL")))
    command = replay_command([trades.folder], topic, kafka.address("SASL"), file, "--rate", "max")
    ahead = clock.at(clock.compiled(tmp_path), datetime.now(UTC) + timedelta(hours=1))
    job = jobs.start([*command, "--config", str(job_file), "--debug", "-X", "debug=security,eos"], env=ahead)
    assert job.wait(60) == 0, job.log
    Scenario(trades, kafka.bootstrap_servers, topic, file, jobs).assert_exact()
    assert server.asked == asked + 1
    written = job.log + job.output + file.read_text()
    assert SECRET not in written
    assert "eyJ" not in written, "a token"


@pytest.mark.parametrize(
    ("token", "told"),
    [
        (Token(audience="other-brokers"), "aud other-brokers"),
        (Token(issuer="https://other.test"), "iss https://other.test"),
        (Token(claims={"exp": int(time.time()) - 240}), " ago)"),
        (Token(claims={"nbf": int(time.time()) + 3_600}), "nbf "),
        (Token(opaque=True), "the token ends"),
    ],
    ids=["audience", "issuer", "expired", "not-yet", "opaque"],
)
def test_a_token_that_the_broker_refuses(
    kafka: SecuredKafka, server: TokenServer, login: Login, token: Token, told: str
) -> None:
    """Broken: the broker's words are all there is (`invalid_token`), and nobody sees that the audience is wrong, or a
    clock; or it is waited for."""
    server.token, began_s = token, time.monotonic()
    with pytest.raises(AccessDenied) as caught:
        ask(kafka, login)
    text = str(caught.value)
    assert time.monotonic() - began_s < 5
    assert caught.value.exit_code is ExitCode.USAGE
    assert '{"status":"invalid_token"}' in text
    assert told in text
    assert "the clock of this machine says" in text
    assert "eyJ" not in text


def test_a_token_that_another_server_has_signed(kafka: SecuredKafka, login: Login, tmp_path: Path) -> None:
    """Broken: these tests prove nothing, as the broker takes whatever looks like a token."""
    with TokenServer() as other:
        (tmp_path / "token").write_text(other.issue())
    with pytest.raises(AccessDenied, match="invalid_token"):
        ask(kafka, from_file(login, tmp_path / "token"))


def test_a_token_from_a_file(kafka: SecuredKafka, server: TokenServer, login: Login, tmp_path: Path) -> None:
    """Broken: --oauth-token-file does not work at a broker."""
    (tmp_path / "token").write_text(server.issue() + "\n")
    ask(kafka, from_file(login, tmp_path / "token"))


def test_a_server_that_refuses_ends_a_run_at_once(
    kafka: SecuredKafka, server: TokenServer, login: Login, jobs: Jobs, topic: str, tmp_path: Path
) -> None:
    """Broken: a wrong secret is waited for until --broker-timeout, each night."""
    server.status, server.body = 401, '{"error": "invalid_client", "error_description": "bad secret"}'
    job = jobs.start(run(kafka, login, topic, tmp_path))
    assert job.wait(30) == 2, job.log
    assert "the token server refuses this client (HTTP 401): invalid_client: bad secret" in job.log
    assert "--oauth-client-secret-file" in job.log


def test_a_server_that_is_away_is_an_outage(
    kafka: SecuredKafka, login: Login, jobs: Jobs, topic: str, tmp_path: Path
) -> None:
    """Broken: a token server that is restarted ends the job with exit 2, which nobody runs again; or the broker is told
    to be unreachable."""
    away = replace(login, oauth_token_url="http://localhost:1/token")
    job = jobs.start([*run(kafka, away, topic, tmp_path), "--broker-timeout", "2s"])
    assert job.wait(30) == 5, job.log
    assert "Token server http://localhost:1/token unreachable since" in job.log
    assert "connection refused" in job.log


def from_file(login: Login, path: Path) -> Login:
    return Login(Method.OAUTH, ca=login.ca, oauth_token_file=str(path))


def run(kafka: SecuredKafka, login: Login, topic: str, folder: Path) -> list[str]:
    trades = make_trades(folder / "in", 100)
    file = folder / "checkpoint.json"
    return replay_command([trades.folder], topic, kafka.address("SASL"), file, *as_options(login))


def test_librdkafkas_own_oidc(kafka: SecuredKafka, server: TokenServer, login: Login) -> None:
    """Broken: with -X alone, as librdkafka documents it, nobody is let in; a token server that is down is told as the
    broker's refusal; or a wrong secret is waited for."""

    def by_hand(url: str, secret: str, timeout_s: float) -> None:
        settings = {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(login.ca),
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.token.endpoint.url": url,
            "sasl.oauthbearer.client.id": CLIENT,
            "sasl.oauthbearer.client.secret": secret,
        }
        options = KafkaOptions(kafka.address("SASL"), "nobodys", settings=settings, broker_timeout_s=timeout_s)
        with closing(connect(options, Lines(), SystemClock(), lambda: None)) as cluster:
            assert cluster.topic() is None

    as_sent = SECRET.replace("%", "%25").replace("+", "%2B")  # librdkafka does not encode it
    by_hand(server.url, as_sent, 20)
    with pytest.raises(AccessDenied, match="invalid_client"):
        by_hand(server.url, "wrong", 20)
    with pytest.raises(Exception, match="no token: Failed to connect") as caught:
        by_hand("http://localhost:1/token", as_sent, 2)
    assert getattr(caught.value, "exit_code", None) is ExitCode.BROKER_UNAVAILABLE
