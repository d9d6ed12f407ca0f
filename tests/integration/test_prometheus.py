"""What the shipped service writes, in a real Prometheus: the shipped rules fire and clear, and every panel has data."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from replay.cli.options.looking import SampleLayout
from replay.cli.sample_trades import SampleSpec, write_sample
from tests.conftest import Broker
from tests.support.command_lines import CRON, all_lines
from tests.support.kafka_cluster import KafkaCluster
from tests.support.need import need
from tests.support.process import Job, Jobs
from tests.support.prometheus import Prometheus, watching
from tests.unit.watch.metrics.test_cron_metrics import dashboard_expressions

SILENT = {"Outages", "Bad rows"}
"""Panels that show nothing on a good day."""


class Night:
    """Jobs of a job file, each started as replay@JOB.service starts it; yesterday's files are there unless removed."""

    def __init__(self, folder: Path, bootstrap: str, topic: str, jobs: Jobs) -> None:
        self.folder, self._jobs, self._bootstrap = folder, jobs, bootstrap
        (trades,) = write_sample(folder / "made", SampleSpec(20_000, 5, 1, SampleLayout.BY_DAY))
        (folder / "metrics").mkdir()
        for job in ("trades", "quotes", "slow"):
            for days in (0, 1):  # one of them is yesterday, also if midnight passes now
                shutil.copy(trades, folder / f"{job}-{(datetime.now(UTC) - timedelta(days=days)).date()}.parquet")
        text = (CRON / "nightly.toml").read_text().replace('"/srv/trades/trades-', f'"{folder}/trades-')
        text = text.replace('topic = "trades"', f'topic = "{topic}"')
        head, table, _, kafka, _ = re.split(r"(?m)^(?=\[)", text)  # without the job of Avro and the registry
        tables = [
            table.replace("jobs.trades", f"jobs.{job}").replace("/trades-", f"/{job}-") for job in ("trades", "quotes")
        ]
        tables.append(
            tables[0].replace("jobs.trades", "jobs.slow").replace("/trades-", "/slow-").replace("5000/s", "200/s")
        )
        (folder / "nightly.toml").write_text(head + "".join(tables) + kafka)
        (self._arguments,) = [arguments for name, arguments in all_lines() if name == "replay@.service"]

    def start(self, job: str, **env: str) -> Job:
        at = {
            "trades": job,
            "/etc/replay/nightly.toml": f"{self.folder}/nightly.toml",
            "/var/lib/replay": f"{self.folder}/state",
            "/var/lib/prometheus/node-exporter/": f"{self.folder}/metrics/",
        }
        arguments = [at.get(each, each) for each in self._arguments]
        return self._jobs.start(arguments, env={"REPLAY_BOOTSTRAP_SERVERS": self._bootstrap, **env})

    def textfile(self, job: str) -> Path:
        return self.folder / "metrics" / f"replay-{job}.prom"

    def age(self, job: str, name: str, seconds: float) -> None:
        """As the file looks so much later."""
        path = self.textfile(job)
        text, count = re.subn(
            rf"(?m)^({name}{{.*}}) (\S+)$", lambda line: f"{line[1]} {float(line[2]) - seconds}", path.read_text()
        )
        assert count == 1
        path.write_text(text)


@pytest.fixture
def night(tmp_path: Path, kafka: KafkaCluster | Broker, topic: str) -> Iterator[Night]:
    need("prometheus", "prometheus-node-exporter")
    with Jobs(tmp_path / "jobs") as jobs:
        yield Night(tmp_path, kafka.bootstrap_servers, topic, jobs)


def test_alerts_fire_and_clear_and_every_panel_has_data(night: Night, tmp_path: Path) -> None:
    """Broken: the metrics of one job replace those of another, or the service writes none: no alert, no graph."""
    for path in tmp_path.glob("quotes-*.parquet"):
        path.rename(path.with_suffix(".late"))
    slow = night.start("slow")
    done, failed = night.start("trades"), night.start("quotes")
    assert (done.wait(), failed.wait()) == (0, 3), done.log + failed.log
    with watching(tmp_path / "prometheus", CRON / "alerts.yml", tmp_path / "metrics") as prometheus:
        prometheus.wait_firing({("ReplayFailed", "quotes")})
        jobs = {each["replay_job"] for each in prometheus.series("replay_build_info")}
        assert jobs == {"trades", "quotes", "slow"}
        empty = panels_without_data(prometheus)
        deadline = time.monotonic() + 40
        while empty and time.monotonic() < deadline:  # a rate needs two values
            time.sleep(1)
            empty = panels_without_data(prometheus)
        assert empty == set(), slow.log

        slow.kill()
        night.age("slow", "replay_updated_timestamp_seconds", 300)
        night.age("trades", "replay_last_success_timestamp_seconds", 27 * 3600)
        prometheus.wait_firing(
            {("ReplayFailed", "quotes"), ("ReplayInterrupted", "slow"), ("ReplayNotSucceeded", "trades")}
        )

        for path in tmp_path.glob("quotes-*.late"):
            path.rename(path.with_suffix(".parquet"))
        again = [night.start(job, REPLAY_RATE="max") for job in ("trades", "quotes", "slow")]
        assert [job.wait() for job in again] == [0, 0, 0], [job.log for job in again]
        prometheus.wait_firing(set())


def panels_without_data(prometheus: Prometheus) -> set[str]:
    found = {}
    for title, expression in dashboard_expressions():
        asked = re.sub(r"\$(replay_job|date)\b", ".*", expression).replace("$__rate_interval", "20s")
        found[title, expression] = bool(prometheus.series(asked))
    return {f"{title}: {expression}" for (title, expression), any_ in found.items() if not any_ and title not in SILENT}
