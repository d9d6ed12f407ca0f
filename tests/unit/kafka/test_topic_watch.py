"""When a topic counts as another one, and how often the cluster is asked."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from replay.errors import StateConflict
from replay.kafka.topic import TopicIdentity
from replay.kafka.topic_watch import ASK_EVERY_S, GONE_ANSWERS, TopicWatch
from tests.unit.fakes import FakeClock, FakeCluster, Told

KNOWN = TopicIdentity("id-1", 6)
GONE = TopicIdentity()


class Watched:
    """A watch over a topic, and time that passes."""

    def __init__(self, known: TopicIdentity = KNOWN) -> None:
        self.clock, self.told = FakeClock(), Told()
        self.cluster = FakeCluster(self.clock, known)
        cluster: Any = self.cluster
        self.watch = TopicWatch(known, "trades", cluster, self.told, self.clock)

    def look(self, seconds: float) -> None:
        """As a session does: every 0.1 s."""
        for _ in range(round(seconds * 10)):
            self.clock.time_s += 0.1
            self.watch.look()


def test_the_same_topic_is_asked_for_now_and_then_and_never_waited_for():
    """Broken: each tick of a session would ask the cluster, or wait for it."""
    watched = Watched()
    watched.look(100 * ASK_EVERY_S)
    assert 80 <= len(watched.cluster.asked_s) <= 100
    assert watched.cluster.waited_for == 0
    assert not watched.told.warnings


def test_an_answer_that_takes_long_is_asked_for_once():
    """Broken: a cluster in trouble would get question after question."""
    watched = Watched()
    watched.cluster.late_s = 60.0
    watched.look(50)
    assert len(watched.cluster.asked_s) == 1


def test_no_answer_is_no_change():
    """Broken: a broker that is away would be taken for a topic that is gone."""
    watched = Watched()
    watched.cluster.next_answers = deque([None] * 5)
    watched.look(20 * ASK_EVERY_S)
    assert len(watched.cluster.asked_s) > 10


def test_another_topic_is_noticed_and_told_with_both_ids():
    """Broken: the rest of the rows would go into the new topic."""
    watched = Watched()
    watched.look(5)
    watched.cluster.now = TopicIdentity("id-2", 6)
    with pytest.raises(StateConflict, match=r"created again.*id-1, now id-2"):
        watched.look(2 * ASK_EVERY_S)


def test_a_topic_that_stays_away_is_noticed():
    """Broken: a deleted topic would look like a broker that is away."""
    watched = Watched()
    watched.cluster.now = GONE
    with pytest.raises(StateConflict, match="was deleted while") as caught:
        watched.look(2 * ASK_EVERY_S)
    assert "created again" not in str(caught.value)
    assert "--create-topic" in str(caught.value)


def test_a_broker_that_does_not_know_the_topic_yet_is_asked_again():
    """Broken: a node that has just come up would end the run."""
    watched = Watched()
    watched.cluster.next_answers = deque([GONE] * GONE_ANSWERS)  # the question's, and all but one of those waited for
    watched.look(2 * ASK_EVERY_S)
    assert watched.cluster.waited_for == GONE_ANSWERS
    assert not watched.told.warnings


def test_added_partitions_are_told_once_and_end_nothing():
    """Broken: a run that can keep to its partitions would be ended, or nobody would learn why the next one refuses."""
    watched = Watched()
    watched.cluster.now = TopicIdentity("id-1", 9)
    watched.look(10 * ASK_EVERY_S)
    (told,) = watched.told.warnings
    assert "9 partitions now, not 6" in told
    watched.cluster.now = TopicIdentity("id-1", 12)
    watched.look(10 * ASK_EVERY_S)
    assert len(watched.told.warnings) == 2


def test_the_embedded_broker_is_not_asked():
    """Broken: it does not know the question, and the replay would end after the broker deadline."""
    watched = Watched(TopicIdentity("", 4))
    watched.look(10 * ASK_EVERY_S)
    watched.watch.confirm()
    assert (watched.cluster.asked_s, watched.cluster.waited_for) == ([], 0)
