"""What is said of a topic before the first row is sent, by its configuration alone."""

from __future__ import annotations

import pytest

from replay.errors import ExitCode, UsageError
from replay.kafka.topic import Topic, check_topic, topic_problems, topic_warnings

DAY_MS = 86_400_000
NOW_S = 1_800_000_000.0
NONE = str(2**63 - 1)
GOOD = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": NONE,
    "message.timestamp.after.max.ms": "3600000",
    "max.message.bytes": "1048588",
    "min.insync.replicas": "2",
}
"""Kafka 4's defaults, but for retention and replicas."""

BEFORE, AFTER, BOTH = (f"message.timestamp.{which}.max.ms" for which in ("before", "after", "difference"))


def topic(config: dict[str, str], replication: int = 3, brokers: int = 3) -> Topic:
    return Topic("c", "trades", "id", 6, replication, brokers, GOOD | config)


def span_ns(days_old: float) -> tuple[int, int]:
    """Of trades within a minute."""
    first_ns = int((NOW_S * 1_000 - days_old * DAY_MS) * 1e6)
    return first_ns, first_ns + 60 * 10**9


@pytest.mark.parametrize("days_old", [0, 30, 10_000])
def test_nothing_is_said_of_a_good_topic_or_of_one_that_nobody_tells_of(days_old):
    """Broken: whoever gets a warning for nothing reads none of them."""
    silent = Topic("c", "trades", "", 4, 1)  # the embedded broker, or one where describing is not allowed
    for looked_at in (topic({}), silent):
        assert topic_problems(looked_at, span_ns(days_old), NOW_S) == []
        assert list(topic_warnings(looked_at, span_ns(days_old), NOW_S, 1_000_000)) == []


@pytest.mark.parametrize(
    ("config", "days_old", "says"),
    [
        ({BEFORE: str(7 * DAY_MS)}, 30, "refuses records older than 7 days, and the oldest trade is 30 days old"),
        ({BEFORE: NONE, BOTH: str(7 * DAY_MS)}, 30, "refuses records older than 7 days"),  # Kafka 3.6 to 3.9
        ({AFTER: NONE, BOTH: str(2 * DAY_MS)}, -3, "refuses records more than 2 days in the future"),
        ({}, -2.5, "in the future, and the newest trade is 2.5 days ahead: set its message.timestamp.after.max.ms"),
        ({"min.insync.replicas": "4"}, 30, "wants 4 replicas in sync (min.insync.replicas) and has 3: it takes no"),
    ],
)
def test_a_refusal_that_is_certain_comes_before_the_first_row(config, days_old, says):
    """Broken: a topic that takes none of these trades would be found out in the middle, with exit 7 or after the
    broker timeout."""
    with pytest.raises(UsageError, match="topic trades") as refused:
        check_topic(topic(config), span_ns(days_old), NOW_S)
    assert says in str(refused.value)
    assert refused.value.exit_code == ExitCode.USAGE
    assert says in topic_problems(topic(config), span_ns(days_old), NOW_S)[0]


def test_the_newest_trade_counts_for_what_is_too_new():
    """Broken: a file whose last trades are in the future ends with exit 7 after all others were sent."""
    first_ns, last_ns = span_ns(0)[0], span_ns(-1)[1]
    with pytest.raises(UsageError, match="the newest trade is 1 days ahead"):
        check_topic(topic({}), (first_ns, last_ns), NOW_S)


@pytest.mark.parametrize(
    ("config", "limited"),
    [
        ({AFTER: NONE}, False),
        ({}, True),
        ({AFTER: NONE, BEFORE: "1"}, True),
        ({AFTER: NONE, BOTH: "1"}, True),
        ({"message.timestamp.type": "LogAppendTime"}, False),
    ],
)
def test_times_are_looked_at_where_the_topic_limits_them(config, limited):
    """Broken: what statistics cannot tell would not be checked; or each row is looked at for nothing."""
    assert topic(config).limits_times is limited


@pytest.mark.parametrize(
    ("config", "days_old"),
    [
        ({BEFORE: str(7 * DAY_MS)}, 6.9),
        ({BEFORE: str(40 * DAY_MS), BOTH: str(7 * DAY_MS)}, 30),  # the newer one is set: the older does not count
        ({}, -0.04),  # within the hour that Kafka 4 allows
        ({BEFORE: "1", AFTER: "1", "message.timestamp.type": "LogAppendTime"}, 30),  # these times do not count
    ],
)
def test_what_the_broker_takes_is_not_refused(config, days_old):
    """Broken: a replay that would go well is not let go."""
    check_topic(topic(config), span_ns(days_old), NOW_S)
    check_topic(topic(config), None, NOW_S)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (
            topic({"retention.ms": str(7 * DAY_MS)}),
            "keeps records for 7 days by event time, and the oldest trade is 30",
        ),
        (topic({"cleanup.policy": "compact,delete"}), "is compacted"),
        (topic({"message.timestamp.type": "LogAppendTime"}), "replaces event times"),
        (topic({"min.insync.replicas": "1"}, 1, 3), "has one replica, and the cluster 3 brokers"),
        (topic({"min.insync.replicas": "1"}), "has 3 replicas and min.insync.replicas=1: rows can be acknowledged"),
        (topic({"max.message.bytes": "50000"}), "refuses batches over 50,000 bytes (max.message.bytes)"),
    ],
)
def test_each_thing_that_nobody_may_want_is_told_alone(made, says):
    """Broken: rows would be gone in the morning, or refused when a batch fills up, and nobody was told."""
    (told,) = topic_warnings(made, span_ns(30), NOW_S, 1_000_000)
    assert told.startswith("topic trades ")
    assert says in told
    check_topic(made, span_ns(30), NOW_S)


def test_one_broker_needs_no_more_replicas():
    """Broken: everybody with a broker for trials would be warned of what cannot be otherwise."""
    assert list(topic_warnings(topic({"min.insync.replicas": "1"}, 1, 1), None, NOW_S, 1)) == []
