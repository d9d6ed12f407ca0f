"""A real OAuth 2.0 server on this machine: Authlib's, with signed JWTs and the keys that prove them (JWKS).

A test says what its tokens say, and whether it answers at all. It keeps its port and its key over `stop` and `start`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from flask import Flask, Response, jsonify
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

from tests.support.secured import SecuredKafka

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from tests.support.pki import Issued

HOST = "localhost"
CLIENT, SECRET = "replay-client", "clients-secret-9d/4e+%"
ISSUER, AUDIENCE = "https://issuer.test", "kafka-brokers"


@dataclass(frozen=True)
class Token:
    """What tokens say. `ends_s` is from now; None: the token has no `exp`, and no `expires_in` is told. `opaque`: no
    JWT. `claims` come on top; `expires_in` False leaves that out alone."""

    ends_s: float | None = 300
    audience: str = AUDIENCE
    issuer: str = ISSUER
    opaque: bool = False
    expires_in: bool = True
    claims: Mapping[str, Any] = field(default_factory=dict)


class _Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    def get_client_id(self) -> str:
        return CLIENT

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET  # Authlib has undone the encoding of RFC 6749, 2.3.1

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic" and endpoint == "token"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"

    def get_allowed_scope(self, scope: str) -> str:
        return scope or "kafka"


os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "true"  # plain HTTP, on this machine


class TokenServer:
    """As a context manager: up inside. `asked` counts requests for tokens. `status`, `body`: what it answers instead;
    `delay_s` how long it thinks first. With `shown`, it speaks TLS with that certificate."""

    def __init__(self, shown: Issued | None = None) -> None:
        self.token, self.status, self.body, self.delay_s, self.asked = Token(), 0, "", 0.0, 0
        self.forms: list[dict[str, str]] = []
        self._key = RSAKey.generate_key(2048, {"kid": "key-1", "use": "sig", "alg": "RS256"})
        self._tls = (str(shown.certificate), str(shown.key)) if shown else None
        self._server: Any = None
        self._port = 0
        self._app = self._made()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{self._base}/token"

    @property
    def jwks_url(self) -> str:
        return f"{self._base}/jwks"

    def start(self) -> None:
        self._server = make_server(HOST, self._port, self._app, threaded=True, ssl_context=self._tls)
        self._server.daemon_threads, self._server.block_on_close = True, False
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Nobody listens there until `start`."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def issue(self, token: Token | None = None) -> str:
        """A token, without being asked."""
        says = token or self.token
        if says.opaque:
            return "opaque-0123456789"
        now = time.time()
        claims = {"iss": says.issuer, "aud": says.audience, "sub": CLIENT, "iat": int(now), **says.claims}
        if says.ends_s is not None:
            claims.setdefault("exp", int(now + says.ends_s))
        return str(jwt.encode({"alg": "RS256", "kid": "key-1"}, claims, self._key))

    @property
    def _base(self) -> str:
        return f"{'https' if self._tls else 'http'}://{HOST}:{self._port}"

    def _made(self) -> Flask:
        app = Flask("oidc")
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        granting = AuthorizationServer(
            app, query_client=lambda name: _Client() if name == CLIENT else None, save_token=lambda *_: None
        )
        granting.register_grant(_Grant)
        generator = BearerTokenGenerator(
            lambda **_: self.issue(), expires_generator=lambda *_: max(0, int(self.token.ends_s or 0))
        )
        granting.register_token_generator("default", generator)

        @app.post("/token")
        def token() -> Response:
            from flask import request

            self.asked += 1
            self.forms.append(request.form.to_dict())
            time.sleep(self.delay_s)
            if self.status:
                return Response(self.body, self.status, content_type="application/json")
            answer: Response = granting.create_token_response()
            if answer.status_code == 200 and (self.token.ends_s is None or not self.token.expires_in):
                said = dict(answer.get_json())
                said.pop("expires_in", None)
                return jsonify(said)
            return answer

        @app.get("/jwks")
        def jwks() -> Response:
            return jsonify({"keys": [self._key.as_dict(private=False)]})

        return app


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)


@contextmanager
def kafka_with(folder: Path, reauth_ms: int = 0) -> Iterator[tuple[SecuredKafka, TokenServer]]:
    """A broker whose listener SASL takes the tokens of a server: it proves them by their keys. The client that they are
    for may do everything. A connection is let in for `reauth_ms`, or for as long as its token is good."""
    java = "org.apache.kafka.common.security.oauthbearer"
    with TokenServer() as server:
        proofs = {
            # The default of 4.1 looks at the shape of a token, and takes one that somebody else has signed.
            "sasl.oauthbearer.jwt.validator.class": f"{java}.BrokerJwtValidator",
            "sasl.oauthbearer.jwks.endpoint.url": server.jwks_url,
            "sasl.oauthbearer.expected.audience": AUDIENCE,
            "sasl.oauthbearer.expected.issuer": ISSUER,
            "sasl.oauthbearer.clock.skew.seconds": "0",
            "super.users": f"User:ANONYMOUS;User:{CLIENT}",
        }
        login = {
            "oauthbearer.sasl.server.callback.handler.class": f"{java}.OAuthBearerValidatorCallbackHandler",
            "oauthbearer.connections.max.reauth.ms": str(reauth_ms),
        }
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={server.jwks_url}"
        with SecuredKafka(folder, sasl=login, config=proofs, jvm=[allowed]) as kafka:
            yield kafka, server
