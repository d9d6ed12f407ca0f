"""Asks an OAuth 2.0 server for a token, as a client with a secret (RFC 6749, 4.4)."""

from __future__ import annotations

import json
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from replay.errors import UsageError
from replay.kafka.bounded import within
from replay.kafka.listener import shakes_hands
from replay.kafka.login import credentials
from replay.kafka.login.tokens import Away, Token, claims_of, end_of, no_end
from replay.kafka.security import OAuth
from replay.kafka.tls.reasons import Why, is_other_protocol, spoken, why

URL, SECRET, CA = "--oauth-token-url", "--oauth-client-secret-file", "https.ca.location"

_ANSWER_MAX = 1 << 20
_WORDS_MAX = 400
_REFUSALS = (400, 401, 403)
_PASSING = (408, 425, 429)
_CA_HELP = f"name the certificate of its authority: -X {CA}=/etc/replay/ca.pem (--ca is for brokers)"
_CERTIFICATE = {
    Why.SELF_SIGNED: ("its certificate is signed by nobody that is trusted here, but itself", _CA_HELP),
    Why.UNTRUSTED: ("its certificate is signed by nobody that is trusted here", _CA_HELP),
    Why.OTHER_KEY: ("its certificate is signed with another key than its authority's", _CA_HELP),
    Why.EXPIRED: ("its certificate has expired", "have the certificate of the token server renewed"),
    Why.NOT_YET_VALID: ("its certificate is not valid yet", "check the clocks of both machines"),
    Why.OTHER_NAME: ("its certificate is for another name", f"give {URL} the name that the certificate is for"),
}


@dataclass(frozen=True, slots=True)
class Asking:
    """`oauth` has URL, client and secret. One question may take `call_s`. `ca`: a file or folder of authorities that
    count instead of the system's."""

    oauth: OAuth
    call_s: float = 10.0
    ca: str | None = None

    @property
    def url(self) -> str:
        return self.oauth.token_url or ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes = field(repr=False)


class _NoRedirects(HTTPRedirectHandler):
    """A secret goes nowhere but where the user says."""

    def redirect_request(self, *_: Any) -> None:
        return None


def ask(asking: Asking) -> Token:
    """A new token. Raises `Away` where the server is down, slow or overloaded, and `UsageError` where it refuses."""
    secret = credentials.secret(asking.oauth.client_secret_file or "", SECRET)
    request, opener = _request(asking, secret), _opener(asking)
    asked_s = time.time()

    def post() -> _Answer:
        try:
            with opener.open(request, timeout=asking.call_s) as answer:
                return _Answer(answer.status, answer.read(_ANSWER_MAX))
        except HTTPError as error:
            with error:
                return _Answer(error.code, error.read(_ANSWER_MAX))

    try:
        answer = within(asking.call_s, post, lambda: None)
    except (OSError, HTTPException, ValueError) as error:
        raise _of_error(asking, error) from None
    if answer.status != 200:
        raise _of_status(asking, answer, secret)
    return _token(asking, answer, asked_s)


def _request(asking: Asking, secret: str) -> Request:
    """The client's name and secret are encoded as a form is, before they are joined (RFC 6749, 2.3.1)."""
    oauth = asking.oauth
    user = f"{quote(oauth.client_id or '', safe='')}:{quote(secret, safe='')}"
    form = {"grant_type": "client_credentials", "scope": oauth.scope, "audience": oauth.audience}
    said = {name: value for name, value in form.items() if value}
    headers = {
        "Authorization": f"Basic {b64encode(user.encode()).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "User-Agent": "replay",
    }
    try:
        if urlsplit(asking.url).scheme in ("http", "https") and urlsplit(asking.url).hostname:
            return Request(asking.url, urlencode(said).encode(), headers)
    except ValueError:
        pass
    raise UsageError("this is no URL of a server", where=URL, todo="write it as https://HOST/path/of/token")


def _opener(asking: Asking) -> Any:
    """Proxies are those of the environment (https_proxy, no_proxy)."""
    try:
        folder = asking.ca is not None and Path(asking.ca).is_dir()
        context = ssl.create_default_context(cafile=None if folder else asking.ca, capath=asking.ca if folder else None)
    except OSError as error:  # also of a file that holds no certificate
        reason = error.strerror if not isinstance(error, ssl.SSLError) else "it holds no certificate"
        raise UsageError(
            f"{asking.ca} cannot be used: {(reason or str(error)).lower()}",
            where=f"-X {CA}",
            todo="name a file with the certificates of authorities (PEM)",
        ) from None
    return build_opener(_NoRedirects, HTTPSHandler(context=context))


def _token(asking: Asking, answer: _Answer, asked_s: float) -> Token:
    """Its end is `expires_in` from when it was asked for, where the server says so: that holds on this machine's clock
    even if that is wrong. Else it is the token's own `exp`."""
    said = _json(answer.body)
    value = said.get("access_token")
    if not isinstance(value, str) or not value:
        raise UsageError(
            "what answers there is no token server: it gave no access_token", where=asking.url, todo=f"check {URL}"
        )
    claims, seconds = claims_of(value), said.get("expires_in")
    if isinstance(seconds, str) and seconds.isdecimal():  # as some servers write it
        seconds = int(seconds)
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds > 0:
        end_s: float | None = asked_s + seconds
    else:
        end_s = end_of(claims)
    if end_s is None:
        raise no_end(asking.url)
    token = Token(value, asked_s, end_s, claims, asking.oauth.extensions)
    if end_s <= time.time():
        raise UsageError(
            f"the server gives tokens that have ended already: {token.told(time.time())}",
            where=asking.url,
            todo="check the clocks of this machine and of the token server",
        )
    return token


def _of_status(asking: Asking, answer: _Answer, secret: str) -> Away | UsageError:
    words = _words(answer.body, secret)
    said = f": {words}" if words else ""
    status = answer.status
    if status >= 500 or status in _PASSING:
        return Away(f"HTTP {status}{said}")
    if status == 400 and not words and _needs_tls(asking.url):
        return UsageError("what answers there speaks TLS", where=asking.url, todo="write the URL with https://")
    if status in _REFUSALS:
        return UsageError(
            f"the token server refuses this client (HTTP {status}){said}",
            where=asking.url,
            todo=f"check --oauth-client-id, {SECRET}, --oauth-scope and --oauth-audience",
        )
    if 300 <= status < 400:
        return UsageError(
            f"it sends elsewhere (HTTP {status}), and a redirect is not followed: the secret would go along",
            where=asking.url,
            todo=f"give {URL} the final URL, mind http and https",
        )
    return UsageError(f"no token server answers there (HTTP {status}){said}", where=asking.url, todo=f"check {URL}")


def _of_error(asking: Asking, error: Exception) -> Away | UsageError:
    """Of an error of the transport: of HTTP, TLS or the network."""
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    if isinstance(cause, ssl.SSLError):
        return _of_tls(asking, cause)
    if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
        return UsageError("this name does not resolve", where=asking.url, todo=f"check {URL}")
    if isinstance(cause, TimeoutError):
        return Away(f"no answer within {asking.call_s:g} s")
    if isinstance(cause, (HTTPException, ConnectionResetError)) and _needs_tls(asking.url):
        return UsageError("what answers there speaks TLS", where=asking.url, todo="write the URL with https://")
    if isinstance(cause, OSError) and not isinstance(cause, HTTPException):  # http.client has one that is both
        text = cause.strerror or str(cause)
        return Away("its name does not resolve: " * isinstance(cause, socket.gaierror) + text[:1].lower() + text[1:])
    return Away("the connection was closed without an answer")


def _of_tls(asking: Asking, error: ssl.SSLError) -> Away | UsageError:
    reason, todo = error.reason or "", "check the certificates on both sides"
    if isinstance(error, ssl.SSLCertVerificationError):
        what, todo = _CERTIFICATE.get(why(error), (f"its certificate is refused: {error.verify_message}", todo))
    elif "EOF" in reason or "SHUTDOWN" in reason or isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Away("the connection was closed during TLS")
    elif is_other_protocol(error):
        what, todo = "what answers there does not speak TLS", "write the URL with http://"
    else:
        what = f"TLS fails: {spoken(error)}"
    return UsageError(what, where=asking.url, todo=todo)


def _needs_tls(url: str) -> bool:
    """Whether TLS is spoken where the URL says plain HTTP. Asks."""
    parts = urlsplit(url)
    return parts.scheme == "http" and shakes_hands((parts.hostname or "", parts.port or 80))


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:  # also of text that is not UTF-8
        return {}
    return said if isinstance(said, dict) else {}


def _words(body: bytes, secret: str) -> str:
    """`error` and `error_description` (RFC 6749, 5.2). What a stranger answers otherwise is not shown; nor is the
    secret, if the server repeats it."""
    said = _json(body)
    parts = [str(said[name]) for name in ("error", "error_description") if said.get(name)]
    text = " ".join(": ".join(parts).split())
    return text.replace(secret, "***").replace(quote(secret, safe=""), "***")[:_WORDS_MAX]
