"""Times as text in every form that ISO 8601 allows, by the command, read back from a real broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.process import Jobs, replay_command
from tests.support.readback import read_topic
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster

DAY = "2026-11-22T"
FORMS = {
    f"{DAY}10:00:00.000000001Z": f"{DAY}10:00:00.000000001Z",
    f"{DAY}10:00:00,000000002Z": f"{DAY}10:00:00.000000002Z",
    "2026-11-22t10:00:01z": f"{DAY}10:00:01.000000000Z",
    "20261122T110002.5+01": f"{DAY}10:00:02.500000000Z",
    "2026-W47-7T11:30:03+0130": f"{DAY}10:00:03.000000000Z",
    "2026-326T10:00:04.1234567890000Z": f"{DAY}10:00:04.123456789Z",
    "2026-11-22T24:00:00Z": "2026-11-23T00:00:00.000000000Z",
}


def write(path: Path, times: list[str]) -> Path:
    table = pa.table(
        {"symbol": ["A"] * len(times), "price": [float(n) for n in range(len(times))], "event_time": times}
    )
    pq.write_table(table, path)
    return path


def values(kafka: KafkaCluster | Broker, topic: str) -> list[tuple[float, str]]:
    records = [
        record for partition in read_topic(kafka.bootstrap_servers, topic, deadline_s=60) for record in partition
    ]
    read = [json.loads(record.value or b"") for record in records]
    return [(each["price"], each["event_time"]) for each in read]


def test_every_form_is_the_moment_it_names(jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path):
    """Broken: nanoseconds are refused or cut off, or a form is taken for another time."""
    create_topic(kafka.bootstrap_servers, topic, 1, config={"retention.ms": "-1"})
    source = write(tmp_path / "t.parquet", list(FORMS))
    command = replay_command([source], topic, kafka.bootstrap_servers, tmp_path / "c.json", "--verify")
    job = jobs.start(command)
    assert job.wait() == 0, job.log
    assert values(kafka, topic) == [(float(n), text) for n, text in enumerate(FORMS.values())]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{DAY}10:00:60Z", "is a leap second"),
        (f"{DAY}10:00:01.1234567891Z", "more than nine digits"),
        (f"{DAY}11:00:01+01:00[Europe/Berlin]", "names its time zone"),
        ("2026-11-22", "a date without a time of day"),
    ],
)
def test_what_cannot_be_a_timestamp_is_refused_by_its_name(
    jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path, text: str, told: str
):
    """Broken: it is rounded, or the error says no more than "not ISO 8601", and nobody knows what to mend."""
    create_topic(kafka.bootstrap_servers, topic, 1, config={"retention.ms": "-1"})
    source = write(tmp_path / "t.parquet", [f"{DAY}10:00:00.123456789Z", text])
    job = jobs.start(replay_command([source], topic, kafka.bootstrap_servers, tmp_path / "c.json"))
    assert job.wait() == 3, job.log
    assert told in job.log
    assert "row 1" in job.log
    assert "event_time" in job.log
    assert values(kafka, topic) == []


def test_digits_that_first_come_late_are_refused_with_the_option_that_takes_them(
    jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path
):
    """Broken: nanoseconds behind a thousand rows without are cut off; or the option named does not help."""
    create_topic(kafka.bootstrap_servers, topic, 1, config={"retention.ms": "-1"})
    source = write(tmp_path / "t.parquet", [*[f"{DAY}10:00:00.5Z"] * 2_000, f"{DAY}10:00:00.500000001Z"])
    command = replay_command([source], topic, kafka.bootstrap_servers, tmp_path / "c.json")
    job = jobs.start(command)
    assert job.wait() == 3, job.log
    assert "--time-unit ns" in job.log
    job = jobs.start([*command, "--time-unit", "ns"])
    assert job.wait() == 0, job.log
    assert values(kafka, topic)[-2:] == [(1_999.0, f"{DAY}10:00:00.500000000Z"), (2_000.0, f"{DAY}10:00:00.500000001Z")]
