"""What went wrong with a question, and whether asking again can help.

Where it can, the verdict is a reason in words, else the error that ends the command. No verdict shows what a stranger
answered: a page, say, that stands where no registry is.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import TypeVar
from urllib.parse import urlsplit

from replay.errors import UsageError
from replay.kafka.listener import shakes_hands
from replay.kafka.tls.reasons import Why, is_alert, is_other_protocol, spoken, why

Verdict = str | UsageError
E = TypeVar("E", bound=BaseException)

_PASSING = frozenset({408, 429})
_THERE_IS_NONE = frozenset({40401, 40402, 40403})
"""Subject, version, schema not found, in all registries that speak this API."""

_URL_HELP = "check --registry: Confluent's and Karapace's are at http://HOST:8081, Apicurio's at http://HOST:8080/apis/ccompat/v7"
_CREDENTIALS_HELP = (
    "check user and password (--registry-config basic.auth.user.info=…), token (bearer.auth.token=…) and rights"
)
_CUT = ("RemoteProtocolError", "ReadError", "WriteError")
"""How the HTTP library calls an answer that ends before it begins."""

_JAVA = re.compile(r"^(?:[a-z]\w*\.)+\w+(?:Exception|Error): ")
_WORDS_MAX = 600


class Refusal(Exception):
    """The registry has understood, and says no: there is none (404xx), incompatible (409), invalid (422)."""

    def __init__(self, status: int, code: int, words: str) -> None:
        self.status, self.code, self.words = status, code, words
        super().__init__(words)

    @property
    def there_is_none(self) -> bool:
        return self.code in _THERE_IS_NONE


def words_of(message: object) -> str:
    """What the registry says, without the name of a class of its code."""
    text = " ".join(str(message or "").split())
    return _JAVA.sub("", text)[:_WORDS_MAX]


def of_status(url: str, status: int, code: object, message: object) -> Verdict | Refusal:
    """Of an HTTP status that is not 2xx. `code` is the registry's own; without one, who answered may be no registry."""
    known = code if isinstance(code, int) and code > 0 else 0
    words = (
        words_of(message) if isinstance(code, int) and code >= 0 else ""
    )  # -1: the client's, of no registry's answer
    said = f": {words}" if words else ""
    if status >= 500 or status in _PASSING:
        return f"HTTP {status}{said}"
    if status in (401, 403):
        what = "does not let this user in" if status == 401 else "does not allow this"
        return UsageError(f"the registry {what} (HTTP {status}){said}", where=url, todo=_CREDENTIALS_HELP)
    if known in _THERE_IS_NONE or (known and status in (409, 422)):
        return Refusal(status, known, words)
    if status == 400 and _needs_tls(url):
        return _without_tls(url)
    if 300 <= status < 400:
        return UsageError(
            f"it sends elsewhere (HTTP {status}), and a redirect is not followed",
            where=url,
            todo="give --registry the final URL, mind http and https",
        )
    return UsageError(f"no schema registry answers there (HTTP {status}{said})", where=url, todo=_URL_HELP)


def not_json(url: str) -> UsageError:
    """An answer that is no registry's: a page, most often."""
    return UsageError("what answers there is no schema registry: it is not JSON", where=url, todo=_URL_HELP)


def of_error(url: str, error: BaseException, call_s: float) -> Verdict:
    """Of an error of the transport: of HTTP, TLS or the network."""
    if (secured := _root(error, ssl.SSLError)) is not None:
        return _of_tls(url, secured)
    if (resolving := _root(error, socket.gaierror)) is not None and resolving.errno != socket.EAI_AGAIN:
        return UsageError("this name does not resolve", where=url, todo="check --registry")
    name = type(error).__name__
    if name in ("ProxyError", "UnsupportedProtocol", "LocalProtocolError", "InvalidURL", "DecodingError"):
        return UsageError(f"this cannot be asked: {error}", where=url, todo="check --registry, and proxy if one is set")
    if name in _CUT and _needs_tls(url):
        return _without_tls(url)
    return f"{urlsplit(url).netloc}: {_outage(name, error, call_s)}"


def _outage(name: str, error: BaseException, call_s: float) -> str:
    """What of the error may pass."""
    if name in _CUT:
        return "the connection was closed without an answer"
    if name == "ConnectTimeout":
        return "no answer to a connection attempt"
    if isinstance(error, TimeoutError) or name.endswith("Timeout"):
        return f"no answer within {call_s:g} s"
    if (resolving := _root(error, socket.gaierror)) is not None:
        return f"its name does not resolve: {resolving.strerror}"
    if (root := _root(error, OSError)) is not None and root.strerror:
        return root.strerror[:1].lower() + root.strerror[1:]
    return str(error) or name


def _of_tls(url: str, error: ssl.SSLError) -> Verdict:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(url, error)
    reason = error.reason or ""
    if "EOF" in reason or "SHUTDOWN" in reason or isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return f"{urlsplit(url).netloc}: the connection was closed during TLS"
    if is_other_protocol(error):
        return UsageError("what answers there does not speak TLS", where=url, todo="write the URL with http://")
    if is_alert(error):
        return UsageError(
            f"the registry refuses the connection (TLS alert: {spoken(error)})",
            where=url,
            todo="it may want a certificate of this client: --registry-config ssl.certificate.location=… and"
            " ssl.key.location=…, of an authority that it trusts",
        )
    return UsageError(f"TLS fails: {spoken(error)}", where=url, todo="check the certificates on both sides")


def _of_certificate(url: str, error: ssl.SSLCertVerificationError) -> UsageError:
    found = why(error)
    if found in (Why.SELF_SIGNED, Why.UNTRUSTED, Why.OTHER_KEY):
        what = "its certificate is signed by nobody that is trusted here" + ", but itself" * (found is Why.SELF_SIGNED)
        todo = "name the certificate of its authority: --registry-config ssl.ca.location=/etc/replay/ca.pem"
    elif found is Why.EXPIRED:
        what, todo = "its certificate has expired", "have the certificate of the registry renewed"
    elif found is Why.NOT_YET_VALID:
        what, todo = "its certificate is not valid yet", "check the clocks of both machines"
    elif found is Why.OTHER_NAME:
        what, todo = "its certificate is for another name", "give --registry the name that the certificate is for"
    else:
        what, todo = f"its certificate is refused: {error.verify_message}", "check the certificates on both sides"
    return UsageError(what, where=url, todo=todo)


def _needs_tls(url: str) -> bool:
    """Whether TLS is spoken where the URL says plain HTTP. Asks."""
    parts = urlsplit(url)
    return parts.scheme == "http" and shakes_hands((parts.hostname or "", parts.port or 80))


def _without_tls(url: str) -> UsageError:
    return UsageError("what answers there speaks TLS", where=url, todo="write the URL with https://")


def _root(error: BaseException, kind: type[E]) -> E | None:
    """What the error came from, of that kind."""
    at: BaseException | None = error
    while at is not None and not isinstance(at, kind):
        at = at.__cause__ or at.__context__
    return at
