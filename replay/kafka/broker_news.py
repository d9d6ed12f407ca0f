"""What librdkafka says about its brokers between two calls, in words for an operator."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError

from replay.errors import UsageError

_DENIED = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)

_PLACE = re.compile(r"^(?:\w+://)?(?P<address>\S+?)/(?P<who>bootstrap|\d+): (?P<what>.*)$", re.DOTALL)
"""How librdkafka begins what it says of one broker: its address, and its number once the cluster has named it."""

_WORDS = (  # what librdkafka says, and how an operator would
    (re.compile(r"^Failed to resolve '.*': (.*)$"), r"its name does not resolve: \1"),
    (re.compile(r"^Connect to \S+ failed: (.*)$"), r"\1"),
    (re.compile(r"^Disconnected: (.*?)(?:: receive 0 after POLL\w+)?$"), r"\1"),
    (re.compile(r"^Connection setup timed out.*$"), "no answer to a connection attempt"),
)


@dataclass(slots=True)
class BrokerNews:
    """Filled by the error callback. `last_error` is the newest reason that says something: that all brokers are down
    is what follows from it, and counts the bootstrap addresses as brokers."""

    last_error: str = ""
    errors: int = 0
    denied: str = ""
    fatal: str = ""
    fatal_code: int = 0

    def on_error(self, error: Any) -> None:
        self.errors += 1
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self.last_error = error.str()
        if error.fatal():
            self.fatal, self.fatal_code = error.str(), error.code()
        self.note_denied(error)

    def note_denied(self, error: Any) -> None:
        if error.code() in _DENIED:
            self.denied = error.str()

    def raise_denied(self) -> None:
        if self.denied:
            raise UsageError(
                f"the broker refuses this client: {self.denied}",
                where="Kafka",
                todo="check user, password and rights (-X security.protocol=…, sasl.…), and run again",
            )


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
