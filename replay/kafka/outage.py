"""Whether the broker is down, or this is ordinary waiting. Does one producer after the other get any further?

Pure: times in, verdict out.
"""

from __future__ import annotations

from dataclasses import dataclass

from replay.errors import BrokerUnavailable

NOTICE_S = 3.0
"""Rows unacknowledged for this long (beyond the linger) are an outage: an acknowledgement takes milliseconds."""

NOTICE_WITH_ERROR_S = 1.0
"""The same when a broker connection has failed meanwhile."""

RUN_AGAIN = "run the same command again once the broker is back: it resumes without duplicates"
"""What to do about an outage past its deadline."""


@dataclass(slots=True)
class Outage:
    """Watches the age of the oldest row that waits for its acknowledgement."""

    linger_s: float
    timeout_s: float
    since_s: float | None = None
    count: int = 0
    total_s: float = 0.0

    def observe(self, now_s: float, oldest_sent_at_s: float | None, error_seen: bool) -> bool:
        """True if the state changed: an outage began, or is over."""
        waiting_s = 0.0 if oldest_sent_at_s is None else now_s - oldest_sent_at_s
        limit_s = (NOTICE_WITH_ERROR_S if error_seen else NOTICE_S) + self.linger_s
        if self.since_s is None and oldest_sent_at_s is not None and waiting_s > limit_s:
            self.since_s = oldest_sent_at_s
            self.count += 1
            return True
        if self.since_s is not None and waiting_s <= limit_s:
            self.total_s = self.all_s(now_s)
            self.since_s = None
            return True
        return False

    def left_s(self, now_s: float) -> float:
        """Until the deadline; the whole of it while there is no outage."""
        return max(0.0, self.timeout_s - self._this_s(now_s))

    def all_s(self, now_s: float) -> float:
        """The length of all outages, the present one included."""
        return self.total_s + self._this_s(now_s)

    def _this_s(self, now_s: float) -> float:
        return now_s - self.since_s if self.since_s is not None else 0.0


@dataclass(slots=True)
class Standstill:
    """Watches one producer after the other: as long as rows get through, there may be any number of them."""

    timeout_s: float
    since_s: float
    best_row: int = -1

    def check(self, now_s: float, row: int, what: str, reason: object, where: str) -> bool:
        """Whether the producer that just ended had got beyond all before it; where it has not, raises
        `BrokerUnavailable` past the deadline: another producer would not get further, either."""
        if row > self.best_row:
            self.best_row, self.since_s = row, now_s
            return True
        lasted_s = now_s - self.since_s
        if lasted_s > self.timeout_s:
            raise BrokerUnavailable(f"{what} for {lasted_s:.0f} s ({reason})", where=where, todo=RUN_AGAIN) from None
        return False
