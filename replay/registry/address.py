"""One address of the schema registry, asked through confluent-kafka's client: it knows credentials, TLS and proxies.

What the client would do on top is not used. It keeps answers, and a proof must not come from memory; it asks again
without saying so; it takes the first URL's password for all; it drops why a schema is not compatible. So the questions
go through what it sends requests with.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import OAuthTokenError, SchemaRegistryError

from replay.errors import UsageError
from replay.kafka.bounded import within
from replay.registry.faults import Refusal, not_json, of_error, of_status
from replay.registry.settings import ISSUER, Place, shown

_GRACE_S = 1.0
"""The client's own timeout comes first: it knows in what it hung."""


def _transport_errors() -> tuple[Any, ...]:
    """Those of the HTTP library that the client has taken."""
    libraries = [import_module(name) for name in ("httpx2", "httpx") if find_spec(name) is not None]
    return tuple(kind for library in libraries for kind in (library.HTTPError, library.InvalidURL))


_TRANSPORT = _transport_errors()


@dataclass(frozen=True, slots=True)
class Address:
    """`rest` sends one request and takes in the answer. It keeps connections; the process's end closes them."""

    place: Place
    rest: Any = field(repr=False)

    @classmethod
    def of(cls, place: Place) -> Address:
        """Asks nothing yet. Raises `UsageError` for settings that the client does not take."""
        try:
            return cls(place, SchemaRegistryClient(dict(place.settings))._rest_client)
        except ssl.SSLError as error:
            raise UsageError(
                f"a certificate or key cannot be used: {(error.reason or str(error)).replace('_', ' ').lower()}",
                where="--registry-config",
                todo="check ssl.ca.location, ssl.certificate.location, ssl.key.location and ssl.key.password:"
                " PEM files, and a key that belongs to the certificate",
            ) from None
        except (ValueError, TypeError, OSError) as error:
            raise UsageError(str(error), where="--registry-config", todo="correct the settings it names") from None

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, check_stop: Callable[[], None]
    ) -> Mapping[str, Any] | str | UsageError:
        """The answer, or why it may come later, or why it never will. Raises `Refusal`, and `UsageError` where the
        registry itself has refused: it speaks for all its addresses."""
        url, call_s = self.place.url, self.place.call_s
        try:
            answer = within(call_s + _GRACE_S, lambda: self.rest.send_request(path, method, body), check_stop)
        except SchemaRegistryError as error:
            verdict = of_status(url, error.http_status_code, error.error_code, error.error_message)
            if isinstance(verdict, Refusal) or error.http_status_code in (401, 403):
                raise verdict from None  # type: ignore[misc]  # the two are never mere reasons
            return verdict
        except OAuthTokenError as error:
            return self._without_token(error.__context__)
        except (*_TRANSPORT, TimeoutError) as error:
            return of_error(url, error, call_s)
        except ValueError:
            return not_json(url)
        return answer if isinstance(answer, Mapping) else not_json(url)

    def _without_token(self, cause: BaseException | None) -> str | UsageError:
        """Where the server of tokens is away it is waited for, as the registry is."""
        issuer = shown(str(self.place.settings.get(ISSUER, "the server of tokens")))
        if isinstance(cause, _TRANSPORT):
            return of_error(issuer, cause, self.place.call_s)
        return UsageError(
            f"it gives no token ({type(cause).__name__})",
            where=issuer,
            todo="check --registry-config bearer.auth.client.id, .client.secret, .scope and .issuer.endpoint.url",
        )
