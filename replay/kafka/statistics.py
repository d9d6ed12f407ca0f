"""What librdkafka tells about itself once a second, as far as it helps an operator. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BrokerStatistics:
    """One look at a producer. Totals count from the producer's start; `rtt_p99_s` is the worst broker's.

    `brokers` are those the cluster has named (bootstrap connections carry no rows), `brokers_up` the connected ones.
    """

    queue_records: int = 0
    queue_bytes: int = 0
    retries: int = 0
    errors: int = 0
    timeouts: int = 0
    rtt_p99_s: float = 0.0
    brokers: int = 0
    brokers_up: int = 0


def parse(text: str) -> BrokerStatistics | None:
    """From librdkafka's JSON; None where it is not what is expected. Never raises: it is called from a callback."""
    try:
        body = json.loads(text)
        nodes = [broker for broker in body["brokers"].values() if broker["nodeid"] >= 0]
        return BrokerStatistics(
            queue_records=int(body["msg_cnt"]),
            queue_bytes=int(body["msg_size"]),
            retries=_sum(nodes, "txretries"),
            errors=_sum(nodes, "txerrs"),
            timeouts=_sum(nodes, "req_timeouts"),
            rtt_p99_s=max((broker["rtt"]["p99"] for broker in nodes), default=0) / 1e6,  # it counts microseconds
            brokers=len(nodes),
            # UPDATE is a connected broker whose address is being looked up anew
            brokers_up=sum(broker["state"] in ("UP", "UPDATE") for broker in nodes),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _sum(nodes: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(int(broker[name]) for broker in nodes)
