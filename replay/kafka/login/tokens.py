"""The tokens of a login with OAUTHBEARER: got in one place for all clients of a run, and renewed before they end.

librdkafka asks for a token in a thread of its own (`oauth_cb`), for each client when it is made and again before the
token ends. An exception there would be told as the broker's refusal, and a second try would come ten seconds later. So
the callback hands out the token that there is, with a short time to live, and keeps what went wrong for those who ask.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from replay.errors import ReplayError, UsageError
from replay.kafka.options import LIBRDKAFKA_LOG
from replay.secrets import remember
from replay.units import clock_time, duration, utc

log = logging.getLogger(f"{LIBRDKAFKA_LOG}.tokens")

RENEW_AT = 0.8
"""The part of a token's life after which a new one is asked for: librdkafka's own rule."""

_AHEAD_S = 10.0
"""A short life is renewed earlier, so long before its end: librdkafka looks at its clock once a second, and logs in
again when nine tenths are over."""

_ASK_AGAIN_S = 2.0
"""How soon librdkafka asks again where a renewal failed."""

_LOOK_S = 10.0
"""How soon it asks again else: then it takes up a new token in place of one that brokers refuse."""

_JUST_S = 5.0
"""A token that has been refused so soon would be followed by one that is refused, too."""

_TELL_AGAIN_S = 60.0
_SHOWN = ("iss", "aud", "sub", "exp", "nbf")
_SHOWN_MAX = 200


class Away(Exception):
    """No token for now: who gives them is down, slow, or overloaded. The text says who and why."""


@dataclass(frozen=True, slots=True)
class Token:
    """`ends_s` is on this machine's clock, in seconds since 1970. `claims` are what a JWT says of itself."""

    value: str = field(repr=False)
    got_s: float
    ends_s: float
    claims: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        remember([self.value])  # no line has it, whoever repeats it

    @property
    def renew_s(self) -> float:
        life_s = self.ends_s - self.got_s
        return self.got_s + min(RENEW_AT * life_s, max(life_s / 2, life_s - _AHEAD_S))

    @property
    def principal(self) -> str:
        """For librdkafka's log alone: the broker takes it from the token."""
        return str(self.claims.get("sub", ""))

    def told(self, now_s: float) -> str:
        """What the token says, and the clock it has to be compared with; never the token."""
        said = [f"{name} {_shown(name, self.claims[name], now_s)}" for name in _SHOWN if name in self.claims]
        what = f"the token says: {', '.join(said)}" if said else f"the token ends {_from_now(self.ends_s, now_s)}"
        return f"{what}; the clock of this machine says {utc(now_s)}"


def claims_of(value: str) -> Mapping[str, Any]:
    """What a JWT says (RFC 7519), unproven: it is the broker that proves it. Empty for a token that is none."""
    parts = value.split(".")
    if len(parts) != 3:
        return {}
    try:
        found = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, UnicodeError):
        return {}
    return found if isinstance(found, dict) else {}


def end_of(claims: Mapping[str, Any]) -> float | None:
    """`exp`, in seconds since 1970."""
    return _number(claims.get("exp"))


class Tokens:
    """The token of a run: kept until four fifths of its life are over. For any thread.

    `fetch` gets a new one; it raises `Away`, or a `ReplayError` where asking again does not help. `source` is who is
    asked, as messages name it.
    """

    def __init__(self, fetch: Callable[[], Token], source: str, now: Callable[[], float] = time.time) -> None:
        self.source = source
        self._fetch, self._now = fetch, now
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._stale = False
        self._trouble = ""
        self._refusal: ReplayError | None = None
        self._since_s = 0.0
        self._told_s = self._failed_s = float("-inf")
        self._context = copy_context()

    def get(self) -> Token:
        """A token that is good now: the one that there is until its end, or a new one. Raises `Away`, and a
        `ReplayError` where whoever gives tokens refuses."""
        self._context = copy_context()  # lines about a renewal are those of the run that asks
        token = self._token
        if token is not None and not self._stale and self._now() < token.ends_s:
            return token  # without waiting for a renewal that is under way
        with self._lock:
            return self._good(self._token.ends_s if self._token is not None else 0.0)

    def for_librdkafka(self, _config: str) -> tuple[str, float, str, dict[str, str]]:
        """What `oauth_cb` returns: token, end of life in seconds since 1970, principal, extensions."""
        with self._lock:
            token = self._token
            try:
                if token is None or self._now() - self._failed_s > _ASK_AGAIN_S / 2:
                    token = self._good(token.renew_s if token is not None else 0.0)
            except (Away, ReplayError):
                if token is None:
                    raise
            now_s = self._now()
            left_s = _ASK_AGAIN_S if self._trouble else max(1.0, min(_LOOK_S, token.renew_s - now_s)) / RENEW_AT
            return token.value, now_s + left_s, token.principal, dict(token.extensions)

    def refused(self) -> None:
        """A broker takes this token no more, whatever it says of itself: the next one who asks gets another, unless
        this one has just come."""
        if self._token is not None and self._now() - self._token.got_s > _JUST_S:
            self._stale = True

    @property
    def had_one(self) -> bool:
        """Whether there was a token before: then a refusal may pass, as somebody renews what is behind it."""
        return self._token is not None

    @property
    def trouble(self) -> str:
        """Why there is no new token; empty while there is no need for one, or it came."""
        return self._trouble

    @property
    def refusal(self) -> ReplayError | None:
        """The same, where whoever gives tokens was asked and refuses."""
        return self._refusal

    def told(self) -> str:
        """What the token says that was used last; empty without one."""
        token = self._token
        return token.told(self._now()) if token is not None else ""

    def _good(self, until_s: float) -> Token:
        """The token that there is, before that time; else a new one, or what is left of the old."""
        if self._token is not None and not self._stale and self._now() < until_s:
            return self._token
        try:
            token = self._fetch()
        except (Away, ReplayError) as error:
            self._failed(error)
            if self._token is not None and not self._stale and self._now() < self._token.ends_s:
                return self._token
            raise
        self._token, self._stale = token, False
        self._came()
        return token

    def _failed(self, error: Away | ReplayError) -> None:
        self._refusal = error if isinstance(error, ReplayError) else None
        why = error.what if isinstance(error, ReplayError) else str(error)
        now_s = self._failed_s = self._now()
        if not self._trouble:
            self._since_s = now_s
        self._trouble = f"{self.source}: {why}"
        if self._token is None or now_s - self._told_s < _TELL_AGAIN_S:
            return
        self._told_s = now_s
        verb = "ends" if self._token.ends_s > now_s else "has ended"
        self._tell(
            f"no new token since {clock_time(self._since_s)} ({self._trouble}); the one in use {verb} at"
            f" {clock_time(self._token.ends_s)}; asking again"
        )

    def _came(self) -> None:
        if self._told_s > 0:
            self._tell(f"{self.source} gives tokens again, after {duration(self._now() - self._since_s)}")
        self._refusal = None
        self._trouble, self._told_s, self._failed_s = "", float("-inf"), float("-inf")

    def _tell(self, text: str) -> None:
        self._copy().run(log.warning, "%s", text)

    def _copy(self) -> Context:
        """A context can be entered once at a time, and a log's handler may ask for a token itself."""
        return self._context.copy()


def no_end(where: str) -> UsageError:
    """Of a token whose end nobody tells: it could not be renewed in time."""
    return UsageError(
        "the token does not say when it ends: it is no JWT with exp, and no expires_in came with it",
        where=where,
        todo="have tokens issued with an end (exp)",
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _shown(name: str, value: object, now_s: float) -> str:
    if name in ("exp", "nbf") and (at_s := _number(value)) is not None:
        return _from_now(at_s, now_s)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _from_now(at_s: float, now_s: float) -> str:
    away = duration(abs(at_s - now_s))
    try:
        return f"{utc(at_s)} ({f'in {away}' if at_s >= now_s else f'{away} ago'})"
    except (ValueError, OverflowError, OSError):
        return str(at_s)  # no moment of any calendar
