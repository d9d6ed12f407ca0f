"""Metrics in Prometheus' words: their names, and how they get out. The one module that needs the extra `metrics`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import SplitResult, unquote, urlsplit

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest, push_to_gateway, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import basic_auth_handler, default_handler
from prometheus_client.registry import Collector

from replay import __version__
from replay.delivery.pace import Lateness, bucket_edges_s
from replay.errors import UsageError
from replay.kafka.statistics import BrokerStatistics
from replay.watch.metrics.reading import Metrics, Reading
from replay.watch.run import Figures, RunInfo

LABELS = ["replay_job", "date"]

PUSH_TIMEOUT_S = 5.0
"""Of each step of a push; the whole of it is on a thread of its own."""

_EDGES = slice(23, None, 8)
"""The buckets exported, of those 10 % wide that are kept: from 0.09 ms on, each twice as wide as the one before."""

_MIDDLE = math.sqrt(1.1)
"""A value lies within 5 % of its bucket's middle: the sum, of which averages are made, is as good as that."""

Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily


class Exporter(Collector):
    """Values are made when they are asked for, from one reading, so that they fit each other."""

    def __init__(self, info: RunInfo, metrics: Metrics) -> None:
        self._info, self._metrics = info, metrics
        self._values = [info.job, info.date or ""]
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def describe(self) -> list[Family]:
        return []

    def text(self) -> bytes:
        """The exposition format that node_exporter reads."""
        return generate_latest(self._registry)

    def serve(self, port: int, address: str) -> tuple[Callable[[], None], int]:
        """Answer scrapes until the returned function is called; and the port, where 0 left the choice open."""
        server, thread = start_http_server(port, address, self._registry)

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return close, server.server_port

    def gateway(self, address: str) -> Gateway:
        return Gateway(address, self._info.job, self._registry)

    def collect(self) -> Iterator[Family]:
        reading = self._metrics.reading
        build = GaugeMetricFamily("replay_build_info", "The version of replay", labels=[*LABELS, "version"])
        build.add_metric([*self._values, __version__], 1)
        yield build
        yield from self._of_run(reading)
        if reading.figures is not None:
            yield from self._of_rows(reading.figures)
            yield from self._of_broker(reading)
        if reading.lateness is not None and reading.ack_latency is not None:
            yield self._histogram(
                "replay_lateness_seconds", "Handed over so long after they were due", reading.lateness
            )
            yield self._histogram(
                "replay_ack_latency_seconds", "From handing over to acknowledged", reading.ack_latency
            )
        if reading.statistics is not None:
            yield from self._of_producer(reading.statistics)

    def _of_run(self, reading: Reading) -> Iterator[Family]:
        yield self._gauge("replay_running", "1 while the run lasts", reading.running)
        yield self._gauge("replay_updated_timestamp_seconds", "When these values were made", self._metrics.now_s())
        if reading.exit_code is not None:
            yield self._gauge("replay_exit_code", "How the run ended; absent while it lasts", reading.exit_code)
        if reading.success_s is not None:
            name = "replay_last_success_timestamp_seconds"
            yield self._gauge(name, "When the job last came to its end, whatever date it was", reading.success_s)

    def _of_rows(self, seen: Figures) -> Iterator[Family]:
        counts = seen.counts
        yield self._gauge(
            "replay_rows", "Rows of INPUT: in topic, not selected, bad, and still to come", counts.of_rows
        )
        yield self._gauge("replay_rows_in_topic", "Rows that are in the topic, whoever sent them", counts.in_topic)
        yield self._gauge("replay_rows_not_selected", "Rows left out by the selection", counts.not_selected)
        yield self._gauge("replay_rows_bad", "Rows left out because they are bad", counts.bad)
        bad = GaugeMetricFamily("replay_rows_bad_by_reason", "The same by reason", labels=[*LABELS, "reason"])
        for reason, rows in counts.bad_by_reason.items():
            bad.add_metric([*self._values, reason], rows)
        yield bad
        yield self._gauge("replay_position_row", "The next row: those before it are done", seen.done_row)
        yield self._gauge("replay_rows_in_flight", "Rows sent and not acknowledged", seen.in_flight_rows)
        yield self._counter("replay_rows_sent", "Rows handed to the producer by this run", seen.sent_rows)
        yield self._counter("replay_rows_acked", "Rows that this run has brought into the topic", seen.acked_rows)
        resent = "Rows handed over again, since they were lost on their way"
        yield self._counter("replay_rows_resent", resent, seen.resent_rows)
        there = "Rows found in the topic and not sent again"
        yield self._counter("replay_rows_already_there", there, seen.already_there_rows)
        shifted = "By how much the schedule was moved after stalls"
        yield self._counter("replay_schedule_shift_seconds", shifted, seen.shifted_s)

    def _of_broker(self, reading: Reading) -> Iterator[Family]:
        assert reading.figures is not None
        yield self._gauge("replay_broker_up", "0 while acknowledgements stay away", not reading.outage)
        yield self._counter("replay_outages", "Outages so far", reading.figures.outages)
        yield self._counter("replay_outage_seconds", "Their length in all", reading.figures.outages_s)
        age = "How long rows in flight have waited without one being acknowledged"
        yield self._gauge("replay_frontier_age_seconds", age, self._metrics.frontier_age_s())

    def _of_producer(self, seen: BrokerStatistics) -> Iterator[Family]:
        yield self._gauge("replay_producer_queue_records", "Records in librdkafka's queues", seen.queue_records)
        yield self._gauge("replay_producer_queue_bytes", "Their bytes", seen.queue_bytes)
        yield self._counter("replay_producer_retries", "Requests sent again by this producer", seen.retries)
        yield self._counter("replay_producer_errors", "Requests that could not be sent", seen.errors)
        yield self._counter("replay_producer_timeouts", "Requests without an answer", seen.timeouts)
        yield self._gauge("replay_producer_rtt_p99_seconds", "Round trip of the slowest broker, p99", seen.rtt_p99_s)
        yield self._gauge("replay_producer_brokers", "Brokers the cluster has named", seen.brokers)
        yield self._gauge("replay_producer_brokers_up", "Those of them connected", seen.brokers_up)

    def _gauge(self, name: str, text: str, value: float) -> Family:
        family = GaugeMetricFamily(name, text, labels=LABELS)
        family.add_metric(self._values, value)
        return family

    def _counter(self, name: str, text: str, value: float) -> Family:
        family = CounterMetricFamily(name, text, labels=LABELS)
        family.add_metric(self._values, value)
        return family

    def _histogram(self, name: str, text: str, measured: Lateness) -> Family:
        edges, up_to = bucket_edges_s(), np.cumsum(measured.counts)
        buckets = [
            (f"{edge:.6g}", float(rows))
            for edge, rows in zip(edges[:-1][_EDGES].tolist(), up_to[:-1][_EDGES].tolist(), strict=True)
        ]
        family = HistogramMetricFamily(name, text, labels=LABELS)
        total = float(measured.counts @ (edges / _MIDDLE))
        family.add_metric(self._values, [*buckets, ("+Inf", float(up_to[-1]))], total)
        return family


def gateway_address(text: str) -> SplitResult:
    """Raises `UsageError`, without repeating the text: it may hold a password."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:  # a port that is no number, an open bracket
        pass
    raise UsageError(
        "this is no address of a push gateway", where="--metrics-push", todo="write it like http://gateway:9091"
    )


class Gateway:
    """A push gateway. Each job has one group there, which every push replaces: dates do not pile up."""

    def __init__(self, address: str, job: str, registry: CollectorRegistry) -> None:
        parts = gateway_address(address)
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"  # without user and password
        handler: Callable[..., Callable[[], None]] = default_handler
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            handler = partial(basic_auth_handler, username=user, password=password)
        self.push = partial(push_to_gateway, self.name, job, registry, timeout=PUSH_TIMEOUT_S, handler=handler)
