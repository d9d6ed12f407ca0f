"""Produce, poll, delivery reports. `produce()` alone promises nothing: only a report does.

Reports are served inside `poll` and `flush` of the calling thread, so callbacks never run beside the job's own code.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from replay.cluster import BrokerNews, bad_setting, kafka_log
from replay.config import KafkaOptions, producer_settings
from replay.errors import ProducerFatal
from replay.model import DeliveryCallback, Encoded, Resync

_EPOCH = re.compile(r'"producer_epoch":\s*(-?\d+)')
_FLUSH_S = 0.1  # flush() blocks for all of its timeout: short, so that a second signal is heard
_CLOSE_S = 2.0  # what purged reports need to come back; they are local

UNKNOWN_OUTCOMES = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT, KafkaError._DESTROY})
"""Reports that say "we stopped looking": neither delivered nor failed. The next run finds out."""


class KafkaSink:
    """An idempotent producer behind the `Sink` protocol."""

    def __init__(self, options: KafkaOptions) -> None:
        self.news = BrokerNews()
        self._topic = options.topic
        self._epoch = -1
        self._bumped = False
        settings: dict[str, Any] = producer_settings(options)
        try:
            self._producer = Producer(
                {**settings, "error_cb": self.news.on_error, "stats_cb": self._on_statistics}, logger=kafka_log
            )
        except KafkaException as error:
            raise bad_setting(error) from None

    def send(self, encoded: Encoded, rows: slice, on_delivery: DeliveryCallback) -> int:
        produce, topic = self._producer.produce, self._topic
        accepted = 0
        columns = zip(
            encoded.values[rows],
            encoded.keys[rows],
            encoded.partitions[rows].tolist(),
            encoded.timestamps_ms[rows],
            strict=True,
        )
        try:
            for value, key, partition, timestamp_ms in columns:
                # by position (keywords cost half as much again): …, callback, its alias on_delivery, timestamp
                produce(topic, value, key, partition, on_delivery, None, timestamp_ms)
                accepted += 1
        except BufferError:  # librdkafka's queue is full: the rest goes later
            return accepted
        except KafkaException as error:
            raise self._fatal(self.news.fatal or error.args[0].str()) from None
        return accepted

    def poll(self, seconds: float = 0.0) -> None:
        """Serve reports; waits up to `seconds` (below 0.2: a longer poll is not interrupted by reports)."""
        try:
            self._producer.poll(seconds)
        except KafkaException as error:
            raise self._fatal(self.news.fatal or error.args[0].str()) from None
        if self.news.fatal:
            raise self._fatal(self.news.fatal)
        if self._bumped:
            # Requests of another partition that were being retried may have been renumbered with the new epoch,
            # so that the broker could take them twice (librdkafka issue 4953).
            raise Resync("the producer's epoch changed inside the run")

    def drain(self, seconds: float, give_up: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + seconds
        while len(self._producer) and time.monotonic() < deadline and not give_up():
            try:
                self._producer.flush(min(_FLUSH_S, max(0.0, deadline - time.monotonic())))
            except KafkaException:  # fatal: the reports say so for each record
                break
        return len(self._producer) == 0

    def close(self) -> None:
        """Purge first: closing or flushing with a dead broker would never end."""
        try:
            self._producer.purge()
            self._producer.flush(_CLOSE_S)
        except KafkaException:
            pass  # fatal, and known: there is nothing left to let go

    def _on_statistics(self, statistics: str) -> None:
        match = _EPOCH.search(statistics)
        if match is None or int(match[1]) < 0:
            return
        if self._epoch >= 0 and int(match[1]) != self._epoch:
            self._bumped = True
        self._epoch = int(match[1])

    @staticmethod
    def _fatal(reason: str) -> ProducerFatal:
        return ProducerFatal(
            f"the producer cannot go on: {reason}",
            where="Kafka",
            todo="run again: it resumes behind the last row that is in the topic",
        )
