"""The self-test, on a broker of librdkafka's own: whether both witnesses of a lost connection are understood."""

from __future__ import annotations

import re

import pytest

from replay.errors import ProducerFatal
from replay.kafka.log_watch import LogWatch
from replay.kafka.self_test import Reads, SelfTest, lose_a_connection
from tests.unit.fakes import Told

UNREADABLE = re.compile("words of another version")


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
