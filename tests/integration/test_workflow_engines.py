"""cron/airflow_dag.py and cron/dagster_job.py, parsed and run by Airflow and Dagster, on a real broker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Broker
from tests.support.kafka_cluster import KafkaCluster
from tests.support.night_folder import NightFolder
from tests.support.workflow_engines import deploy

DAYS = (1, 2, 3)
RETRIED = {"BrokerUnavailable", "Locked"}
EVERY_DAY = {f"2026-11-0{day}": 5 for day in DAYS}


@pytest.fixture
def nights(tmp_path: Path, kafka: KafkaCluster | Broker, topic: str) -> NightFolder:
    """Files of the first three days of November 2026."""
    made = NightFolder(tmp_path, kafka.bootstrap_servers, topic)
    for day in DAYS:
        made.write(f"trades-2026-11-0{day}.parquet", f"2026-11-0{day}T10:00:00+00:00")
    return made


@pytest.fixture
def airflow(nights: NightFolder) -> Any:
    """What became of each run."""
    deployed = deploy("airflow_dag.py", nights, {"timedelta(seconds=10)": "timedelta(seconds=0.1)"})
    env = {
        "AIRFLOW_HOME": str(deployed.home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(deployed.path.parent),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    done = subprocess.run(migrate, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return deployed.run("airflow_runs", **env)


@pytest.fixture
def dagster(nights: NightFolder) -> Any:
    """What became of each run."""
    deployed = deploy(
        "dagster_job.py", nights, {"seconds_to_wait=60": "seconds_to_wait=0", "max_retries=5": "max_retries=1"}
    )
    (deployed.home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return deployed.run("dagster_runs", DAGSTER_HOME=str(deployed.home))


def test_airflow(nights: NightFolder, airflow: Any) -> None:
    """Broken: a date is replayed a day late or twice, an outage of a minute fails the night, or Airflow tries for an
    hour what a person has to look at."""
    assert airflow["first"] == ["2026-11-01T02:30:00+00:00", "2026-11-02T02:30:00+00:00"]
    assert airflow["done"] == airflow["again"] == ["success", 1, 5]
    assert airflow["locked"] == airflow["broker away"] == ["success", 2, 5]
    assert airflow["no file"] == ["failed", 1, None]
    assert nights.per_day() == EVERY_DAY
    assert airflow["stops when killed"]
    retried = {name for name, heard in airflow["errors"].items() if heard == "retry"}
    assert retried == {*RETRIED, "Stopped"}  # Airflow stopped it: a retry goes on from there


def test_dagster(nights: NightFolder, dagster: Any) -> None:
    """Broken: as above, with Dagster."""
    assert dagster["tick"] == ["2026-11-01"]
    assert dagster["done"] == dagster["again"] == [True, 1, [5]]
    assert dagster["locked"] == [True, 2, [5]]
    assert dagster["broker away"] == [False, 2, []]
    assert dagster["no file"] == [False, 1, []]
    assert nights.per_day() == {day: rows for day, rows in EVERY_DAY.items() if not day.endswith("3")}
    assert {name for name, heard in dagster["errors"].items() if heard == "retry"} == RETRIED
    assert set(dagster["errors"].values()) == {"retry", "fail"}
