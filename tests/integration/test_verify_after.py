"""`replay run --verify`: what the comparison finds is told like every other failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.conftest import Broker
from tests.integration.test_cli import replay, trades
from tests.support.kafka_cluster import KafkaCluster
from tests.support.readback import read_topic
from tests.support.topics import create_topic

__all__ = ["trades"]


@pytest.fixture
def command(tmp_path: Path, trades: Path, kafka: KafkaCluster | Broker, topic: str) -> list[str]:
    create_topic(kafka.bootstrap_servers, topic, 2, config={"retention.ms": "-1"})
    return [
        "run", str(trades), "--topic", topic, "--bootstrap-servers", kafka.bootstrap_servers, "--verify",
        "--job", "nightly", "--date", "2023-11-14", "--state-dir", str(tmp_path / "state"),
        "--report", str(tmp_path / "report.html"), "--summary-json", str(tmp_path / "summary.json"),
        "--notify", f"tee -a {tmp_path / 'notes'}",
    ]  # fmt: skip


def last_run(tmp_path: Path) -> dict[str, object]:
    done = replay("history", "--state-dir", str(tmp_path / "state"), "--output", "json")
    found = json.loads(done.stdout)[0]
    assert isinstance(found, dict)
    return found


def test_a_topic_that_differs_is_a_failure_for_all_that_watch(
    tmp_path: Path, command: list[str], kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: cron sees exit 1, and history, note, report and monitor all say that the night was good."""
    done = replay(*command)
    assert done.returncode == 0, done.stderr
    assert last_run(tmp_path)["exit_code"] == 0
    assert "is as the source" in (tmp_path / "report.html").read_text()
    assert not (tmp_path / "notes").exists()

    record = next(record for partition in read_topic(kafka.bootstrap_servers, topic) for record in partition)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(topic, record.value, record.key, record.partition, timestamp=record.timestamp_ms)
    assert producer.flush(10) == 0

    done = replay(*command)
    assert done.returncode == 1, done.stderr
    assert "1 duplicated" in done.stderr
    assert "duplicated" in done.stdout, "the table"
    assert "Traceback" not in done.stderr
    assert (last_run(tmp_path)["exit_code"], last_run(tmp_path)["reason"]) == (1, f"{topic}: 1 duplicated")
    assert json.loads((tmp_path / "summary.json").read_text())["verdict"]["duplicated"] == 1
    assert json.loads((tmp_path / "notes").read_text())["exit_code"] == 1
    assert "DIFFERS from the source" in (tmp_path / "report.html").read_text()
    status = replay("status", "--state-dir", str(tmp_path / "state"), "--output", "json")
    assert json.loads(status.stdout)[0]["state"] == "failed"


def test_the_report_afterwards_tells_the_same(tmp_path: Path, command: list[str]) -> None:
    """Broken: a day later nobody can see which symbols went out, from which files, and that the topic was read back."""
    done = replay(*command, "--timezone", "Asia/Tokyo", "--date", "2023-11-15")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "later.html"
    told = replay("report", "nightly", "--date", "2023-11-15", "--out", out, "--state-dir", str(tmp_path / "state"))
    assert told.returncode == 0, told.stderr
    page = out.read_text()
    for part in ("Rows by symbol and partition", "trades.parquet", "is as the source", "Event times", "command line"):
        assert part in page, part
        assert part in (tmp_path / "report.html").read_text(), part
    assert "All times are UTC" in page
    assert "All times are Asia/Tokyo" in (tmp_path / "report.html").read_text()


def test_one_document_on_standard_output(command: list[str]) -> None:
    """Broken: `--summary-json -` is followed by a table, and no parser takes it."""
    command[command.index("--summary-json") + 1] = "-"
    done = replay(*command)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"]["exact"] is True
