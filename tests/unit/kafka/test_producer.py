"""What needs no broker about the producer: which of librdkafka's lines and figures mean that rows may be half-way."""

from __future__ import annotations

import json
import logging
import time

import numpy as np
import pytest

from replay.kafka.log_watch import LogWatch
from replay.kafka.options import KafkaOptions
from replay.kafka.producer import KafkaSink, TransactionalSink
from replay.kafka.settings import producer_settings
from replay.model import Encoded, Resync


def told(text: str) -> LogWatch:
    watch = LogWatch()
    watch.emit(logging.LogRecord("librdkafka", logging.INFO, "", 0, text, None, None))
    return watch


@pytest.mark.parametrize(
    "line",
    [
        (
            "FAIL [replay#producer-3] [thrd:10.0.0.1:9092/1]: 10.0.0.1:9092/1: Disconnected: connection closed by peer:"
            " receive 0 after POLLIN (after 2148ms in state UP)"
        ),
        (
            "FAIL [replay#producer-2] [thrd:b-2:9092/2]: b-2:9092/2: Disconnected: connection reset by peer"
            " (after 4227ms in state UP, 1 identical error(s) suppressed)"
        ),
        (
            "FAIL [replay#producer-2] [thrd:ssl://[::1]:9093/0]: ssl://[::1]:9093/0: 5 request(s) timed out: disconnect"
            " (average rtt 1.234ms) (after 70000ms in state UP)"
        ),
    ],
)
def test_a_connection_that_worked_and_ended_is_noticed(line):
    """Missed, rows in flight are sent again without a look at the topic: a broker that crashed takes them twice."""
    watch = told(line)
    assert watch.lost == 1
    assert watch.what
    assert "after" not in watch.what.partition("POLLIN")[2]


@pytest.mark.parametrize(
    "line",
    [
        (
            "FAIL [replay#producer-2] [thrd:10.0.0.1:9092/1]: 10.0.0.1:9092/1: Connect to ipv4#10.0.0.1:9092 failed:"
            " Connection refused (after 0ms in state CONNECT)"
        ),
        (
            "FAIL [replay#producer-2] [thrd:10.0.0.1:9092/bootstrap]: 10.0.0.1:9092/bootstrap: Disconnected: connection"
            " closed by peer (after 600000ms in state UP)"
        ),
        (
            "GETPID [replay#producer-2] [thrd:main]: Failed to acquire idempotence PID from broker b:9092/1: Broker:"
            " Coordinator load in progress: retrying"
        ),
    ],
)
def test_a_connection_that_never_worked_or_carries_no_rows_is_none(line):
    """Taken for one, a broker that is down but leads nothing would end producer after producer."""
    assert told(line).lost == 0


@pytest.mark.parametrize("transactional", [False, True])
def test_statistics_are_kept_and_a_changed_epoch_is_noticed(transactional):
    """Broken: metrics show nothing of the producer, or an epoch bump passes unseen; with transactions epochs change."""
    kafka = KafkaOptions("127.0.0.1:1", "trades", settings={"log_level": "6"})
    sink = TransactionalSink(kafka, "replay.trades") if transactional else KafkaSink(kafka)
    try:
        for epoch in (0, 0, 1):
            told = {"msg_cnt": 5, "msg_size": 9, "brokers": {}, "eos": {"producer_epoch": epoch}}
            sink._on_statistics(json.dumps(told))
        assert sink.statistics is not None
        assert sink.statistics.queue_records == 5
        assert sink._epoch_changes() is not transactional
        sink._on_statistics("not JSON")
        assert sink.statistics.queue_records == 5, "the last that could be read"
    finally:
        sink.close()


def statistics(epoch: int) -> str:
    """As librdkafka writes them, as far as they matter."""
    return json.dumps({"name": "replay#producer-1", "eos": {"idemp_state": "Assigned", "producer_epoch": epoch}})


BUMP_LINE = (
    "IDEMPSTATE [replay#producer-1] [thrd:127.0.0.1:9092/1]: Idempotent producer state change Assigned -> DrainBump"
)


@pytest.fixture
def sink():
    """A producer without a broker, with a row that waits."""
    sink = KafkaSink(KafkaOptions("127.0.0.1:1", "trades"))
    sink._producer.produce("trades", b"row", partition=0)
    yield sink
    sink.close()


@pytest.mark.parametrize("headers", [None, [[("a", b"1")]] * 7])
def test_what_a_full_queue_did_not_take_is_not_counted(headers):
    """Broken: a record that was refused counts as sent, or one that was taken is sent again."""
    rows = np.zeros(7, dtype=np.int64)
    values: list[bytes | None] = [b"%d" % row for row in range(7)]
    encoded = Encoded([b"A"] * 7, values, [1] * 7, rows, rows, rows, rows, 7, headers=headers)
    options = KafkaOptions("127.0.0.1:1", "trades")
    sink = KafkaSink(options, {**producer_settings(options), "queue.buffering.max.messages": 5})
    reported: list[bytes] = []
    callbacks = [lambda _, message: reported.append(message.value())] * 7
    try:
        assert sink.send(encoded, slice(1, 4), callbacks[1:4]) == 3
        assert sink.send(encoded, slice(4, 7), callbacks[4:7]) == 2
        assert sink.send(encoded, slice(6, 7), callbacks[6:7]) == 0
    finally:
        sink.close()
    assert reported == values[1:6]


def test_a_bump_in_the_log_is_noticed():
    """Missed, rows that are being retried go out with new numbers, and the broker takes them twice."""
    assert told(BUMP_LINE).bump
    assert not told(BUMP_LINE.replace("DrainBump", "WaitPID")).bump


@pytest.mark.parametrize("how", ["log", "statistics"])
def test_a_new_epoch_ends_this_producer_and_nothing_is_drained(sink, how):
    """Broken: rows with new numbers would be sent again, in the run or in the drain that follows, although the broker
    had appended them under the old ones."""
    for epoch in (-1, 0, 0):  # not known yet, then known
        sink._on_statistics(statistics(epoch))
    sink.poll()
    if how == "log":
        sink._log.emit(logging.LogRecord("librdkafka", logging.DEBUG, "", 0, BUMP_LINE, None, None))
    else:
        sink._on_statistics(statistics(1))
    with pytest.raises(Resync, match="epoch"):
        sink.poll()
    begun_s = time.monotonic()
    assert not sink.drain(5.0, lambda: False)
    assert time.monotonic() - begun_s < 1
