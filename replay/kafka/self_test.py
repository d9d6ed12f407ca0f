"""Whether this librdkafka reports lost connections in the form that `log_watch.py` and `statistics.py` read.

That is tried out on a broker inside this process that goes away, while a replay is still looking at its rows. It takes
about 0.1 s. The words of a log are no interface: another version may change them, and duplicates would come of it, in
silence.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any

from confluent_kafka import KafkaException, Producer

from replay.errors import BrokerUnavailable, ProducerFatal
from replay.kafka.client import CLIENT_VERSION
from replay.kafka.embedded import EmbeddedBroker
from replay.kafka.log_watch import LogWatch
from replay.kafka.options import KafkaOptions
from replay.kafka.settings import producer_settings
from replay.kafka.statistics import StatisticsWatch, parse
from replay.reporter import Reporter

_TOPIC = "replay-self-test"
_DEADLINE_S = 3.0
_POLL_S = 0.01
_STATISTICS_MS = 20


class Reads(Enum):
    """Which of the two witnesses of a lost connection are understood."""

    BOTH = "log and statistics"
    LOG = "the log only"
    STATISTICS = "the statistics only"
    NEITHER = "neither"
    UNKNOWN = "not tried"


class SelfTest:
    """Begins at once, beside whatever else is done; `judge` waits for its end."""

    def __init__(self, test: Callable[[], Reads] | None = None) -> None:
        self._test = test or lose_a_connection
        self._found, self._why = Reads.UNKNOWN, "it took too long"
        self._thread = threading.Thread(target=self._run, name="self-test", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = self._test()
        # no loopback, no threads, no memory
        except (KafkaException, OSError, RuntimeError, BufferError, BrokerUnavailable) as error:
            self._why = str(error)

    def judge(self, report: Reporter) -> None:
        """Raises `ProducerFatal` where a lost connection would not be noticed. With one witness there is a warning;
        where nothing could be tried (a sandbox), the replay goes on: nothing speaks against it."""
        self._thread.join(2 * _DEADLINE_S)
        found, version = self._found, CLIENT_VERSION
        if found is Reads.UNKNOWN:
            report.info(f"not tried whether lost connections are noticed ({self._why}); {version}")
        elif found is Reads.NEITHER:
            raise ProducerFatal(
                f"lost connections would go unnoticed, and rows be sent twice: {version} tells of them in other words",
                where="self-test",
                todo="install the confluent-kafka that replay asks for; --delivery transactional does without this",
            )
        elif found is not Reads.BOTH:
            report.warning(
                f"lost connections are learned from {found.value}: {version} tells of them in other words than those"
                " that replay was tested with; install the one that it asks for"
            )


def lose_a_connection() -> Reads:
    """Connects a producer to a broker of its own, and takes the broker away."""
    log, statistics, lost = LogWatch(), StatisticsWatch(), list[str]()
    logger = logging.Logger("self-test", logging.DEBUG)  # of its own: no other log has its lines
    logger.addHandler(log)
    with EmbeddedBroker(_TOPIC, _DEADLINE_S) as broker:
        settings: dict[str, Any] = producer_settings(KafkaOptions(broker.bootstrap_servers, _TOPIC))
        settings["statistics.interval.ms"] = _STATISTICS_MS
        settings["stats_cb"] = lambda text: lost.extend(statistics.lost(parse(text)))
        producer = Producer(settings, logger=logger)
        producer.produce(_TOPIC, b"", partition=0)  # a connection is made where there is something to send
        if not _within(_DEADLINE_S, producer, lambda: statistics.was_up):
            raise RuntimeError("a broker inside this process cannot be connected to")
    _within(_DEADLINE_S / 3, producer, lambda: bool(log.lost and lost))
    with suppress(KafkaException, SystemError):
        producer.purge()
    return {
        (True, True): Reads.BOTH, (True, False): Reads.LOG, (False, True): Reads.STATISTICS,
        (False, False): Reads.NEITHER,
    }[bool(log.lost), bool(lost)]  # fmt: skip


def _within(seconds: float, producer: Producer, reached: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end_s:
            return False
        producer.poll(_POLL_S)
    return True
