"""Which connections to brokers were lost: from librdkafka's log, and from its statistics, each a witness of the other.

The promise rests on it: rows that were in flight on a lost connection must not be sent again unseen (see deliver.py).
librdkafka tells of a lost connection at once and reliably only in its log: the error callback hears of some. Its
statistics show it within a second, which is still before it sends again (`retry.backoff.ms`).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_UP = ("UP", "UPDATE", "REAUTH")  # states of a connection that works: its address or its credentials are being renewed
_SLACK_S = 0.01  # between two clocks of librdkafka's; a reconnect takes longer
_MANY_REQUESTS = 100  # that a new connection has not sent in the second it exists

log = logging.getLogger("librdkafka.connections")


class LogWatch(logging.Handler):
    """Counts lost connections, and notices a bump of the producer epoch that begins."""

    _LOST = re.compile(rf"/\d+: .*\(after \d+ms in state (?:{'|'.join(_UP)})\b")
    """A connection that worked, to a broker known by its id: bootstrap connections carry no rows."""

    _BUMP = "-> DrainBump"
    """All partitions are being drained; what is unacknowledged then gets new numbers, and goes out with them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lost = 0  # and not dealt with yet
        self.what = ""
        self.bump = False
        self._lines = self._lines_compared = 0  # that told of a lost connection, in all
        self._distrusted = False

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if self._LOST.search(text):
            self.lost += 1
            self._lines += 1
            self.what = text.rpartition("]: ")[2].split(" (after ")[0]
        elif self._BUMP in text:
            self.bump = True

    def compare(self, lost: Iterable[str]) -> None:
        """With what the statistics say to have been lost since the last time: what the log did not tell counts, too."""
        names = list(lost)
        told, self._lines_compared = self._lines - self._lines_compared, self._lines
        if len(names) <= told:
            return
        self.lost += len(names) - told
        self.what = f"{', '.join(names)}: not in the log, but in the statistics"
        if not self._distrusted:
            self._distrusted = True
            log.warning("a lost connection was not in librdkafka's log as expected; its statistics are gone by, too")


@dataclass(frozen=True, slots=True)
class Connection:
    """As the statistics show it. Totals count from its broker's beginning, which a lost connection may set anew."""

    name: str
    is_up: bool
    age_s: float  # in this state
    totals: tuple[int, int]  # connected, disconnected
    requests: int

    def goes_on(self, later: Connection | None, elapsed_s: float) -> bool:
        """Whether it was there all the time until `later`."""
        if later is None or not later.is_up:
            return False
        if later.age_s + _SLACK_S >= elapsed_s:
            return True
        # The state changed meanwhile, as it does when credentials are renewed: then the counters go on.
        return later.totals == self.totals and later.requests >= self.requests >= _MANY_REQUESTS


class StatisticsWatch:
    """Compares each look with the one before."""

    def __init__(self) -> None:
        self._at_s = 0.0
        self._up: Mapping[int, Connection] = {}
        self.was_up = False

    def lost(self, statistics: str) -> list[str]:
        """The names of brokers whose connection worked the last time and was lost since. Never raises: it is called
        from a callback."""
        try:
            body = json.loads(statistics)
            at_s = float(body["ts"]) / 1e6
            now = {int(each["nodeid"]): _connection(each) for each in body["brokers"].values() if each["nodeid"] >= 0}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return []
        before, elapsed_s = self._up, at_s - self._at_s
        self._up, self._at_s = {number: each for number, each in now.items() if each.is_up}, at_s
        self.was_up = self.was_up or bool(self._up)
        return [each.name for number, each in before.items() if not each.goes_on(now.get(number), elapsed_s)]


def _connection(broker: Mapping[str, Any]) -> Connection:
    return Connection(
        name=str(broker["name"]),
        is_up=broker["state"] in _UP,
        age_s=float(broker["stateage"]) / 1e6,
        totals=(int(broker["connects"]), int(broker["disconnects"])),
        requests=int(broker["tx"]),
    )
