"""Runs cron/dagster_job.py in Dagster: `python -m tests.support.dagster_runs FILE STATE_DIR OUT`."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg

from replay.checkpoint.file import CheckpointFile
from tests.support.every_error import EVERY_ERROR


def main(file: str, state_dir: str, out: str) -> None:
    spec = importlib.util.spec_from_file_location("dagster_job", file)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    job = module.defs.resolve_job_def("replay_trades")
    real, options = module.run_replay, module.TRADES
    seen: dict[str, Any] = {"tick": _dates_of_tick(module)}

    def run(day: str, before_retry: Callable[[], None] = lambda: None) -> list[Any]:
        """Whether the run of a date went well, its tries, and the rows that the asset tells of."""
        tries = []

        def spied(options: Any) -> Any:
            tries.append(options)
            if len(tries) > 1:
                before_retry()
            return real(options)

        with mock.patch.object(module, "run_replay", spied), dg.DagsterInstance.get() as instance:
            ended = job.execute_in_process(partition_key=day, instance=instance, raise_on_error=False)
        made = ended.asset_materializations_for_node("trades_topic") if ended.success else []
        return [ended.success, len(tries), [each.metadata["rows_in_topic"].value for each in made]]

    seen["done"] = run("2026-11-01")
    seen["again"] = run("2026-11-01")
    with ExitStack() as held:  # another one holds the checkpoint, until the first try has failed
        held.enter_context(CheckpointFile(Path(state_dir) / "trades" / "2026-11-02.json").locked())
        seen["locked"] = run("2026-11-02", held.close)

    module.TRADES = replace(options, bootstrap_servers="127.0.0.1:1", broker_timeout="500ms")
    seen["broker away"] = run("2026-11-03")
    module.TRADES = options
    seen["no file"] = run("2026-11-04")
    seen["errors"] = {type(error).__name__: _raised(module, error) for error in EVERY_ERROR}
    Path(out).write_text(json.dumps(seen))


def _dates_of_tick(module: Any) -> list[str]:
    """The dates that the schedule replays at half past two on the 2nd."""
    schedule = module.defs.resolve_schedule_def("replay_trades_schedule")
    at = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)
    assert schedule.cron_schedule == "30 2 * * *"
    ticked = schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=at))
    return [each.partition_key for each in ticked.run_requests]


def _raised(module: Any, error: Exception) -> str:
    """What Dagster hears of an error: fail, or retry."""
    with mock.patch.object(module, "run_replay", side_effect=error):
        try:
            module.trades_topic(dg.build_asset_context(partition_key="2026-11-01"))
        except dg.RetryRequested:
            return "retry"
        except dg.Failure as failure:
            return "fail" if not failure.allow_retries else "maybe"
    raise AssertionError("no error at all")


if __name__ == "__main__":
    main(*sys.argv[1:])
