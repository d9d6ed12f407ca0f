"""Lake tables by the command: the topic holds exactly one state of the table, also where it moved on in the middle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyiceberg.table import Table as IcebergTable

from tests.support import lake_tables as lake
from tests.support.lake_tables import trades
from tests.support.process import Jobs, checkpoint, replay_command
from tests.support.readback import compare, expected_records, read_topic
from tests.support.s3_server import REGION, S3Server
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster

ROWS = 4_000


class Lake(Protocol):
    """A table of one format: made, moved on, and the options for the state it is in."""

    path: str

    def __init__(self, folder: Path, made: pa.Table) -> None: ...

    def state(self) -> list[str]: ...

    def move_on(self) -> None: ...


class Delta:
    def __init__(self, folder: Path, made: pa.Table) -> None:
        self.path = lake.delta(folder / "trades", made)

    def state(self) -> list[str]:
        return ["--table-version", str(DeltaTable(self.path).version())]

    def move_on(self) -> None:
        DeltaTable(self.path).delete("symbol = 'B'")
        write_deltalake(self.path, trades(100, first=ROWS), mode="append")


class Iceberg:
    def __init__(self, folder: Path, made: pa.Table) -> None:
        self.table: IcebergTable = lake.iceberg(folder / "warehouse", made)
        self.path = lake.folder_of(self.table)

    def state(self) -> list[str]:
        snapshot = self.table.current_snapshot()
        assert snapshot is not None
        return ["--snapshot", str(snapshot.snapshot_id)]

    def move_on(self) -> None:
        self.table.delete("symbol = 'B'")
        self.table.append(trades(100, first=ROWS))


def assert_holds(kafka: KafkaCluster | Broker, topic: str, table: pa.Table) -> None:
    verdict = compare(expected_records(table), read_topic(kafka.bootstrap_servers, topic, deadline_s=60))
    assert verdict.exact, str(verdict)


@pytest.mark.parametrize("format", [Delta, Iceberg])
def test_a_resume_reads_the_state_that_the_replay_began_with(
    format: type[Lake], jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path
):
    """Broken: after a kill the rest comes from another state of the table: rows are lost, or come twice."""
    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    table = format(tmp_path, trades(ROWS))
    place = tmp_path / "c.json"
    command = replay_command([table.path], topic, kafka.bootstrap_servers, place, "--checkpoint-interval", "0.1s")
    job = jobs.start([*command, "--rate", "2000/s"])
    job.wait_row(place, 500)
    job.kill()
    began = checkpoint(place)["options"]["table"]
    state = table.state()
    table.move_on()
    job = jobs.start([*command, "--verify"])
    assert job.wait() == 0, job.log
    assert checkpoint(place)["options"]["table"] == began
    assert_holds(kafka, topic, trades(ROWS))
    verify = ["verify", table.path, "--topic", topic, "--bootstrap-servers", kafka.bootstrap_servers]
    assert jobs.start([*verify, "--checkpoint", str(place)]).wait() == 0
    assert jobs.start([*verify, *state]).wait() == 0
    assert jobs.start(verify).wait() == 1

    job = jobs.start(command)  # done, and the newest state is another one
    assert job.wait() == 4, job.log
    assert began in job.log
    job = jobs.start([*command, *state])
    assert job.wait() == 0, job.log
    assert "nothing to do" in job.log
    assert_holds(kafka, topic, trades(ROWS))


@pytest.mark.parametrize("format", [Delta, Iceberg])
def test_a_new_replay_reads_the_newest_state(
    format: type[Lake], jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path
):
    """Broken: both generations of rewritten files are sent, and deleted rows come back."""
    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    table = format(tmp_path, trades(ROWS))
    table.move_on()
    job = jobs.start(replay_command([table.path], topic, kafka.bootstrap_servers, tmp_path / "c.json", "--verify"))
    assert job.wait() == 0, job.log
    left = trades(ROWS).filter(pa.compute.not_equal(trades(ROWS)["symbol"], "B"))
    assert_holds(kafka, topic, pa.concat_tables([left, trades(100, first=ROWS)]))


def test_a_day_that_is_done_stays_done_when_another_day_is_added(
    jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path
):
    """Broken: each night's commit to the table makes a state conflict of all nights before."""
    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    table = Delta(tmp_path, trades(500))
    place = tmp_path / "c.json"
    command = replay_command([table.path], topic, kafka.bootstrap_servers, place, "--date", "2026-11-22")
    assert jobs.start(command).wait() == 0
    write_deltalake(table.path, trades(500, first=86_400), mode="append")
    job = jobs.start(command)
    assert job.wait() == 0, job.log
    assert "nothing to do" in job.log
    assert_holds(kafka, topic, trades(500))


def test_a_day_that_was_empty_and_one_that_grew_take_the_rows_that_came(
    jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path
):
    """Broken: rows that were committed to the table late are never sent, with exit 0."""
    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    table = Delta(tmp_path, trades(500))
    place = tmp_path / "c.json"
    options = ["--date", "2026-11-23", "--empty", "ok", "--when-changed", "append"]
    command = replay_command([table.path], topic, kafka.bootstrap_servers, place, *options)
    job = jobs.start(command)
    assert job.wait() == 0, job.log
    assert checkpoint(place)["state"] == "empty"
    late = [trades(300, first=86_400), trades(200, first=90_000)]
    for number, each in enumerate(late, 1):
        write_deltalake(table.path, each, mode="append")
        job = jobs.start([*command, "--verify"])
        assert job.wait() == 0, job.log
        assert_holds(kafka, topic, pa.concat_tables(late[:number]))
    write_deltalake(table.path, trades(10, first=87_000), mode="append")  # before rows that were sent
    job = jobs.start(command)
    assert job.wait() == 4, job.log
    assert_holds(kafka, topic, pa.concat_tables(late))


def test_a_transactional_replay_goes_on_where_only_the_number_of_the_table_changed(
    jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path
):
    """Broken: with the checkpoint lost, which is but a cache here, a commit without rows makes a state conflict."""
    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    table = Delta(tmp_path, trades(ROWS))
    place = tmp_path / "c.json"
    options = ["--delivery", "transactional", "--progress-topic", f"{topic}-progress", "--transaction-ms", "100"]
    command = replay_command([table.path], topic, kafka.bootstrap_servers, place, *options)
    job = jobs.start([*command, "--rate", "2000/s"])
    job.wait_row(place, 500)
    job.kill()
    lake.commit(Path(table.path))
    for lost in tmp_path.glob("c.json*"):
        lost.unlink()
    job = jobs.start(command)
    assert job.wait() == 0, job.log
    read = read_topic(kafka.bootstrap_servers, topic, "read_committed", deadline_s=60)
    verdict = compare(expected_records(trades(ROWS)), read)
    assert verdict.exact, str(verdict)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    server = S3Server()
    server.client().create_bucket(Bucket="lake")
    settings = {"AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "reader",
                "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield server
    server.stop()


def upload(server: S3Server, folder: str, prefix: str) -> None:
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            server.client().put_object(
                Bucket="lake", Key=f"{prefix}/{path.relative_to(folder)}", Body=path.read_bytes()
            )


def test_a_delta_table_in_a_bucket(
    jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path, bucket: S3Server
):
    """Broken: a table that lies in S3 cannot be read, or is read as all of its files."""
    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    table = Delta(tmp_path, trades(ROWS))
    table.move_on()
    upload(bucket, table.path, "x/trades")
    command = replay_command(["s3://lake/x/trades/"], topic, kafka.bootstrap_servers, tmp_path / "c.json")
    job = jobs.start(command)
    assert job.wait() == 0, job.log
    left = trades(ROWS).filter(pa.compute.not_equal(trades(ROWS)["symbol"], "B"))
    assert_holds(kafka, topic, pa.concat_tables([left, trades(100, first=ROWS)]))
    for key in [each["Key"] for each in bucket.client().list_objects_v2(Bucket="lake")["Contents"]]:
        if key.endswith(".parquet"):
            bucket.client().delete_object(Bucket="lake", Key=key)
    job = jobs.start(replay_command(["s3://lake/x/trades"], topic, kafka.bootstrap_servers, tmp_path / "new.json"))
    assert job.wait() == 4, job.log
    assert "is gone" in job.log


def test_an_iceberg_table_in_a_bucket(
    jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path, bucket: S3Server
):
    """Broken: a table that lies in S3 cannot be read, or is read as all of its files."""
    from pyiceberg.catalog.sql import SqlCatalog

    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    store = {"s3.endpoint": bucket.endpoint, "s3.region": REGION, "s3.access-key-id": "x", "s3.secret-access-key": "y"}
    catalog = SqlCatalog("s3", uri=f"sqlite:///{tmp_path}/c.db", warehouse="s3://lake/wh", **store)
    catalog.create_namespace("n")
    made = catalog.create_table("n.trades", schema=trades(1).schema)
    made.append(trades(ROWS))
    first = made.current_snapshot()
    made.delete("symbol = 'B'")
    command = replay_command([made.location()], topic, kafka.bootstrap_servers, tmp_path / "c.json")
    job = jobs.start(command)
    assert job.wait() == 0, job.log
    left = trades(ROWS).filter(pa.compute.not_equal(trades(ROWS)["symbol"], "B"))
    assert_holds(kafka, topic, left)
    assert first is not None
    older = jobs.start(["plan", made.location(), "--snapshot", str(first.snapshot_id), "--output", "json"])
    assert older.wait() == 0, older.log
    assert json.loads(older.output)["rows"] == ROWS
    catalog.close()
