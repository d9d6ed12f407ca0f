"""Try again until it works: the one retry loop for calls to the cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaException

from replay.errors import BrokerUnavailable
from replay.kafka.broker_news import BrokerNews, in_words
from replay.kafka.trouble import UNREACHABLE, Trouble
from replay.model import Clock

T = TypeVar("T")

_RETRY_S = 0.25  # between attempts: short beside an election, long beside a request


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
    ) -> None:
        self._clock, self._timeout_s = clock, timeout_s
        self._check_stop, self._trouble = check_stop, trouble
        self._again = "run again once the broker is there" + (": it resumes" if resumes else "")

    def __call__(
        self,
        what: str,
        news: BrokerNews,
        attempt: Callable[[], T | None],
        give_up: Callable[[float], None] = lambda _: None,
    ) -> T:
        """The first result of `attempt` that is not None. `what` completes "cannot …".

        `give_up` is called after each failure with the seconds since the first attempt, and raises where no waiting
        helps. Raises `BrokerUnavailable` past the deadline, and `UsageError` where the broker refuses this client.
        """
        start = self._clock.monotonic()
        while True:
            reason, has_answered = "no answer", False
            try:
                result = attempt()
                has_answered, reason = True, "not there yet"
                if result is not None:
                    self._trouble.over(self._clock.monotonic() - start)
                    return result
            except KafkaException as error:
                reason = error.args[0].str()
                has_answered = error.args[0].code() > 0
                news.note_denied(error.args[0])
            except TimeoutError:
                pass  # of the future that stands for the answer
            news.raise_denied()
            self._check_stop()
            waited = self._clock.monotonic() - start
            give_up(waited)
            reason = in_words(reason if has_answered else news.last_error or reason)
            if waited >= self._timeout_s:
                self._trouble.ends_the_run(reason, waited)
                raise BrokerUnavailable(
                    f"cannot {what} within {self._timeout_s:g} s (--broker-timeout): {reason}",
                    where="Kafka",
                    todo=f"check --bootstrap-servers, and {self._again}",
                )
            problem = f"Cannot {what}" if has_answered else UNREACHABLE
            self._trouble.lasts(problem, reason, waited, self._timeout_s - waited)
            self._clock.sleep(_RETRY_S)
