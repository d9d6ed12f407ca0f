"""Metrics: the names and values that dashboards and alerts rest on, and that none of their ways out stops a replay."""

from __future__ import annotations

import base64
import importlib
import socket
import sys
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from replay.delivery.tally import Tally
from replay.errors import BrokerUnavailable, UsageError
from replay.kafka.statistics import BrokerStatistics
from replay.model import PartitionMark, Position, Progress, SystemClock
from replay.watch.metrics import export as module
from replay.watch.metrics.export import MetricsOptions, check, exporting, is_loopback
from replay.watch.metrics.prometheus import Exporter, Metrics
from replay.watch.run import RunInfo, RunOutcome
from tests.support.http_server import RememberingServer
from tests.unit.fakes import FakeClock, Told

INFO = RunInfo("nightly", "2026-11-22", "run", "trades", "/s/x.json")
LABELS = {"replay_job": "nightly", "date": "2026-11-22"}


def full_tally() -> Tally:
    """With a value in everything."""
    shown = Tally(1_000, pruned_rows=200, sent_rows=450, already_there_rows=50, in_flight_rows=7)
    shown.begins(Progress(Position(100, (100,)), (PartitionMark(150, ahead_rows=50),)))
    shown.proven(Progress(Position(600, (600,), 50, {"price_missing": 20}), (PartitionMark(600),)))
    shown.done_rows, shown.resent_rows = 600, 43
    shown.lateness.add(np.array([0.001] * 98 + [0.5] * 2))
    shown.ack_latency.add(np.array([0.02] * 10))
    shown.shifted_s, shown.outages, shown.outages_s = 2.5, 1, 12.0
    shown.statistics = BrokerStatistics(11, 1_100, 3, 2, 1, 0.25, brokers=3, brokers_up=2)
    return shown


class Scraped:
    """A run's metrics, and what a scrape of them says."""

    def __init__(self, last_success_s: float | None = None) -> None:
        self.clock, self.told = FakeClock(), Told()
        self.metrics = Metrics(self.told, last_success_s, self.clock)
        self.exporter = Exporter(INFO, self.metrics)

    def show(self, shown: Tally, after_s: float = 1.0) -> None:
        self.clock.sleep(after_s)
        self.metrics.progress(shown.view())

    def samples(self) -> list[Any]:
        return [
            each for family in text_string_to_metric_families(self.exporter.text().decode()) for each in family.samples
        ]

    def values(self) -> dict[str, float]:
        """Of everything that is there once."""
        return {each.name: each.value for each in self.samples()}


def exported_names() -> set[str]:
    """Every name that there can be: a run with everything in it, while it lasts and after its end."""
    scraped = Scraped()
    scraped.show(full_tally())
    during = set(scraped.values())
    scraped.metrics.close(RunOutcome(0, "done"))
    return during | set(scraped.values())


def test_names_and_values():
    """Broken: a dashboard shows nothing, or one figure under the name of another."""
    scraped = Scraped()
    scraped.show(full_tally())
    values = scraped.values()
    expected = {
        "replay_running": 1, "replay_rows": 1_200, "replay_rows_in_topic": 550, "replay_rows_not_selected": 230,
        "replay_rows_bad": 20, "replay_rows_bad_by_reason": 20, "replay_rows_resent_total": 43,
        "replay_position_row": 600, "replay_rows_in_flight": 7,
        "replay_rows_sent_total": 450, "replay_rows_acked_total": 400, "replay_rows_already_there_total": 50,
        "replay_schedule_shift_seconds_total": 2.5, "replay_broker_up": 1,
        "replay_outages_total": 1, "replay_outage_seconds_total": 12, "replay_frontier_age_seconds": 0,
        "replay_producer_queue_records": 11, "replay_producer_queue_bytes": 1_100, "replay_producer_retries_total": 3,
        "replay_producer_errors_total": 2, "replay_producer_timeouts_total": 1, "replay_producer_rtt_p99_seconds": 0.25,
        "replay_producer_brokers": 3, "replay_producer_brokers_up": 2, "replay_lateness_seconds_count": 100,
        "replay_ack_latency_seconds_count": 10, "replay_build_info": 1,
        "replay_updated_timestamp_seconds": scraped.clock.now(),
    }  # fmt: skip
    assert {name: values[name] for name in expected} == expected
    assert "replay_exit_code" not in values
    assert "replay_last_success_timestamp_seconds" not in values
    assert all(each.labels.items() >= LABELS.items() for each in scraped.samples())
    (bad,) = (each for each in scraped.samples() if each.name == "replay_rows_bad_by_reason")
    assert bad.labels["reason"] == "price_missing", "rows not selected are not bad"


def test_before_the_first_row_there_is_only_what_is_known():
    """Broken: "0 of 0 rows, broker down" while the input is still being checked."""
    assert set(Scraped().values()) == {"replay_build_info", "replay_running", "replay_updated_timestamp_seconds"}


def test_the_histograms_are_cumulative_and_their_quantiles_and_sum_are_right():
    """Broken: histogram_quantile() and averages would say something else than the summary."""
    scraped = Scraped()
    scraped.show(full_tally())
    buckets = {float(each.labels["le"]): each.value for each in scraped.samples()
               if each.name == "replay_lateness_seconds_bucket"}  # fmt: skip
    assert list(buckets) == sorted(buckets)
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets[float("inf")] == 100
    assert max(value for edge, value in buckets.items() if edge < 0.0009) == 0
    assert min(value for edge, value in buckets.items() if edge > 0.0011 * 2.2) == 98
    assert max(value for edge, value in buckets.items() if edge < 0.45) == 98
    assert scraped.values()["replay_lateness_seconds_sum"] == pytest.approx(98 * 0.001 + 2 * 0.5, rel=0.06)


def test_an_outage_and_how_long_the_frontier_stands_still():
    """Broken: the alert for a broker that is down never fires, or fires in every pause of the schedule."""
    scraped, shown = Scraped(), full_tally()
    scraped.show(shown)
    shown.outage_since_s = 1.0
    scraped.show(shown, 30)
    assert (scraped.values()["replay_broker_up"], scraped.values()["replay_frontier_age_seconds"]) == (0, 30)
    shown.outage_since_s, shown.done_rows = None, 700
    scraped.show(shown, 5)
    assert (scraped.values()["replay_broker_up"], scraped.values()["replay_frontier_age_seconds"]) == (1, 0)
    shown.in_flight_rows = 0
    scraped.show(shown, 60)
    assert scraped.values()["replay_frontier_age_seconds"] == 0, "nothing is waiting"
    shown.in_flight_rows = 7
    scraped.show(shown, 2)
    assert scraped.values()["replay_frontier_age_seconds"] == 2, "the pause does not count"


def test_acknowledged_rows_never_become_fewer():
    """Broken: a counter that falls looks like a restart, and rate() would count all rows again."""
    scraped, shown = Scraped(), full_tally()
    scraped.show(shown)
    shown.already_there_rows += 150  # found by a new producer behind an older checkpoint
    shown.begins(Progress(Position(420, (420,), 20), (PartitionMark(420, ahead_rows=150),)))
    scraped.show(shown)
    assert scraped.values()["replay_rows_acked_total"] == 400
    shown.proven(Progress(Position(950, (950,), 50), (PartitionMark(900),)))
    scraped.show(shown)
    assert scraped.values()["replay_rows_acked_total"] == 750


@pytest.mark.parametrize(("code", "success_s"), [(0, None), (5, 123.0)])
def test_the_end(code, success_s):
    """Broken: the alert for a night without success would forget the last one with every failure, or never end."""
    scraped = Scraped(last_success_s=123.0)
    assert scraped.values()["replay_last_success_timestamp_seconds"] == 123.0
    shown = full_tally()
    scraped.show(shown)
    shown.done_rows = 1_000
    scraped.show(shown, 0.1)
    scraped.metrics.close(RunOutcome(code, ""))
    values = scraped.values()
    assert (values["replay_running"], values["replay_exit_code"], values["replay_position_row"]) == (0, code, 1_000)
    assert values["replay_last_success_timestamp_seconds"] == (success_s or scraped.clock.now())
    assert "replay_producer_queue_records" not in values, "the queues of a second ago would stand there for a day"


def test_everything_is_handed_on():
    """Broken: the display would stand still as soon as there are metrics."""
    scraped, shown = Scraped(), full_tally()
    for _ in range(3):
        scraped.show(shown, 0.1)
    scraped.metrics.phase("checking", 1, 2)
    scraped.metrics.warning("w")
    assert (len(scraped.told.shown), scraped.told.warnings) == (3, ["w"])


# -- ways out ---------------------------------------------------------------------------------------------

HISTORY: Any = SimpleNamespace(last_successes=lambda: {INFO.job: 123.0})


def run(options: MetricsOptions, error: BaseException | None = None, inside: Any = lambda: None) -> Told:
    told = Told()
    caught: BaseException | None = None
    try:
        with exporting(options, INFO, told, HISTORY, SystemClock()) as metrics:
            metrics.progress(full_tally().view())
            inside()
            if error is not None:
                raise error
    except BaseException as raised:
        caught = raised
    assert caught is error
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("metrics")]
    return told


def test_without_options_nothing_is_needed(monkeypatch):
    """Broken: every replay would need the extra."""
    monkeypatch.setattr(module, "_prometheus", lambda: pytest.fail("asked for"))
    check(MetricsOptions())
    assert run(MetricsOptions()).warnings == []


@pytest.mark.parametrize("options", [MetricsOptions(port=0), MetricsOptions(push="gateway:9091")])
def test_a_missing_extra_is_named(monkeypatch, options):
    """Broken: a traceback, or a night without metrics that nobody notices."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "replay.watch.metrics.prometheus")
    monkeypatch.delattr(importlib.import_module("replay.watch.metrics"), "prometheus")
    with pytest.raises(UsageError) as caught:
        check(options)
    assert ".[metrics]" in caught.value.todo


def test_a_name_that_node_exporter_does_not_read_is_refused(tmp_path):
    """Broken: the file is written night after night, and no metric ever arrives."""
    with pytest.raises(UsageError, match=r"\.prom"):
        check(MetricsOptions(textfile=tmp_path / "replay.txt"))
    check(MetricsOptions(textfile=tmp_path / "replay.prom"))


def test_the_port_answers_while_the_run_lasts():
    """Broken: Prometheus finds nothing, or the process does not end."""
    found: list[str] = []
    told = Told()
    with exporting(MetricsOptions(port=0), INFO, told, HISTORY, SystemClock()) as metrics:
        metrics.progress(full_tally().view())
        (address,) = (text.split()[-1] for text in told.infos)
        with urllib.request.urlopen(address, timeout=5) as answer:
            found.append(answer.read().decode())
    assert 'replay_rows{date="2026-11-22",replay_job="nightly"} 1200.0' in found[0]
    assert address.startswith("http://127.0.0.1:"), "not open to the network unless asked for"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=5)


def test_a_port_that_is_taken_is_a_warning():
    """Broken: two replays with one job file, and the second one's rows would not be sent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (warning,) = run(MetricsOptions(port=port)).warnings
    assert str(port) in warning
    assert "goes on" in warning


@pytest.mark.parametrize("error", [None, BrokerUnavailable("no answer")])
def test_the_file_is_there_from_the_beginning_and_tells_the_end(tmp_path, error):
    """Broken: under cron a failed night would leave the figures of the night before it, or none."""
    path, during = tmp_path / "replay.prom", []

    def look() -> None:
        wait_for(path.exists)
        during.append(path.read_text())

    run(MetricsOptions(textfile=path), error, look)
    assert "replay_running{" in during[0]
    assert "replay_exit_code" not in during[0]
    after = path.read_text()
    assert f'replay_exit_code{{date="2026-11-22",replay_job="nightly"}} {5.0 if error else 0.0}' in after
    assert "replay_position_row{" in after
    assert [each.name for each in tmp_path.iterdir()] == ["replay.prom"]


def wait_for(there: Any) -> None:
    for _ in range(200):
        if there():
            return
        threading.Event().wait(0.02)
    pytest.fail("it never came")


def test_a_folder_that_is_missing_is_one_warning(tmp_path, monkeypatch):
    """Broken: a replay would end, or its log fill, since node_exporter is not installed on this machine."""
    monkeypatch.setattr(module, "TEXTFILE_S", 0.01)
    done = threading.Event()
    (warning,) = run(MetricsOptions(textfile=tmp_path / "no" / "x.prom"), inside=lambda: done.wait(0.1)).warnings
    assert "x.prom" in warning
    assert "goes on" in warning


def test_the_gateway_gets_the_end_in_one_group_for_each_job():
    """Broken: values of every past date would be alerted on for ever, or the last push be missing."""
    with RememberingServer() as gateway:
        told = run(MetricsOptions(push=f"http://me:s%40cret@{gateway.address}"))
    assert told.warnings == []
    pushed = gateway.got[-1]
    assert (pushed.method, pushed.path) == ("PUT", "/metrics/job/nightly"), "PUT replaces the whole group"
    assert pushed.headers["Authorization"] == "Basic " + base64.b64encode(b"me:s@cret").decode()
    assert 'replay_exit_code{date="2026-11-22",replay_job="nightly"} 0.0' in pushed.body


@pytest.mark.parametrize("trouble", ["refused", "500"])
def test_a_gateway_that_fails_is_one_warning_without_the_password(trouble):
    """Broken: a gateway that is down would end the replay, or the password stand in the log."""
    with RememberingServer(500) as gateway:
        address = gateway.address if trouble == "500" else "127.0.0.1:1"
        (warning,) = run(MetricsOptions(push=f"me:s3cret@{address}")).warnings
    assert address in warning
    assert "s3cret" not in warning


def test_a_gateway_that_hangs_holds_nothing_up(monkeypatch):
    """Broken: the process would not end, and cron start the next one beside it."""
    monkeypatch.setattr(module, "END_WAIT_S", 0.05)
    monkeypatch.setattr("replay.watch.metrics.prometheus.PUSH_TIMEOUT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = Told()
        options = MetricsOptions(push=f"127.0.0.1:{silent.getsockname()[1]}")
        with exporting(options, INFO, told, HISTORY, SystemClock()):
            pass
        (warning,) = told.warnings
        assert "not waited for" in warning
    wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name == "metrics push"])


@pytest.mark.parametrize(
    "address", ["ftp://u:s3cret@gateway", "http://", "://", "u:s3cret@gateway:http", "http://[", "gateway:0"]
)
def test_an_address_that_is_none_is_refused_without_being_repeated(address):
    """Broken: found out after the run, or with a password in the message."""
    with pytest.raises(UsageError) as caught:
        check(MetricsOptions(push=address))
    assert caught.value.where == "--metrics-push"
    assert "s3cret" not in str(caught.value)


def test_the_file_is_replaced_as_a_whole(tmp_path):
    """Broken: node_exporter reads half a file, and drops all of it."""
    from replay.atomic_file import replace_file

    path: Path = tmp_path / "x.prom"
    path.write_text("old")
    (tmp_path / ".x.prom.tmp").write_text("scrap of a killed writer, longer than what is new")
    with path.open() as reader:
        replace_file(path, b"new")
        assert reader.read() == "old", "another file"
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["x.prom"]


@pytest.mark.parametrize(
    "job", ['a"} 1\nreplay_rows{replay_job="b', "back\\slash\\", "<script>\x1b[2J\u202e", "\udcff"]
)
def test_no_job_s_name_forges_a_sample(job):
    """Broken: a name with quotes and newlines adds samples of other jobs, or all of the metrics cannot be read."""
    told = Told()
    exporter = Exporter(replace(INFO, job=job), Metrics(told, None, SystemClock()))
    families = list(text_string_to_metric_families(exporter.text().decode()))
    labels = {sample.labels["replay_job"] for family in families for sample in family.samples}
    assert labels == {job.replace("\udcff", "\\udcff")}


@pytest.mark.parametrize(("address", "warned"), [
    ("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True),
])  # fmt: skip
def test_a_port_that_others_reach_is_told(address, warned):
    """Broken: nobody notices that everyone in the network can read which jobs run here."""
    told = run(MetricsOptions(port=0, address=address))
    assert bool(told.warnings) == warned
    if warned:
        assert "listens on all addresses of this machine" in told.warnings[0]
        assert "--metrics-address 127.0.0.1" in told.warnings[0]


def test_which_addresses_others_reach():
    """Broken: a warning for ::1, or none for an address that is not this machine's own."""
    assert all(map(is_loopback, ["127.0.0.1", "127.8.9.1", "::1", "localhost"]))
    assert not any(map(is_loopback, ["::", "10.0.0.1", "192.168.1.1", "fe80::1", "203.0.113.7", "", "no such name"]))
