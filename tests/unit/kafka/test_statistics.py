"""librdkafka's statistics, as far as an operator is told of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from replay.kafka.statistics import BrokerStatistics, parse


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
    assert parse(text) == BrokerStatistics(7, 700, 5, 1, 4, 0.25, brokers=2, brokers_up=1)


def test_bootstrap_connections_do_not_count():
    """Broken: they go down for good as soon as the brokers are known, and would look like an outage."""
    found = parse(json.dumps(statistics(broker(-1, "DOWN", 9), broker(1, "UPDATE"))))
    assert found is not None
    assert (found.brokers, found.brokers_up, found.retries) == (1, 1, 0)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"brokers": 3}', '{"brokers": {"a": {"nodeid": 1}}}'])
def test_anything_else_is_nothing_and_raises_nothing(text):
    """Broken: an exception inside librdkafka's callback surfaces in the next poll and ends the replay."""
    assert parse(text) is None
