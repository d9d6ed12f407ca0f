"""Two witnesses of a lost connection: librdkafka's log and its statistics. Where one does not speak, the other does."""

from __future__ import annotations

import json
import logging
import re

import pytest

from replay.errors import ProducerFatal
from replay.kafka.log_watch import LogWatch
from replay.kafka.options import KafkaOptions
from replay.kafka.producer import KafkaSink
from replay.kafka.self_test import Reads, SelfTest, lose_a_connection
from replay.kafka.statistics import StatisticsWatch
from replay.model import Resync

LOST_LINE = "FAIL [r] [thrd:a:9092/1]: a:9092/1: Disconnected: connection closed by peer (after 2148ms in state UP)"
UNREADABLE = re.compile("words of another version")


def statistics(at_s: float, state: str | None = "UP", age_s: float = 0.9, connects: int = 1, tx: int = 3) -> str:
    """As librdkafka writes them, as far as they matter; without a state, the broker is not there."""
    broker = {
        "name": "a:9092/1", "nodeid": 1, "state": state, "stateage": int(age_s * 1e6),
        "connects": connects, "disconnects": connects - 1, "tx": tx,
    }  # fmt: skip
    bootstrap = {**broker, "name": "a:9092/bootstrap", "nodeid": -1, "state": "UP", "stateage": 0}
    return json.dumps({"ts": int(at_s * 1e6), "brokers": {"b": bootstrap} | ({"a": broker} if state else {})})


@pytest.mark.parametrize(
    "later",
    [
        statistics(11, "DOWN", 0.5),
        statistics(11, "CONNECT", 0.1),
        statistics(11, None),
        statistics(11, age_s=0.4, connects=2, tx=400),
        # As seen: it begins anew, counters and all, once there is no other broker to ask
        statistics(11, age_s=0.9, connects=1, tx=5),
    ],
    ids=["down", "again", "gone", "reconnected", "anew"],
)
def test_a_connection_that_was_lost_shows_in_the_statistics(later):
    """Missed, rows in flight would be sent again unseen as soon as a log line is not understood."""
    watch = StatisticsWatch()
    assert watch.lost(statistics(10, tx=200 if "400" in later else 4)) == []
    assert watch.lost(later) == ["a:9092/1"]
    assert watch.lost(later) == [], "told once"


@pytest.mark.parametrize(
    "later",
    [
        statistics(11, age_s=1.9, tx=400),
        statistics(11, age_s=1.0, tx=400),  # it went up in that very moment
        statistics(11, "UPDATE", age_s=0.1, tx=400),
        statistics(11, age_s=0.2, tx=400),  # credentials were renewed
        "not JSON",
        "{}",
        '{"ts": 1, "brokers": []}',
    ],
)
def test_a_connection_that_goes_on_is_not_lost(later):
    """Taken for lost, each renewal of credentials costs the wait of a crash (45 s by Kafka's defaults)."""
    watch = StatisticsWatch()
    watch.lost(statistics(10, tx=300))
    assert watch.lost(later if "UPDATE" not in later else statistics(11, "UPDATE", 1.5, tx=400)) == []


def test_what_was_not_up_cannot_be_lost():
    watch = StatisticsWatch()
    watch.lost(statistics(10, "CONNECT"))
    assert watch.lost(statistics(11, None)) == []


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
        sink._on_statistics(statistics(10))
        sink.poll()
        sink._on_statistics(statistics(11, "DOWN"))
        with pytest.raises(Resync, match="a:9092: not in the log, but in the statistics"):
            sink.poll()
    finally:
        sink.close()


# -- the self-test, on a broker of librdkafka's own ----------------------------------------------------------------


class Told:
    def __init__(self) -> None:
        self.infos: list[str] = []
        self.warnings: list[str] = []

    def info(self, message: str) -> None:
        self.infos.append(message)

    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def phase(self, name, done_rows, rows) -> None: ...

    def progress(self, snapshot) -> None: ...


def judged(test=lose_a_connection) -> Told:
    told = Told()
    SelfTest(test).judge(told)
    return told


def test_this_librdkafka_is_understood():
    """Broken: the client that is installed tells of a lost connection in words or figures that nobody reads."""
    told = judged()
    assert not told.warnings
    assert not told.infos


def test_a_log_in_other_words_is_noticed(monkeypatch):
    """Broken: another version of the client is installed, and the promise is gone in silence."""
    monkeypatch.setattr(LogWatch, "_LOST", UNREADABLE)
    told = judged()
    assert len(told.warnings) == 1
    assert Reads.STATISTICS.value in told.warnings[0]
    assert "confluent-kafka" in told.warnings[0]


def test_other_statistics_are_noticed(monkeypatch):
    """Broken: the second witness is gone, and nobody knows until the first is gone, too."""
    monkeypatch.setattr("replay.kafka.statistics.Connection.goes_on", lambda *_: True)
    assert Reads.LOG.value in judged().warnings[0]


def test_without_any_witness_nothing_is_sent(monkeypatch):
    """Broken: a run goes on although it could not see what duplicates come of."""
    monkeypatch.setattr(LogWatch, "_LOST", UNREADABLE)
    monkeypatch.setattr("replay.kafka.statistics.Connection.goes_on", lambda *_: True)
    with pytest.raises(ProducerFatal, match="lost connections would go unnoticed"):
        judged()


def test_a_sandbox_without_loopback_is_no_reason_to_fail():
    """Broken: no night runs where nothing may listen, although nothing speaks against it."""

    def refused() -> Reads:
        raise OSError("Operation not permitted")

    told = judged(refused)
    assert not told.warnings
    assert "Operation not permitted" in told.infos[0]
