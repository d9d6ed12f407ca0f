"""What librdkafka says about its brokers between two calls, in words for an operator."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError

from replay.errors import BrokerUnavailable, ReplayError
from replay.kafka.access import Account, Refused, is_waited_for, login_refused, refused, right_refused
from replay.kafka.login.own_oidc import token_outage

_PLACE = re.compile(r"^(?:\w+://)?(?P<address>\S+?)/(?P<who>bootstrap|\d+): (?P<what>.*)$", re.DOTALL)
"""How librdkafka begins what it says of one broker: its address, and its number once the cluster has named it."""

_WORDS = (  # what librdkafka says, and how an operator would
    (re.compile(r"^Failed to resolve '.*': (.*)$"), r"its name does not resolve: \1"),
    (re.compile(r"^Connect to \S+ failed: (.*)$"), r"\1"),
    (re.compile(r"^Disconnected: (.*?)(?:: receive 0 after POLL\w+)?$"), r"\1"),
    (re.compile(r"^Connection setup timed out.*$"), "no answer to a connection attempt"),
)

_CUT_OFF = "mechanism handshake failed: Local: "
"""How librdkafka tells a connection that was lost before the login: with the code of one that was refused, and an error
of its own. What a broker refuses there begins with "Broker: "."""


@dataclass(slots=True)
class BrokerNews:
    """Filled by the error callback. `last_error` is the newest reason that says something: that all brokers are down
    is what follows from it, and counts the bootstrap addresses as brokers.

    `met`: the cluster has let a client of this account in before. `transactional_id` is the producer's.
    """

    account: Account = field(default_factory=Account)
    met: bool = False
    transactional_id: str = ""
    last_error: str = ""
    errors: int = 0
    login: str = ""  # why it was refused, and not let in since
    token_outage: str = ""  # why librdkafka has got no token, and was not let in since
    right: tuple[int, str] | None = None  # code and text of one that is missing
    fatal: str = ""
    fatal_code: int = 0
    throttled_s: float = 0.0  # in all: how long brokers held answers back, or did not listen, for a quota (KIP-219)
    throttled_until_s: float = 0.0  # on the monotonic clock

    def on_error(self, error: Any) -> None:
        self.errors += 1
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self.last_error = error.str()
        if error.fatal():
            self.fatal, self.fatal_code = error.str(), error.code()
        self.note(error)

    def on_throttle(self, event: Any) -> None:
        """A broker says for how long it does not listen to this client, whose quota is used up."""
        self.throttled_s += event.throttle_time
        self.throttled_until_s = max(self.throttled_until_s, time.monotonic() + event.throttle_time)

    def note(self, error: Any) -> None:
        """If it is a refusal."""
        what = None if _CUT_OFF in error.str() else refused(error.code())
        if outage := token_outage(error.str()):
            self.last_error = self.token_outage = outage
        elif what is Refused.LOGIN:
            self.login = in_words(error.str())
            if self.account.tokens is not None:
                self.account.tokens.refused()
        elif what is Refused.RIGHT:
            self.right = (error.code(), error.str())

    def let_in(self) -> None:
        """The cluster has answered."""
        self.met, self.login, self.token_outage = True, "", ""

    def raise_refused(self) -> None:
        """Raises `AccessDenied`, unless the refusal is waited for."""
        if self.right is not None:
            raise right_refused(self.account, *self.right, self.transactional_id)
        if self.login and not is_waited_for(Refused.LOGIN, self.account, met=self.met):
            raise login_refused(self.account, self.login, met=self.met)

    @property
    def refused(self) -> ReplayError | None:
        """What ends the wait for a login, past its deadline. Where there is no new token to log in with, it is the
        refusal of whoever gives them, or their outage."""
        if self.login and self._no_token:
            refusal = self.account.tokens.refusal if self.account.tokens is not None else None
            return refusal or BrokerUnavailable(
                f"this client has no good token: {self._no_token}",
                where="Kafka",
                todo="run the same command again once there are tokens: it resumes without duplicates",
            )
        return login_refused(self.account, self.login, met=self.met) if self.login else None

    @property
    def waits_for(self) -> tuple[str, str]:
        """While a login is waited for: the problem, and its reason."""
        if self._no_token:
            return "No good token", self._no_token
        return f"Kafka refuses the login of {self.account.in_words}", f"{self.login}; {self.account.renewed}"

    @property
    def _no_token(self) -> str:
        return self.account.tokens.trouble if self.account.tokens is not None else self.token_outage


def in_words(error: str) -> str:
    """`127.0.0.1:9092: connection refused`, of `127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed:
    Connection refused (after 0ms in state CONNECT)`."""
    place = _PLACE.match(error.split(" (after ", maxsplit=1)[0])  # how long ago and in which state: for debuggers
    if place is None:
        return error.split(" (after ", maxsplit=1)[0]
    what = place["what"]
    for pattern, words in _WORDS:
        what = pattern.sub(words, what)
    if what[1:2].islower():
        what = what[:1].lower() + what[1:]
    return f"{place['address']}: {what}"
