"""Metrics by their names in Prometheus, and how they get out. The one module that needs the extra `metrics`.

The labels are `replay_job` and `date`. Not `job`: Prometheus puts its own `job` on whatever it scrapes. Ours would be
renamed, and every alert that groups by it would take all replays for one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest, push_to_gateway, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import basic_auth_handler, default_handler
from prometheus_client.registry import Collector

from replay import __version__
from replay.delivery.lateness import Lateness, bucket_edges_s
from replay.delivery.snapshot import Display, Snapshot
from replay.errors import ExitCode, UsageError
from replay.kafka.statistics import BrokerStatistics
from replay.model import Clock
from replay.watch.figures import done_row
from replay.watch.run import Relay, RunInfo, RunOutcome, utf8

LABELS = ["replay_job", "date"]

PUSH_TIMEOUT_S = 5.0
"""Of each step of a push. The push is on a thread of its own."""

_EDGES = slice(23, None, 8)
"""Which of the kept buckets, each 10 % wide, are exported: from 0.09 ms on, each twice as wide as the one before."""

_MIDDLE = math.sqrt(1.1)
"""A value lies within 5 % of its bucket's middle, and so does the exported sum, of which averages are made."""

Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily
Names = Sequence[tuple[type[GaugeMetricFamily | CounterMetricFamily], str, str, str | Callable[[Any], float]]]
"""Kind, name, help, and the attribute that is the value, or how it is found. None: it is left out."""

_GAUGE, _COUNTER = GaugeMetricFamily, CounterMetricFamily

_OF_RUN: Names = (
    (_GAUGE, "replay_running", "1 while the run lasts", "running"),
    (_GAUGE, "replay_updated_timestamp_seconds", "When these values were made", "now_s"),
    (_GAUGE, "replay_exit_code", "How the run ended; absent while it lasts", "exit_code"),
    (_GAUGE, "replay_last_success_timestamp_seconds", "When the job last came to its end, whatever date it was",
     "success_s"),
    (_GAUGE, "replay_frontier_age_seconds", "How long rows in flight have waited without one being acknowledged",
     "frontier_age_s"),
)  # fmt: skip

_OF_ROWS: Names = (
    (_GAUGE, "replay_rows", "Rows of INPUT: in topic, not selected, bad, and still to come", "counts.of_rows"),
    (_GAUGE, "replay_rows_in_topic", "Rows that are in the topic, whoever sent them", "counts.in_topic"),
    (_GAUGE, "replay_rows_not_selected", "Rows left out by the selection", "counts.not_selected"),
    (_GAUGE, "replay_rows_bad", "Rows left out because they are bad", "counts.bad"),
    (_GAUGE, "replay_position_row", "The next row: those before it are done", done_row),
    (_GAUGE, "replay_rows_in_flight", "Rows sent and not acknowledged", "in_flight_rows"),
    (_COUNTER, "replay_rows_sent", "Rows handed to the producer by this run", "sent_rows"),
    (_COUNTER, "replay_rows_acked", "Rows that this run has brought into the topic", "delivered_rows"),
    (_COUNTER, "replay_rows_resent", "Rows handed over again, since they were lost on their way", "resent_rows"),
    (_COUNTER, "replay_rows_already_there", "Rows found in the topic and not sent again", "already_there_rows"),
    (_COUNTER, "replay_schedule_shift_seconds", "By how much the schedule was moved after stalls", "shifted_s"),
    (_GAUGE, "replay_broker_up", "0 while acknowledgements stay away", lambda shown: shown.outage_since_s is None),
    (_COUNTER, "replay_outages", "Outages so far", "outages"),
    (_COUNTER, "replay_outage_seconds", "Their length in all", "outages_s"),
)

_OF_PRODUCER: Names = (
    (_GAUGE, "replay_producer_queue_records", "Records in librdkafka's queues", "queue_records"),
    (_GAUGE, "replay_producer_queue_bytes", "Their bytes", "queue_bytes"),
    (_COUNTER, "replay_producer_retries", "Requests sent again by this producer", "retries"),
    (_COUNTER, "replay_producer_errors", "Requests that could not be sent", "errors"),
    (_COUNTER, "replay_producer_timeouts", "Requests without an answer", "timeouts"),
    (_GAUGE, "replay_producer_rtt_p99_seconds", "Round trip of the slowest broker, p99", "rtt_p99_s"),
    (_GAUGE, "replay_producer_brokers", "Brokers the cluster has named", "brokers"),
    (_GAUGE, "replay_producer_brokers_up", "Those of them connected", "brokers_up"),
)


class Metrics(Relay):
    """Watches one run. Other threads read what is known of it; None: nothing yet."""

    def __init__(self, to: Display, last_success_s: float | None, clock: Clock) -> None:
        super().__init__(to)
        self._clock = clock
        self._done_rows, self._moved_s = -1, float("-inf")
        self.running = True
        self.shown: Snapshot | None = None
        self.exit_code: int | None = None
        self.success_s = last_success_s

    def progress(self, snapshot: Snapshot) -> None:
        super().progress(snapshot)
        if snapshot.done_rows != self._done_rows or not snapshot.in_flight_rows:
            self._done_rows, self._moved_s = snapshot.done_rows, self._clock.monotonic()
        self.shown = snapshot

    def close(self, outcome: RunOutcome) -> None:
        """How the run ended."""
        if outcome.exit_code == ExitCode.DONE:
            self.success_s = self.now_s
        self.exit_code, self.running = outcome.exit_code, False

    @property
    def now_s(self) -> float:
        return self._clock.now()

    @property
    def frontier_age_s(self) -> float | None:
        """How long the oldest row in flight has waited at most, in seconds; 0 where none is."""
        if self.shown is None:
            return None
        return self._clock.monotonic() - self._moved_s if self.shown.in_flight_rows else 0.0


class Exporter(Collector):
    """Values are made when they are asked for. Those of rows are from one snapshot, so that they fit each other."""

    def __init__(self, info: RunInfo, metrics: Metrics) -> None:
        self._metrics, self._job = metrics, utf8(info.job)
        self._values = [self._job, info.date or ""]
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """The exposition format that node_exporter reads."""
        return generate_latest(self._registry)

    def serve(self, port: int, address: str) -> tuple[Callable[[], None], int]:
        """Answer scrapes until the returned function is called. The port returned is the one chosen for port 0."""
        server, thread = start_http_server(port, address, self._registry)

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return close, server.server_port

    def gateway(self, address: str) -> tuple[str, Callable[[], None]]:
        """A push gateway, by its name without user and password, and a push to it. Each job has one group there, which
        every push replaces: dates do not pile up."""
        parts = gateway_address(address)
        name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        handler: Callable[..., Callable[[], None]] = default_handler
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            handler = partial(basic_auth_handler, username=user, password=password)
        push = partial(push_to_gateway, name, self._job, self._registry, timeout=PUSH_TIMEOUT_S, handler=handler)
        return name, push

    def collect(self) -> Iterator[Family]:
        yield self._by_label("replay_build_info", "The version of replay", "version", {__version__: 1})
        yield from self._named(_OF_RUN, self._metrics)
        shown = self._metrics.shown
        if shown is None:
            return
        yield from self._named(_OF_ROWS, shown)
        yield self._by_label("replay_rows_bad_by_reason", "The same by reason", "reason", shown.counts.bad_by_reason)
        yield self._histogram("replay_lateness_seconds", "Handed over so long after they were due", shown.lateness)
        yield self._histogram("replay_ack_latency_seconds", "From handing over to acknowledged", shown.ack_latency)
        if shown.statistics is not None and self._metrics.running:  # once it has ended, its producer is gone
            yield from self._named(_OF_PRODUCER, shown.statistics)

    def _named(self, names: Names, seen: Metrics | Snapshot | BrokerStatistics) -> Iterator[Family]:
        for kind, name, text, read in names:
            value = attrgetter(read)(seen) if isinstance(read, str) else read(seen)
            if value is not None:
                family = kind(name, text, labels=LABELS)
                family.add_metric(self._values, value)
                yield family

    def _by_label(self, name: str, text: str, label: str, values: Mapping[str, float]) -> Family:
        family = GaugeMetricFamily(name, text, labels=[*LABELS, label])
        for each, value in values.items():
            family.add_metric([*self._values, each], value)
        return family

    def _histogram(self, name: str, text: str, measured: Lateness) -> Family:
        edges, up_to = bucket_edges_s(), np.cumsum(measured.counts)
        chosen = zip(edges[:-1][_EDGES].tolist(), up_to[:-1][_EDGES].tolist(), strict=True)
        buckets = [(f"{edge:.6g}", float(rows)) for edge, rows in chosen]
        family = HistogramMetricFamily(name, text, labels=LABELS)
        total = float(measured.counts @ (edges / _MIDDLE))
        family.add_metric(self._values, [*buckets, ("+Inf", float(up_to[-1]))], total)
        return family


def gateway_address(text: str) -> SplitResult:
    """Raises `UsageError`, without repeating the text: it may hold a password."""
    with suppress(ValueError):  # a port that is no number, an open bracket
        parts = urlsplit(text if "://" in text else f"http://{text}")
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    raise UsageError(
        "this is no address of a push gateway", where="--metrics-push", todo="write it like http://gateway:9091"
    )
