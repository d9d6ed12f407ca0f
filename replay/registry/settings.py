"""The settings of the registry's client: what it is given, and what is refused before anything is asked. No client."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from replay.errors import UsageError
from replay.registry.options import RegistryOptions
from replay.units import parse_duration_s

CALL_BOUNDS = (0.1, 600.0)

USER = "basic.auth.user.info"
TOKEN = "bearer.auth.token"
SOURCE = "bearer.auth.credentials.source"
CLUSTER = "bearer.auth.logical.cluster"
CERTIFICATE, KEY, PASSWORD = "ssl.certificate.location", "ssl.key.location", "ssl.key.password"
AUTHORITY = "ssl.ca.location"
ISSUER = "bearer.auth.issuer.endpoint.url"

KNOWN = frozenset(
    {
        USER, TOKEN, SOURCE, CLUSTER, CERTIFICATE, KEY, PASSWORD, AUTHORITY, "proxy", "timeout",
        "bearer.auth.client.id", "bearer.auth.client.secret", "bearer.auth.scope", "bearer.auth.identity.pool.id",
        ISSUER, "bearer.auth.issuer.endpoint.query",
    }
)  # fmt: skip

_OURS = {
    "url": "use --registry",
    "max.retries": "the job itself asks again, until --broker-timeout",
    "retries.wait.ms": "the job itself asks again, until --broker-timeout",
    "retries.max.wait.ms": "the job itself asks again, until --broker-timeout",
    "cache.capacity": "each schema is asked for once, at the start",
    "cache.latest.ttl.sec": "each schema is asked for once, at the start",
}

_WHERE = "--registry-config"


@dataclass(frozen=True, slots=True)
class Place:
    """One address of the registry. `url` has no user and password: it may be shown."""

    url: str
    settings: Mapping[str, object] = field(repr=False)
    call_s: float


def check(options: RegistryOptions) -> None:
    """Raises `UsageError` for a URL or a setting that cannot work. No URL at all is none until one is needed."""
    _made(options)


def places(options: RegistryOptions) -> tuple[Place, ...]:
    """The same; and there is one."""
    if made := _made(options):
        return made
    raise UsageError("no URL is given", where="--registry", todo="name one: --registry http://registry:8081")


def _made(options: RegistryOptions) -> tuple[Place, ...]:
    config = _checked(options.config)
    call_s = parse_duration_s(config.pop("timeout", str(options.attempt_s)), f"{_WHERE} timeout", CALL_BOUNDS)
    # One value may hold several URLs, as in Confluent's own setting.
    urls = [url.strip() for each in options.urls for url in each.split(",")]
    return tuple(_place(url, config, call_s) for url in urls if url)


def shown(url: str) -> str:
    """The URL without user and password."""
    try:
        return _bare(urlsplit(url))
    except ValueError:
        return "a URL that cannot be read"


def _place(url: str, config: Mapping[str, str], call_s: float) -> Place:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _unreadable() from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise _unreadable()
    bare = _bare(parts)
    settings: dict[str, object] = {**config, "url": bare, "timeout": call_s, "max.retries": 0}
    if "@" in parts.netloc:
        if parts.password is None:
            raise UsageError(
                f"{bare}: there is a user without a password", where="--registry", todo="write user:password@"
            )
        if USER in config or TOKEN in config or SOURCE in config:
            raise UsageError(
                f"{bare} holds a user and a password, and {_WHERE} has credentials, too",
                where="--registry",
                todo="drop one",
            )
        settings[USER] = f"{unquote(parts.username or '')}:{unquote(parts.password)}"
    return Place(bare, settings, call_s)


def _bare(parts: SplitResult) -> str:
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def _unreadable() -> UsageError:
    return UsageError(
        "this is no URL of a registry",
        where="--registry",
        todo="write it like https://registry.example.com:8081; special characters of a password as %XX",
    )


def _checked(config: Mapping[str, str]) -> dict[str, str]:
    for name in config:
        _check_known(name)
    if USER in config and ":" not in config[USER]:
        raise UsageError(f"{USER} has no password", where=_WHERE, todo="write it as user:password")
    if USER in config and any(name.startswith("bearer.") for name in config):
        raise UsageError(f"{USER} and bearer.auth.… exclude each other", where=_WHERE, todo="drop one")
    for name in (AUTHORITY, CERTIFICATE, KEY):
        _check_readable(name, config.get(name))
    if CERTIFICATE not in config and (alone := [name for name in (KEY, PASSWORD) if name in config]):
        raise UsageError(f"{alone[0]} needs {CERTIFICATE}", where=_WHERE, todo=f"add {CERTIFICATE}=…")
    return {**config, **_implied(config)}


def _check_known(name: str) -> None:
    if name in _OURS:
        raise UsageError(f"{name} is refused: {_OURS[name]}", where=_WHERE, todo="drop it")
    if name not in KNOWN:
        close = difflib.get_close_matches(name, KNOWN, n=1)
        raise UsageError(
            f"there is no setting {name!r}",
            where=_WHERE,
            todo=f"did you mean {close[0]}?" if close else f"take one of {', '.join(sorted(KNOWN))}",
        )


def _check_readable(name: str, path: str | None) -> None:
    if path is None:
        return
    if not os.path.exists(path):
        raise UsageError(f"{name}: there is no file {path}", where=_WHERE, todo="check the path")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{name}: {path} cannot be read", where=_WHERE, todo="give this user the right")


def _implied(config: Mapping[str, str]) -> dict[str, str]:
    """What the client wants to hear as well, where there is one choice."""
    implied = {}
    if CERTIFICATE in config and PASSWORD not in config:
        implied[PASSWORD] = ""  # or OpenSSL asks the terminal for it, and waits
    if any(name.startswith("bearer.") for name in config):
        if SOURCE not in config:
            implied[SOURCE] = "STATIC_TOKEN" if TOKEN in config else "OAUTHBEARER"
        if CLUSTER not in config:
            implied[CLUSTER] = ""  # Confluent's cloud alone has one
    return implied


def path_of(subject: str) -> str:
    """A subject as part of a URL: it may hold slashes."""
    return quote(subject, safe="")
