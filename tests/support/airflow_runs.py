"""Runs cron/airflow_dag.py in Airflow: `python -m tests.support.airflow_runs DAG_FILE STATE_DIR OUT`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowFailException
from airflow.timetables.base import TimeRestriction

from replay.checkpoint.file import CheckpointFile
from tests.support.every_error import EVERY_ERROR


def main(dag_file: str, state_dir: str, out: str) -> None:
    bag = DagBag(str(Path(dag_file).parent))
    assert not bag.import_errors, bag.import_errors
    dag = bag.dags["replay_trades"]
    task: Any = dag.task_dict["replay"]
    options = task.options
    seen: dict[str, Any] = {"first": _first_run(dag)}
    seen["stops when killed"] = _stops_when_killed(task)
    seen["errors"] = {type(error).__name__: _raised(task, error) for error in EVERY_ERROR}

    def run(day: str) -> list[Any]:
        """How the run of a date ended, after how many tries, and what the task returned."""
        ended = dag.test(logical_date=datetime.fromisoformat(f"{day}T02:30:00Z"))
        (instance,) = ended.get_task_instances()
        return [str(ended.state), instance.try_number, instance.xcom_pull(task_ids="replay")]

    seen["done"] = run("2026-11-01")
    seen["again"] = run("2026-11-01")

    with ExitStack() as held:  # another one holds the checkpoint, until the first try has failed
        path = Path(state_dir) / "trades" / "2026-11-02.json"
        held.enter_context(CheckpointFile(path).locked())
        task.on_retry_callback = [lambda _: held.close()]
        seen["locked"] = run("2026-11-02")

    def comes_back(_: Any) -> None:
        task.options = options

    task.options = replace(options, bootstrap_servers="127.0.0.1:1", broker_timeout="500ms")
    task.on_retry_callback = [comes_back]
    seen["broker away"] = run("2026-11-03")

    task.on_retry_callback = []
    seen["no file"] = run("2026-11-04")

    Path(out).write_text(json.dumps(seen))


def _first_run(dag: Any) -> list[str]:
    """Logical date of the first run, and when it comes."""
    restriction = TimeRestriction(earliest=dag.start_date, latest=None, catchup=True)
    first = dag.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    return [each.astimezone(UTC).isoformat() for each in (first.logical_date, first.run_after)]


def _stops_when_killed(task: Any) -> bool:
    """Whether the replay hears of it that Airflow ends the task."""

    def replays(_: Any, stop: Callable[[], bool]) -> Any:
        before = stop()
        task.on_kill()
        return mock.Mock(in_topic=(before, stop()))

    with mock.patch.object(sys.modules[type(task).__module__], "run_replay", replays):
        return bool(task.execute({}) == (False, True))


def _raised(task: Any, error: Exception) -> str:
    """What Airflow hears of an error: fail, or retry."""
    module = sys.modules[type(task).__module__]
    with mock.patch.object(module, "run_replay", side_effect=error):
        try:
            task.execute({})
        except AirflowFailException:
            return "fail"
        except type(error):
            return "retry"
    raise AssertionError("no error at all")


if __name__ == "__main__":
    main(*sys.argv[1:])
