"""librdkafka's statistics: figures for an operator, and the second witness of a lost connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from replay.kafka.statistics import BrokerStatistics, StatisticsWatch, figures, parse


def broker(
    nodeid: int = 1, state: str = "UP", retries: int = 0, errors: int = 0, timeouts: int = 0, p99_us: int = 0
) -> dict[str, Any]:
    rtt = {"p50": 1, "p99": p99_us}
    return {
        "nodeid": nodeid, "state": state, "txretries": retries, "txerrs": errors, "req_timeouts": timeouts, "rtt": rtt
    }  # fmt: skip


def statistics(*brokers: dict[str, Any]) -> dict[str, Any]:
    return {"msg_cnt": 7, "msg_size": 700, "brokers": {str(at): each for at, each in enumerate(brokers)}}


def test_totals_are_over_all_brokers_and_the_round_trip_is_the_worst():
    """Broken: a broker that retries or is slow would hide behind the others."""
    text = json.dumps(statistics(broker(1, "UP", 2, 1, 0, 1_500), broker(2, "DOWN", 3, 0, 4, 250_000)))
    assert figures(parse(text)) == BrokerStatistics(7, 700, 5, 1, 4, 0.25, brokers=2, brokers_up=1)


def test_bootstrap_connections_do_not_count():
    """Broken: they go down for good as soon as the brokers are known, and would look like an outage."""
    found = figures(statistics(broker(-1, "DOWN", 9), broker(1, "UPDATE")))
    assert found is not None
    assert (found.brokers, found.brokers_up, found.retries) == (1, 1, 0)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"brokers": 3}', '{"brokers": {"a": {"nodeid": 1}}}'])
def test_anything_else_is_nothing_and_raises_nothing(text):
    """Broken: an exception inside librdkafka's callback surfaces in the next poll and ends the replay."""
    assert figures(parse(text)) is None


# -- lost connections -------------------------------------------------------------------------------------


def looked_at(
    at_s: float, state: str | None = "UP", age_s: float = 0.9, connects: int = 1, tx: int = 3, logins: int = 1
) -> str:
    """As librdkafka writes them, as far as they matter; without a state, the broker is not there."""
    broker = {
        "name": "a:9092/1", "nodeid": 1, "state": state, "stateage": int(age_s * 1e6),
        "connects": connects, "disconnects": connects - 1, "tx": tx,
        "req": {"Produce": 1, "SaslHandshake": logins},
    }  # fmt: skip
    bootstrap = {**broker, "name": "a:9092/bootstrap", "nodeid": -1, "state": "UP", "stateage": 0}
    return json.dumps({"ts": int(at_s * 1e6), "brokers": {"b": bootstrap} | ({"a": broker} if state else {})})


def lost(watch: StatisticsWatch, text: str) -> list[str]:
    return watch.lost(parse(text))


@pytest.mark.parametrize(
    "later",
    [
        looked_at(11, "DOWN", 0.5),
        looked_at(11, "CONNECT", 0.1),
        looked_at(11, None),
        looked_at(11, age_s=0.4, connects=2, tx=400),
        # As seen: it begins anew, counters and all, once there is no other broker to ask
        looked_at(11, age_s=0.9, connects=1, tx=5),
    ],
    ids=["down", "again", "gone", "reconnected", "anew"],
)
def test_a_connection_that_was_lost_shows_in_the_statistics(later):
    """Missed, rows in flight would be sent again unseen as soon as a log line is not understood."""
    watch = StatisticsWatch()
    assert lost(watch, looked_at(10, tx=200 if "400" in later else 4)) == []
    assert lost(watch, later) == ["a:9092/1"]
    assert lost(watch, later) == [], "told once"


@pytest.mark.parametrize(
    "later",
    [
        looked_at(11, age_s=1.9, tx=400),
        looked_at(11, age_s=1.0, tx=400),  # it went up in that very moment
        looked_at(11, "UPDATE", age_s=0.1, tx=400),
        looked_at(11, age_s=0.2, tx=400),  # credentials were renewed
        "not JSON",
        "{}",
        '{"ts": 1, "brokers": []}',
    ],
)
def test_a_connection_that_goes_on_is_not_lost(later):
    """Taken for lost, each renewal of credentials costs the wait of a crash (45 s by Kafka's defaults)."""
    watch = StatisticsWatch()
    lost(watch, looked_at(10, tx=300))
    assert lost(watch, later if "UPDATE" not in later else looked_at(11, "UPDATE", 1.5, tx=400)) == []


@pytest.mark.parametrize("state", ["AUTH_HANDSHAKE", "AUTH_REQ", "REAUTH", "UP"])
def test_one_that_logs_in_again_is_not_lost(state):
    """Broken: a broker that wants a new login each hour (connections.max.reauth.ms), or whose tokens end, makes the
    replay begin anew each time."""
    watch = StatisticsWatch()
    lost(watch, looked_at(10, tx=20))
    assert lost(watch, looked_at(11, state, 0.1, tx=22, logins=2)) == []
    assert lost(watch, looked_at(12, "UP", 0.9, tx=40, logins=2)) == []


@pytest.mark.parametrize(
    "later",
    [
        looked_at(12, "TRY_CONNECT", 0.1, tx=22, logins=2),
        looked_at(12, "AUTH_REQ", 0.1, connects=2, tx=24, logins=3),
        looked_at(12, "AUTH_REQ", 0.1, tx=2, logins=1),  # it begins anew
        looked_at(12, "UP", 0.1, connects=2, tx=24, logins=3),
    ],
    ids=["down", "again", "anew", "reconnected"],
)
def test_one_that_is_refused_as_it_logs_in_again_is_lost(later):
    """Broken: a connection that ends with a token, and has rows in flight, is taken for one that goes on: its rows are
    sent again unseen."""
    watch = StatisticsWatch()
    lost(watch, looked_at(10, tx=20))
    assert lost(watch, looked_at(11, "AUTH_REQ", 0.1, tx=22, logins=2)) == []
    assert lost(watch, later) == ["a:9092/1"]


def test_what_was_not_up_cannot_be_lost():
    watch = StatisticsWatch()
    lost(watch, looked_at(10, "CONNECT"))
    assert lost(watch, looked_at(11, None)) == []
