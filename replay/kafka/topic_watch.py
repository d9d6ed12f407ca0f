"""Whether the topic is still the one that the replay began with. Asked while it runs; pure but for whom it asks.

A topic that is deleted and created again takes the rest of the rows as if nothing had happened: librdkafka produces by
name, and a broker takes any sequence number from a producer that it does not know. A topic that is deleted looks like
an outage. Either way rows that were acknowledged are gone, and no more may follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.errors import StateConflict
from replay.kafka.topic import TopicIdentity
from replay.model import Clock
from replay.reporter import Reporter

if TYPE_CHECKING:
    from replay.kafka.cluster import Cluster
    from replay.kafka.described import Description

ASK_EVERY_S = 2.0
"""Soon beside what a wrong topic costs, rarely beside thousands of rows a second."""

GONE_ANSWERS = 3
"""A topic counts as deleted once so many answers in a row say so: a broker that starts up may not know it yet."""

GONE_GAP_S = 0.5  # between those answers


class TopicWatch:
    """Raises `StateConflict` once the topic is not the same any more, and warns once of added partitions."""

    def __init__(self, known: TopicIdentity, topic: str, cluster: Cluster, report: Reporter, clock: Clock) -> None:
        self._known, self._topic = known, topic
        self._cluster, self._report, self._clock = cluster, report, clock
        self._question: Description | None = None
        self._asked_s = clock.monotonic()

    def look(self) -> None:
        """Never waits, unless the topic seems to have changed."""
        now_s = self._clock.monotonic()
        if self._question is not None and self._question.done():
            found, self._question = self._question.answer(), None
            if found not in (None, self._known):
                self.confirm()
        elif self._question is None and self._known.topic_id and now_s - self._asked_s >= ASK_EVERY_S:
            self._question, self._asked_s = self._cluster.ask(self._topic), now_s

    def confirm(self) -> None:
        """Waits for the answer. Returns if the topic is the same: only then may rows count as delivered for good."""
        if not self._known.topic_id:  # the embedded broker has none
            return
        found = self._cluster.identity(self._topic)
        for _ in range(GONE_ANSWERS - 1):
            if found.topic_id:
                break
            self._clock.sleep(GONE_GAP_S)
            found = self._cluster.identity(self._topic)
        if found.topic_id != self._known.topic_id:
            raise StateConflict(
                f"topic {self._topic} was deleted while the replay ran"
                + (f" and created again (topic id {self._known.topic_id}, now {found.topic_id})" * bool(found.topic_id))
                + ": the rows that it had acknowledged are gone",
                where="Kafka",
                todo="find out who did it; start over on purpose with --restart"
                + " (and --create-topic)" * (not found.topic_id),
            )
        if found.partitions != self._known.partitions:
            self._report.warning(
                f"topic {self._topic} has {found.partitions} partitions now, not {self._known.partitions}: this run"
                " keeps to those that it began with, and no run after it can go on from its checkpoint"
            )
            self._known = found
