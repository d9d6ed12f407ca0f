"""What can be wrong with a registry: one clear error each, of the right exit code, and nothing is changed."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization

from replay.errors import BrokerUnavailable, RegistryUnavailable, StateConflict, Stopped, UsageError
from replay.model import SystemClock
from replay.registry.client import Registry, connect
from replay.registry.lookup import settle
from replay.registry.options import RegistryOptions
from tests.conftest import _own_registry
from tests.support.certificates import Certificates, make_certificates
from tests.support.registry import API
from tests.support.registry_front import HTML, Answer, Front, refusal, tls_context
from tests.support.schemas import avro
from tests.unit.fakes import FakeClock, Told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.registry import Registry as Server

ONE, OTHER = avro(a="string"), avro(b="string")
ATTEMPT_S = 0.5


@dataclass
class Asker:
    """A registry as a job asks it. Time between attempts is not real."""

    urls: tuple[str, ...]
    config: dict[str, str] = field(default_factory=dict)
    timeout_s: float = 5.0
    told: Told = field(default_factory=Told)
    clock: FakeClock | SystemClock = field(default_factory=FakeClock)

    def connect(self) -> Registry:
        chosen = RegistryOptions(self.urls, self.config, attempt_s=ATTEMPT_S)
        return connect(chosen, self.timeout_s, self.told, self.clock, lambda: None)

    def settle(self, subject: str, *, register: bool = False) -> int:
        return settle(self.connect(), RegistryOptions(register=register), subject, ONE).id


def asker(*urls: str, **config: str) -> Asker:
    return Asker(urls, config)


def refused(kind: type[Exception], asked: Asker, subject: str, *parts: str, register: bool = False) -> str:
    """The error that ends it, which says all of that."""
    with pytest.raises(kind) as error:
        asked.settle(subject, register=register)
    text = str(error.value)
    for part in parts:
        assert part in text, text
    return text


@pytest.fixture(scope="module")
def registry_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _own_registry(tmp_path_factory)


@pytest.fixture
def own_registry(registry_of_its_own: Server) -> Server:
    """One that a test may stop and freeze. It brings it back, with what was registered."""
    return registry_of_its_own


# --- what passes: it is waited for, and then it is exit 5


def test_a_registry_that_is_down_is_waited_for(own_registry: Server, topic: str) -> None:
    """Broken: a restart of the registry would end the night's job; or the job would wait for ever."""
    schema_id = own_registry.register(topic, ONE.text)
    own_registry.stop()
    asked = asker(own_registry.url)
    text = refused(
        RegistryUnavailable, asked, topic, "within 5 s (--broker-timeout)", "connection refused", "--registry"
    )
    assert own_registry.address in text
    assert asked.told.warnings[0].startswith("Registry unreachable since ")
    asked = Asker((own_registry.url,), timeout_s=60.0, clock=SystemClock())
    own_registry.start_without_waiting()
    assert asked.settle(topic) == schema_id
    assert asked.told.infos[-1].startswith("Registry back after ")


def test_its_absence_is_an_outage_like_that_of_a_broker() -> None:
    """Broken: who handles exit 5 would not know this one."""
    assert issubclass(RegistryUnavailable, BrokerUnavailable)


def test_a_registry_that_hangs_is_not_waited_for_for_ever(own_registry: Server, topic: str) -> None:
    """Broken: a job would hang for ever in its first question, as with the client's own default."""
    schema_id = own_registry.register(topic, ONE.text)
    own_registry.freeze()
    asked = Asker((own_registry.url,), timeout_s=1.0, clock=SystemClock())
    start = time.monotonic()
    refused(RegistryUnavailable, asked, topic, f"no answer within {ATTEMPT_S} s")
    assert time.monotonic() - start < 6
    own_registry.thaw()
    assert asked.settle(topic) == schema_id


def test_an_answer_that_trickles_in_is_no_answer(registry: Server, front: Front, topic: str) -> None:
    """Broken: each wait of the client would be short, and the whole would never end."""
    registry.register(topic, ONE.text)
    front.drip()
    asked = Asker((front.url,), timeout_s=0.5, clock=SystemClock())
    start = time.monotonic()
    refused(RegistryUnavailable, asked, topic, "no answer within")
    assert time.monotonic() - start < 6


def test_a_signal_is_heard_while_the_registry_hangs(front: Front, topic: str) -> None:
    """Broken: Ctrl-C would seem to do nothing."""
    front.hang()
    asked = threading.Event()

    def check_stop() -> None:
        if asked.is_set():
            raise Stopped(2, "stopped")

    options = RegistryOptions((front.url,), attempt_s=30)
    client = connect(options, 60, Told(), SystemClock(), check_stop)
    threading.Timer(0.3, asked.set).start()
    start = time.monotonic()
    with pytest.raises(Stopped):
        client.find(topic, ONE)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_a_status_that_passes_is_waited_for(registry: Server, front: Front, topic: str, status: int) -> None:
    """Broken: a registry that restarts, or is asked too much, would end the night's job."""
    schema_id = registry.register(topic, ONE.text)
    front.fail(3, refusal(status, status * 100 + 1, "java.lang.Exception: not now"))
    asked = asker(front.url)
    assert asked.settle(topic) == schema_id
    front.answer(Answer(status, HTML, "text/html"))
    text = refused(RegistryUnavailable, asked, topic, f"HTTP {status}")
    assert "html" not in text


def test_a_connection_that_is_cut_is_tried_again(registry: Server, front: Front, topic: str) -> None:
    """Broken: one connection lost would end the night's job."""
    registry.register(topic, ONE.text)
    front.cut()
    refused(RegistryUnavailable, asker(front.url), topic, "the connection was closed without an answer")


def test_another_address_is_asked_where_one_is_down(registry: Server, front: Front, topic: str) -> None:
    """Broken: the second registry of a cluster would serve nobody."""
    schema_id = registry.register(topic, ONE.text)
    gone, hanging, wrong = "http://127.0.0.1:1", front.url, f"http://{registry.address}/none"
    front.hang()
    assert asker(gone, hanging, wrong, registry.url).settle(topic) == schema_id
    assert asker(f"{gone},{registry.url}").settle(topic) == schema_id
    refused(RegistryUnavailable, asker(gone, wrong), topic, "connection refused")  # the first one may come back
    refused(UsageError, asker(wrong, wrong), topic, "no schema registry answers there")


# --- what stays: it is not waited for, and exit 2 or 4 says what to do


def at_once(asked: Asker) -> None:
    assert asked.clock.monotonic() == FakeClock().monotonic(), "it was waited for"


@pytest.mark.parametrize(
    ("config", "user"),
    [({}, ""), ({"basic.auth.user.info": "me:wrong-secret"}, ""), ({}, "me:wrong-secret@")],
    ids=["none", "wrong", "wrong in the URL"],
)
def test_a_registry_that_wants_a_password(registry: Server, topic: str, config: dict[str, str], user: str) -> None:
    """Broken: a job would wait five minutes for a password to become right; or the log would show it."""
    registry.register(topic, ONE.text)
    with Front(registry.address, basic="me:p@ss:w/rd") as front:
        asked = Asker((f"http://{user}{front.address}{API}",), config)
        text = refused(UsageError, asked, topic, "HTTP 401", "--registry-config basic.auth.user.info", front.url)
        assert "wrong-secret" not in text + repr(asked.connect()._addresses) + repr(RegistryOptions(asked.urls, config))
        at_once(asked)
        right = {"basic.auth.user.info": "me:p@ss:w/rd"}
        assert Asker((front.url,), right).settle(topic)
        assert Asker((f"http://me:p%40ss%3Aw%2Frd@{front.address}{API}",)).settle(topic)


def test_each_address_has_its_own_password(registry: Server, topic: str) -> None:
    """Broken: the first URL's password would be sent to all, as the client does."""
    registry.register(topic, ONE.text)
    with Front(registry.address, basic="one:1") as first, Front(registry.address, basic="two:2") as second:
        urls = f"http://one:1@{first.address}{API}", f"http://two:2@{second.address}{API}"
        first.answer(refusal(503, 50301, "down"))
        assert Asker(urls).settle(topic)
        assert {each.headers["Authorization"] for each in second.asked} == {"Basic dHdvOjI="}


def test_a_registry_that_wants_a_token(registry: Server, topic: str) -> None:
    """Broken: a token could not be given, or would be shown."""
    registry.register(topic, ONE.text)
    with Front(registry.address, bearer="t0ken-right") as front:
        asked = Asker((front.url,), {"bearer.auth.token": "t0ken-wrong"})
        text = refused(UsageError, asked, topic, "HTTP 401", "bearer.auth.token")
        assert "t0ken" not in text + repr(asked.connect()._addresses)
        assert Asker((front.url,), {"bearer.auth.token": "t0ken-right"}).settle(topic)


def test_a_token_is_fetched(registry: Server, front: Front, topic: str) -> None:
    """Broken: a registry behind OAuth could not be used; or its server of tokens, once away, would end the job."""
    registry.register(topic, ONE.text)
    config = {
        "bearer.auth.client.id": "replay",
        "bearer.auth.client.secret": "client-secret",
        "bearer.auth.scope": "registry",
        "bearer.auth.issuer.endpoint.url": f"{front.root}/token",
    }
    token = b'{"access_token": "fetched", "token_type": "Bearer", "expires_in": 300, "expires_at": 9999999999}'
    with Front(registry.address, bearer="fetched") as guarded:
        front.answer(Answer(200, token, "application/json"))
        assert Asker((guarded.url,), config).settle(topic)
        front.answer(Answer(401, b'{"error": "invalid_client"}', "application/json"))
        asked = Asker((guarded.url,), config)
        text = refused(UsageError, asked, topic, f"{front.root}/token: it gives no token", "bearer.auth.client.id")
        assert "client-secret" not in text
        at_once(asked)
        away = {**config, "bearer.auth.issuer.endpoint.url": "http://127.0.0.1:1/token"}
        refused(RegistryUnavailable, Asker((guarded.url,), away), topic, "127.0.0.1:1: connection refused")


def test_a_right_that_is_missing(registry: Server, front: Front, topic: str) -> None:
    """Broken: who may read but not register would get a trace, or wait."""
    front.answer(refusal(403, 40301, "User is denied operation Write on Subject"), "POST", "/versions$")
    asked = asker(front.url)
    refused(UsageError, asked, topic, "HTTP 403", "User is denied operation Write", "rights", register=True)
    at_once(asked)
    assert registry.versions(topic) == []


@pytest.mark.parametrize("path", ["", "/ui", "/apis/ccompat/v7/subject", "/apis/registry/v3"])
def test_a_url_that_is_no_registry_s(registry: Server, topic: str, path: str) -> None:
    """Broken: the most common mistake would look like an outage, or show pages of HTML."""
    asked = asker(f"http://{registry.address}{path}")
    text = refused(UsageError, asked, topic, "no schema registry", "--registry", "/apis/ccompat/v7")
    assert "<" not in text
    at_once(asked)


@pytest.mark.parametrize("answer", [Answer(200, HTML, "text/html"), Answer(200, b"[]"), Answer(200, b""), Answer(204)])
def test_an_answer_that_is_no_registry_s(front: Front, topic: str, answer: Answer) -> None:
    """Broken: a page of a proxy would end in a trace."""
    front.answer(answer)
    asked = asker(front.url)
    text = refused(UsageError, asked, topic, "no schema registry")
    assert "html" not in text
    at_once(asked)


def test_a_redirect_is_named(front: Front, topic: str) -> None:
    """Broken: http:// for https:// would look like a wrong path."""
    front.answer(Answer(302, location="https://elsewhere/"))
    refused(UsageError, asker(front.url), topic, "HTTP 302", "http and https")


def test_a_name_that_does_not_exist(topic: str) -> None:
    """Broken: a mistyped name would be waited for."""
    with pytest.MonkeyPatch.context() as changed:
        unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        changed.setattr(socket, "getaddrinfo", lambda *_, **__: (_ for _ in ()).throw(unknown))
        refused(UsageError, asker("http://registri:8081"), topic, "this name does not resolve")
        unknown = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        refused(RegistryUnavailable, asker("http://registry:8081"), topic, "Temporary failure in name resolution")


def test_a_conflict_is_the_schema_s(registry: Server, front: Front, topic: str) -> None:
    """Broken: a refused schema would be waited for, or sent under no id."""
    reason = "Schema being registered is incompatible with an earlier schema; details: [b has no default]"
    front.answer(refusal(409, 409, reason), "POST", "/versions$")
    asked = asker(front.url)
    refused(StateConflict, asked, topic, "not compatible", "b has no default", "nothing was sent", register=True)
    at_once(asked)
    assert registry.versions(topic) == []


def test_a_conflict_with_a_job_that_was_faster_is_none(registry: Server, front: Front, topic: str) -> None:
    """Broken: of two jobs that register at once, one would fail in vain."""
    schema_id = registry.register(topic, ONE.text)
    front.fail(2, refusal(404, 40401, "not yet"))  # both spellings are looked up
    missed = front._fault

    def faster(asked):
        if asked.method == "POST" and asked.path.endswith("/versions"):
            return refusal(409, 40901, "already there")
        return missed(asked)

    front._fault = faster
    assert asker(front.url).settle(topic, register=True) == schema_id


@pytest.mark.parametrize("words", ["Invalid schema: Undefined name: strin", ""])
def test_an_invalid_schema_is_told_in_the_registry_s_words(front: Front, topic: str, words: str) -> None:
    """Broken: the operator would have to ask the registry's owner what is wrong."""
    front.answer(refusal(422, 42201, words), "POST", "/subjects/")
    asked = asker(front.url)
    refused(UsageError, asked, topic, words or "it gives no reason", "HTTP 422", register=True)
    at_once(asked)


def test_words_of_a_registry_cannot_forge_lines(front: Front, topic: str) -> None:
    """Broken: a log line could be made by whoever answers, and a terminal driven."""
    front.answer(refusal(422, 42201, "bad\nERROR all lost\x1b[2J" + "x" * 10_000), "POST", "/subjects/")
    text = refused(UsageError, asker(front.url), topic, "bad ERROR all lost\\x1b[2J")
    assert len(text) < 1_000


# --- TLS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@contextmanager
def secured(registry: Server, certificate: Path, clients_of: Path | None = None) -> Iterator[Front]:
    with Front(registry.address, tls=tls_context(certificate, clients_of)) as front:
        yield front


def test_tls_with_an_authority_of_one_s_own(registry: Server, topic: str, made: Certificates) -> None:
    """Broken: a registry inside a company could not be used."""
    schema_id = registry.register(topic, ONE.text)
    with secured(registry, made.broker) as front:
        assert Asker((front.url,), {"ssl.ca.location": str(made.authority)}).settle(topic) == schema_id


@pytest.mark.parametrize(
    ("days", "host", "own_authority", "said"),
    [
        (1, "127.0.0.1", False, ("signed by nobody that is trusted here", "ssl.ca.location")),
        (-1, "127.0.0.1", True, ("its certificate has expired", "renewed")),
        (1, "127.0.0.9", True, ("its certificate is for another name",)),
    ],
    ids=["unknown authority", "expired", "another host"],
)
def test_a_certificate_that_is_refused(registry: Server, topic: str, tmp_path: Path, days, host, own_authority, said):
    """Broken: a job would wait for a certificate to become good, and not say what is wrong with it."""
    made = make_certificates(tmp_path, host, days=days)
    config = {"ssl.ca.location": str(made.authority)} if own_authority else {}
    with secured(registry, made.broker) as front:
        asked = Asker((front.url,), config)
        refused(UsageError, asked, topic, *said, front.url)
        at_once(asked)


def test_an_authority_that_signed_another_certificate(registry: Server, topic: str, tmp_path: Path, made) -> None:
    """Broken: the wrong CA file would look like an outage."""
    (tmp_path / "other").mkdir()
    config = {"ssl.ca.location": str(make_certificates(tmp_path / "other").authority)}
    with secured(registry, made.broker) as front:
        refused(UsageError, Asker((front.url,), config), topic, "signed by nobody that is trusted", "ssl.ca.location")


def test_a_certificate_that_nobody_signed(registry: Server, topic: str, tmp_path: Path) -> None:
    """Broken: the certificate that an installer makes would look like an outage."""
    made = make_certificates(tmp_path, self_signed=True)
    with secured(registry, made.broker) as front:
        refused(
            UsageError, asker(front.url), topic, "signed by nobody that is trusted here, but itself", "ssl.ca.location"
        )
        registry.register(topic, ONE.text)
        assert Asker((front.url,), {"ssl.ca.location": str(made.broker)}).settle(topic)  # it is its own authority


def test_plain_http_where_tls_is_spoken(registry: Server, topic: str, made: Certificates) -> None:
    """Broken: http:// for https:// would look like an outage: the connection is cut without a word."""
    with secured(registry, made.broker) as front:
        asked = asker(front.url.replace("https:", "http:"))
        refused(UsageError, asked, topic, "what answers there speaks TLS", "https://")
        at_once(asked)


def test_tls_where_plain_http_is_spoken(registry: Server, topic: str) -> None:
    """Broken: the same the other way round."""
    asked = asker(registry.url.replace("http:", "https:"))
    refused(UsageError, asked, topic, "does not speak TLS", "http://")
    at_once(asked)


def test_a_certificate_of_the_client(registry: Server, topic: str, tmp_path: Path, made: Certificates) -> None:
    """Broken: mTLS could not be used, or a missing certificate would look like an outage."""
    schema_id = registry.register(topic, ONE.text)
    trusted = {"ssl.ca.location": str(made.authority)}
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other")
    with secured(registry, made.broker, made.authority) as front:
        asked = Asker((front.url,), trusted)
        refused(UsageError, asked, topic, "refuses the connection", "ssl.certificate.location")
        at_once(asked)
        assert Asker((front.url,), {**trusted, "ssl.certificate.location": str(made.broker)}).settle(topic) == schema_id
        stranger = {**trusted, "ssl.certificate.location": str(other.broker)}
        refused(UsageError, Asker((front.url,), stranger), topic, "refuses the connection")


def test_a_key_with_a_password(registry: Server, topic: str, tmp_path: Path, made: Certificates) -> None:
    """Broken: OpenSSL would ask the terminal for the password, and a job of the night would wait for ever."""
    key = tmp_path / "key.pem"
    opened = serialization.load_pem_private_key(made.broker.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"open-secret")
    as_text = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(opened.private_bytes(*as_text, locked))
    config = {
        "ssl.ca.location": str(made.authority),
        "ssl.certificate.location": str(made.broker),
        "ssl.key.location": str(key),
    }
    with secured(registry, made.broker, made.authority) as front:
        registry.register(topic, ONE.text)
        assert Asker((front.url,), {**config, "ssl.key.password": "open-secret"}).settle(topic)
        for wrong in ({}, {"ssl.key.password": "wrong-secret"}):
            text = refused(
                UsageError, Asker((front.url,), {**config, **wrong}), topic, "cannot be used", "ssl.key.password"
            )
            assert "wrong-secret" not in text


def test_a_file_that_is_no_certificate(topic: str, tmp_path: Path) -> None:
    """Broken: a path to the wrong file would end in a trace."""
    (tmp_path / "ca.pem").write_text("no certificate")
    asked = Asker(("https://127.0.0.1:1",), {"ssl.ca.location": str(tmp_path / "ca.pem")})
    refused(UsageError, asked, topic, "cannot be used", "ssl.ca.location")
