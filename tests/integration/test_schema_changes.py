"""The schema of a replay is changed between two runs, on a real broker and a real registry."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from replay.checkpoint.content import JobState
from replay.checkpoint.file import CheckpointFile
from tests.support.process import KILLED, ROOT, Jobs, replay_command
from tests.support.readback import read_topic
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.registry import Registry


def test_a_run_that_sent_nothing_binds_no_later_one(
    kafka: KafkaCluster | Broker, registry: Registry, topic: str, jobs: Jobs, tmp_path: Path
) -> None:
    """Broken: the schema is corrected after a run that sent nothing, and records of the new one name the old one: no
    consumer can read them, and the exit code is 0."""
    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    path = tmp_path / "c.json"
    command = [
        *replay_command([ROOT / "data"], topic, kafka.bootstrap_servers, path),
        *("--format", "protobuf", "--registry", registry.url, "--schema-register", "--limit", "100"),
    ]
    first = jobs.start([*command, "--schema-name", "acme.Trade"], "after save 1")
    assert first.wait() == KILLED, first.log
    file = CheckpointFile(path)
    saved = file.load()
    assert saved is not None
    file.save(replace(saved, state=JobState.CLEAN))  # as a stop before the first row leaves it

    second = jobs.start([*command, "--schema-name", "acme.Tick", "--verify"])
    assert second.wait() == 0, second.log
    ids = {
        name: registry.ask("GET", f"/subjects/{topic}-value/versions/{version}")["id"]
        for version, name in ((1, "acme.Trade"), (2, "acme.Tick"))
    }
    records = [each for partition in read_topic(kafka.bootstrap_servers, topic) for each in partition]
    assert len(records) == 100
    assert {int.from_bytes(each.value[1:5], "big") for each in records if each.value} == {ids["acme.Tick"]}


def test_a_library_that_is_upgraded_ends_a_day_half_done_and_no_day_that_is_done(
    kafka: KafkaCluster | Broker, registry: Registry, topic: str, jobs: Jobs, tmp_path: Path
) -> None:
    """Broken: the second half of a day is written by an encoder whose bytes may be others; or each done day fails after
    an upgrade, though it has nothing to send."""
    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    path = tmp_path / "c.json"
    command = [
        *replay_command([ROOT / "data"], topic, kafka.bootstrap_servers, path),
        *("--format", "avro", "--registry", registry.url, "--schema-register"),
    ]

    def written_by_another_version() -> None:
        file = CheckpointFile(path)
        saved = file.load()
        assert saved is not None
        assert saved.job.encoder.startswith("avro-1 pyruhvro ")
        file.save(replace(saved, job=replace(saved.job, encoder="avro-1 pyruhvro 0.0.1")))

    killed = jobs.start(command, "after report 5000")
    assert killed.wait() == KILLED, killed.log
    copy = path.read_bytes()
    written_by_another_version()
    refused = jobs.start(command)
    assert refused.wait() == 4, refused.log
    assert "the encoder was avro-1 pyruhvro 0.0.1, now avro-1 pyruhvro" in refused.log

    path.write_bytes(copy)
    path.with_name(path.name + ".prev").unlink()
    done = jobs.start(command)
    assert done.wait() == 0, done.log
    written_by_another_version()
    again = jobs.start(command)
    assert again.wait() == 0, again.log
    assert "nothing to do" in again.log
    assert sum(map(len, read_topic(kafka.bootstrap_servers, topic))) == 20_000
