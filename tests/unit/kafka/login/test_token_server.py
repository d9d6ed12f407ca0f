"""What a token server gives, and how it refuses or fails: asked for real."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from replay.errors import ExitCode, UsageError
from replay.kafka.login.token_server import Asking, ask
from replay.kafka.login.tokens import Away
from replay.kafka.options import KafkaOptions
from replay.kafka.patience import Patience
from replay.kafka.readiness import wait_for_token
from replay.kafka.security import OAuth, Secrets
from replay.kafka.trouble import Trouble
from replay.model import SystemClock
from tests.support.lines import Lines
from tests.support.oidc import CLIENT, SECRET, Token, TokenServer
from tests.support.pki import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def shared() -> Iterator[TokenServer]:
    with TokenServer() as server:
        yield server


@pytest.fixture
def server(shared: TokenServer) -> TokenServer:
    """The one server, as it is without faults."""
    shared.token, shared.status, shared.body, shared.delay_s = Token(), 0, "", 0.0
    return shared


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def asking(server: TokenServer, tmp_path: Path) -> Asking:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    return Asking(OAuth(server.url, CLIENT, str(secret)), call_s=2)


def at(asking: Asking, url: str, ca: object = None) -> Asking:
    return replace(asking, oauth=replace(asking.oauth, token_url=url), ca=str(ca) if ca else None)


def refused(asking: Asking, secret: str = SECRET) -> str:
    with pytest.raises(UsageError) as caught:
        ask(asking)
    assert secret not in str(caught.value)
    return str(caught.value)


def test_it_gives_a_token(server: TokenServer, asking: Asking) -> None:
    """Broken: a client with the right secret, which has characters that a form encodes, gets no token; scope and
    audience are not asked for; the token's end is not known."""
    token = ask(replace(asking, oauth=replace(asking.oauth, scope="kafka write", audience="kafka & co")))
    assert token.claims["sub"] == CLIENT
    assert token.ends_s == pytest.approx(time.time() + 300, abs=5)
    grant = {"grant_type": "client_credentials"}
    assert server.forms[-1] == grant | {"scope": "kafka write", "audience": "kafka & co"}
    ask(asking)
    assert server.forms[-1] == grant


def test_expires_in_counts_where_clocks_differ(server: TokenServer, asking: Asking) -> None:
    """Broken: on a machine whose clock is an hour ahead every token has ended, although brokers would take it."""
    server.token = Token(claims={"exp": int(time.time()) - 3_600})
    assert ask(asking).ends_s > time.time()


def test_without_expires_in_exp_counts(server: TokenServer, asking: Asking) -> None:
    """Broken: a server that tells the end in the token alone cannot be used."""
    server.token = Token(ends_s=100, expires_in=False)
    assert ask(asking).ends_s == pytest.approx(time.time() + 100, abs=5)


def test_an_opaque_token_ends_as_the_server_says(server: TokenServer, asking: Asking) -> None:
    """Broken: tokens that are no JWT are refused, although the server says how long they live."""
    server.token = Token(opaque=True)
    assert ask(asking).ends_s == pytest.approx(time.time() + 300, abs=5)


@pytest.mark.parametrize("opaque", [True, False])
def test_a_token_without_an_end_is_refused(server: TokenServer, asking: Asking, opaque: bool) -> None:
    """Broken: a token that is never renewed ends the replay at some time in the night."""
    server.token = Token(ends_s=None, opaque=opaque)
    assert "does not say when it ends" in refused(asking)


def test_one_that_has_ended_is_refused_with_the_clock(server: TokenServer, asking: Asking) -> None:
    """Broken: librdkafka's own words for it are two numbers of milliseconds."""
    server.token = Token(ends_s=-240, expires_in=False)
    text = refused(asking)
    assert "have ended already" in text
    assert "4 min" in text
    assert "the clock of this machine says" in text


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_has_the_servers_words(server: TokenServer, asking: Asking, status: int) -> None:
    """Broken: what the server says is lost; or it repeats the secret, and the log has it."""
    server.status, server.body = (
        status,
        f'{{"error": "invalid_client", "error_description": "not {SECRET}"}}'.replace("\\", ""),
    )
    text = refused(asking)
    assert f"refuses this client (HTTP {status}): invalid_client: not ***" in text


def test_a_wrong_secret_is_refused(asking: Asking, tmp_path: Path) -> None:
    """Broken: a typing error in the secret's file is waited for."""
    (tmp_path / "secret").write_text("another-secret")
    assert "HTTP 401" in refused(asking, "another-secret")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_server_is_away(server: TokenServer, asking: Asking, status: int) -> None:
    """Broken: a token server that is restarted behind its proxy ends the replay."""
    server.status, server.body = status, "<html>"
    with pytest.raises(Away, match=f"^HTTP {status}$"):
        ask(asking)


@pytest.mark.parametrize(("status", "said"), [(200, "it gave no access_token"), (302, "sends elsewhere"), (404, "no")])
def test_what_is_no_token_server_is_told(server: TokenServer, asking: Asking, status: int, said: str) -> None:
    """Broken: a wrong URL is waited for, or the secret is sent wherever a page points to."""
    server.status, server.body = status, '{"a": 1}'
    assert said in refused(asking)


def test_a_slow_server_is_away(server: TokenServer, asking: Asking) -> None:
    """Broken: a server that hangs holds the replay up for as long as it likes."""
    server.delay_s, began_s = 5, time.monotonic()
    with pytest.raises(Away, match=r"no answer within 0\.5 s"):
        ask(replace(asking, call_s=0.5))
    assert time.monotonic() - began_s < 3


def test_an_answer_that_trickles_in_is_none(asking: Asking) -> None:
    """Broken: the time of a question is that of each byte of the answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def trickle() -> None:
            connection, _ = listening.accept()
            with connection:
                for letter in "HTTP/1.0 200 OK\r\n" * 3:
                    time.sleep(0.1)
                    try:
                        connection.sendall(letter.encode())
                    except OSError:
                        return

        threading.Thread(target=trickle, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/token"
        with pytest.raises(Away, match=r"no answer within 0\.5 s"):
            ask(replace(at(asking, url), call_s=0.5))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1/token", "connection refused"),
        ("http://no-such-host.invalid/token", "does not resolve"),
        ("localhost/token", "no URL"),
        ("ftp://localhost/token", "no URL"),
        ("http://[::1/token", "no URL"),
    ],
)
def test_nobody_there(asking: Asking, url: str, said: str) -> None:
    """Broken: who does not answer is not told, or a wrong name is waited for."""
    with pytest.raises((Away, UsageError), match=said):
        ask(at(asking, url))


def test_tls_with_an_authority_of_its_own(authority: Authority, asking: Asking) -> None:
    """Broken: a company's token server cannot be used; or its certificate is not looked at; or which option names the
    authority is not told."""
    shown = authority.issue("tokens", hosts=("localhost",))
    with TokenServer(shown) as server:
        assert ask(at(asking, server.url, authority.certificate)).claims["sub"] == CLIENT
        text = refused(at(asking, server.url))
        assert "signed by nobody that is trusted here" in text
        assert "-X https.ca.location" in text
        other = server.url.replace("localhost", "127.0.0.1")
        assert "for another name" in refused(at(asking, other, authority.certificate))
        assert "speaks TLS" in refused(at(asking, server.url.replace("https", "http")))


def test_plain_http_where_tls_is_asked_for(server: TokenServer, asking: Asking) -> None:
    """Broken: http and https mixed up are waited for."""
    assert "does not speak TLS" in refused(at(asking, server.url.replace("http", "https")))


def test_a_file_of_authorities_that_is_none(asking: Asking, tmp_path: Path) -> None:
    """Broken: a wrong path is told as a broken certificate of the server."""
    assert "no such file" in refused(at(asking, "https://localhost/token", tmp_path / "missing.pem"))
    (tmp_path / "empty.pem").write_text("")
    assert "holds no certificate" in refused(at(asking, "https://localhost/token", tmp_path / "empty.pem"))


def test_a_server_that_is_away_is_waited_for_by_name(server: TokenServer, asking: Asking, lines: Lines) -> None:
    """Broken: the broker is told to be unreachable; or a wrong secret is waited for as an outage is."""
    server.stop()
    threading.Timer(1.5, server.start).start()
    options = KafkaOptions("b:9092", "t", secrets=Secrets(oauth=asking.oauth), broker_timeout_s=20)
    clock = SystemClock()
    patience = Patience(clock, 20, lambda: None, Trouble(lines, clock))
    wait_for_token(options, patience)
    assert f"Token server {server.url} unreachable since" in lines.said[0]
    assert f"Token server {server.url} back after" in lines.said[1]


def test_past_the_deadline_it_is_an_outage(asking: Asking, lines: Lines) -> None:
    """Broken: exit 2, and nobody runs the job again."""
    clock = SystemClock()
    options = KafkaOptions("b:9092", "t", secrets=Secrets(oauth=at(asking, "http://127.0.0.1:1/token").oauth))
    with pytest.raises(Exception, match=r"cannot get a token within 0\.5 s.*connection refused") as caught:
        wait_for_token(options, Patience(clock, 0.5, lambda: None, Trouble(lines, clock)))
    assert getattr(caught.value, "exit_code", None) is ExitCode.BROKER_UNAVAILABLE
    assert "--oauth-token-url" in str(caught.value)


@pytest.fixture
def lines() -> Lines:
    return Lines()
