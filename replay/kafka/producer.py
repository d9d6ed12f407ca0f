"""Produce, poll, delivery reports. `produce()` alone promises nothing: only a report does.

Reports are served inside `poll` and `flush` of the calling thread, so callbacks never run beside the job's own code.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import repeat, starmap
from operator import length_hint
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from replay.errors import ProducerFatal
from replay.kafka.access import Account, Refused, may_not_write, refused, right_refused
from replay.kafka.broker_news import BrokerNews, in_words
from replay.kafka.client import bad_setting, kafka_log
from replay.kafka.log_watch import LogWatch
from replay.kafka.login.renewal import Renewal
from replay.kafka.options import KafkaOptions
from replay.kafka.settings import client_settings, producer_settings, transactional_settings
from replay.kafka.statistics import BrokerStatistics, StatisticsWatch, figures, parse
from replay.kafka.tls.files import check_files
from replay.kafka.tls.settings import stamp_of_tls
from replay.model import DeliveryCallback, Encoded, Fenced, Resync

_EPOCH = re.compile(r'"producer_epoch":\s*(-?\d+)')
_FLUSH_S = 0.1  # flush() blocks for all of its timeout: short, so that a second signal is heard
_INIT_S = 5.0  # of one attempt; the caller tries again until its deadline
_ABORT_S = 10.0  # an abort is a courtesy: the next `init_transactions()` does it otherwise
_ABORT_REFUSED_S = 0.5  # of a client that is let in no more
_COMMIT_S = 1.0  # of one wait for it
_CLOSE_S = 2.0  # what purged reports need to come back; they are local

UNKNOWN_OUTCOMES = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT, KafkaError._DESTROY})
"""Reports that say "we stopped looking": neither delivered nor failed. The next run finds out."""


PERMANENT_FAILURES = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_RECORD,
        KafkaError.POLICY_VIOLATION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
"""What a new transaction would fail of again; everything else is worth starting over for."""


MAY_NOT_WRITE = KafkaError.TOPIC_AUTHORIZATION_FAILED
"""What a delivery report says of it."""

_MAY_NOT_WRITE = "Topic authorization failed"
"""The same in the text of a fatal error."""


FENCED = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED})
"""What a producer hears once another has taken its transactional.id, or its transaction has timed out."""


def check_producer_settings(options: KafkaOptions) -> None:
    """Raises `UsageError` for what librdkafka would refuse, before anything is created. Connects to nothing."""
    unneeded = ("bootstrap.servers", "oauth_cb")  # nobody is to be asked, not for a token either
    settings = {name: value for name, value in producer_settings(options).items() if name not in unneeded}
    check_files(settings, datetime.now(UTC))
    try:
        Producer(settings, logger=kafka_log)
    except (KafkaException, TypeError, ValueError) as error:
        raise bad_setting(error) from None


class KafkaSink:
    """An idempotent producer. `send` promises nothing; only the delivery callback does."""

    def __init__(self, options: KafkaOptions, settings: Mapping[str, Any] | None = None) -> None:
        self.news = BrokerNews(Account.of(options), met=True)  # whoever sends has asked the cluster before
        self.statistics: BrokerStatistics | None = None  # of the last second
        self._topic = options.topic
        # A broker forgets producers whose newest record is older than producer.id.expiration.ms (a day): when it loads
        # its log after a crash, and every ten minutes. It goes by the records' timestamps, and replayed trades are that
        # old. It would then take a retry of what it had appended a second time. So rows that were in flight when a
        # connection broke are never sent again before the topic was looked at.
        self._retries_unsafe = True
        self._log = LogWatch()
        self._connections = StatisticsWatch()
        log = logging.Logger("librdkafka.producer", logging.DEBUG)  # of its own: another producer's losses are not ours
        log.parent = kafka_log
        log.addHandler(self._log)
        self._logger = log
        self.made_with = stamp_of_tls(client_settings(options))
        self._epoch = -1
        self._bumped = False  # as the statistics say, in case that the log did not
        try:
            self._producer = Producer(
                {
                    **(settings or producer_settings(options)),
                    "error_cb": self.news.on_error,
                    "throttle_cb": self.news.on_throttle,
                    "stats_cb": self._on_statistics,
                },
                logger=log,
            )
        except KafkaException as error:
            raise bad_setting(error) from None
        self._renewal = Renewal(self._producer, options)

    def send(self, encoded: Encoded, rows: slice, callbacks: Sequence[DeliveryCallback]) -> int:
        """Hand over these records, a callback for each; how many of them fitted into librdkafka's queue.

        Raises `ProducerFatal`, or `Resync` in a transaction.
        """
        count, values = len(callbacks), iter(encoded.values[rows])
        columns: list[Iterable[Any]] = [
            repeat(self._topic, count),
            values,
            encoded.keys[rows],
            encoded.partitions[rows].tolist(),
            callbacks,
            repeat(None, count),  # on_delivery, an alias
            encoded.timestamps_ms[rows],
        ]
        if encoded.headers is not None:
            columns.append(encoded.headers[rows])
        try:
            # By position, and without a loop in Python: that costs a quarter more, and keywords half as much again.
            deque(starmap(self._producer.produce, zip(*columns, strict=True)), maxlen=0)
        except BufferError:  # librdkafka's queue is full: the rest goes later
            return count - length_hint(values) - 1
        except KafkaException as error:
            raise self._lost(self.news.fatal or error.args[0].str()) from None
        return count

    def poll(self, seconds: float = 0.0) -> None:
        """Serve reports; waits up to `seconds` (below 0.2: a longer poll is not interrupted by reports).

        Raises `ProducerFatal`, and `Resync` where the topic has to be looked at before anything is sent again.
        """
        try:
            self._producer.poll(seconds)
        except KafkaException as error:
            raise self._lost(self.news.fatal or error.args[0].str()) from None
        if self.news.fatal:
            raise self._lost(self.news.fatal)
        self.news.raise_refused()
        if self._retries_unsafe and self._log.lost and len(self._producer):
            raise Resync(f"a connection was lost with rows in flight ({in_words(self._log.what)})")
        self._log.lost = 0
        if self._epoch_changes():
            raise Resync("the producer's epoch changed inside the run")

    def drain(self, seconds: float, give_up: Callable[[], bool]) -> bool:
        """Wait for reports; whether all have come. Never raises: the reports say what failed."""
        deadline = time.monotonic() + seconds
        while len(self._producer) and time.monotonic() < deadline and not give_up():
            if (self._retries_unsafe and self._log.lost) or self._epoch_changes():
                break  # what is sent again now may be there already
            try:
                self._producer.flush(min(_FLUSH_S, max(0.0, deadline - time.monotonic())))
            except (KafkaException, SystemError):  # fatal: the reports say so for each record
                break
        return len(self._producer) == 0

    def close(self) -> None:
        """Purge first: closing or flushing with a dead broker would never end."""
        deadline = time.monotonic() + _CLOSE_S
        self._renewal.close()
        self._logger.addFilter(lambda _: False)  # it would report the purge as a fatal error
        with suppress(KafkaException, SystemError):
            self._producer.purge()
        while len(self._producer) and time.monotonic() < deadline:
            # Purging what is in flight is fatal under the gapless guarantee, and a fatal error raises once from here
            # (as SystemError, where it meets a report's own call): the rest is still to be served.
            with suppress(KafkaException, SystemError):
                self._producer.poll(_FLUSH_S)

    def _epoch_changes(self) -> bool:
        """Rows that are being retried get new numbers with a new epoch, of any partition: the broker would take those
        twice that it had appended (librdkafka issue 4953)."""
        return self._retries_unsafe and (self._bumped or self._log.bump)

    def _on_statistics(self, text: str) -> None:
        statistics = parse(text)
        self.statistics = figures(statistics) or self.statistics
        self._log.compare(self._connections.lost(statistics))
        self._watch_epoch(text)

    def _watch_epoch(self, statistics: str) -> None:
        match = _EPOCH.search(statistics)
        if match is None or int(match[1]) < 0:
            return
        if self._epoch >= 0 and int(match[1]) != self._epoch:
            self._bumped = True
        self._epoch = int(match[1])

    def _lost(self, reason: str) -> Exception:
        if refused(self.news.fatal_code) is Refused.RIGHT:
            return right_refused(self.news.account, self.news.fatal_code, reason)
        if _MAY_NOT_WRITE in reason:  # the code of this fatal error is the gapless guarantee's
            return may_not_write(self.news.account, self._topic, reason)
        return ProducerFatal(
            f"the producer cannot go on: {reason}",
            where="Kafka",
            todo="run again: it resumes behind the last row that is in the topic",
        )


class TransactionalSink(KafkaSink):
    """A transactional producer. Whatever is not proven success raises `Resync`: this producer is done then."""

    def __init__(self, options: KafkaOptions, transactional_id: str) -> None:
        settings = transactional_settings(options, transactional_id)
        super().__init__(options, settings)
        self.news.transactional_id = transactional_id
        self._commit_s = int(settings["transaction.timeout.ms"]) / 1_000
        # A producer with an open transaction is not forgotten. Epochs change with transactions; a lost one raises.
        self._retries_unsafe = False

    def init(self) -> bool:
        """Fence older instances and end their open transaction; raises `KafkaException`, to be tried again."""
        # Without a connection, librdkafka looks for the coordinator in vain, and again after half a second only.
        self._producer.list_topics(self._topic, _INIT_S)
        self._producer.init_transactions(_INIT_S)
        return True

    def begin(self) -> None:
        self._proven("begin a transaction", self._producer.begin_transaction)

    def send_progress(self, topic: str, key: bytes, value: bytes) -> None:
        """The transaction's last record. Its report is not needed: the commit fails if it does."""
        self._proven("send the progress record", lambda: self._producer.produce(topic, value, key, 0))

    def commit(self, still_waits: Callable[[float], None] = lambda _: None) -> None:
        """`still_waits` is called now and then with the seconds that it has taken, and may raise. Raises `AccessDenied`
        where the login is refused meanwhile, and that is not waited for."""
        # librdkafka goes on with a commit whose time is up, and asking again only waits for it. So a refusal is heard
        # that no waiting cures; without one it would try for ever.
        begun_s = time.monotonic()
        end_s = begun_s + self._commit_s
        while not self._proven("commit", lambda: self._producer.commit_transaction(_COMMIT_S), until_s=end_s):
            with suppress(KafkaException, SystemError):
                self._producer.poll(0)
            self.news.raise_refused()
            still_waits(time.monotonic() - begun_s)
        self.news.let_in()

    def abort(self) -> None:
        seconds = _ABORT_REFUSED_S if self.news.login else _ABORT_S
        self._proven("abort", lambda: self._producer.abort_transaction(seconds))

    def _proven(self, what: str, call: Callable[[], None], until_s: float = 0.0) -> bool:
        """Whether it is done: False where it goes on, and it is not `until_s` (monotonic) yet."""
        try:
            call()
        except BufferError as error:
            raise Resync(f"cannot {what}: {error}") from None
        except KafkaException as error:
            said = error.args[0]
            if said.code() == KafkaError._TIMED_OUT and said.retriable() and time.monotonic() < until_s:
                return False
            raise self._resync(said.code(), f"cannot {what}: {said.str()}") from None
        return True

    def _lost(self, reason: str) -> Exception:
        return self._resync(self.news.fatal_code, f"the producer cannot go on: {reason}")

    def _resync(self, code: int, text: str) -> Exception:
        """What another producer would hear, too, or the start of one. A topic's right is told by whom the next producer
        asks first: which of two topics it is about is not said here.

        An error raised before the error callback has run is often no more than "fatal": then only its text says so.
        """
        if code in (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED):
            return right_refused(self.news.account, code, text, self.news.transactional_id)
        return Fenced(text) if code in FENCED or "fenced" in text else Resync(text)
