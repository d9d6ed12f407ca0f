"""Files whose statistics lie, on a broker: what is in the topic in the end, and what `verify` says of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from replay.cli.app import app
from tests.conftest import Broker
from tests.integration.test_cli import REPLAY, env
from tests.support.footers import created_by, say
from tests.support.kafka_cluster import KafkaCluster
from tests.support.process import checkpoint_row
from tests.support.readback import read_topic
from tests.support.topics import create_topic

T0_US = 1_795_305_600_000_000  # 2026-11-22
HOUR_US = 3_600_000_000
ROWS = 240
DAY = ("--from", "2026-11-22", "--to", "2026-11-23")


def hours(path: Path, first_hour: int) -> Path:
    """240 rows, ten an hour, in row groups of 20: two hours and one symbol each."""
    times = [T0_US + first_hour * HOUR_US + n * HOUR_US // 10 for n in range(ROWS)]
    table = pa.table(
        {
            "symbol": pa.array([f"S{n // 20:02}" for n in range(ROWS)]),
            "price": pa.array([float(n) for n in range(ROWS)]),
            "event_time": pa.array(times, pa.timestamp("us", "UTC")),
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=20)
    return path


@pytest.fixture
def liar(tmp_path: Path) -> Path:
    """A day whose row groups 3 and 4 say that they are of the day before; beside it an honest day after it."""
    hours(tmp_path / "in" / "b.parquet", 24)
    path = hours(tmp_path / "in" / "a.parquet", 0)
    say(path, 2, T0_US - 20 * HOUR_US, T0_US - 19 * HOUR_US, groups=range(3, 5))
    return created_by(path, "parquet-mr version 1.7.0 (build 2015)")


@pytest.fixture
def command(tmp_path: Path, kafka: KafkaCluster | Broker, topic: str) -> list[str]:
    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    return [str(tmp_path / "in"), "--topic", topic, "--bootstrap-servers", kafka.bootstrap_servers]


def replay(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """In this process: faster, and broken where tests/support/broken_builds.py breaks it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        done = CliRunner().invoke(app, list(map(str, args)), prog_name="replay")
    finally:
        for number, handler in before.items():  # the command takes them over
            signal.signal(number, handler)
    return subprocess.CompletedProcess(args, int(done.exit_code), done.stdout, done.stderr)


def prices(kafka: KafkaCluster | Broker, topic: str) -> list[float]:
    records = [record for partition in read_topic(kafka.bootstrap_servers, topic) for record in partition]
    return sorted(json.loads(record.value or b"")["price"] for record in records)


def run(command: list[str], tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return replay("run", *command, "--checkpoint", tmp_path / "checkpoint.json", *more)


@pytest.mark.usefixtures("liar")
def test_rows_that_statistics_hide_are_sent(
    tmp_path: Path, command: list[str], kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: 40 of a day's 240 trades are never sent, with exit 0; or nobody learns which file and writer it was."""
    done = run(command, tmp_path, *DAY, "--verify")
    assert done.returncode == 0, done.stderr
    assert prices(kafka, topic) == [float(n) for n in range(ROWS)]
    assert "a.parquet: row 60 (the first is 0) contradicts" in done.stderr
    assert "parquet-mr version 1.7.0" in done.stderr
    assert done.stderr.count("contradicts") == 1
    again = run(command, tmp_path, *DAY)
    assert again.returncode == 0, again.stderr
    assert "nothing to do" in again.stderr
    assert len(prices(kafka, topic)) == ROWS


def test_symbols_that_statistics_hide_are_sent(
    tmp_path: Path, command: list[str], kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: a symbol that is asked for is left out with its row group."""
    say(hours(tmp_path / "in" / "a.parquet", 0), 0, b"X", b"Z")
    done = run(command, tmp_path, "--symbols", "S03,S05")
    assert done.returncode == 0, done.stderr
    assert prices(kafka, topic) == [float(n) for n in (*range(60, 80), *range(100, 120))]
    assert "'symbol'" in done.stderr


@pytest.mark.usefixtures("liar")
def test_a_transactional_replay_decides_alike_without_its_file(
    tmp_path: Path, command: list[str], kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: Kafka's progress record belongs to another replay, as soon as the local file is lost."""
    for machine in ("one", "another"):
        more = ("--delivery", "transactional", "--progress-topic", f"{topic}-progress")
        done = run(command, tmp_path / machine, *DAY, *more)
        assert done.returncode == 0, done.stderr
        assert prices(kafka, topic) == [float(n) for n in range(ROWS)]


@pytest.mark.usefixtures("liar")
def test_a_stopped_replay_goes_on_with_what_was_decided_at_its_start(
    tmp_path: Path, command: list[str], kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: a resume believes the statistics again, and counts other rows than the run before: lost and doubled."""
    checkpoint = tmp_path / "checkpoint.json"
    for _ in range(2):
        job = subprocess.Popen(
            [*REPLAY, "run", *command, *DAY, "--checkpoint", str(checkpoint), "--rate", "60/s"],
            env=env(), stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        begun, until = checkpoint_row(checkpoint), time.monotonic() + 30
        while checkpoint_row(checkpoint) < begun + 40 and time.monotonic() < until:
            time.sleep(0.05)
        job.send_signal(signal.SIGTERM)
        _, log = job.communicate(timeout=30)
        assert job.returncode == 143, log
    done = run(command, tmp_path, *DAY)
    assert done.returncode == 0, done.stderr
    assert prices(kafka, topic) == [float(n) for n in range(ROWS)]


@pytest.mark.usefixtures("liar")
def test_verify_finds_what_a_run_that_trusts_statistics_has_lost(
    tmp_path: Path, command: list[str], kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: `verify` leaves out the very row groups that the run left out, and calls the topic as the source."""
    done = run(command, tmp_path, *DAY, "--trust-statistics")
    assert done.returncode == 0, done.stderr
    lost = [float(n) for n in range(60, 100)]
    assert prices(kafka, topic) == [float(n) for n in range(ROWS) if float(n) not in lost]

    for more in ((), ("--trust-statistics",)):
        looked = replay("verify", *command, *DAY, *more, "--output", "json")
        assert looked.returncode == 1, looked.stderr
        verdict = json.loads(looked.stdout)
        assert (verdict["lost"], verdict["rows"], verdict["found"]) == (40, ROWS, ROWS - 40)
        found = [each for each in verdict["examples"] if each["kind"] == "lost"]
        assert found
        for each in found:
            assert each["file"].endswith("a.parquet")
            assert 60 <= each["file_row"] < 100
            assert each["symbol"] == f"S{each['file_row'] // 20:02}"
            assert each["row"] == each["file_row"], "of all rows: a.parquet comes first"

    after = run(command, tmp_path, *DAY, "--trust-statistics", "--verify")
    assert after.returncode == 1, after.stderr
    assert "40 lost" in after.stderr


def test_verify_judges_the_day_by_its_rows_when_statistics_are_right(
    tmp_path: Path, command: list[str], kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: reading what is left out makes `verify` expect it, or number its findings by other rows."""
    for name, first_hour in (("a", 0), ("b", 24), ("c", 48)):
        hours(tmp_path / "in" / f"{name}.parquet", first_hour)
    done = run(command, tmp_path, "--from", "2026-11-23", "--to", "2026-11-24", "--symbols", "S0*", "--verify")
    assert done.returncode == 0, done.stderr
    assert prices(kafka, topic) == [float(n) for n in range(200)]
    looked = replay(
        "verify", *command, "--from", "2026-11-23", "--to", "2026-11-24", "--symbols", "S0*,S10", "--output", "json"
    )
    assert looked.returncode == 1
    verdict = json.loads(looked.stdout)
    assert verdict["lost"] == 20
    assert {each["file_row"] for each in verdict["examples"]} <= set(range(200, 220))


@pytest.mark.usefixtures("liar")
def test_a_rebuilt_checkpoint_knows_what_was_decided(
    tmp_path: Path, command: list[str], kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: the checkpoint made from the topic counts other rows than the replay, and the next run doubles some."""
    assert run(command, tmp_path, *DAY).returncode == 0
    (tmp_path / "checkpoint.json").unlink()
    made = replay("checkpoint", "rebuild", *command, *DAY, "--checkpoint", tmp_path / "checkpoint.json")
    assert made.returncode == 0, made.stderr
    done = run(command, tmp_path, *DAY)
    assert done.returncode == 0, done.stderr
    assert prices(kafka, topic) == [float(n) for n in range(ROWS)]


def test_files_that_lie_about_their_order_are_merged_rightly(
    tmp_path: Path, kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: the night ends with exit 3 and no option helps; or rows of one file come too late."""
    create_topic(kafka.bootstrap_servers, topic, 1, config={"retention.ms": "-1"})
    for name in "abc":
        hours(tmp_path / "in" / f"{name}.parquet", 0)
    for name in "bc":
        say(tmp_path / "in" / f"{name}.parquet", 2, T0_US + 90 * HOUR_US, T0_US + 99 * HOUR_US)
    command = [str(tmp_path / "in"), "--topic", topic, "--bootstrap-servers", kafka.bootstrap_servers]
    done = run(command, tmp_path, "--verify")
    assert done.returncode == 0, done.stderr
    (records,) = read_topic(kafka.bootstrap_servers, topic)
    assert [json.loads(record.value or b"")["price"] for record in records] == [n // 3 for n in range(3 * ROWS)]
    for name in "bc":
        told = [line for line in done.stderr.splitlines() if f"{name}.parquet: row 0 " in line]
        assert len(told) == 1, done.stderr
    looked = replay("verify", *command)
    assert looked.returncode == 0, looked.stderr
    assert "b.parquet: row 0 " in looked.stderr


def test_files_that_were_added_are_looked_at_as_well(tmp_path: Path, kafka: KafkaCluster | Broker, topic: str) -> None:
    """Broken: what an added file says of its times is believed, and the run ends with exit 3 in the middle; or a
    resume behind it does not know what was decided."""
    create_topic(kafka.bootstrap_servers, topic, 1, config={"retention.ms": "-1"})
    hours(tmp_path / "in" / "a.parquet", 0)
    command = [str(tmp_path / "in"), "--topic", topic, "--bootstrap-servers", kafka.bootstrap_servers]
    assert run(command, tmp_path).returncode == 0
    for name in "bc":
        hours(tmp_path / "in" / f"{name}.parquet", 48)
    say(tmp_path / "in" / "b.parquet", 2, T0_US + 90 * HOUR_US, T0_US + 99 * HOUR_US)
    for _ in range(2):
        done = run(command, tmp_path, "--allow-appended")
        assert done.returncode == 0, done.stderr
        (records,) = read_topic(kafka.bootstrap_servers, topic)
        found = [json.loads(record.value or b"")["price"] for record in records]
        assert found == [*range(ROWS), *(n // 2 for n in range(2 * ROWS))]
    assert run(command, tmp_path).returncode == 0


def test_a_late_file_that_hides_its_rows_is_told(
    tmp_path: Path, command: list[str], kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: a day is "done" for good, though a file that came later holds rows of it; or each look at a day that is
    done reads all files of all days again."""
    hours(tmp_path / "in" / "a.parquet", 0)
    other = hours(tmp_path / "in" / "b.parquet", 24)
    assert run(command, tmp_path, *DAY).returncode == 0
    before, data = other.stat(), other.read_bytes()
    other.write_bytes(data[:4] + bytes(2_000) + data[2_004:])  # whoever reads it again cannot
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    honest = run(command, tmp_path, *DAY)
    assert honest.returncode == 0, honest.stderr
    assert "nothing to do" in honest.stderr
    hours(tmp_path / "in" / "c.parquet", 48)
    assert run(command, tmp_path, *DAY).returncode == 0
    late = say(hours(tmp_path / "in" / "d.parquet", 0), 2, T0_US + 90 * HOUR_US, T0_US + 99 * HOUR_US)
    done = run(command, tmp_path, *DAY)
    assert done.returncode == 4, done.stderr
    assert f"{late.name}: row 0 " in done.stderr
    assert prices(kafka, topic) == [float(n) for n in range(ROWS)]


@pytest.mark.usefixtures("liar")
def test_a_plan_that_scans_counts_what_a_run_sends(command: list[str]) -> None:
    """Broken: the plan says 200 records, the night sends 240."""
    done = replay("plan", command[0], *DAY, "--scan", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scan"]["records"] == ROWS
