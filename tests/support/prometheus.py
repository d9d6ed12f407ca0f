"""Debian's Prometheus and node_exporter on a folder of text files, with the alert rules and expressions of cron/."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.java import free_ports

CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs: [{{job_name: node, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""


class Prometheus:
    """What its HTTP API says."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/"

    def ask(self, what: str, **parameters: str) -> Any:
        """Raises where the query is refused."""
        url = self._url + what + "?" + urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def series(self, expression: str) -> list[dict[str, str]]:
        """The labels of what an expression gives now."""
        return [each["metric"] for each in self.ask("query", query=expression)["result"]]

    def firing(self) -> set[tuple[str, str]]:
        """Names of alerts, and the job that each is about."""
        alerts = self.ask("alerts")["alerts"]
        return {
            (each["labels"]["alertname"], each["labels"]["replay_job"]) for each in alerts if each["state"] == "firing"
        }

    def wait_firing(self, wanted: set[tuple[str, str]], timeout_s: float = 40) -> None:
        deadline = time.monotonic() + timeout_s
        while self.firing() != wanted:
            assert time.monotonic() < deadline, f"{self.firing()}, not {wanted}"
            time.sleep(0.5)


@contextmanager
def watching(folder: Path, rules: Path, textfiles: Path) -> Iterator[Prometheus]:
    """Both of them, up and scraping the text files of a folder every second."""
    exporter_port, port = free_ports(2)
    folder.mkdir()
    (folder / "prometheus.yml").write_text(CONFIG.format(rules=rules, port=exporter_port))
    exporter = [
        "prometheus-node-exporter",
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={textfiles}",
        f"--web.listen-address=127.0.0.1:{exporter_port}",
    ]
    server = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        processes = [subprocess.Popen(each, cwd=folder, stdout=log, stderr=log) for each in (exporter, server)]
        try:
            prometheus = Prometheus(port)
            _wait_up(prometheus, folder / "log")
            yield prometheus
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)


def _wait_up(prometheus: Prometheus, log: Path, timeout_s: float = 40) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if prometheus.series('up{job="node"} == 1'):
                return
        except (urllib.error.URLError, ConnectionError):  # not there yet
            pass
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.2)
