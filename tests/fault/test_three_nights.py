"""Three nights of an operator's week, on a real broker: one clean, one with an outage, one with the machine off.

In the morning everything that tells of them (status, history, metrics, report, verify) tells that same story.
"""

from __future__ import annotations

import json
import re
import signal
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.fault.conftest import own_cluster
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job, Jobs

ROWS = 12_000
"""Of a night: 2 s at the job's rate, long enough to lose the broker in the middle."""


def write_day(folder: Path, day: date) -> None:
    start_us = int(datetime.combine(day, datetime.min.time(), UTC).timestamp()) * 1_000_000
    columns = {
        "symbol": pa.array([f"S{n % 5}" for n in range(ROWS)]),
        "price": pa.array([100.0 + n % 97 for n in range(ROWS)]),
        "event_time": pa.array([start_us + n * 7_000_000 for n in range(ROWS)], pa.timestamp("us", "UTC")),
    }
    pq.write_table(pa.table(columns), folder / f"trades-{day}.parquet")


class Week:
    """The job file, the state folder, and the commands that cron or a person runs."""

    def __init__(self, folder: Path, bootstrap_servers: str, topic: str, jobs: Jobs) -> None:
        self.folder, self.jobs, self.topic = folder, jobs, topic
        today = datetime.now(UTC).date()
        self.nights = [today - timedelta(days=n) for n in (3, 2, 1)]
        self.file = folder / "nightly.toml"
        self.file.write_text(
            f"""
            state-dir = "{folder}/state"
            [jobs.nightly]
            inputs = "{folder}/in/trades-{{date}}.parquet"
            topic = "{topic}"
            rate = "6k/s"
            checkpoint-interval = "200ms"
            broker-timeout = "3s"
            metrics-textfile = "{folder}/replay.prom"
            cron = "0 0 * * *"
            [kafka]
            "bootstrap.servers" = "{bootstrap_servers}"
            "client.id" = "${{env:WEEK_CLIENT}}"
            """
        )
        (folder / "in").mkdir()

    def start(self, command: str, *more: str) -> Job:
        args = [command, "--config", str(self.file), "--job", "nightly", *more]
        return self.jobs.start(args, env={"WEEK_CLIENT": "hunter2"})

    def look(self, command: str, *more: str) -> Any:
        job = self.jobs.start([command, "--state-dir", str(self.folder / "state"), "--output", "json", *more])
        assert job.wait() == 0, job.log
        return json.loads(job.output)

    def metric(self, name: str) -> float:
        found = re.search(rf"^{name}{{[^}}]*}} (\S+)$", (self.folder / "replay.prom").read_text(), re.MULTILINE)
        assert found, name
        return float(found[1])


def wait_rows(week: Week, night: date, rows: int, job: Job) -> None:
    path = week.folder / "state" / "nightly" / f"{night}.json"
    job.wait_row(path, rows)


def test_three_nights(tmp_path_factory: Any, tmp_path: Path, topic: str, jobs: Jobs) -> None:
    """Broken: a night would be lost or doubled, or the operator be told another story than what happened."""
    with own_cluster(tmp_path_factory.mktemp("kafka")) as cluster:
        create_topic(cluster.bootstrap_servers, topic, 4, config={"retention.ms": "-1"})
        week = Week(tmp_path, cluster.bootstrap_servers, topic, jobs)
        first_night(week)
        second_night(week, cluster)
        # The third night: the machine is off. Its trades are there in the morning.
        write_day(week.folder / "in", week.nights[2])
        morning(week)
        the_story(week, cluster)


def first_night(week: Week) -> None:
    write_day(week.folder / "in", week.nights[0])
    job = week.start("run", "--date", str(week.nights[0]))
    assert job.wait() == 0, job.log
    assert week.metric("replay_exit_code") == 0
    assert week.metric("replay_rows_acked_total") == ROWS


def second_night(week: Week, cluster: KafkaCluster) -> None:
    """The broker dies for longer than the deadline; the retry finishes the night."""
    night = week.nights[1]
    write_day(week.folder / "in", night)
    job = week.start("backfill", "--from", str(night), "--to", str(night + timedelta(days=1)), "--retries", "2")
    wait_rows(week, night, 2_000, job)
    cluster.kill_node(0)
    job.wait_log("exit 5 (broker unavailable), trying again", timeout_s=60)
    assert week.metric("replay_exit_code") == 5
    assert week.metric("replay_last_success_timestamp_seconds") < time.time() - 3, "the first night's, still there"
    cluster.start()
    assert job.wait(60) == 0, job.log
    assert "done" in job.output
    assert "2 attempts" in job.output


def morning(week: Week) -> None:
    """The scheduler starts, finds the third night missing, and catches it up; then it waits for the next."""
    job = week.start("schedule")
    job.wait_log(f"nightly {week.nights[2]}: done", timeout_s=60)
    assert f"{week.nights[0]}: replaying" not in job.log
    assert f"{week.nights[1]}: replaying" not in job.log
    job.signal(signal.SIGTERM)
    assert job.wait(40) == 143, job.log


def the_story(week: Week, cluster: KafkaCluster) -> None:
    status = week.look("status")
    assert [(each["date"], each["state"], each["done_rows"]) for each in status] == [
        (str(night), "done", ROWS) for night in week.nights
    ]
    history = week.look("history")
    ends = [(run["date"], run["exit_code"]) for run in reversed(history)]
    assert ends == [
        (str(week.nights[0]), 0),
        (str(week.nights[1]), 5),
        (str(week.nights[1]), 0),
        (str(week.nights[2]), 0),
    ]
    retry = history[1]
    assert retry["sent_rows"] + retry["already_there_rows"] + retry["start_row"] == ROWS
    assert "hunter2" not in json.dumps(history), "what came by reference is nowhere to be read"
    assert week.metric("replay_last_success_timestamp_seconds") > time.time() - 60
    page = week.folder / "second.html"
    told = week.jobs.start(
        [
            "report",
            "nightly",
            "--date",
            str(week.nights[1]),
            "--out",
            str(page),
            "--state-dir",
            str(week.folder / "state"),
        ]
    )
    assert told.wait() == 0, told.log
    text = page.read_text()
    assert "hunter2" not in text
    for words in ("Broker unavailable", "Resumed", str(week.nights[1]), "12,000"):
        assert words in text, words
    checked = week.jobs.start(
        ["verify", str(week.folder / "in"), "--topic", week.topic, "--bootstrap-servers", cluster.bootstrap_servers,
         "--isolation", "read_uncommitted", "--output", "json"]
    )  # fmt: skip
    assert checked.wait() == 0, checked.log
    assert json.loads(checked.output)["found"] == 3 * ROWS
