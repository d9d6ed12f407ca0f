"""Tokens for Amazon MSK: AWS's own library signs them, with credentials from a fake STS (moto) and from variables.

What MSK itself makes of a token cannot be tried here: its broker exists nowhere else.
"""

from __future__ import annotations

import base64
import re
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from queue import Queue
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from confluent_kafka.admin import AdminClient
from moto.server import ThreadedMotoServer

from replay.errors import UsageError
from replay.kafka.login import iam
from replay.kafka.login.token_source import tokens_of
from replay.kafka.login.tokens import Away
from replay.kafka.options import KafkaOptions
from replay.kafka.security import Secrets
from replay.kafka.settings import client_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROKER = "b-1.trades.abc123.c2.kafka.eu-west-1.amazonaws.com:9098"
ROLE = "arn:aws:iam::123456789012:role/replay"


@pytest.fixture(scope="module")
def sts() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without any credentials; where they would be asked for is closed."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN",
                 "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION", "AWS_DEFAULT_REGION"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return monkeypatch


@pytest.fixture
def with_keys(nobody: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    nobody.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    nobody.setenv("AWS_SECRET_ACCESS_KEY", "aws-secret-5b1f")
    return nobody


@pytest.fixture
def with_role(nobody: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """As in Kubernetes: a role, and a file that proves who this is."""
    (tmp_path / "identity").write_text("a.web.identity")
    nobody.setenv("AWS_ROLE_ARN", ROLE)
    nobody.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "identity"))
    return nobody


def options(region: str | None = None, brokers: str = BROKER) -> KafkaOptions:
    return KafkaOptions(brokers, "t", secrets=Secrets(msk_iam=True, aws_region=region))


def signed(token: str) -> dict[str, str]:
    """What the token asks AWS: the request that it is, decoded as MSK's broker does."""
    url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    return {"host": url.netloc, **{name: values[0] for name, values in parse_qs(url.query).items()}}


@pytest.mark.usefixtures("with_keys")
def test_a_token_is_signed_for_the_brokers_region() -> None:
    """Broken: MSK refuses the token, as it is signed for another region, or for another action; the secret is in it."""
    token = iam.signer(None, BROKER, 1).token()
    asked = signed(token.value)
    assert asked["host"] == "kafka.eu-west-1.amazonaws.com"
    assert asked["Action"] == "kafka-cluster:Connect"
    assert "/eu-west-1/kafka-cluster/" in asked["X-Amz-Credential"]
    assert token.ends_s == pytest.approx(time.time() + 900, abs=10)
    assert token.renew_s == pytest.approx(time.time() + 720, abs=10)
    assert "aws-secret" not in str(asked) + token.told(time.time())


@pytest.mark.parametrize(
    ("brokers", "variables", "region"),
    [
        (BROKER, {"AWS_REGION": "us-east-1"}, "eu-west-1"),
        ("boot-x.c1.kafka-serverless.ap-southeast-2.amazonaws.com:9098", {}, "ap-southeast-2"),
        ("b-1.x.c3.kafka.us-gov-west-1.amazonaws.com:9098,b-2.x.c3.kafka.us-gov-west-1.amazonaws.com:9098", {},
         "us-gov-west-1"),
        ("b-1.x.c3.kafka.cn-north-1.amazonaws.com.cn:9098", {}, "cn-north-1"),
        ("kafka.internal:9098", {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "x"}, "us-east-1"),
        ("kafka.internal:9098", {"AWS_DEFAULT_REGION": "us-east-2"}, "us-east-2"),
        ("kafka.internal:9098", {}, ""),
    ],
)  # fmt: skip
def test_the_region_is_found(brokers: str, variables: dict[str, str], region: str) -> None:
    """Broken: --aws-region has to be given where the brokers' names say it; or the machine's region counts before."""
    assert iam.region_of(brokers, variables) == region


@pytest.mark.usefixtures("nobody")
def test_a_region_that_nobody_tells() -> None:
    """Broken: AWS's library fails with a traceback."""
    with pytest.raises(UsageError, match="region is not known"):
        tokens_of(options(brokers="kafka.internal:9098"))


def test_a_role_is_taken_on(sts: str, with_role: pytest.MonkeyPatch) -> None:
    """Broken: in Kubernetes, where a role is given by a file, there are no credentials."""
    with_role.setenv("AWS_ENDPOINT_URL_STS", sts)
    asked = signed(iam.signer(None, BROKER, 2).token().value)
    assert asked["X-Amz-Credential"].startswith("ASIA"), "the role's key, which ends"
    assert asked["X-Amz-Security-Token"]


def test_sts_that_is_down_is_waited_for(with_role: pytest.MonkeyPatch) -> None:
    """Broken: an outage of STS ends the replay; or each question takes minutes of tries that nobody sees."""
    with_role.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    began_s = time.monotonic()
    with pytest.raises(Away, match="cannot be asked for"):
        iam.signer(None, BROKER, 2).token()
    assert time.monotonic() - began_s < 5


def test_sts_that_refuses_is_told(with_role: pytest.MonkeyPatch) -> None:
    """Broken: an identity that has expired is waited for."""
    from tests.support.oidc import TokenServer

    with TokenServer() as server:  # answers 404 to what it does not know
        with_role.setenv("AWS_ENDPOINT_URL_STS", server.url)
        server.status = 403
        server.body = (
            "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>Token expired</Message></Error>"
            "</ErrorResponse>"
        )
        with pytest.raises(UsageError, match=r"gives no credentials \(HTTP 403\): ExpiredTokenException: Token"):
            iam.signer(None, BROKER, 2).token()
        server.status = 503
        with pytest.raises(Away, match="HTTP 503"):
            iam.signer(None, BROKER, 2).token()


@pytest.mark.usefixtures("nobody")
def test_no_credentials_are_told() -> None:
    """Broken: AWS's library fails with a traceback where there are none."""
    with pytest.raises(UsageError, match="no credentials of AWS"):
        iam.signer(None, BROKER, 1).token()


def test_a_profile_that_is_missing_is_told(nobody: pytest.MonkeyPatch) -> None:
    """Broken: a typing error in AWS_PROFILE is a bug of ours."""
    nobody.setenv("AWS_PROFILE", "nightly")
    with pytest.raises(UsageError, match="nightly"):
        iam.signer(None, BROKER, 1).token()


@pytest.mark.usefixtures("with_keys")
def test_clients_get_what_aws_library_signs() -> None:
    """Broken: --security msk-iam makes clients that have no way to log in."""
    value, ends_s, key, _ = client_settings(options("eu-central-1"))["oauth_cb"]("")
    assert signed(value)["host"] == "kafka.eu-central-1.amazonaws.com"
    assert ends_s > time.time()
    assert key == "AKIATEST"


@pytest.mark.usefixtures("with_keys")
def test_the_library_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: without it, a traceback, instead of what to install."""
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer.MSKAuthTokenProvider", None)
    monkeypatch.delitem(sys.modules, "replay.kafka.login.iam")
    monkeypatch.delattr("replay.kafka.login.iam", raising=False)
    with pytest.raises(UsageError, match=r"packages that are not installed") as caught:
        tokens_of(options("af-south-1"))
    assert ".[msk-iam]" in str(caught.value)


class Front:
    """A broker as far as its login: it keeps what a client logs in with, and lets nobody in."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.heard: Queue[bytes] = Queue()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError, struct.error):
            while True:
                connection, _ = self._listening.accept()
                with connection:
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while size := stream.read(4):
            request = stream.read(*struct.unpack(">i", size))
            key, version, number = struct.unpack(">hhi", request[:8])
            if key == 18:  # ApiVersions: of a newer version than this one's, it is told the old way
                supported = [(17, 0, 1), (18, 0, 0), (36, 0, 1), (3, 0, 1)]
                answer = struct.pack(">hi", 35 if version else 0, len(supported))
                answer += b"".join(struct.pack(">hhh", *each) for each in supported)
            elif key == 17:  # SaslHandshake
                answer = struct.pack(">hi", 0, 1) + struct.pack(">h", 11) + b"OAUTHBEARER"
            else:  # SaslAuthenticate
                self.heard.put(request)
                return
            connection.sendall(struct.pack(">ii", len(answer) + 4, number) + answer)


@pytest.mark.usefixtures("with_keys")
def test_the_token_goes_to_the_broker_as_aws_library_signs_it() -> None:
    """Broken: a client logs in with something else than what the library has signed, or not as RFC 7628 writes it."""
    front = Front()
    settings = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER"}
    chosen = KafkaOptions(front.address, "t", settings=settings, secrets=Secrets(msk_iam=True, aws_region="eu-west-3"))
    client = AdminClient({**client_settings(chosen), "log_level": 0})
    request = front.heard.get(timeout=10)
    front.close()
    client.poll(0)
    sent = re.search(rb"n,,\x01auth=Bearer ([\w-]+)\x01\x01$", request)
    assert sent, "no initial response of OAUTHBEARER"
    asked = signed(sent[1].decode())
    assert asked["host"] == "kafka.eu-west-3.amazonaws.com"
    assert asked["Action"] == "kafka-cluster:Connect"
    assert len(asked["X-Amz-Signature"]) == 64
