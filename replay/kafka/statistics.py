"""What librdkafka's statistics show once a second: figures for an operator, and which connections were lost. Pure.

Nothing here raises: it is called from a callback.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

UP_STATES = ("UP", "UPDATE", "REAUTH")
"""States of a connection that works: its address or its credentials are being renewed."""

LOGIN_STATES = ("AUTH_HANDSHAKE", "AUTH_REQ")
"""States of a connection that logs in: a new one, or one that works and logs in again (KIP-368)."""

_UNEXPECTED = (ValueError, LookupError, TypeError, AttributeError)
"""What reading raises that is not as it should be."""

_SLACK_S = 0.01  # between two clocks of librdkafka's; a reconnect takes longer
_MANY_REQUESTS = 100  # that a new connection has not sent in the second it exists


@dataclass(frozen=True, slots=True)
class BrokerStatistics:
    """One look at a producer. Totals count from the producer's start; `rtt_p99_s` is the worst broker's.

    `brokers` are those the cluster has named (bootstrap connections carry no rows), `brokers_up` the connected ones.
    """

    queue_records: int = 0
    queue_bytes: int = 0
    retries: int = 0
    errors: int = 0
    timeouts: int = 0
    rtt_p99_s: float = 0.0
    brokers: int = 0
    brokers_up: int = 0


def parse(text: str) -> Any:
    """librdkafka's JSON; None where it is none."""
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def figures(statistics: Any) -> BrokerStatistics | None:
    """None where they are not what is expected."""
    with suppress(*_UNEXPECTED):
        nodes = [broker for broker in statistics["brokers"].values() if broker["nodeid"] >= 0]
        return BrokerStatistics(
            queue_records=int(statistics["msg_cnt"]),
            queue_bytes=int(statistics["msg_size"]),
            retries=_sum(nodes, "txretries"),
            errors=_sum(nodes, "txerrs"),
            timeouts=_sum(nodes, "req_timeouts"),
            rtt_p99_s=max((broker["rtt"]["p99"] for broker in nodes), default=0) / 1e6,  # it counts microseconds
            brokers=len(nodes),
            # UPDATE is a connected broker whose address is being looked up anew
            brokers_up=sum(broker["state"] in ("UP", "UPDATE") for broker in nodes),
        )
    return None


def _sum(nodes: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(int(broker[name]) for broker in nodes)


@dataclass(frozen=True, slots=True)
class Connection:
    """As the statistics show it. Totals count from its broker's beginning, which a lost connection may set anew."""

    name: str
    is_up: bool
    age_s: float  # in this state
    totals: tuple[int, int]  # connected, disconnected
    requests: int
    logs_in: bool = False
    logins: int = 0  # in all of its broker's connections

    def goes_on(self, later: Connection | None, elapsed_s: float) -> bool:
        """Whether it was there all the time until `later`."""
        if later is None or not (later.is_up or later.logs_in):
            return False
        if later.is_up and later.age_s + _SLACK_S >= elapsed_s:
            return True
        # The state changed meanwhile, as it does when credentials are renewed: then the counters go on. Where they
        # begin anew, no connection has logged in twice.
        is_old = self.requests >= _MANY_REQUESTS or self.logins <= later.logins > later.totals[0]
        return is_old and later.totals == self.totals and later.requests >= self.requests


class StatisticsWatch:
    """Compares each look with the one before."""

    def __init__(self) -> None:
        self._at_s = 0.0
        self._up: Mapping[int, Connection] = {}
        self.was_up = False

    def lost(self, statistics: Any) -> list[str]:
        """The names of brokers whose connection worked the last time and was lost since."""
        try:
            at_s, brokers = float(statistics["ts"]) / 1e6, statistics["brokers"].values()
            now = {int(each["nodeid"]): _connection(each) for each in brokers if each["nodeid"] >= 0}
        except _UNEXPECTED:
            return []
        before, elapsed_s = self._up, at_s - self._at_s
        kept = {number for number, each in before.items() if each.goes_on(now.get(number), elapsed_s)}
        self._up, self._at_s = {number: each for number, each in now.items() if each.is_up or number in kept}, at_s
        self.was_up = self.was_up or bool(self._up)
        return [each.name for number, each in before.items() if number not in kept]


def _connection(broker: Mapping[str, Any]) -> Connection:
    return Connection(
        name=str(broker["name"]),
        is_up=broker["state"] in UP_STATES,
        age_s=float(broker["stateage"]) / 1e6,
        totals=(int(broker["connects"]), int(broker["disconnects"])),
        requests=int(broker["tx"]),
        logs_in=broker["state"] in LOGIN_STATES,
        logins=int(broker.get("req", {}).get("SaslHandshake", 0)),
    )
