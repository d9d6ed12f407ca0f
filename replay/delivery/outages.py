"""Outages as a run counts and displays them: of calls to the cluster, and of a producer that waits for answers."""

from __future__ import annotations

from replay.delivery.context import Ready
from replay.delivery.flight import Flight
from replay.delivery.snapshot import Display
from replay.delivery.tally import Tally
from replay.errors import BrokerUnavailable, UsageError
from replay.kafka.broker_news import BrokerNews, in_words
from replay.kafka.outage import RUN_AGAIN, Outage
from replay.kafka.trouble import UNREACHABLE, UNUSABLE, Telling, Throttling
from replay.model import Clock


class ClusterOutages:
    """Listens to the `Trouble` of calls to the cluster, before and between the producers of a run."""

    def __init__(self, tally: Tally, report: Display, clock: Clock) -> None:
        self._tally, self._report, self._clock = tally, report, clock

    @property
    def next_row(self) -> int:
        return self._tally.done_rows

    def lasts(self, reason: str, waited_s: float, left_s: float) -> None:
        tally = self._tally
        tally.outage_since_s = self._clock.now() - waited_s
        tally.outage_reason, tally.outage_left_s = reason, left_s
        self._report.progress(tally.view())

    def ends_the_run(self, reason: str, waited_s: float) -> None:
        self._count(waited_s)
        self.lasts(reason, waited_s, 0.0)

    def over(self, waited_s: float) -> None:
        if self._tally.outage_since_s is not None:
            self._tally.outage_since_s = None
            self._count(waited_s)

    def _count(self, waited_s: float) -> None:
        self._tally.outages += 1
        self._tally.outages_s += waited_s


class ProducerOutages:
    """Watches how long the rows of one producer wait for their acknowledgements."""

    def __init__(self, ready: Ready, flight: Flight, news: BrokerNews, made_with: tuple[object, ...] = ()) -> None:
        """`made_with`: the files of the producer (`stamp_of_tls`)."""
        self._cluster, self._made_with = ready.cluster, made_with
        self._fault: UsageError | None = None
        self._options, self._tally, self._clock = ready.options.kafka, ready.tally, ready.clock
        self._flight, self._news = flight, news
        self._outage = Outage(self._options.linger_ms / 1_000, self._options.broker_timeout_s)
        self._telling = Telling(ready.report, ready.clock)
        self._throttling = Throttling(ready.report, ready.clock)
        self._before = (self._tally.outages, self._tally.outages_s)
        self._throttled_before_s = self._tally.throttled_s
        self._errors_seen = 0

    @property
    def is_down(self) -> bool:
        return self._outage.since_s is not None

    def acknowledged(self) -> None:
        """Rows were: errors up to now meant nothing."""
        self._errors_seen = self._news.errors
        self._news.let_in()

    def look(self, now_s: float) -> None:
        """Raises `BrokerUnavailable` past the deadline, `AccessDenied` and `UsageError` where no waiting helps, or
        helped, and `Resync` where another producer may be let in."""
        outage, frontier = self._outage, self._flight.frontier
        self._news.raise_refused()
        began_s = outage.since_s
        self._throttling.look(self._news.throttled_s)
        outage.observe(now_s, self._waits_since_s, self._has_new_errors)
        if outage.since_s is not None:
            waited_s, left_s = now_s - outage.since_s, outage.left_s(now_s)
            self._cluster.check_same_files(self._made_with)
            self._fault = self._cluster.why_away(waited_s)
            if left_s <= 0:
                if self._fault is not None:
                    raise self._fault
                if self._news.refused is not None:
                    raise self._news.refused
                raise BrokerUnavailable(
                    f"no acknowledgement for {waited_s:.0f} s ({self._reason})",
                    where=self._options.bootstrap_servers,
                    todo=RUN_AGAIN,
                )
            problem, why = UNUSABLE if self._fault is not None else UNREACHABLE, self._reason
            if self._fault is None and self._news.login:
                problem, why = self._news.waits_for
            self._telling.lasts(problem, f"{why}; {frontier.in_flight_rows:,} rows wait", waited_s, left_s)
        elif began_s is not None:
            self._fault = None
            self._telling.over(now_s - began_s, frontier.row)

    @property
    def _waits_since_s(self) -> float | None:
        """Since when rows wait for an answer that could have come: not while a broker does not listen, for a quota."""
        oldest = self._flight.frontier.oldest
        return None if oldest is None else max(oldest.sent_at_s, self._news.throttled_until_s)

    def count(self, now_s: float) -> None:
        """Into the tally."""
        tally, outage = self._tally, self._outage
        tally.outage_since_s = self._clock.now() - (now_s - outage.since_s) if outage.since_s is not None else None
        tally.outage_left_s = outage.left_s(now_s)
        tally.outage_reason = self._reason if outage.since_s is not None else ""
        tally.outages = self._before[0] + outage.count
        tally.outages_s = self._before[1] + outage.all_s(now_s)
        tally.throttled_s = self._throttled_before_s + self._news.throttled_s

    @property
    def _has_new_errors(self) -> bool:
        return self._news.errors > self._errors_seen

    @property
    def _reason(self) -> str:
        news = self._news
        if self._fault is not None:
            return f"{self._fault.where}: {self._fault.what}"
        return in_words(news.last_error) if self._has_new_errors and news.last_error else "it does not answer"
