"""The first witness of a lost connection, librdkafka's log, and what it makes of the second one."""

from __future__ import annotations

import logging

import pytest

from replay.kafka.log_watch import LogWatch
from replay.kafka.options import KafkaOptions
from replay.kafka.producer import KafkaSink
from replay.model import Resync
from tests.unit.kafka.test_statistics import looked_at

LOST_LINE = "FAIL [r] [thrd:a:9092/1]: a:9092/1: Disconnected: connection closed by peer (after 2148ms in state UP)"


def lines(watch: LogWatch, number: int, line: str = LOST_LINE) -> None:
    for _ in range(number):
        watch.emit(logging.LogRecord("librdkafka", logging.INFO, "", 0, line, None, None))


def test_what_the_log_told_is_not_told_again_by_the_statistics():
    """Broken: a loss with nothing in flight, long dealt with, takes the rows that went out since for lost."""
    watch = LogWatch()
    lines(watch, 2)
    watch.lost = 0  # dealt with
    watch.compare(["a:9092/1", "b:9092/2"])
    assert watch.lost == 0
    watch.compare(["a:9092/1"])
    assert watch.lost == 1, "no line since"
    assert "statistics" in watch.what


@pytest.mark.parametrize("state", ["UP", "UPDATE", "REAUTH"])
def test_states_of_a_connection_that_works(state):
    watch = LogWatch()
    lines(watch, 1, LOST_LINE.replace("UP)", f"{state})"))
    assert watch.lost == 1


def test_a_loss_that_only_the_statistics_tell_ends_the_producer():
    """Broken: the cross-check finds something, and nobody asks it."""
    sink = KafkaSink(KafkaOptions("127.0.0.1:1", "trades"))
    try:
        sink._producer.produce("trades", b"row", partition=0)
        sink._on_statistics(looked_at(10))
        sink.poll()
        sink._on_statistics(looked_at(11, "DOWN"))
        with pytest.raises(Resync, match="a:9092: not in the log, but in the statistics"):
            sink.poll()
    finally:
        sink.close()


def test_a_login_again_that_failed_is_no_strange_word(caplog):
    """Broken: a token that ends makes the replay warn of a librdkafka that it does not understand; or rows in flight on
    its connection are sent again unseen."""
    watch = LogWatch()
    lines(
        watch,
        3,
        "FAIL [rdkafka#producer-1] [thrd:x]: x:1/1: SASL authentication error: no (after 9ms in state AUTH_REQ)",
    )
    assert watch.lost == 0, "it may be a new connection's"
    watch.compare(["a:9092/1"])
    assert watch.lost == 1
    assert not caplog.records
