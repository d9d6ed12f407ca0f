"""Try again until it works: the one retry loop for calls to the cluster, and to the schema registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import KafkaException

from replay.errors import BrokerUnavailable, ReplayError
from replay.kafka.broker_news import BrokerNews, in_words
from replay.kafka.trouble import UNUSABLE, Trouble
from replay.model import Clock

T = TypeVar("T")

GiveUp = Callable[[float], ReplayError | None]
"""Asked after each failure, with the seconds since the first attempt. It raises where no waiting helps, and gives back
what is wrong but may heal: that is the reason while it lasts, and the error past the deadline."""

_RETRY_S = 0.25  # between attempts: short beside an election, long beside a request


@dataclass(frozen=True, slots=True)
class NotYet:
    """An attempt that may go better next time. `answered`: somebody said so. `problem` and `error` are what is said of
    it while it lasts and past the deadline, where that is not what is said of an absent service."""

    reason: str
    answered: bool = False
    problem: str = ""
    error: ReplayError | None = None


Attempt = Callable[[], T | NotYet | None]
"""A call to the cluster. Where it has no result yet, it gives back why, or None."""


@dataclass(frozen=True, slots=True)
class Service:
    """Who is waited for: as messages call it, where it is, the option that says so, and what its absence is."""

    name: str = "Broker"
    where: str = "Kafka"
    option: str = "--bootstrap-servers"
    unavailable: type[BrokerUnavailable] = BrokerUnavailable


class Patience:
    """Try again until it works, the deadline passes, or the user stops."""

    def __init__(
        self,
        clock: Clock,
        timeout_s: float,
        check_stop: Callable[[], None],
        trouble: Trouble,
        *,
        resumes: bool = False,
        service: Service = Service(),
    ) -> None:
        self._clock, self._timeout_s = clock, timeout_s
        self._check_stop, self._trouble, self._service = check_stop, trouble, service
        self._resumes = resumes
        self._again = f"run again once the {service.name.lower()} is there" + (": it resumes" if resumes else "")

    def with_service(self, service: Service) -> Patience:
        """The same with somebody else, who may be away for as long."""
        return Patience(
            self._clock,
            self._timeout_s,
            self._check_stop,
            self._trouble.of(service.name),
            resumes=self._resumes,
            service=service,
        )

    def __call__(
        self,
        what: str,
        news: BrokerNews,
        attempt: Attempt[T],
        give_up: GiveUp = lambda _: None,
    ) -> T:
        """The first result of `attempt`. `what` completes "cannot …".

        Raises `BrokerUnavailable` past the deadline, and `AccessDenied` where the broker refuses this client.
        """

        def asked() -> T | NotYet:
            failed = NotYet("not there yet", answered=True)
            try:
                result = attempt()
                if isinstance(result, NotYet):
                    failed = result
                elif result is not None:
                    news.let_in()
                    return result
            except KafkaException as error:
                failed = NotYet(error.args[0].str(), answered=error.args[0].code() > 0)
                news.note(error.args[0])
            except TimeoutError:  # of the future that stands for the answer
                failed = NotYet("no answer")
            news.raise_refused()
            if news.login:
                problem, why = news.waits_for
                return NotYet(why, problem=problem, error=news.refused)
            reason = failed.reason if failed.answered else news.last_error or failed.reason
            return NotYet(in_words(reason), failed.answered)

        return self.until(what, asked, give_up)

    def until(
        self,
        what: str,
        attempt: Callable[[], T | NotYet],
        give_up: GiveUp = lambda _: None,
    ) -> T:
        """The first result of `attempt`. Raises what the service's absence is past the deadline, and what `attempt` and
        `give_up` raise."""
        start = self._clock.monotonic()
        while True:
            result = attempt()
            if not isinstance(result, NotYet):
                self._trouble.over(self._clock.monotonic() - start)
                return result
            self._check_stop()
            waited = self._clock.monotonic() - start
            fault = give_up(waited)
            reason = f"{fault.where}: {fault.what}" if fault is not None else result.reason
            if waited >= self._timeout_s:
                self._trouble.ends_the_run(reason, waited)
                if fault is not None:
                    raise fault
                if result.error is not None:
                    raise result.error
                raise self._service.unavailable(
                    f"cannot {what} within {self._timeout_s:g} s (--broker-timeout): {reason}",
                    where=self._service.where,
                    todo=f"check {self._service.option}, and {self._again}",
                )
            problem = (
                UNUSABLE
                if fault is not None
                else result.problem or (f"Cannot {what}" if result.answered else f"{self._service.name} unreachable")
            )
            self._trouble.lasts(problem, reason, waited, self._timeout_s - waited)
            self._clock.sleep(_RETRY_S)
