"""How to get into a secured cluster: `--security` and what belongs to it, as librdkafka's settings. Pure.

What is secret stays in its files until a client is made (`credentials.py`), so that a new client takes up a password,
a key or a token that was renewed meanwhile.

Light: no client is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from urllib.parse import urlsplit

from replay.errors import UsageError


class Method(StrEnum):
    """How a cluster is got into. All but tls and mtls log in over TLS (SASL_SSL)."""

    TLS = "tls"
    MTLS = "mtls"
    SCRAM = "scram"
    PLAIN = "plain"
    OAUTH = "oauth"
    MSK_IAM = "msk-iam"


@dataclass(frozen=True, slots=True)
class Login:
    """What the options say. Paths of files, and texts that may be shown; never a password."""

    security: Method | None = None
    ca: str | None = None
    cert: str | None = None
    cert_key: str | None = None
    cert_key_password_file: str | None = None
    user: str | None = None
    password_file: str | None = None
    oauth_token_url: str | None = None
    oauth_client_id: str | None = None
    oauth_client_secret_file: str | None = None
    oauth_scope: str | None = None
    oauth_audience: str | None = None
    oauth_token_file: str | None = None
    oauth_extensions: Mapping[str, str] = field(default_factory=dict)
    aws_region: str | None = None


@dataclass(frozen=True, slots=True)
class OAuth:
    """Where tokens come from: a file that something else renews, or a server that is asked as this client (RFC 6749,
    4.4). `extensions` go to the broker with the token (RFC 7628)."""

    token_url: str | None = None
    client_id: str | None = None
    client_secret_file: str | None = None
    scope: str | None = None
    audience: str | None = None
    token_file: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where the secrets of a client are. They are read each time that a client is made."""

    password_file: str | None = None
    key_password_file: str | None = None
    oauth: OAuth | None = None
    msk_iam: bool = False
    aws_region: str | None = None


@dataclass(frozen=True, slots=True)
class _Needs:
    """Of a method: its settings, and the options that it needs and takes beside those of TLS."""

    settings: Mapping[str, str]
    needed: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


_TLS = ("ca", "cert", "cert_key", "cert_key_password_file")
"""Every method takes these: a listener may want a certificate of the client and a login."""

_OF_SERVER = ("oauth_token_url", "oauth_client_id", "oauth_client_secret_file", "oauth_scope", "oauth_audience")


def _sasl(mechanism: str) -> Mapping[str, str]:
    return {"security.protocol": "SASL_SSL", "sasl.mechanism": mechanism}


_METHODS: Mapping[Method, _Needs] = {
    Method.TLS: _Needs({"security.protocol": "SSL"}),
    Method.MTLS: _Needs({"security.protocol": "SSL"}, needed=("cert",)),
    Method.SCRAM: _Needs(_sasl("SCRAM-SHA-512"), needed=("user", "password_file")),
    Method.PLAIN: _Needs(_sasl("PLAIN"), needed=("user", "password_file")),
    Method.OAUTH: _Needs(_sasl("OAUTHBEARER"), taken=(*_OF_SERVER, "oauth_token_file", "oauth_extensions")),
    Method.MSK_IAM: _Needs(_sasl("OAUTHBEARER"), taken=("aws_region",)),
}

_SETTINGS = {
    "ca": "ssl.ca.location",
    "cert": "ssl.certificate.location",
    "cert_key": "ssl.key.location",
    "cert_key_password_file": "ssl.key.password",
    "user": "sasl.username",
    "password_file": "sasl.password",
}
"""The setting that an option stands for: it may be given by -X instead."""

_ALIASES = {"sasl.mechanisms": "sasl.mechanism"}

_CHOICES = {("scram", "sasl.mechanism"): ("SCRAM-SHA-256", "SCRAM-SHA-512")}
"""Where a setting by -X chooses between what one method stands for."""


def option_of(name: str) -> str:
    """`--cert-key` of `cert_key`."""
    return f"--{name.replace('_', '-')}"


def sent_in_clear(token_url: str) -> str:
    """What to warn of where a secret crosses a network as it is (RFC 6749, 2.3.1, wants TLS); else empty."""
    try:
        parts = urlsplit(token_url)
    except ValueError:  # no URL: whoever asks there says so
        return ""
    if parts.scheme != "http" or parts.hostname in ("localhost", "127.0.0.1", "::1"):
        return ""
    return f"--oauth-token-url: the client's secret is sent to {parts.hostname} without TLS; give it an https:// URL"


def with_login(login: Login, settings: Mapping[str, str]) -> tuple[Mapping[str, str], Secrets]:
    """The settings of -X with those that the login means, and where its secrets are.

    Raises `UsageError` for options that contradict one another or a setting, or are missing.
    """
    given = {each.name: getattr(login, each.name) for each in fields(login) if getattr(login, each.name)}
    given.pop("security", None)
    if login.security is None:
        for name in given:
            raise UsageError(
                "how to get into the cluster is not said",
                where=option_of(name),
                todo=f"add --security ({', '.join(_takers(name))}), or drop it",
            )
        return settings, Secrets()
    needs = _METHODS[login.security]
    _check_taken(login.security, needs, given)
    by_hand = {_ALIASES.get(name, name): value for name, value in settings.items()}
    made = _made(login, needs)
    for name, value in made.items():
        _check_setting(login.security, name, value, by_hand)
    _check_twice(given, by_hand)
    _check_needed(login, needs, given, by_hand)
    return {**made, **settings}, _secrets(login)


def _takers(name: str) -> list[str]:
    """The methods for which an option is."""
    return [str(method) for method, needs in _METHODS.items() if name in (*_TLS, *needs.needed, *needs.taken)]


def _check_taken(method: Method, needs: _Needs, given: Mapping[str, object]) -> None:
    for name in given:
        if name not in (*_TLS, *needs.needed, *needs.taken):
            raise UsageError(
                f"--security {method} has no use for it",
                where=option_of(name),
                todo=f"drop it, or choose --security {' or '.join(_takers(name))}",
            )


def _made(login: Login, needs: _Needs) -> dict[str, str]:
    """The settings that hold no secret. A certificate's file may hold its key as well."""
    made = {**needs.settings}
    for name in ("ca", "cert", "user"):
        if value := getattr(login, name):
            made[_SETTINGS[name]] = value
    if key := login.cert_key or login.cert:
        made[_SETTINGS["cert_key"]] = key
    return made


def _check_setting(method: Method, name: str, value: str, by_hand: Mapping[str, str]) -> None:
    said = by_hand.get(name, value)
    if said.upper() == value.upper() or said.upper() in _CHOICES.get((method, name), ()):
        return
    raise UsageError(f"{name}={said} contradicts --security {method}, which means {value}", where="-X", todo="drop one")


def _check_twice(given: Mapping[str, object], by_hand: Mapping[str, str]) -> None:
    for name, setting in _SETTINGS.items():
        if name in given and setting in by_hand:
            raise UsageError(f"{setting} is given by {option_of(name)}, too", where="-X", todo="drop one of them")


def _check_needed(login: Login, needs: _Needs, given: Mapping[str, object], by_hand: Mapping[str, str]) -> None:
    for name in needs.needed:
        if name not in given and _SETTINGS[name] not in by_hand:
            raise UsageError(f"--security {login.security} needs it", where=option_of(name), todo="add it")
    if login.cert is None and "ssl.certificate.location" not in by_hand:
        for name in ("cert_key", "cert_key_password_file"):
            if name in given:
                raise UsageError("the key of which certificate?", where=option_of(name), todo="add --cert FILE")
    if login.security is Method.OAUTH:
        _check_oauth(login, given, by_hand)


def _check_oauth(login: Login, given: Mapping[str, object], by_hand: Mapping[str, str]) -> None:
    """Tokens come from one place: a file, a server, or what librdkafka is told by -X."""
    of_server = [name for name in _OF_SERVER if name in given]
    if login.oauth_token_file:
        for name in of_server:
            raise UsageError("tokens come from --oauth-token-file", where=option_of(name), todo="drop one of them")
        return
    if not of_server and any(name.startswith(("sasl.oauthbearer.", "enable.sasl.oauthbearer.")) for name in by_hand):
        return
    for name in _OF_SERVER[:3]:
        if name not in given:
            todo = "name the server of tokens, or a file with one (--oauth-token-file)" if not of_server else "add it"
            raise UsageError("--security oauth needs it", where=option_of(name), todo=todo)


def _secrets(login: Login) -> Secrets:
    oauth = None
    if login.oauth_token_url or login.oauth_token_file:
        oauth = OAuth(
            login.oauth_token_url,
            login.oauth_client_id,
            login.oauth_client_secret_file,
            login.oauth_scope,
            login.oauth_audience,
            login.oauth_token_file,
            login.oauth_extensions,
        )
    is_iam = login.security is Method.MSK_IAM
    return Secrets(login.password_file, login.cert_key_password_file, oauth, is_iam, login.aws_region)
